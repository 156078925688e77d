//! A digest that parses prints as the same text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use porthole_core::{digest::Digest, path};

fuzz_target!(|data: &[u8]| {
    let escaped = path::escape(data).into_owned();
    assert_eq!(path::unescape(&escaped).as_deref(), Some(data));
    path::clean(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(digest) = text.parse::<Digest>() else { return };
    assert_eq!(digest.to_string(), text);
});
