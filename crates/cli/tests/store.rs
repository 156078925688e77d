//! `porthole store`: blobs whose bytes changed on disk.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[allow(dead_code, reason = "other tests use the rest")]
mod scripted;

use porthole_testkit::{
    image::{Image, Layer},
    registry::Site,
};
use scripted::{Server, done, ends, porthole};
use std::fs;

/// A blob whose size is right counts as present, so only a check finds that its bytes changed.
#[test]
fn a_damaged_blob_is_found_and_downloaded_again() {
    let image = Image::new().layer(Layer::new("ADD a").file("a", b"content")).build();
    let digest = image.layers[0].blob.digest.clone();
    let server = Server::new(Site::new().repository("a/b", image.into_content("1")));
    let home = tempfile::tempdir().unwrap();
    let pull = format!("pull --store store {}/a/b:1", server.authority());
    ends(&porthole(home.path(), &pull), 0, "");
    assert_eq!(done(home.path(), "store check --store store")["damaged"].as_array().unwrap().len(), 0);

    let path = home.path().join("store/blobs/sha256").join(digest.strip_prefix("sha256:").unwrap());
    let whole = fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    bytes[whole.len() / 2] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let found = porthole(home.path(), "store check --store store");
    ends(&found, 7, "blobs of the store are damaged");
    let text = String::from_utf8(found.stdout).unwrap();
    assert!(text.contains(&format!("damaged  {digest} (of ")) && text.contains("1 damaged, 0 missing"), "{text}");

    let repaired = done(home.path(), "store check --repair --store store");
    assert!(repaired["damaged"][0]["set_aside"].as_str().unwrap().contains("/damaged/sha256-"), "{repaired}");
    ends(&porthole(home.path(), "store check --store store"), 7, "blobs of the store are missing");
    ends(&porthole(home.path(), &pull), 0, "");
    assert_eq!(fs::read(&path).unwrap(), whole);
    ends(&porthole(home.path(), "store check --store store"), 0, "");
}
