//! Indexes that are damaged, cut off, or written to deceive: every answer is right or refused, and nothing panics.

use std::{collections::BTreeSet, io::Write as _};

use flate2::{Compression as Level, write::GzEncoder};
use porthole_core::{
    digest::Digest,
    layer::{Expected, LayerReader},
    limits::Limits,
    seek::{
        Ask, AtPath, Children, Find, HEADER_BYTES, IndexOptions, IndexReader, Malformed, MemoryIndex, Opening, PageRef,
    },
    tar::{Entry, Kind},
};
use porthole_testkit::{chunks::next, sink::Entries};
use wasm_bindgen_test::wasm_bindgen_test;

/// A gzip layer of small files in directories, one of them implied.
fn layer(files: usize) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut state = 11;
    for number in 0..files {
        let data: Vec<u8> = (0..200 + next(&mut state) % 800).map(|_| (next(&mut state) >> 40) as u8 % 64).collect();
        let mut header = tar::Header::new_ustar();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        let name = format!("dir-{}/file-{number}", number / 5);
        builder.append_data(&mut header, name, data.as_slice()).expect("a builder in memory");
    }
    let archive = builder.into_inner().expect("a builder in memory");
    let mut encoder = GzEncoder::new(Vec::new(), Level::new(6));
    for piece in archive.chunks(3000) {
        encoder.write_all(piece).and_then(|()| encoder.flush()).expect("an encoder in memory");
    }
    encoder.finish().expect("an encoder in memory")
}

fn index(blob: &[u8]) -> (Vec<u8>, Vec<Entry>) {
    let (digest, size) = (Some(Digest::sha256(blob)), Some(blob.len() as u64));
    let mut options = IndexOptions::default();
    // Near the start of a layer, checkpoints are a quarter of `spacing` apart.
    (options.spacing, options.file_digests) = (4 * 4096, true);
    let mut reader =
        LayerReader::new(Expected { digest, size, ..Expected::default() }, Limits::default()).with_index(options);
    let mut names = Entries::default();
    reader.push(blob, &mut names);
    let (_, end) = reader.finish_index(&mut names);
    (end.expect("a whole layer").into_bytes(), names.0)
}

/// Asks every question. Returns the answers, `None` for one that is refused, and adds the pages that they took to `pages`.
/// Of a question with several parts, the parts before a refusal are kept.
fn answers(
    bytes: &[u8],
    entries: &[Entry],
    blob: &[u8],
    pages: &mut BTreeSet<(u64, usize)>,
) -> Option<Vec<Option<String>>> {
    let header = bytes.get(..HEADER_BYTES).unwrap_or(bytes);
    let mut index = IndexReader::new(header, bytes.len() as u64).ok()?;
    let mut answers = vec![Some(format!("{index:?}"))];
    let count = index.entry_count();
    let mut from = 0;
    // A hostile index may state any number of entries.
    while from < count && from < 10_000 {
        let batch = ask(&mut index, bytes, pages, |index| index.entries(from));
        answers.push(batch.as_ref().map(|batch| format!("{batch:?}")));
        match batch {
            Some(batch) if !batch.is_empty() => from += batch.len() as u64,
            _ => break,
        }
    }
    for entry in entries {
        let mut find = Find::new(&entry.path);
        let found = ask(&mut index, bytes, pages, |index| find.step(index));
        answers.push(found.as_ref().map(|found| format!("{found:?}")));
        let Some(AtPath::Entry(located)) = found else { continue };
        let mut opening = Opening::located(*located, &Limits::default());
        let reader = ask(&mut index, bytes, pages, |index| opening.step(index));
        answers.push(reader.and_then(|mut reader| {
            let range = reader.range();
            let part = blob.get(range.start as usize..range.end as usize)?;
            let mut content = Vec::new();
            reader.push(part, &mut |bytes| content.extend_from_slice(bytes)).ok()?;
            reader.finish().ok()?;
            Some(Digest::sha256(&content).to_string())
        }));
    }
    for directory in ["", "dir-0", "none"] {
        let mut children = Children::new(directory.as_bytes());
        for _ in 0..1000 {
            let some = ask(&mut index, bytes, pages, |index| children.step(index));
            answers.push(some.as_ref().map(|some| format!("{some:?}")));
            if !matches!(some, Some(Some(_))) {
                break;
            }
        }
    }
    let offsets = ask(&mut index, bytes, pages, |index| index.offsets());
    answers.push(offsets.map(|offsets| format!("{offsets:?}")));
    Some(answers)
}

