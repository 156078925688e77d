//! A reference that parses has a canonical form that parses to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use porthole_core::reference::Reference;

fuzz_target!(|data: &[u8]| {
    let Ok(reference) = Reference::parse_bytes(data) else { return };
    let canonical = reference.to_string();
    let again: Reference = canonical.parse().expect("a canonical form is a reference");
    assert_eq!(again.to_string(), canonical);
});
