//! The listing of a TOC equals the listing of the whole layer. A TOC that differs from the annotation, or is malformed,
//! is rejected.

#![allow(clippy::unwrap_used, reason = "what the tests share is test code too")]

mod prepared;

use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    failure::Classify,
    hint::Hint,
    limits::Limits,
    media_type::{Compression, MediaType},
    tar::{self, EntrySink, Flow},
    toc::{self, Error, Fault, TocReader, Trust},
};
use porthole_testkit::{
    chunks::{SPLITS, Split},
    image::{Format, Prepared, PreparedLayer},
};
use serde_json::{Value, json};
use wasm_bindgen_test::wasm_bindgen_test;

use prepared::{FORMATS, List, descriptor, entries, layer, open, read, scan};

fn refusal(layer: &PreparedLayer) -> Error {
    read(&descriptor(layer), &layer.blob.bytes, Split::Whole).0.unwrap_err()
}

#[wasm_bindgen_test(unsupported = test)]
fn a_toc_lists_what_the_archive_lists() {
    let layer = layer();
    for format in FORMATS {
        for prepared in [Prepared::new(&layer, format), Prepared::new(&layer, format).members_of(5000).chunks_of(900)] {
            let prepared = prepared.build();
            let mut scanned = List::default();
            scan(&prepared, Split::Whole, &mut scanned);
            scanned.0.retain(|entry| entry.path != b"stargz.index.json");
            for split in SPLITS {
                let (toc, ranges) = read(&descriptor(&prepared), &prepared.blob.bytes, split);
                let toc = toc.unwrap().unwrap();
                let mut listed = List::default();
                toc.replay(&mut listed);
                assert_eq!(listed.0, scanned.0, "{format:?} {split:?}");
                assert_eq!(toc.entries(), scanned.0.len() as u64);
                assert_eq!(toc.digest(), Digest::sha256(&prepared.toc));
                assert!(matches!(toc.trust(), Trust::Annotation(_)));
                assert!(ranges.len() <= 2, "{ranges:?}");
            }
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_sink_may_stop() {
    struct First(usize);
    impl EntrySink for First {
        fn entry(&mut self, _: tar::Entry) -> Flow {
            self.0 += 1;
            if self.0 == 3 { Flow::Stop } else { Flow::WantData }
        }
    }
    let mut first = First(0);
    open(&Prepared::new(&layer(), Format::EStargz).build()).replay(&mut first);
    assert_eq!(first.0, 3);
}

#[wasm_bindgen_test(unsupported = test)]
fn only_the_footer_and_the_toc_are_fetched() {
    let layer = layer();
    for (format, requests) in FORMATS.into_iter().zip([2, 2, 1, 1]) {
        let prepared = Prepared::new(&layer, format).build();
        let (_, ranges) = read(&descriptor(&prepared), &prepared.blob.bytes, Split::Whole);
        assert_eq!(ranges.len(), requests, "{format:?}");
        // Without annotations the footer gives the position of the TOC, and nothing vouches for it.
        let bare = Descriptor { annotations: Default::default(), ..descriptor(&prepared) };
        let (toc, ranges) = read(&bare, &prepared.blob.bytes, Split::Bytes);
        assert_eq!(toc.unwrap().unwrap().trust(), Trust::Nothing);
        assert_eq!(ranges.len(), 2, "{format:?}");
        assert_eq!(ranges[0].end, bare.size);
        let fetched: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        assert!(fetched < bare.size / 2, "{format:?}: {fetched} of {}", bare.size);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_plain_layer_has_none() {
    for media_type in
        [MediaType::OCI_LAYER, MediaType::OCI_LAYER_GZIP, MediaType::OCI_LAYER_ZSTD, MediaType::OCI_CONFIG]
    {
        for size in [0, 3, 47, 51, 71, 72, 5000] {
            let descriptor = Descriptor::new(media_type.clone(), Digest::sha256(b""), size);
            let (toc, ranges) = read(&descriptor, &vec![0; size as usize], Split::Whole);
            assert!(toc.unwrap().is_none(), "{media_type} {size}");
            assert!(ranges.len() <= 1);
        }
    }
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let reader = TocReader::probe(compression, 5000, &Limits::default()).unwrap();
        assert!(!reader.announced());
        assert_eq!(reader.wants().is_some(), compression != Compression::None);
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn another_toc_than_the_annotated_one_is_refused() {
    let (one, two) = (layer(), layer().file("more", "x"));
    for format in FORMATS {
        let mut prepared = Prepared::new(&one, format).build();
        let other = Prepared::new(&two, format).build();
        for (name, value) in &mut prepared.annotations {
            if name.ends_with("checksum") || name.ends_with("digest") {
                *value = other.annotations[name].clone();
            }
        }
        for split in SPLITS {
            let refused = read(&descriptor(&prepared), &prepared.blob.bytes, split).0.unwrap_err();
            assert!(matches!(refused, Error::Digest { .. }), "{format:?}: {refused}");
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn two_tocs_are_refused() {
    let layer = layer();
    let estargz = Prepared::new(&layer, Format::EStargz).build();
    for format in FORMATS {
        let mut prepared = Prepared::new(&layer, format).build();
        for other in [&estargz, &Prepared::new(&layer, Format::ZstdChunked).build()] {
            prepared.annotations.extend(other.annotations.clone());
        }
        assert_eq!(refusal(&prepared), Error::Both, "{format:?}");
    }
    // stargz-snapshotter annotates one TOC with both of its digests.
    let mut prepared = Prepared::new(&layer, Format::OldZstdChunked).build();
    let digest = Digest::sha256(&prepared.toc).to_string();
    prepared.annotations.insert("containerd.io/snapshot/stargz/toc.digest".into(), digest);
    assert!(matches!(open(&prepared).trust(), Trust::Annotation(_)));
    prepared.annotations.extend(estargz.annotations.clone());
    assert!(matches!(refusal(&prepared), Error::Digest { .. }));
    // On a gzip layer the two digests are of two TOCs.
    prepared.blob.media_type = "application/vnd.oci.image.layer.v1.tar+gzip".into();
    assert_eq!(refusal(&prepared), Error::Both);
}

#[wasm_bindgen_test(unsupported = test)]
fn annotations_are_read_strictly() {
    const POSITION: &str = "io.github.containers.zstd-chunked.manifest-position";
    let layer = layer();
    let prepared = Prepared::new(&layer, Format::ZstdChunked).build();
    let size = prepared.blob.bytes.len() as u64;
    for position in
        ["", "1:2:3", "1:2:3:1:", "1:2:3:2", "+9:2:3:1", "9:-2:3:1", "9: 2:3:1", "9223372036854775808:1:1:1"]
    {
        let mut prepared = prepared.clone();
        prepared.annotations.insert(POSITION.into(), position.into());
        assert!(matches!(refusal(&prepared), Error::Annotation { name: POSITION, .. }), "{position}");
    }
    let huge = 1u64 << 40;
    for (position, refused) in [
        (format!("{size}:1:1:1"), Error::Outside { start: size, end: size + 1, size }),
        ("0:9:9:1".into(), Error::Outside { start: 0, end: 9, size }),
        ("9:0:9:1".into(), Error::Outside { start: 9, end: 9, size }),
        (format!("9:{huge}:1:1"), Error::Outside { start: 9, end: 9 + huge, size }),
        (format!("9:9:{huge}:1"), Error::TooLarge { limit: 64 << 20 }),
    ] {
        let mut prepared = prepared.clone();
        prepared.annotations.insert(POSITION.into(), position);
        assert_eq!(refusal(&prepared), refused);
    }
    for name in ["containerd.io/snapshot/stargz/toc.digest", "io.containers.estargz.uncompressed-size"] {
        let mut prepared = Prepared::new(&layer, Format::EStargz).build();
        prepared.annotations.insert(name.into(), "much".into());
        assert_eq!(refusal(&prepared).to_string().split('`').nth(1), Some(name));
    }
    let mut prepared = Prepared::new(&layer, Format::EStargz).build();
    prepared.blob.bytes.pop();
    assert_eq!(refusal(&prepared), Error::NoFooter { format: toc::TocFormat::EStargz });
}

#[wasm_bindgen_test(unsupported = test)]
fn a_large_toc_meets_its_limit() {
    let layer = layer();
    let mut limits = Limits::default();
    for format in FORMATS {
        let prepared = Prepared::new(&layer, format).build();
        let descriptor = descriptor(&prepared);
        let open = |limits: &Limits| {
            let mut reader = TocReader::new(&descriptor, limits)?;
            while let Some(range) = reader.wants() {
                reader.push(&prepared.blob.bytes[range.start as usize..range.end as usize])?;
            }
            reader.finish()
        };
        limits.toc_bytes = prepared.toc.len() as u64;
        assert!(open(&limits).unwrap().is_some());
        // One byte less uncompressed, and far less compressed.
        for less in [limits.toc_bytes - 1, 200] {
            limits.toc_bytes = less;
            let refused = open(&limits).unwrap_err();
            assert_eq!(refused, Error::TooLarge { limit: less }, "{format:?}");
            assert_eq!(refused.failure().hints.pop(), Some(Hint::RaiseLimit { name: "toc_bytes", value: 2 * less }));
        }
        limits = Limits::default();
        limits.entries = 3;
        assert_eq!(open(&limits).unwrap_err(), Error::TooManyEntries { limit: 3 });
        limits = Limits::default();
        limits.path_bytes = 17;
        assert!(matches!(open(&limits), Err(Error::Entry { fault: Fault::NameTooLong { limit: 17 }, .. })));
        limits = Limits::default();
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_truncated_or_altered_toc_is_rejected() {
    let layer = layer();
    for format in FORMATS {
        let prepared = Prepared::new(&layer, format).build();
        let descriptor = descriptor(&prepared);
        let mut reader = TocReader::new(&descriptor, &Limits::default()).unwrap();
        let range = reader.wants().unwrap();
        reader.push(&prepared.blob.bytes[range.start as usize..range.end as usize - 1]).unwrap();
        assert_eq!(reader.wants(), Some(range.end - 1..range.end));
        assert_eq!(reader.push(b"ab").unwrap_err(), Error::Excess { expected: 1 });
        assert_eq!(reader.finish().unwrap_err(), Error::Incomplete { expected: 1 });
        // Flip every bit of the last range: with the annotation every change is detected, without it nothing panics.
        let (_, ranges) = read(&descriptor, &prepared.blob.bytes, Split::Whole);
        let bare = Descriptor { annotations: Default::default(), ..descriptor.clone() };
        for at in ranges.last().unwrap().clone().step_by(7) {
            let mut blob = prepared.blob.bytes.clone();
            blob[at as usize] ^= 0x55;
            match read(&descriptor, &blob, Split::Whole).0 {
                Err(_) => {}
                // The changed bit is in a field of the gzip header that no checksum covers.
                Ok(toc) => assert_eq!(toc.unwrap().digest(), Digest::sha256(&prepared.toc)),
            }
            let _ = read(&bare, &blob, Split::Whole);
        }
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_toc_in_other_wrapping_is_refused() {
    let layer = layer();
    let prepared = Prepared::new(&layer, Format::ZstdChunked).build();
    let start = read(&descriptor(&prepared), &prepared.blob.bytes, Split::Whole).1[0].start as usize;
    for (at, value) in [(0, 0x28), (4, 0)] {
        let mut prepared = prepared.clone();
        prepared.blob.bytes[start + at] = value;
        assert_eq!(refusal(&prepared), Error::NoFrame);
    }
    let mut short = prepared.clone();
    let position = short.annotations.values_mut().find(|value| value.ends_with(":1")).unwrap();
    *position = position.replace(&format!(":{}:", prepared.toc.len()), ":17:");
    assert_eq!(refusal(&short), Error::Size { expected: 17, got: prepared.toc.len() as u64 });
}

#[wasm_bindgen_test(unsupported = test)]
fn json_is_read_strictly() {
    let refused = |edit: &dyn Fn(&mut Value)| {
        refusal(&Prepared::new(&layer(), Format::ZstdChunked).edit(edit).build()).to_string()
    };
    let first = |key: &'static str, value: Value| refused(&move |toc| entries(toc)[0][key] = value.clone());
    for (got, expected) in [
        (refused(&|toc| toc["version"] = json!(2)), "table of contents: expected version 1, got 2"),
        (refused(&|toc| toc["version"] = json!(null)), "table of contents: expected version 1, got 0"),
        (
            refused(&|toc| toc["Version"] = json!(1)),
            "table of contents: ambiguous key `Version`: expected `version` once",
        ),
        (first("Name", json!("x")), "table of contents: ambiguous key `Name`: expected `name` once"),
        (first("type", json!("socket")), "table of contents: entry 0: unknown type `socket`"),
        (first("type", json!(null)), "table of contents: entry 0: unknown type ``"),
        (first("type", json!("chunk")), "table of contents: entry 0: a chunk without a file before it"),
        (first("offset", json!(-1)), "table of contents: entry 0: offset: expected a size, got -1"),
        (first("modtime", json!("now")), "table of contents: entry 0: modtime: expected a time by RFC 3339, got `now`"),
        (first("digest", json!("x")), "table of contents: entry 0: digest: expected a digest, got `x`"),
        (first("chunkType", json!("x")), "table of contents: entry 0: unknown chunk type `x`"),
        (first("xattrs", json!({"user.a": "?"})), "table of contents: entry 0: xattrs: expected base64 for `user.a`"),
    ] {
        assert_eq!(got, expected);
    }
    let deep = |levels: usize| {
        let edit = move |toc: &mut Value| {
            entries(toc)[0]["more"] = (0..levels).fold(json!(0), |value, _| json!([value]));
        };
        read(
            &descriptor(&Prepared::new(&layer(), Format::ZstdChunked).edit(edit).build()),
            &Prepared::new(&layer(), Format::ZstdChunked).edit(edit).build().blob.bytes,
            Split::Whole,
        )
        .0
    };
    assert!(deep(125).is_ok());
    assert_eq!(deep(126).unwrap_err(), Error::TooDeep { limit: 128 });
    for value in [json!(1.5), json!("x"), json!([]), json!(1u64 << 63)] {
        assert!(first("size", value).starts_with("table of contents: malformed JSON: "));
    }
    assert!(refused(&|toc| toc["entries"] = json!([null])).contains("malformed JSON"));
    let layer = layer();
    let nulls = Prepared::new(&layer, Format::ZstdChunked).edit(|toc| {
        let entry = &mut entries(toc)[0];
        for key in ["linkName", "modtime", "xattrs", "digest", "size", "uid"] {
            entry[key] = json!(null);
        }
    });
    open(&nulls.build());
}
