//! The target for seek indexes.

use porthole_core::{
    digest::Digest,
    layer::{Expected, LayerReader},
    limits::Limits,
    seek::{Ask, AtPath, Children, FileReader, Find, HEADER_BYTES, IndexOptions, IndexReader, MemoryIndex, Opening},
    tar::{Entry, EntrySink, Flow, Kind},
};

use crate::split::{limits, pieces};

/// As many files of a layer as are read one by one.
const FILES: usize = 40;
/// As many changes as are made to an index.
const CHANGES: usize = 20;
/// Bytes of the header before its checksum.
const CONTENT: usize = HEADER_BYTES - 32;

/// Each file of a layer is the same through an index; what is no index, or a forged one, makes nothing go wrong.
pub fn seek(data: &[u8]) {
    tampered(sealed([b"PHINDEX\x02", data].concat()), data);
    let Some(bytes) = index(data) else { return };
    let mut index = MemoryIndex::new(bytes.clone()).expect("an index cannot be read back");
    let mut replayed = Vec::new();
    while (replayed.len() as u64) < index.reader().entry_count() {
        let entries = index.ask(|index| index.entries(replayed.len() as u64)).expect("its own pages");
        replayed.extend(entries.into_iter().map(|(entry, _)| entry));
    }

    let mut whole = Contents::default();
    let mut reader = LayerReader::new(Expected::default(), limits());
    reader.push(data, &mut whole);
    if reader.finish(&mut whole).findings.is_empty() {
        let entries: Vec<Entry> = whole.0.iter().map(|(entry, _)| entry.clone()).collect();
        assert_eq!(replayed, entries);
        for (number, (entry, content)) in whole.0.iter().enumerate().filter(is_file).take(FILES) {
            let read = read(&mut index, number as u64, data).expect("a file that the whole stream has");
            assert!(read == *content, "entry {number} of {} bytes is another through the index", entry.size);
        }
        for (number, (entry, _)) in whole.0.iter().enumerate().take(FILES) {
            let mut find = Find::new(&entry.path);
            let found = index.ask(|index| find.step(index)).expect("its own pages");
            let found = match found {
                AtPath::Entry(located) => Some(located.number),
                AtPath::Implied | AtPath::Nothing => None,
            };
            // A later entry may have the same path; a global header has none.
            let right = found.is_some_and(|found| found >= number as u64) || entry.kind == Kind::Global;
            assert!(right, "entry {number} is not found by its path");
        }
    }

    let mut state = data.iter().fold(1u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    for round in 0..CHANGES {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let mut changed = bytes.clone();
        let most = if round % 2 == 0 { CONTENT } else { bytes.len() };
        changed[(state >> 33) as usize % most] ^= 1 << ((state >> 29) % 8);
        if round % 2 == 0 {
            changed = sealed(changed);
        }
        tampered(changed, data);
    }
    forged(&mut index, state, data);
}

fn index(layer: &[u8]) -> Option<Vec<u8>> {
    let mut options = IndexOptions::default();
    (options.spacing, options.file_digests) = (4096, layer.len().is_multiple_of(2));
    let expected =
        Expected { digest: Some(Digest::sha256(layer)), size: Some(layer.len() as u64), ..Expected::default() };
    let mut reader = LayerReader::new(expected, limits()).with_index(options);
    let mut names = Names;
    let mut bytes = Vec::new();
    for piece in pieces(layer) {
        reader.push(piece, &mut names);
        bytes.extend(reader.take_index());
    }
    let end = reader.finish_index(&mut names).1?;
    bytes.extend(end.tail);
    bytes[..HEADER_BYTES].copy_from_slice(&end.header);
    Some(bytes)
}

fn open(index: &mut MemoryIndex, number: u64) -> Option<FileReader> {
    let mut opening = Opening::number(number, &Limits::default());
    index.ask(|index| opening.step(index)).ok()
}

/// The content of a file, by its place in the archive.
fn read(index: &mut MemoryIndex, number: u64, layer: &[u8]) -> Option<Vec<u8>> {
    let mut reader = open(index, number)?;
    let range = reader.range();
    let bytes = layer.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)?;
    let mut content = Vec::new();
    for piece in pieces(bytes) {
        reader.push(piece, &mut |bytes| content.extend_from_slice(bytes)).ok()?;
    }
    reader.finish().ok().map(|()| content)
}

/// Replaces the first leaf of entries by one with a changed byte that has its digest.
fn forged(index: &mut MemoryIndex, state: u64, layer: &[u8]) {
    let bytes = index.bytes();
    let Ok(mut reader) = IndexReader::new(&bytes[..HEADER_BYTES], bytes.len() as u64) else { return };
    let Err(Ask::Page(page)) = reader.entries(0) else { return };
    let (start, end) = (page.offset() as usize, page.offset() as usize + page.length());
    let mut forged = bytes.to_vec();
    let old = Digest::sha256(&forged[start..end]);
    forged[start + (state >> 17) as usize % page.length()] ^= 1 << (state >> 50 & 7);
    let new = Digest::sha256(&forged[start..end]);
    // The top page of a tree, so that the header refers to it.
    let at = forged[..HEADER_BYTES].windows(32).position(|window| window == old.as_bytes());
    let at = at.expect("the header refers to the first page of entries that is asked for");
    forged[at..at + 32].copy_from_slice(new.as_bytes());
    tampered(sealed(forged), layer);
}

/// Reads what may be an index, and through it; only panics count.
fn tampered(bytes: Vec<u8>, layer: &[u8]) {
    let Ok(mut index) = MemoryIndex::new(bytes) else { return };
    let size = index.reader().size();
    let _ = (index.reader().seekable(), index.ask(|index| index.offsets()));
    let _ = (index.ask(|index| index.entry(1)), index.ask(|index| index.entry_at(1536)));
    let mut from = 0;
    while let Ok(entries) = index.ask(|index| index.entries(from)) {
        if entries.is_empty() || from > 10_000 {
            break;
        }
        from += entries.len() as u64;
        let mut find = Find::new(&entries[0].0.path);
        let _ = index.ask(|index| find.step(index));
    }
    let mut children = Children::new(b"");
    for _ in 0..1000 {
        if !matches!(index.ask(|index| children.step(index)), Ok(Some(_))) {
            break;
        }
    }
    for number in 0..index.reader().entry_count().min(4) {
        read(&mut index, number, layer);
        if let Some(mut reader) = open(&mut index, number) {
            let range = reader.range();
            assert!(range.start < range.end && range.end <= size);
            let _ = reader.push(layer, &mut |_| {});
        }
    }
}

/// An index with a checksum that fits its header.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().max(HEADER_BYTES), 0);
    let checksum = Digest::sha256(&bytes[..CONTENT]);
    bytes[CONTENT..HEADER_BYTES].copy_from_slice(checksum.as_bytes());
    bytes
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
