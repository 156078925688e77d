//! Every file of nst's JSONTestSuite (MIT, its licence is in the archive): what RFC 8259 accepts, refuses, or leaves open.

use flate2::read::GzDecoder;
use porthole_core::json::parse_strict;
use std::io::Read;

/// Valid by RFC 8259 and refused here, because two parsers may read it as two documents.
const STRICTER: &[&str] = &["y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"];

#[test]
fn the_json_test_suite() {
    let archive = GzDecoder::new(&include_bytes!("vectors/json-suite.tar.gz")[..]);
    let mut archive = tar::Archive::new(archive);
    let (mut accepted, mut refused, mut open, mut wrong) = (0, 0, 0, Vec::new());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let read = parse_strict(&bytes);
        match name.as_bytes() {
            [b'y', b'_', ..] => {
                accepted += 1;
                if read.is_ok() == STRICTER.contains(&name.as_str()) {
                    wrong.push(format!("{name}: {read:?}"));
                }
            }
            [b'n', b'_', ..] => {
                refused += 1;
                if read.is_ok() {
                    wrong.push(format!("{name}: accepted"));
                }
            }
            // Both verdicts are valid. The test checks that parsing ends.
            [b'i', b'_', ..] => open += 1,
            _ => {}
        }
    }
    assert_eq!((accepted, refused, open), (95, 188, 35));
    assert!(wrong.is_empty(), "{wrong:#?}");
}
