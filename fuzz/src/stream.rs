//! Targets for compressed bytes.

use porthole_core::{
    decode::{Decoder, Error, MIN_OUTPUT},
    digest::Digest,
    layer::{Expected, LayerReader, LayerReport},
    media_type::Compression,
};
use std::iter;

use crate::{
    listing::Listing,
    split::{limits, pieces},
};

/// Checks that a gzip stream decodes the same in every split.
pub fn gzip(data: &[u8]) {
    same_in_every_split(Compression::Gzip, data);
}

/// Checks that a zstd stream decodes the same in every split.
pub fn zstd(data: &[u8]) {
    same_in_every_split(Compression::Zstd, data);
}

/// Checks that a layer gives the same entries and the same report in every split.
pub fn layer(data: &[u8]) {
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
}

fn read<'d>(expected: &Expected, pieces: impl Iterator<Item = &'d [u8]>) -> (LayerReport, Listing) {
    let mut reader = LayerReader::new(expected.clone(), limits());
    let mut listing = Listing::default();
    for piece in pieces {
        reader.push(piece, &mut listing);
    }
    (reader.finish(&mut listing), listing)
}

fn same_in_every_split(compression: Compression, data: &[u8]) {
    let whole = unpack(compression, iter::once(data));
    let split = unpack(compression, pieces(data));
    assert_eq!(whole.verdict, split.verdict);
    if whole.verdict.is_ok() {
        assert!(whole == split, "the split changes what comes out");
    }
}

#[derive(PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) length: u64,
    pub(crate) bytes: Vec<u8>,
    pub(crate) verdict: Result<(), Error>,
}

pub(crate) fn unpack<'d>(compression: Compression, pieces: impl Iterator<Item = &'d [u8]>) -> Unpacked {
    let mut decoder = Decoder::new(compression, &limits());
    let mut buffer = vec![0; MIN_OUTPUT];
    let mut bytes = Vec::new();
    for mut piece in pieces {
        loop {
            let step = match decoder.decode(piece, &mut buffer) {
                Ok(step) => step,
                Err(error) => return Unpacked { length: decoder.written(), bytes, verdict: Err(error) },
            };
            bytes.extend_from_slice(&buffer[..step.written]);
            piece = &piece[step.read..];
            if step.starved {
                assert!(piece.is_empty(), "a starved decoder leaves no input");
                break;
            }
        }
    }
    Unpacked { length: decoder.written(), bytes, verdict: decoder.finish() }
}