fn ask<T>(
    index: &mut IndexReader,
    bytes: &[u8],
    pages: &mut BTreeSet<(u64, usize)>,
    mut question: impl FnMut(&mut IndexReader) -> Result<T, Ask>,
) -> Option<T> {
    // A question that takes more pages than this would never end.
    for _ in 0..1000 {
        match question(index) {
            Ok(answer) => return Some(answer),
            Err(Ask::Failed(_)) => return None,
            Err(Ask::Page(page)) => {
                let (start, length) = (page.offset(), page.length());
                assert!(length <= 64 << 10 && start >= HEADER_BYTES as u64, "{page:?}");
                pages.insert((start, length));
                let part = &bytes[start as usize..][..length];
                index.give(page, part.to_vec()).ok()?;
            }
        }
    }
    panic!("a question without end");
}

/// Whether each answer is the same as without damage, or refused.
fn same_or_refused(got: Option<Vec<Option<String>>>, expected: &[Option<String>]) -> bool {
    // A refusal may drop later answers, but every answer must be one of the expected.
    got.is_none_or(|got| got.iter().flatten().all(|answer| expected.contains(&Some(answer.clone()))))
}

#[wasm_bindgen_test(unsupported = test)]
fn a_changed_byte_is_noticed() {
    let blob = layer(6);
    let (bytes, entries) = index(&blob);
    let mut pages = BTreeSet::new();
    let expected = answers(&bytes, &entries, &blob, &mut pages).expect("an index");
    assert!(expected.iter().all(Option::is_some));
    let mut end = HEADER_BYTES as u64;
    for (start, length) in &pages {
        assert_eq!(*start, end, "each byte is part of one page that some question reads");
        end += *length as u64;
    }
    assert_eq!(end, bytes.len() as u64);
    for at in 0..bytes.len() {
        let mut wrong = bytes.clone();
        wrong[at] ^= 1 << (at % 8);
        let got = answers(&wrong, &entries, &blob, &mut BTreeSet::new());
        assert!(got.as_ref() != Some(&expected), "byte {at} of {} goes unnoticed", bytes.len());
        assert!(same_or_refused(got, &expected), "byte {at} of {}", bytes.len());
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_index_of_another_length_is_refused() {
    let blob = layer(12);
    let (bytes, _) = index(&blob);
    for length in 0..bytes.len() {
        assert!(MemoryIndex::new(bytes[..length].to_vec()).is_err(), "cut at {length}");
    }
    let (expected, got) = (bytes.len() as u64, bytes.len() as u64 + 1);
    let longer = [&bytes[..], b"\0"].concat();
    assert_eq!(MemoryIndex::new(longer).err(), Some(Malformed::Length { expected, got }));
    for (start, version) in [(&b"PHINDEX\x01"[..], 1), (b"PHINDEX\x03", 3)] {
        let other = [start, &bytes[8..]].concat();
        assert_eq!(MemoryIndex::new(other).err(), Some(Malformed::Version { expected: 2, got: version }));
    }
}

/// Replaces a page by another of the same length, and fixes the digests above it, as an attacker who can write the index would.
fn forge(bytes: &mut [u8], pages: &BTreeSet<(u64, usize)>, start: usize, page: &[u8]) {
    let old = Digest::sha256(&bytes[start..start + page.len()]);
    bytes[start..start + page.len()].copy_from_slice(page);
    let new = Digest::sha256(page);
    let at = bytes.windows(32).position(|window| window == old.as_bytes()).expect("a reference to the page");
    if at < HEADER_BYTES {
        bytes[at..at + 32].copy_from_slice(new.as_bytes());
        return seal(bytes);
    }
    let (parent, length) = pages.range(..=(at as u64, usize::MAX)).next_back().expect("a node");
    let parent = *parent as usize;
    let mut node = bytes[parent..parent + length].to_vec();
    node[at - parent..][..32].copy_from_slice(new.as_bytes());
    forge(bytes, pages, parent, &node);
}

fn seal(bytes: &mut [u8]) {
    let checksum = Digest::sha256(&bytes[..HEADER_BYTES - 32]);
    bytes[HEADER_BYTES - 32..HEADER_BYTES].copy_from_slice(checksum.as_bytes());
}

#[wasm_bindgen_test(unsupported = test)]
fn a_forged_index_does_no_harm() {
    let blob = layer(400);
    let (bytes, entries) = index(&blob);
    let entries: Vec<Entry> = entries.into_iter().step_by(40).collect();
    let mut pages = BTreeSet::new();
    let expected = answers(&bytes, &entries, &blob, &mut pages).expect("an index");
    let contents: BTreeSet<&String> =
        expected.iter().flatten().filter(|answer| answer.starts_with("sha256:")).collect();
    let list: Vec<(u64, usize)> = pages.iter().copied().collect();
    let mut state = 12;
    for round in 0..240 {
        let mut forged = bytes.clone();
        if round % 3 == 0 {
            // Most of the header is digests, which only lead to a refusal.
            let at = 8 + next(&mut state) as usize % (HEADER_BYTES - 40);
            forged[at] ^= 1 << (next(&mut state) % 8);
            seal(&mut forged);
        } else {
            let (start, length) = list[next(&mut state) as usize % list.len()];
            let mut page = bytes[start as usize..][..length].to_vec();
            // The first bytes of a page have the most effect.
            let most = if round % 3 == 1 { length } else { length.min(40) };
            page[next(&mut state) as usize % most] ^= 1 << (next(&mut state) % 8);
            forge(&mut forged, &pages, start as usize, &page);
        }
        for answer in answers(&forged, &entries, &blob, &mut BTreeSet::new()).into_iter().flatten().flatten() {
            // The index may name another file, but the bytes of a file are those of the blob.
            assert!(!answer.starts_with("sha256:") || contents.contains(&answer), "round {round}");
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn pages_that_lead_back_are_refused() {
    let blob = layer(400);
    let (bytes, entries) = index(&blob);
    let mut pages = BTreeSet::new();
    answers(&bytes, &entries, &blob, &mut pages).expect("an index");
    let node = pages.iter().find(|(start, length)| bytes[*start as usize] == 1 && *length > 64 * 32);
    let &(start, length) = node.expect("400 files and as many checkpoints have a node");
    let page = &bytes[start as usize..][..length];
    // A reference is an offset, a length and a digest. Every position that could be one is made to refer to the node itself.
    let own = {
        let mut own = Vec::new();
        for mut number in [start, length as u64] {
            while number >= 0x80 {
                own.push(number as u8 | 0x80);
                number >>= 7;
            }
            own.push(number as u8);
        }
        own
    };
    for at in 1..120 {
        let mut cyclic = page.to_vec();
        cyclic[at..at + own.len()].copy_from_slice(&own);
        let mut forged = bytes.clone();
        forge(&mut forged, &pages, start as usize, &cyclic);
        // Every question ends.
        answers(&forged, &entries[..8], &blob, &mut BTreeSet::new());
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_page_of_other_bytes_is_not_taken() {
    let blob = layer(12);
    let (bytes, _) = index(&blob);
    let mut index = IndexReader::new(&bytes[..HEADER_BYTES], bytes.len() as u64).expect("an index");
    let Err(Ask::Page(page)) = index.entries(0) else { panic!("no page is at hand") };
    let page: PageRef = page;
    let right = bytes[page.offset() as usize..][..page.length()].to_vec();
    let wrong = Err(Malformed::Page { offset: page.offset() });
    for bytes in [&[], &right[1..], &[&right[..], b"\0"].concat()[..]] {
        assert_eq!(index.give(page, bytes.to_vec()), wrong);
    }
    assert!(matches!(index.entries(0), Err(Ask::Page(again)) if again == page));
    assert_eq!(index.give(page, right), Ok(()));
    let entries = index.entries(0).expect("the page is at hand");
    assert!(entries.len() == 12 && entries.iter().all(|(entry, digest)| entry.kind == Kind::File && digest.is_some()));
}
