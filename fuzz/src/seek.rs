//! Target for seek indexes.

use porthole_core::{
    digest::Digest,
    layer::{Expected, LayerReader},
    limits::Limits,
    seek::{Index, IndexOptions},
    tar::{Entry, EntrySink, Flow, Kind},
};

use crate::split::{limits, pieces};

/// Maximum number of files of a layer to read.
const FILES: usize = 40;
/// Number of mutations of an index.
const CHANGES: usize = 20;

/// Checks that each file is the same through an index, that an index survives serialisation, and that a corrupt index
/// does not cause a panic.
pub fn seek(data: &[u8]) {
    tampered(&sealed([b"PHINDEX\x01", data].concat()), data);
    let Some(index) = index(data) else { return };
    let bytes = index.to_bytes();
    assert!(Index::from_bytes(&bytes).as_ref() == Ok(&index), "an index is not what was written of it");
    let mut replayed = Contents::default();
    index.replay(&mut replayed);

    let mut whole = Contents::default();
    let mut reader = LayerReader::new(Expected::default(), limits());
    reader.push(data, &mut whole);
    if reader.finish(&mut whole).findings.is_empty() {
        let entries = |contents: &Contents| contents.0.iter().map(|(entry, _)| entry.clone()).collect::<Vec<_>>();
        assert_eq!(entries(&replayed), entries(&whole));
        for (number, (entry, content)) in whole.0.iter().enumerate().filter(is_file).take(FILES) {
            let read = read(&index, number as u64, data).expect("a file that the whole stream has");
            assert!(read == *content, "entry {number} of {} bytes is another through the index", entry.size);
        }
    }

    let mut state = data.iter().fold(1u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    for _ in 0..CHANGES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut content = bytes[..bytes.len() - 32].to_vec();
        let at = (state >> 33) as usize % content.len();
        content[at] ^= 1 << ((state >> 29) % 8);
        tampered(&sealed(content), data);
    }
}

fn index(layer: &[u8]) -> Option<Index> {
    let mut options = IndexOptions::default();
    (options.spacing, options.file_digests) = (4096, layer.len().is_multiple_of(2));
    let expected =
        Expected { digest: Some(Digest::sha256(layer)), size: Some(layer.len() as u64), ..Expected::default() };
    let mut reader = LayerReader::new(expected, limits()).indexed(options);
    let mut names = Names;
    for piece in pieces(layer) {
        reader.push(piece, &mut names);
    }
    reader.finish_with_index(&mut names).1
}

/// The content of the n-th entry.
fn read(index: &Index, number: u64, layer: &[u8]) -> Option<Vec<u8>> {
    let mut reader = index.open(number, &limits()).ok()?;
    let range = reader.range();
    let bytes = layer.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)?;
    let mut content = Vec::new();
    for piece in pieces(bytes) {
        reader.push(piece, &mut |bytes| content.extend_from_slice(bytes)).ok()?;
    }
    reader.finish().ok().map(|()| content)
}

/// Parses bytes as an index and reads through it; only panics are failures.
fn tampered(bytes: &[u8], layer: &[u8]) {
    let Ok(index) = Index::from_bytes(bytes) else { return };
    assert!(Index::from_bytes(&index.to_bytes()).as_ref() == Ok(&index));
    let _ = (index.seekable(), index.offsets(), index.entry(1), index.find(1536), index.file_digest(0));
    for number in 0..index.entry_count().min(4) {
        read(&index, number, layer);
        if let Ok(mut reader) = index.open(number, &Limits::default()) {
            let range = reader.range();
            assert!(range.start < range.end && range.end <= index.size());
            let _ = reader.push(layer, &mut |_| {});
        }
    }
}

/// An index file with a valid checksum.
fn sealed(mut content: Vec<u8>) -> Vec<u8> {
    let checksum = Digest::sha256(&content);
    content.extend_from_slice(checksum.as_bytes());
    content
}

fn is_file((_, (entry, _)): &(usize, &(Entry, Vec<u8>))) -> bool {
    entry.kind == Kind::File
}

struct Names;

impl EntrySink for Names {
    fn entry(&mut self, _: Entry) -> Flow {
        Flow::Continue
    }
}

#[derive(Default)]
struct Contents(Vec<(Entry, Vec<u8>)>);

impl EntrySink for Contents {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.0.push((entry, Vec::new()));
        Flow::WantData
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        if let Some((_, content)) = self.0.last_mut() {
            content.extend_from_slice(bytes);
        }
        Flow::Continue
    }
}
