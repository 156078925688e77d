//! Files that must be read whole before their images are found: archives that are compressed as a whole, and single layers.

use crate::stage::*;
use porthole_core::{digest::Digest, failure::FailureClass};
use porthole_testkit::{
    image::{Built, Compression, Content, Image, Layer},
    registry::Internet,
};
use porthole_viewer::{
    address::Tab,
    protocol::{ComparedFiles, Event, FileReading, Remedy, ShownContent},
    session::{GivenFile, ScratchFile, given_reference},
    state::{Action, command},
};
use std::sync::Arc;

/// A file in memory.
#[derive(Default)]
pub(crate) struct Scratch(Vec<u8>);

impl ScratchFile for Scratch {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    async fn finish(self) -> Result<GivenFile, String> {
        Ok(GivenFile::new(Arc::<[u8]>::from(self.0)))
    }
}

fn image(file: &str) -> Built {
    Image::new().layer(Layer::new("COPY x /").file(file, "hello\n")).build()
}

fn give(stage: &Stage, name: &str, bytes: Vec<u8>) {
    stage.give(name, GivenFile::new(Arc::<[u8]>::from(bytes)));
}

fn dropped(name: &str, bytes: Vec<u8>) -> Stage {
    let mut stage = Stage::new(&Internet::new());
    let before = stage.internet.log().len();
    give(&stage, name, bytes);
    stage.act(Action::File(name.into()));
    assert_eq!(stage.internet.log().len(), before, "a file needs no request");
    stage
}

fn readings(stage: &Stage) -> Vec<FileReading> {
    let reading = |event: &Event| match event {
        Event::FileReading { reading, .. } => Some(reading.clone()),
        _ => None,
    };
    stage.events.iter().filter_map(reading).collect()
}

#[test]
fn an_archive_that_is_compressed_as_a_whole_is_unpacked_once() {
    let docker = Content::docker_archive(&[("app:1", &image("motd"))]);
    for compression in [Compression::Gzip, Compression::Zstd] {
        let packed = compression.compress(&docker);
        let (size, unpacked) = (packed.len() as u64, docker.len() as u64);
        let mut stage = dropped("app.tar.gz", packed);
        stage.verified();
        assert_eq!(stage.paths(), ["motd"]);
        assert_eq!(command(&stage.state).as_deref(), Some("porthole ls ./app.tar.gz"));
        let told = readings(&stage);
        let name = if compression == Compression::Gzip { "gzip" } else { "zstd" };
        let ends = [(told.first(), 0, 0), (told.last(), size, unpacked)];
        for (reading, read, written) in ends {
            let expected = FileReading { compression: Some(name.into()), read, total: size, written };
            assert_eq!(reading, Some(&expected));
        }
        assert_eq!(stage.state.reading_file.as_ref(), told.last(), "the page says why");
        stage.act(Action::Select(Some("motd".into())));
        assert!(matches!(stage.content(), ShownContent::Text { text, .. } if text == "hello\n"));
        stage.act(Action::Retry);
        stage.verified();
        assert_eq!(stage.scratches(), 1, "what is unpacked stays unpacked");
    }
}

#[test]
fn a_layout_that_is_compressed_as_a_whole_is_opened() {
    let packed = Compression::Gzip.compress(&image("motd").into_content("1").layout_tar());
    let stage = dropped("layout.tgz", packed);
    stage.verified();
    assert_eq!(stage.paths(), ["motd"]);
}

#[test]
fn two_packed_archives_are_compared() {
    let mut stage = Stage::new(&Internet::new());
    for name in ["one", "two", "three"] {
        let packed = Compression::Gzip.compress(&image(name).into_content("1").layout_tar());
        give(&stage, &format!("{name}.tgz"), packed);
    }
    stage.act(Action::File("one.tgz".into()));
    stage.act(Action::Compare { with: given_reference("two.tgz"), platform: None });
    let comparison = stage.state.comparison.clone().unwrap();
    assert!(matches!(&comparison.files, ComparedFiles::Done { rows, .. } if rows.len() == 2), "{comparison:?}");
    assert_eq!(stage.scratches(), 2);
    stage.act(Action::File("three.tgz".into()));
    stage.act(Action::File("one.tgz".into()));
    stage.verified();
    assert_eq!(stage.scratches(), 4, "two files stay unpacked");
}

