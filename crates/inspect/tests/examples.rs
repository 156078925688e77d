//! The examples do what they say.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[path = "../examples/verify_image.rs"]
#[allow(dead_code, reason = "the test calls what `main` calls")]
mod verify_image;

use porthole_testkit::{
    executor::block_on,
    image::{Image, Layer},
    source::MemoryImage,
};

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
