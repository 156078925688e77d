//! Layers whose archive is hashed by another thread.

use crate::stage::*;
use porthole_testkit::{
    chunks::next,
    image::{Blob, Built, Content, Image, Layer},
};
use porthole_viewer::{protocol::LayerState, state::Action};

/// An image of a large layer and a small one.
fn uneven() -> Built {
    let mut seed = 1;
    let noise: Vec<u8> = (0..5 << 20).map(|_| (next(&mut seed) >> 32) as u8).collect();
    let large = Layer::new("COPY noise /").dir("srv").file("srv/noise", noise).file("srv/zeros", vec![0; 20 << 20]);
    Image::new().layer(large).layer(Layer::new("COPY motd /").file("etc/motd", "small\n")).build()
}

fn content_of(image: &Built) -> Content {
    let mut content = Content::default();
    content.add_image(image);
    content.add_root("1", image.manifest.clone());
    content
}

#[test]
fn a_layer_that_takes_longer_than_all_others_is_hashed_beside() {
    let mut stage = Stage::looking(content_of(&uneven()));
    stage.verified();
    let archives: u64 = stage.state.layers.iter().map(|layer| layer.uncompressed).sum();
    let hashed = stage.hashes().bytes.get();
    assert!(hashed > 25 << 20 && hashed < archives, "all of the large layer, nothing of the small one: {hashed}");
    stage.act(Action::ExpandAll(true));
    assert!(stage.paths().contains(&"srv/noise"));
}

#[test]
fn an_archive_hashed_beside_that_does_not_match_its_diff_id_is_wrong() {
    let image = uneven();
    let config = String::from_utf8(image.config.bytes.clone()).unwrap();
    let other = config.replace(&image.layers[0].diff_id, &image.layers[1].diff_id);
    let config = Blob::new(&image.config.media_type, other.into_bytes());
    let manifest = String::from_utf8(image.manifest.bytes.clone()).unwrap();
    let manifest = manifest.replace(&image.config.digest, &config.digest);
    let mut content = Content::default();
    content.add_image(&image).add_blob(config);
    content.add_root("1", Blob::new(&image.manifest.media_type, manifest.into_bytes()));
    let stage = Stage::looking(content);
    assert!(stage.hashes().bytes.get() > 0);
    assert_eq!(stage.layer_states(), [LayerState::Wrong, LayerState::Verified]);
    assert!(stage.layer_failure(0).text.starts_with("unpacked layer 1 "));
}

#[test]
fn a_layer_is_lost_with_the_thread_that_hashes_it_and_read_without_it_afterwards() {
    let mut stage = Stage::new(&registry(content_of(&uneven())));
    stage.hashes().most.set(Some(3 << 20));
    stage.look(REFERENCE);
    assert_eq!(stage.layer_states(), [LayerState::Lost, LayerState::Verified]);
    stage.look(REFERENCE);
    stage.verified();
}

#[test]
fn the_last_layer_is_hashed_beside_when_the_other_worker_is_idle() {
    let mut seed = 1;
    let mut layer = |megabytes: usize| {
        let noise: Vec<u8> = (0..megabytes << 20).map(|_| (next(&mut seed) >> 32) as u8).collect();
        Layer::new("COPY noise /").dir("srv").file("srv/noise", noise)
    };
    let layers = [layer(4), layer(4), layer(3)];
    let image = layers.into_iter().fold(Image::new(), Image::layer).build();
    let internet = registry(content_of(&image));
    internet.latency(50);
    let mut stage = Stage::new(&internet);
    stage.begin(Action::Look(REFERENCE.into()));
    stage.until(|stage| stage.reads() == 2);
    assert_eq!(stage.hashes().bytes.get(), 0);
    stage.settle();
    stage.verified();
    let (hashed, last) = (stage.hashes().bytes.get(), stage.state.layers[2].uncompressed);
    assert!(hashed > 1 << 20 && hashed <= last, "most of the last archive: {hashed} of {last}");
}
