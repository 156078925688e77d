//! Files are read by chunks, and no unverified byte is returned.

#![allow(clippy::unwrap_used, reason = "what the tests share is test code too")]

mod prepared;

use std::ops::Range;

use porthole_core::{
    digest::Digest,
    failure::Classify,
    hint::Hint,
    limits::Limits,
    tar,
    toc::{ChunkError, Toc, TocReader},
};
use porthole_testkit::{
    chunks::{SPLITS, Split},
    image::{Format, Layer, Prepared},
};
use serde_json::{Value, json};
use wasm_bindgen_test::wasm_bindgen_test;

use prepared::{FORMATS, big, descriptor, entry, layer, open};

fn cat(toc: &Toc, blob: &[u8], path: &str, range: Range<u64>, split: Split) -> Result<(Vec<u8>, u64), ChunkError> {
    let mut reader = toc.open_range(path.as_bytes(), range)?;
    let (mut bytes, mut fetched) = (Vec::new(), 0);
    while let Some(range) = reader.wants() {
        fetched += range.end - range.start;
        for piece in split.of(&blob[range.start as usize..range.end as usize]) {
            reader.push(piece, &mut |checked| bytes.extend_from_slice(checked))?;
        }
    }
    reader.finish(&mut |checked| bytes.extend_from_slice(checked))?;
    Ok((bytes, fetched))
}