#[test]
fn another_file_of_the_same_name_is_unpacked_again() {
    let packed = |name: &str| Compression::Gzip.compress(&image(name).into_content("1").layout_tar());
    let mut stage = dropped("app.tgz", packed("a"));
    give(&stage, "app.tgz", packed("another-name"));
    stage.act(Action::File("app.tgz".into()));
    stage.verified();
    assert_eq!(stage.paths(), ["another-name"]);
}

#[test]
fn without_room_the_page_names_the_command_line() {
    let mut stage = Stage::new(&Internet::new());
    stage.set_room(10);
    give(&stage, "app.tgz", Compression::Gzip.compress(&image("a").into_content("1").layout_tar()));
    stage.act(Action::File("app.tgz".into()));
    let failure = stage.failed_as(FailureClass::Other);
    assert!(failure.text.contains("compressed with gzip as a whole"), "{}", failure.text);
    assert!(failure.text.ends_with("there is room for nothing."), "{}", failure.text);
    assert!(
        offers(failure, |remedy| matches!(remedy, Remedy::Text { text } if text.contains("porthole ls ./app.tgz"))),
        "{failure:?}"
    );
}

#[test]
fn a_packed_archive_that_ends_early_is_malformed() {
    let packed = Compression::Gzip.compress(&noise(100_000));
    let stage = dropped("app.tgz", packed[..packed.len() / 2].to_vec());
    let failure = stage.failed_as(FailureClass::Malformed);
    assert!(failure.text.contains("unexpected EOF"), "{}", failure.text);
}

#[test]
fn xz_is_refused_with_the_command_that_opens_it() {
    let stage = dropped("app.tar.xz", b"\xfd7zXZ\0".repeat(100));
    let failure = stage.failed_as(FailureClass::Malformed);
    assert!(failure.text.contains("compressed with xz"), "{}", failure.text);
    assert!(
        offers(failure, |remedy| matches!(remedy, Remedy::Text { text } if text.contains("porthole ls ./app.tar.xz"))),
        "{failure:?}"
    );
}

#[test]
fn a_single_layer_is_an_image_of_one_layer() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let layer = Layer::new("COPY").compression(compression).dir("etc").file("etc/motd", "hello\n");
        let built = Image::new().layer(layer).build().layers.remove(0);
        let digest = Digest::sha256(&built.blob.bytes).to_string();
        let mut stage = dropped("layer.tar", built.blob.bytes);
        stage.verified();
        stage.act(Action::ExpandAll(true));
        assert_eq!(stage.paths(), ["etc", "etc/motd"]);
        let summary = stage.state.image.clone().unwrap();
        assert!(summary.bare && summary.deviations.is_empty(), "{summary:?}");
        let [only] = summary.layers.as_slice() else { panic!("{summary:?}") };
        assert_eq!((only.digest.clone(), only.diff_id.clone()), (digest, Some(built.diff_id)));
        assert_eq!(command(&stage.state).as_deref(), Some("porthole ls layer:./layer.tar"));
        stage.act(Action::Select(Some("etc/motd".into())));
        assert!(matches!(stage.content(), ShownContent::Text { text, .. } if text == "hello\n"));
        assert_eq!(command(&stage.state).as_deref(), Some("porthole cat layer:./layer.tar etc/motd"));
        stage.act(Action::Tab(Tab::Config));
        assert_eq!(command(&stage.state), None, "the command line makes no documents for a layer");
        assert!(summary.documents.iter().any(|document| document.text.contains("porthole made this configuration")));
        let told = readings(&stage).pop().unwrap();
        assert_eq!((told.compression, told.read), (None, told.total));
    }
}
