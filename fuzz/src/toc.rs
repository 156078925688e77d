//! Target for layers with a table of contents.

use porthole_core::{
    layer::{Expected, LayerReader},
    limits::Limits,
    media_type::Compression,
    toc::{Audit, ChunkError, Error, Toc, TocReader},
    tree::FileTree,
};
use std::iter;

use crate::{
    listing::Listing,
    split::{limits, pieces},
};

/// Checks that a table of contents and its chunks are the same in every split, and that an audit ends.
///
/// The first byte selects the format of the rest: an eStargz layer, a zstd:chunked layer, or the JSON of one.
pub fn toc(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 3 {
        0 => layer(Compression::Gzip, bytes),
        1 => layer(Compression::Zstd, bytes),
        _ => layer(Compression::Zstd, &wrapped(bytes)),
    }
}

fn layer(compression: Compression, blob: &[u8]) {
    let mut limits = limits();
    (limits.toc_bytes, limits.chunk_bytes, limits.path_bytes) = (256 << 10, 64 << 10, 1 << 10);
    let whole = read(compression, blob, |part| Box::new(iter::once(part)), &limits);
    let split = read(compression, blob, |part| Box::new(pieces(part)), &limits);
    let (toc, other) = match (whole, split) {
        (Ok(Some(toc)), Ok(Some(other))) => (toc, other),
        (whole, split) => {
            assert_eq!(whole.map(|toc| toc.is_some()), split.map(|toc| toc.is_some()));
            return;
        }
    };
    let (mut listed, mut again) = (Listing::default(), Listing::default());
    toc.replay(&mut listed);
    other.replay(&mut again);
    assert_eq!(listed, again);
    assert_eq!(listed.entries.len() as u64, toc.entries());
    let mut tree = FileTree::new(10_000);
    tree.begin(0);
    // Opening a file searches all entries, so open only a few.
    for (number, entry) in listed.entries.iter().enumerate() {
        let _ = tree.apply(entry);
        if number < 32 {
            let whole = open(&toc, &entry.path, blob, |part| Box::new(iter::once(part)));
            let split = open(&toc, &entry.path, blob, |part| Box::new(pieces(part)));
            assert_eq!(whole.is_ok(), split.is_ok());
            assert!(whole.is_err() || whole == split, "the split changes what comes out");
        }
    }
    tree.commit();
    let mut audit = Audit::new(&toc);
    let mut reader = LayerReader::new(Expected::default(), limits);
    reader.push(blob, &mut audit);
    let report = reader.finish(&mut audit);
    let _ = audit.finish(&report);
}

type Split<'d> = fn(&'d [u8]) -> Box<dyn Iterator<Item = &'d [u8]> + 'd>;

fn read<'d>(compression: Compression, blob: &'d [u8], split: Split<'d>, limits: &Limits) -> Result<Option<Toc>, Error> {
    let mut reader = TocReader::probe(compression, blob.len() as u64, limits)?;
    let mut requests = 0;
    while let Some(range) = reader.wants() {
        requests += 1;
        assert!(requests <= 2, "a third request: {range:?}");
        for piece in split(&blob[range.start as usize..range.end as usize]) {
            reader.push(piece)?;
        }
    }
    reader.finish()
}

/// Length and checksum of a file.
fn open<'d>(toc: &Toc, path: &[u8], blob: &'d [u8], split: Split<'d>) -> Result<(u64, u64), ChunkError> {
    // Bounded: a small input can describe a huge file of zeros.
    let mut reader = toc.open_range(path, 0..1 << 16)?;
    let (size, mut length, mut sum) = (reader.size(), 0, 0u64);
    let mut take = |bytes: &[u8]| {
        length += bytes.len() as u64;
        sum = bytes.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    };
    let mut before = 0;
    while let Some(range) = reader.wants() {
        assert!(before <= range.start && range.start < range.end, "ranges go forward");
        before = range.end;
        for piece in split(&blob[range.start as usize..range.end as usize]) {
            reader.push(piece, &mut take)?;
        }
    }
    reader.finish(&mut take)?;
    assert_eq!(length, size.min(1 << 16));
    Ok((length, sum))
}

/// A zstd:chunked layer without files whose manifest is `json`.
fn wrapped(json: &[u8]) -> Vec<u8> {
    let json = &json[..json.len().min(100 << 10)];
    let length = json.len() as u32;
    // A single-segment frame with its size in four bytes, and one raw last block (RFC 8878 §3.1.1).
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&(length << 3 | 1).to_le_bytes()[..3]);
    frame.extend_from_slice(json);
    let mut blob = skippable(&frame);
    let footer = [8, frame.len() as u64, u64::from(length), 1, u64::from_le_bytes(*b"GnUlInUx")];
    let footer: Vec<u8> = footer.iter().flat_map(|number| number.to_le_bytes()).collect();
    blob.extend(skippable(&footer));
    blob
}

fn skippable(bytes: &[u8]) -> Vec<u8> {
    let mut frame = 0x184d_2a50_u32.to_le_bytes().to_vec();
    frame.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    frame.extend_from_slice(bytes);
    frame
}