#[wasm_bindgen_test(unsupported = test)]
fn files_are_read_by_their_chunks() {
    let layer = layer();
    for format in FORMATS {
        for (members, chunks) in [(0, 4096), (0, 1000), (6000, 1000), (100_000, 700)] {
            let prepared = Prepared::new(&layer, format).members_of(members).chunks_of(chunks).build();
            let (toc, blob) = (open(&prepared), &prepared.blob.bytes);
            for split in SPLITS {
                for (path, content) in [
                    ("usr/share/big", big()),
                    ("/usr/share/../share/same", big()),
                    ("etc/passwd", b"again".to_vec()),
                    ("etc/empty", Vec::new()),
                    ("etc/.wh.gone", Vec::new()),
                ] {
                    let size = content.len() as u64;
                    assert_eq!(toc.open(path.as_bytes()).unwrap().size(), size);
                    let (bytes, fetched) = cat(&toc, blob, path, 0..u64::MAX, split).unwrap();
                    assert_eq!(bytes, content, "{format:?} {path}");
                    assert!(fetched < blob.len() as u64);
                    if split != SPLITS[2] {
                        continue;
                    }
                    for range in
                        [0..1, 0..size, 3000..3001, 4096..12_288, 999..9001, 19_999..20_000, 5..5, 20_000..u64::MAX]
                    {
                        let (from, to) = (range.start.min(size) as usize, range.end.min(size) as usize);
                        let (bytes, _) = cat(&toc, blob, path, range.clone(), split).unwrap();
                        assert_eq!(bytes, content[from..to], "{format:?} {path} {range:?}");
                    }
                }
            }
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_part_of_a_file_costs_a_part_of_the_blob() {
    let layer = layer();
    for format in FORMATS {
        let prepared = Prepared::new(&layer, format).build();
        let toc = open(&prepared);
        let (_, one) = cat(&toc, &prepared.blob.bytes, "usr/share/big", 15_000..15_010, Split::Whole).unwrap();
        let (_, all) = cat(&toc, &prepared.blob.bytes, "usr/share/big", 0..u64::MAX, Split::Whole).unwrap();
        assert!(0 < one && one < all / 2, "{format:?}: {one} of {all}");
        let (_, zeros) = cat(&toc, &prepared.blob.bytes, "usr/share/big", 4096..12_288, Split::Whole).unwrap();
        assert_eq!(zeros == 0, matches!(format, Format::ZstdChunked | Format::OldZstdChunked), "{format:?}: {zeros}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn no_unverified_byte_is_returned() {
    let layer = layer();
    for format in FORMATS {
        let prepared = Prepared::new(&layer, format).build();
        let toc = open(&prepared);
        let range = toc.open(b"usr/share/big").unwrap().wants().unwrap();
        for at in range.step_by(17) {
            let mut blob = prepared.blob.bytes.clone();
            blob[at as usize] ^= 0x20;
            let mut reader = toc.open(b"usr/share/big").unwrap();
            let mut bytes = Vec::new();
            while let Some(range) = reader.wants() {
                let part = &blob[range.start as usize..range.end as usize];
                if reader.push(part, &mut |checked| bytes.extend_from_slice(checked)).is_err() {
                    break;
                }
            }
            assert_eq!(bytes, big()[..bytes.len()], "{format:?} byte {at}");
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn impossible_chunks_are_rejected() {
    let wrong = Digest::sha256(b"something else").to_string();
    let layer = layer();
    let big = |edit: &dyn Fn(&mut Value), format| {
        let edit = |toc: &mut Value| edit(entry(toc, "./usr/share/big"));
        let prepared = Prepared::new(&layer, format).edit(edit).build();
        let toc = open(&prepared);
        cat(&toc, &prepared.blob.bytes, "usr/share/big", 0..u64::MAX, Split::Bytes).map(|(bytes, _)| bytes)
    };
    for format in FORMATS {
        assert!(big(&|_| (), format).is_ok());
        for (key, value) in [
            ("chunkSize", json!(4095)),
            ("chunkSize", json!(0)),
            ("chunkOffset", json!(1)),
            ("offset", json!(1u64 << 62)),
        ] {
            let got = big(&|entry| entry[key] = value.clone(), format);
            assert_eq!(got, Err(ChunkError::Chunks("./usr/share/big".into())), "{format:?} {key} {value}");
        }
        // In eStargz the last chunk reaches to the end of the file, whatever the size is.
        for (size, refused) in [(19_999, "content does not"), (1u64 << 62, "a chunk has more"), (1, "the chunks of")] {
            let got = big(&|entry| entry["size"] = json!(size), format).unwrap_err().to_string();
            let refused = if format == Format::EStargz || format == Format::Stargz { refused } else { "the chunks of" };
            assert!(got.starts_with(refused), "{format:?} {size}: {got}");
        }
        let got = big(&|entry| entry["offset"] = json!(1), format);
        assert!(matches!(got, Err(ChunkError::Decode(_))), "{format:?}: {got:?}");
        let got = big(&|entry| entry["innerOffset"] = json!(1 << 20), format);
        assert!(
            matches!(got, Err(ChunkError::Short { .. } | ChunkError::Digest { .. } | ChunkError::Decode(_))),
            "{got:?}"
        );
        for key in ["chunkDigest", "digest"] {
            let got = big(&|entry| entry[key] = json!(wrong), format);
            assert!(matches!(got, Err(ChunkError::Digest { .. })), "{format:?} {key}: {got:?}");
        }
        let got = big(&|entry| entry["chunkDigest"] = json!(null), format);
        assert_eq!(got, Err(ChunkError::NoDigest("./usr/share/big".into())), "{format:?}");
    }
    let toc = open(&Prepared::new(&layer, Format::EStargz).build());
    assert_eq!(toc.open(b"etc/none").err(), Some(ChunkError::NotFound("etc/none".into())));
    assert_eq!(toc.open(b"etc").err(), Some(ChunkError::NotAFile("etc".into())));
    let circle = Layer::new("").hardlink("a", "b").hardlink("b", "a");
    let toc = open(&Prepared::new(&circle, Format::EStargz).build());
    assert_eq!(toc.open(b"a").err(), Some(ChunkError::NotAFile("a".into())));
}

#[wasm_bindgen_test(unsupported = test)]
fn entries_of_a_listing_are_opened_by_their_offset() {
    #[derive(Default)]
    struct Rows(Vec<tar::Entry>);
    impl tar::EntrySink for Rows {
        fn entry(&mut self, entry: tar::Entry) -> tar::Flow {
            self.0.push(entry);
            tar::Flow::Continue
        }
    }
    for format in FORMATS {
        let toc = open(&Prepared::new(&layer(), format).landmark(".prefetch.landmark").build());
        let mut rows = Rows::default();
        toc.replay(&mut rows);
        for entry in rows.0 {
            // Two files with one name can both be opened.
            match toc.open_at(entry.offset, 0..u64::MAX) {
                Ok(reader) => assert_eq!((entry.kind, reader.size()), (tar::Kind::File, entry.size)),
                Err(error) => assert!(matches!(error, ChunkError::NotAFile(_)) && entry.kind != tar::Kind::File),
            }
        }
        assert!(matches!(toc.open_at(1000, 0..1), Err(ChunkError::NotFound(_))));
        assert!(matches!(toc.open_at(u64::MAX, 0..1), Err(ChunkError::NotFound(_))));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_large_chunk_meets_its_limit() {
    let layer = layer();
    let prepared = Prepared::new(&layer, Format::EStargz).build();
    let mut limits = Limits::default();
    limits.chunk_bytes = 4095;
    let mut reader = TocReader::new(&descriptor(&prepared), &limits).unwrap();
    while let Some(range) = reader.wants() {
        reader.push(&prepared.blob.bytes[range.start as usize..range.end as usize]).unwrap();
    }
    let toc = reader.finish().unwrap().unwrap();
    let refused = toc.open(b"usr/share/big").err().unwrap();
    assert_eq!(refused, ChunkError::TooLarge { limit: 4095 });
    assert_eq!(refused.failure().hints.pop(), Some(Hint::RaiseLimit { name: "chunk_bytes", value: 8190 }));
    assert!(toc.open(b"etc/passwd").is_ok());
}

#[cfg(not(target_family = "wasm"))]
mod properties {
    use super::*;
    use porthole_core::toc::Audit;
    use prepared::{read, scan};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn any_layer_is_listed_and_read_by_its_toc(
            files in prop::collection::vec(("[a-z]{1,8}(/[a-z]{1,8}){0,2}", prop::collection::vec(0u8..3, 0..9000)), 0..8),
            format in prop::sample::select(FORMATS.to_vec()),
            (members, chunks) in (0usize..9000, 1usize..5000),
            seed in any::<u64>(),
        ) {
            let split = Split::Random { seed, most: 500 };
            let layer = files.iter().fold(Layer::new(""), |layer, (path, content)| layer.file(path, content));
            let prepared = Prepared::new(&layer, format).members_of(members).chunks_of(chunks).build();
            let toc = read(&descriptor(&prepared), &prepared.blob.bytes, split).0.unwrap().unwrap();
            for (path, content) in &files {
                // Opening by path uses the last of several entries.
                if files.iter().rev().find(|(other, _)| other == path).is_some_and(|(_, last)| last == content) {
                    prop_assert_eq!(&cat(&toc, &prepared.blob.bytes, path, 0..u64::MAX, split).unwrap().0, content);
                }
            }
            let mut audit = Audit::new(toc);
            let report = scan(&prepared, split, &mut audit);
            prop_assert!(audit.finish(&report).agrees());
        }
    }
}
