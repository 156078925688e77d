//! Targets for the blobs of artifacts, which may be any file.

use crate::{
    listing::Listing,
    split::{limits, pieces},
};
use porthole_core::{
    digest::Digest,
    layer::{Expected, LayerReader, LayerReport},
};
use porthole_inspect::artifact::of_blob;
use std::iter;

/// Reads what a blob says of itself, whole and cut off; then reads the blob as an archive or as one file, in any split.
pub fn artifact(data: &[u8]) {
    let _ = of_blob(data, true);
    let cut = of_blob(&data[..data.len() / 2], false);
    assert!(cut.len() <= of_blob(data, false).len(), "more bytes say no less");
    let (whole, listing) = read(data, iter::once(data));
    let (split, other) = read(data, pieces(data));
    assert_eq!((whole.one_file, &whole.findings), (split.one_file, &split.findings));
    if whole.findings.is_empty() {
        assert_eq!(listing, other);
    }
    if whole.one_file {
        assert!(whole.findings.is_empty(), "a file need not be anything: {:?}", whole.findings);
        assert_eq!((whole.entries, whole.uncompressed), (1, data.len() as u64));
    }
}

fn read<'d>(data: &[u8], pieces: impl Iterator<Item = &'d [u8]>) -> (LayerReport, Listing) {
    let size = Some(data.len() as u64);
    let expected = Expected { digest: Some(Digest::sha256(data)), size, ..Expected::default() };
    let mut reader = LayerReader::new(expected, limits()).or_file(b"blob".to_vec());
    let mut listing = Listing::default();
    for piece in pieces {
        reader.push(piece, &mut listing);
    }
    (reader.finish(&mut listing), listing)
}
