//! The examples do what they say.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[path = "../examples/list_layer.rs"]
#[allow(dead_code, reason = "the test calls what `main` calls")]
mod list_layer;

use porthole_core::digest::Digest;

#[test]
fn a_layer_is_listed_and_verified() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(6);
    header.set_mode(0o644);
    builder.append_data(&mut header, "etc/motd\u{1b}", &b"hello\n"[..]).unwrap();
    let layer = builder.into_inner().unwrap();
    for (digest, listed) in [(None, true), (Some(Digest::sha256(&layer)), true), (Some(Digest::sha256(b"")), false)] {
        let mut out = Vec::new();
        let outcome = list_layer::list(&layer[..], digest, &mut out);
        assert_eq!(outcome.is_ok(), listed, "{outcome:?}");
        assert_eq!(String::from_utf8(out).unwrap(), "           6 etc/motd\\x1b\n");
    }
}
