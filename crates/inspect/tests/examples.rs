//! The examples do what they say.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[path = "../examples/read_file.rs"]
#[allow(dead_code, reason = "the test calls what `main` calls")]
mod read_file;
#[path = "../examples/verify_image.rs"]
#[allow(dead_code, reason = "the test calls what `main` calls")]
mod verify_image;

use porthole_testkit::{
    executor::block_on,
    image::{Image, Layer},
    source::MemoryImage,
};
use std::io::Cursor;

#[test]
fn an_image_is_verified_layer_by_layer() {
    let image = Image::new().layer(Layer::new("COPY a /").file("a", "b")).layer(Layer::new("COPY b /").file("b", "c"));
    let mut content = image.build().into_content("1");
    let mut out = Vec::new();
    block_on(verify_image::verify(&MemoryImage::new(content.clone(), "1"), &mut out)).unwrap();
    let lines = String::from_utf8(out).unwrap();
    assert_eq!(lines.lines().count(), 4, "{lines}");
    assert!(lines.contains("layer 2  sha256:"), "{lines}");

    let layer = content.blobs.values_mut().find(|blob| blob.media_type.contains("layer")).unwrap();
    let last = layer.bytes.len() - 1;
    layer.bytes[last] ^= 1;
    let error = block_on(verify_image::verify(&MemoryImage::new(content, "1"), &mut Vec::new())).unwrap_err();
    assert!(error.to_string().starts_with("layer "), "{error}");
}

#[test]
fn a_file_is_read_by_a_range_of_its_layer() {
    let noise =
        (0..3_000_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<_>>();
    let layer = Layer::new("COPY . /").file("noise", noise).file("etc/motd", "hello\n");
    let blob = Image::new().layer(layer).build().layers[0].blob.bytes.clone();
    let index = read_file::index(&mut &blob[..]).unwrap();
    // What is before the part that holds the file is not read.
    let mut torn = blob.to_vec();
    torn[..1_000_000].fill(0);
    let mut out = Vec::new();
    block_on(read_file::read(&mut Cursor::new(&torn), index.clone(), b"etc/motd", &mut out)).unwrap();
    assert_eq!(out, b"hello\n");
    for (path, bytes) in [(&b"etc/issue"[..], &blob[..]), (b"noise", &torn)] {
        let outcome = block_on(read_file::read(&mut Cursor::new(bytes), index.clone(), path, &mut Vec::new()));
        assert!(outcome.is_err(), "{path:?}");
    }
}
