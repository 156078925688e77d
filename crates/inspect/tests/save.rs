//! How archives hold layers, and which images are refused.

use porthole_core::{
    digest::{Digest, Mismatch},
    failure::{Classify, FailureClass},
    image::Image,
    limits::Limits,
    platform::Platform,
};
use porthole_inspect::{
    resolve::{PlatformChoice, resolve},
    save::{DockerLayer, Error, LayerUnpacker, docker_layers},
};
use porthole_testkit::{
    executor::block_on,
    image::{Built, Compression, Image as Builder, Layer},
    source::MemoryImage,
};

fn built() -> Built {
    let layers = [Compression::None, Compression::Gzip, Compression::Zstd];
    let layer = |compression| Layer::new("COPY").file("a", "b".repeat(9_000)).compression(compression);
    layers.into_iter().map(layer).fold(Builder::new(), Builder::layer).build()
}

fn image(built: Built) -> Image {
    let source = MemoryImage::new(built.into_content("1"), "1");
    let choice = PlatformChoice::fallback(Platform::new("linux", "amd64", None));
    block_on(resolve(&source, &choice, &mut |_| {})).expect("an image").image
}

#[test]
fn only_layers_with_zstd_are_unpacked_for_docker() {
    let image = image(built());
    let layers = docker_layers(&image).expect("layers").into_iter().map(|(_, held)| held);
    let (kept, unpacked) = (|gzip| DockerLayer::Kept { gzip }, DockerLayer::Unpacked);
    assert_eq!(layers.collect::<Vec<_>>(), [kept(false), kept(true), unpacked]);
}

#[test]
fn a_layer_that_is_unpacked_is_verified() {
    let built = built();
    let (blob, tar) = (built.layers[2].blob.bytes.clone(), built.layers[2].tar.clone());
    let image = image(built);
    let layer = &image.layers[2];
    // In pieces of this many bytes; with the failure of what was unpacked.
    let unpack = |blob: &[u8], piece: usize, refuted: Option<Mismatch>| {
        let mut unpacker = LayerUnpacker::new(layer, &Limits::default());
        let mut all = Vec::new();
        for mut rest in blob.chunks(piece) {
            unpacker.verify(rest)?;
            while let Some(unpacked) = unpacker.next(&mut rest) {
                all.extend_from_slice(unpacked);
            }
        }
        if let Some(mismatch) = refuted {
            unpacker.refute(mismatch);
        }
        unpacker.finish().map(|()| all)
    };
    for piece in [1, 7, 1 << 20] {
        assert!(unpack(&blob, piece, None).is_ok_and(|all| all == tar), "{piece}");
    }
    let other = || Mismatch::Digest { expected: Digest::sha256(b"a"), got: Digest::sha256(b"b") };
    let error = unpack(&blob, 100, Some(other())).expect_err("another diff_id");
    assert!(error.to_string().starts_with("layer 3 does not unpack to its diff_id"), "{error}");
    // Wrong bytes are blamed on the blob, whatever they unpack to.
    let mut wrong = blob.clone();
    wrong[5] ^= 0xff;
    for bytes in [&wrong, &blob[1..].to_vec(), &[blob.as_slice(), b"x"].concat()] {
        let error = unpack(bytes, 100, Some(other())).expect_err("another blob");
        assert!(matches!(error, Error::Blob { .. }), "{error}");
        assert_eq!(error.kind(), FailureClass::Malformed);
    }
}
