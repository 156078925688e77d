//! A layer gives the same entries and the same report in every split.
#![no_main]

use std::iter;

use libfuzzer_sys::fuzz_target;
use porthole_core::{
    digest::Digest,
    layer::{Expected, LayerReader, LayerReport},
};
use porthole_fuzz::{Record, limits, pieces};

fn read<'d>(expected: &Expected, pieces: impl Iterator<Item = &'d [u8]>) -> (LayerReport, Record) {
    let mut reader = LayerReader::new(expected.clone(), limits());
    let mut record = Record::default();
    for piece in pieces {
        reader.push(piece, &mut record);
    }
    (reader.finish(&mut record), record)
}

fuzz_target!(|data: &[u8]| {
    let digest = Digest::sha256(data);
    let bare = Expected::default();
    let exact = Expected { digest: Some(digest), size: Some(data.len() as u64), ..Expected::default() };
    for expected in [bare, exact] {
        let (whole, listing) = read(&expected, iter::once(data));
        let (split, other) = read(&expected, pieces(data));
        assert_eq!(whole.digest, digest);
        assert_eq!(split.digest, digest);
        assert_eq!(whole.findings, split.findings);
        assert_eq!(whole.diff_id, split.diff_id);
        if whole.findings.is_empty() {
            assert_eq!(listing, other);
        }
        assert!(!whole.verified(), "no diff_id was expected");
    }
});
