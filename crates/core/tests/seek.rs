//! Files read through a seek index equal the files of the whole stream, and no wrong byte is returned.

use std::{io::Write, ops::Range};

use flate2::{Compression as Level, write::GzEncoder};
use porthole_core::{
    digest::{Algorithm, Digest},
    layer::{Expected, LayerReader, LayerReport},
    limits::Limits,
    path,
    seek::{AtPath, BatchReader, Children, Error, FileReader, Find, IndexOptions, MemoryIndex, Opening, Seekable},
    tar::{Entry, EntrySink, Flow, Kind},
};
use porthole_testkit::{
    chunks::{SPLITS, Split, next},
    sink::Entries,
};
use structured_zstd::encoding::{CompressionLevel, compress_to_vec};
use wasm_bindgen_test::wasm_bindgen_test;

/// All entries with their contents.
#[derive(Default)]
struct Listing {
    entries: Vec<Entry>,
    contents: Vec<Vec<u8>>,
}

impl EntrySink for Listing {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.entries.push(entry);
        self.contents.push(Vec::new());
        Flow::WantData
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.contents.last_mut().expect("data follows an entry").extend_from_slice(bytes);
        Flow::Continue
    }
}

/// Bytes that compress about as well as programs.
fn bytes(seed: &mut u64, length: usize) -> Vec<u8> {
    (0..length)
        .map(|n| {
            let chance = next(seed);
            if chance.is_multiple_of(3) { (chance >> 32) as u8 } else { (n / 7 % 50) as u8 }
        })
        .collect()
}

fn pax(builder: &mut tar::Builder<Vec<u8>>, records: &[(&str, &[u8])]) {
    builder.append_pax_extensions(records.iter().copied()).expect("a builder in memory");
}

fn header(kind: tar::EntryType, size: usize) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(1000);
    header.set_mtime(1_700_000_000);
    header.set_size(size as u64);
    header
}

/// An archive with every kind of entry: many small files, some large ones, links, devices, long names, attributes,
/// global headers, and two sparse formats.
fn archive(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut builder = tar::Builder::new(Vec::new());
    let append = |builder: &mut tar::Builder<Vec<u8>>, kind, name: &str, data: &[u8]| {
        builder.append_data(&mut header(kind, data.len()), name, data).expect("a builder in memory");
    };
    for number in 0..250 + next(&mut state) % 50 {
        let name = format!("usr/share/doc/package-{}/file-{number}", number / 10);
        match next(&mut state) % 16 {
            0 => append(&mut builder, tar::EntryType::Directory, &format!("{name}/"), b""),
            1 => builder
                .append_link(&mut header(tar::EntryType::Symlink, 0), &name, "../somewhere/else")
                .expect("a builder in memory"),
            2 => builder
                .append_link(&mut header(tar::EntryType::Link, 0), &name, "usr/share/doc/package-0/file-0")
                .expect("a builder in memory"),
            3 => append(&mut builder, tar::EntryType::Fifo, &name, b""),
            4 => append(&mut builder, tar::EntryType::Regular, &format!("{name}/{}", "long/".repeat(40)), b"long name"),
            5 => {
                pax(&mut builder, &[("SCHILY.xattr.user.key", &name.as_bytes()[..9]), ("mtime", b"1700000000.25")]);
                append(&mut builder, tar::EntryType::Regular, &name, b"with attributes");
            }
            6 => sparse_pax(&mut builder, &name, &bytes(&mut state, 5000)),
            7 => sparse_gnu(&mut builder, &name, &bytes(&mut state, 1536)),
            8 if number > 100 => {
                let large = 20_000 + (next(&mut state) % 50_000) as usize;
                append(&mut builder, tar::EntryType::Regular, &name, &bytes(&mut state, large));
            }
            9 if number > 200 => append(&mut builder, tar::EntryType::XGlobalHeader, "global", b"12 comment=\n"),
            _ => {
                let small = (next(&mut state) % 4000) as usize;
                append(&mut builder, tar::EntryType::Regular, &name, &bytes(&mut state, small));
            }
        }
    }
    append(&mut builder, tar::EntryType::Regular, "big", &bytes(&mut state, 300_000));
    append(&mut builder, tar::EntryType::Regular, "empty", b"");
    append(&mut builder, tar::EntryType::Regular, "last", b"the last one");
    let mut archive = builder.into_inner().expect("a builder in memory");
    archive.resize(archive.len().next_multiple_of(10_240), 0);
    archive
}

/// A sparse file of version 1.0, with the map in front of its data.
fn sparse_pax(builder: &mut tar::Builder<Vec<u8>>, name: &str, data: &[u8]) {
    let size = 100_000 + data.len();
    let mut stored = format!("2\n0\n1000\n{}\n{}\n", size - data.len() + 1000, data.len() - 1000).into_bytes();
    stored.resize(512, b'\0');
    stored.extend_from_slice(data);
    let real = size.to_string();
    pax(
        builder,
        &[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", name.as_bytes()),
            ("GNU.sparse.realsize", real.as_bytes()),
        ],
    );
    let mut header = header(tar::EntryType::Regular, stored.len());
    builder.append_data(&mut header, "GNUSparseFile.0/x", stored.as_slice()).expect("a builder in memory");
}

/// A sparse file in old GNU format, with one extension block.
fn sparse_gnu(builder: &mut tar::Builder<Vec<u8>>, name: &str, data: &[u8]) {
    let segment = data.len() / 6;
    let mut header = header(tar::EntryType::GNUSparse, data.len());
    let gnu = header.as_gnu_mut().expect("a GNU header");
    for (number, place) in gnu.sparse.iter_mut().enumerate() {
        place.set_offset((number * 2048) as u64);
        place.set_length(segment as u64);
    }
    gnu.set_is_extended(true);
    gnu.set_real_size(50_000);
    header.set_path(name).expect("a short name");
    header.set_cksum();
    let mut more = tar::GnuExtSparseHeader::new();
    for (number, place) in more.sparse_mut().iter_mut().take(2).enumerate() {
        place.set_offset(((number + 4) * 2048) as u64);
        place.set_length(segment as u64);
    }
    let archive = builder.get_mut();
    archive.extend_from_slice(header.as_bytes());
    archive.extend_from_slice(more.as_bytes());
    archive.extend_from_slice(data);
    archive.resize(archive.len().next_multiple_of(512), 0);
}

fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Level::new(level));
    // Flush between pieces, so that even a fast encoder ends blocks.
    for piece in bytes.chunks(60_000) {
        encoder.write_all(piece).expect("an encoder in memory");
        if level < 6 {
            encoder.flush().expect("an encoder in memory");
        }
    }
    encoder.finish().expect("an encoder in memory")
}

/// All ways to turn an archive into a layer.
const WAYS: [&str; 9] = ["plain", "gzip 0", "gzip 1", "gzip 6", "gzip 9", "members", "long members", "zstd", "frames"];

fn blob(way: &str, archive: &[u8]) -> Vec<u8> {
    let members = |length| archive.chunks(length).flat_map(|piece| gzip(piece, 6)).collect();
    match way {
        "plain" => archive.to_vec(),
        "gzip 0" => gzip(archive, 0),
        "gzip 1" => gzip(archive, 1),
        "gzip 6" => gzip(archive, 6),
        "gzip 9" => gzip(archive, 9),
        "members" => members(9_000),
        "long members" => members(200_000),
        "zstd" => compress_to_vec(archive, CompressionLevel::Fastest),
        _ => archive.chunks(70_000).flat_map(|piece| compress_to_vec(piece, CompressionLevel::Fastest)).collect(),
    }
}

fn options(spacing: u64, file_digests: bool) -> IndexOptions {
    let mut options = IndexOptions::default();
    (options.spacing, options.file_digests) = (spacing, file_digests);
    options
}

fn expected(algorithm: Algorithm, blob: &[u8]) -> Expected {
    Expected { digest: Some(Digest::of(algorithm, blob)), size: Some(blob.len() as u64), ..Expected::default() }
}

/// Returns the report, the index if there is one, and the entries that the sink got, which equal those of the batches. Takes
/// the bytes of the index after each push.
fn index(expected: Expected, blob: &[u8], mut options: IndexOptions) -> (LayerReport, Option<MemoryIndex>, Vec<Entry>) {
    options.batches = true;
    let mut reader = LayerReader::new(expected, Limits::default()).with_index(options);
    let mut names = Entries::default();
    let (mut bytes, mut batches) = (Vec::new(), Vec::new());
    for chunk in blob.chunks(40_000) {
        reader.push(chunk, &mut names);
        bytes.extend(reader.take_index());
        batches.extend(reader.take_batch(2_000));
    }
    reader.flush(&mut names);
    batches.extend(reader.take_batch(1));
    assert!(batches.into_iter().flat_map(BatchReader::new).eq(names.0.iter().cloned()));
    let (report, end) = reader.finish_index(&mut names);
    let index = end.map(|end| {
        bytes.extend(end.tail);
        bytes[..end.header.len()].copy_from_slice(&end.header);
        MemoryIndex::new(bytes).expect("its own bytes")
    });
    (report, index, names.0)
}

fn indexed(algorithm: Algorithm, blob: &[u8]) -> MemoryIndex {
    index(expected(algorithm, blob), blob, options(30_000, false)).1.expect("a whole layer")
}

fn open(index: &mut MemoryIndex, number: u64) -> Result<FileReader, Error> {
    let mut opening = Opening::number(number, &Limits::default());
    index.ask(|index| opening.step(index))
}

fn whole(blob: &[u8]) -> Listing {
    let mut reader = LayerReader::new(Expected::default(), Limits::default());
    let mut listing = Listing::default();
    reader.push(blob, &mut listing);
    assert_eq!(reader.finish(&mut listing).findings, []);
    listing
}

fn part(blob: &[u8], range: Range<u64>) -> &[u8] {
    &blob[range.start as usize..range.end as usize]
}

fn read(mut reader: FileReader, bytes: &[u8], split: Split) -> (Vec<u8>, Result<(), Error>) {
    let mut content = Vec::new();
    for piece in split.of(bytes) {
        if let Err(error) = reader.push(piece, &mut |bytes| content.extend_from_slice(bytes)) {
            assert_eq!(reader.push(b"", &mut |_| {}), Err(error.clone()), "an error stays");
            return (content, Err(error));
        }
    }
    (content, reader.finish())
}

#[wasm_bindgen_test(unsupported = test)]
fn every_file_is_the_file_of_the_whole_stream() {
    let archive = archive(1);
    for name in WAYS {
        let blob = blob(name, &archive);
        let listing = whole(&blob);
        let mut index = indexed(Algorithm::Sha256, &blob);
        let count = index.reader().entry_count();
        assert_eq!(count, listing.entries.len() as u64);
        let mut files = 0;
        for (number, (entry, content)) in listing.entries.iter().zip(&listing.contents).enumerate() {
            let reader = open(&mut index, number as u64);
            if entry.kind != Kind::File {
                assert_eq!(reader.err(), Some(Error::NotAFile { number: number as u64, kind: entry.kind }));
                continue;
            }
            files += 1;
            // All large files, and a quarter of the small ones to save time.
            if content.len() < 5000 && number % 4 != 0 {
                continue;
            }
            let reader = reader.expect("a regular file");
            assert_eq!(reader.size(), content.len() as u64);
            let bytes = part(&blob, reader.range());
            let split = SPLITS[if files % 50 == 0 { 1 } else { files % 2 * 2 }];
            let (got, verdict) = read(reader, bytes, split);
            assert_eq!(verdict, Ok(()), "{name}: {}", String::from_utf8_lossy(&entry.path));
            assert!(got == *content, "{name}: {}", String::from_utf8_lossy(&entry.path));
            let mut opening = Opening::at_offset(entry.offset, &Limits::default());
            let again = index.ask(|index| opening.step(index)).expect("a regular file");
            assert_eq!(read(again, bytes, Split::Whole), (got, Ok(())));
            let size = content.len() as u64;
            for wanted in [0..1, size / 3..size / 2, size / 2..u64::MAX, size..size + 5] {
                let mut opening = Opening::at_offset(entry.offset, &Limits::default()).part(wanted.clone());
                let reader = index.ask(|index| opening.step(index)).expect("a regular file");
                let range = reader.range();
                let expected = &content[wanted.start.min(size) as usize..wanted.end.min(size) as usize];
                let (got, verdict) = read(reader, part(&blob, range), split);
                assert_eq!(verdict, Ok(()), "{name}: {wanted:?} of {}", String::from_utf8_lossy(&entry.path));
                assert!(got == expected, "{name}: {wanted:?} of {}", String::from_utf8_lossy(&entry.path));
            }
        }
        assert!(files > 100, "{files}");
        assert_eq!(open(&mut index, count).err(), Some(Error::NoEntry { number: count, count }));
        let mut opening = Opening::at_offset(7, &Limits::default());
        assert_eq!(index.ask(|index| opening.step(index)).err(), Some(Error::NoFileAt { offset: 7 }));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_wrong_byte_is_an_error_and_is_not_returned() {
    let archive = archive(2);
    let mut state = 3;
    for name in WAYS {
        let blob = blob(name, &archive);
        let listing = whole(&blob);
        let mut index = indexed(Algorithm::Sha256, &blob);
        let files: Vec<usize> = (0..listing.entries.len()).filter(|&n| listing.entries[n].kind == Kind::File).collect();
        let mut chosen: Vec<usize> = (0..6).map(|_| files[next(&mut state) as usize % files.len()]).collect();
        chosen.extend(files.iter().rev().take(3));
        for number in chosen {
            let (path, content) = (&listing.entries[number].path, &listing.contents[number]);
            let what = format!("{name}: {}", String::from_utf8_lossy(path));
            let mut open = || self::open(&mut index, number as u64).expect("a regular file");
            let bytes = part(&blob, open().range());
            for _ in 0..4 {
                let at = next(&mut state) as usize % bytes.len();
                let mut wrong = bytes.to_vec();
                wrong[at] ^= 1 << (next(&mut state) % 8);
                let (got, verdict) = read(open(), &wrong, Split::Random { seed: at as u64, most: 100_000 });
                assert!(matches!(verdict, Err(Error::Span { .. } | Error::Digest { .. })), "{what}: {verdict:?}");
                assert!(content.starts_with(&got), "{what}: only what was checked");
            }
            let cut = &bytes[..next(&mut state) as usize % bytes.len()];
            let (got, verdict) = read(open(), cut, Split::Whole);
            let done = got == *content && verdict == Ok(());
            assert!(done || matches!(verdict, Err(Error::Truncated { .. })), "{what}: {verdict:?}");
            assert!(content.starts_with(&got), "{what}: only what was checked");
            let long = [bytes, b"x"].concat();
            let (got, verdict) = read(open(), &long, Split::Whole);
            assert_eq!(verdict, Err(Error::TooLong { expected: bytes.len() as u64 }), "{what}");
            assert!(got == *content, "{what}");
        }
        let other = self::archive(4);
        let mut reader = open(&mut index, files[0] as u64).expect("a regular file");
        let verdict = reader.push(&other[..reader.range().end as usize], &mut |_| panic!("a byte of another layer"));
        assert!(matches!(verdict, Err(Error::Span { .. })), "{name}: {verdict:?}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_index_gives_what_the_scan_gave() {
    let archive = archive(5);
    let others = [(Algorithm::Sha384, "plain"), (Algorithm::Sha512, "gzip 6")];
    for (algorithm, name) in WAYS.map(|way| (Algorithm::Sha256, way)).into_iter().chain(others) {
        let blob = blob(name, &archive);
        let listing = whole(&blob);
        let (report, index, names) = index(expected(algorithm, &blob), &blob, options(40_000, true));
        let mut index = index.expect("a whole layer");
        assert!(names == listing.entries, "{name}: digests change nothing for the sink");
        let reader = index.reader();
        assert!(reader.verified());
        assert_eq!((reader.digest(), reader.size()), (report.digest, report.size));
        assert_eq!((Some(reader.diff_id()), reader.uncompressed()), (report.diff_id, report.uncompressed));
        assert_eq!((Some(reader.compression()), reader.entry_count()), (report.compression, report.entries));
        assert_eq!(index.ask(|index| index.offsets()).as_ref(), Ok(&report.offsets), "{name}");
        let mut entries = Vec::new();
        loop {
            let more = index.ask(|index| index.entries(entries.len() as u64)).expect("entries");
            if more.is_empty() {
                break;
            }
            entries.extend(more);
        }
        assert_eq!(entries.len(), listing.entries.len());
        for ((entry, digest), (expected, content)) in entries.iter().zip(listing.entries.iter().zip(&listing.contents))
        {
            assert_eq!(entry, expected, "{name}");
            assert_eq!(*digest, (entry.kind == Kind::File).then(|| Digest::sha256(content)));
        }
        for (number, entry) in listing.entries.iter().enumerate().step_by(7) {
            let located = index.ask(|index| index.entry(number as u64)).expect("an entry");
            assert_eq!((&located.entry, located.digest), (entry, entries[number].1));
            assert_eq!(index.ask(|index| index.entry_at(entry.offset)), Ok(located));
        }
        let last = listing.entries.len() as u64 - 1;
        let reader = open(&mut index, last).expect("a regular file");
        let bytes = part(&blob, reader.range());
        assert_eq!(read(reader, bytes, Split::Whole), (b"the last one".to_vec(), Ok(())));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn paths_lead_to_their_last_entries() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut append = |name: &str, data: &[u8]| {
        builder.append_data(&mut header(tar::EntryType::Regular, data.len()), name, data).expect("a builder in memory");
    };
    append("twice", b"first");
    for number in 0..3000 {
        append(&format!("deep/{}/file-{number}", number % 70), b"");
    }
    append("twice", b"second");
    append("deep/7/.wh.file-7", b"");
    let archive = builder.into_inner().expect("a builder in memory");
    let mut index = indexed(Algorithm::Sha256, &gzip(&archive, 6));
    let mut find = |path: &str| {
        let mut find = Find::new(path.as_bytes());
        match index.ask(|index| find.step(index)).expect("an answer") {
            AtPath::Entry(located) => {
                assert_eq!(path::clean(&located.entry.path), path::clean(path.as_bytes()));
                Some(located.number)
            }
            AtPath::Implied => Some(u64::MAX),
            AtPath::Nothing => None,
        }
    };
    assert_eq!(find("twice"), Some(3001));
    for number in (0..3000).step_by(31) {
        assert_eq!(find(&format!("/deep/./{}/file-{number}", number % 70)), Some(number + 1));
    }
    assert_eq!(find("deep/7/.wh.file-7"), Some(3002));
    for implied in ["deep", "deep/69"] {
        assert_eq!(find(implied), Some(u64::MAX), "{implied}");
    }
    for missing in ["", "dee", "deep/70", "deep/7/file-8", "twice/x"] {
        assert_eq!(find(missing), None, "{missing}");
    }

    let mut children = |directory: &str| {
        let mut children = Children::new(directory.as_bytes());
        let mut found = Vec::new();
        while let Some(some) = index.ask(|index| children.step(index)).expect("an answer") {
            let name = |child: porthole_core::seek::Child| {
                (String::from_utf8(child.name).expect("a name"), child.entry.map_or(0, |(number, _)| number + 1))
            };
            found.extend(some.into_iter().map(name));
        }
        found.sort();
        found.dedup();
        found
    };
    assert_eq!(children(""), [("deep".into(), 0), ("twice".into(), 1), ("twice".into(), 3002)]);
    assert_eq!(children("deep").len(), 70);
    let seventh = children("deep/7");
    assert_eq!(seventh.len(), 44);
    assert_eq!(seventh[0], (".wh.file-7".into(), 3003));
    assert_eq!(seventh[1], ("file-1057".into(), 1059));
    assert_eq!((children("twice"), children("none")), (vec![], vec![]));
}

#[wasm_bindgen_test(unsupported = test)]
fn an_index_says_what_it_is_of() {
    let archive = archive(8);
    let blob = gzip(&archive, 6);
    let right = expected(Algorithm::Sha256, &blob);
    let make =
        |expected: Expected| index(expected, &blob, IndexOptions::default()).1.map(|index| index.reader().verified());
    assert_eq!(make(right.clone()), Some(true));
    assert_eq!(make(Expected { diff_id: Some(Digest::sha256(&archive)), ..right.clone() }), Some(true));
    assert_eq!(make(Expected { diff_id: Some(Digest::sha256(b"")), ..right.clone() }), Some(false));
    assert_eq!(make(Expected { digest: Some(Digest::sha256(b"")), ..right.clone() }), Some(false));
    assert_eq!(make(Expected { size: None, ..right.clone() }), Some(false));
    assert_eq!(make(Expected::default()), Some(false));
    assert_eq!(make(Expected { size: Some(9), ..right.clone() }), None, "it was not decoded");

    let cut = &blob[..blob.len() - 9];
    assert!(index(expected(Algorithm::Sha256, cut), cut, IndexOptions::default()).1.is_none(), "decoding has no end");
    let broken = gzip(&archive[..archive.len() / 2 + 100], 6);
    let (report, none, _) = index(expected(Algorithm::Sha256, &broken), &broken, IndexOptions::default());
    assert_eq!((report.findings.len(), none.is_none()), (1, true), "the archive has no end");

    struct First;
    impl EntrySink for First {
        fn entry(&mut self, _: Entry) -> Flow {
            Flow::Stop
        }
    }
    let mut reader = LayerReader::new(right, Limits::default()).with_index(IndexOptions::default());
    reader.push(&blob, &mut First);
    let (report, index) = reader.finish_index(&mut First);
    assert!(report.findings.is_empty() && index.is_none(), "the scan was stopped");
}

#[wasm_bindgen_test(unsupported = test)]
fn checkpoints_are_as_near_as_the_format_allows() {
    let mut state = 9;
    let mut builder = tar::Builder::new(Vec::new());
    let data = bytes(&mut state, 1 << 20);
    for number in 0..11 {
        builder
            .append_data(&mut header(tar::EntryType::Regular, data.len()), format!("file-{number}"), data.as_slice())
            .expect("a builder in memory");
    }
    let archive = builder.into_inner().expect("a builder in memory");
    let index =
        |blob: &[u8]| index(expected(Algorithm::Sha256, blob), blob, IndexOptions::default()).1.expect("a whole layer");
    assert_eq!(index(&archive).reader().seekable(), Seekable::Anywhere);
    let frame = compress_to_vec(archive.as_slice(), CompressionLevel::Fastest);
    assert_eq!(index(&frame).reader().seekable(), Seekable::FromStart);
    let blob = gzip(&archive, 6);
    let mut gzipped = index(&blob);
    let (seekable, size) = (gzipped.reader().seekable(), gzipped.reader().size());
    // The distances are a quarter of those in a large layer.
    assert!((10..=14).contains(&gzipped.reader().checkpoint_count()), "{}", gzipped.reader().checkpoint_count());
    let Seekable::Checkpoints { apart } = seekable else { panic!("{seekable:?}") };
    assert!(apart <= 1 << 20 && apart > 3 << 18, "{apart}");
    let range = open(&mut gzipped, 10).expect("a regular file").range();
    assert_eq!(range.end, size);
    assert!(range.end - range.start < size / 5, "{range:?} of {size}");

    let offsets = gzipped.ask(|index| index.offsets()).expect("offsets");
    let mut before = 0;
    for at in (0..archive.len() as u64).step_by(100_000) {
        let place = offsets.compressed_at(at);
        assert!(place >= before);
        assert!(place.abs_diff(at * size / archive.len() as u64) < 256 << 10, "the archive is even");
        before = place;
    }
    assert_eq!(offsets.compressed_at(archive.len() as u64), size);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_blob_that_is_one_file_is_read_and_verified_by_parts() {
    let blob = bytes(&mut 5, 400_000);
    let expected = expected(Algorithm::Sha256, &blob);
    let mut reader = LayerReader::new(expected, Limits::default()).or_file(b"data.bin".to_vec());
    reader = reader.with_index(IndexOptions::default());
    reader.push(&blob, &mut Entries::default());
    let mut index = reader.take_index();
    let (report, end) = reader.finish_index(&mut Entries::default());
    assert!(report.one_file);
    let end = end.expect("a whole blob");
    index.extend(end.tail);
    index[..end.header.len()].copy_from_slice(&end.header);
    let mut index = MemoryIndex::new(index).expect("its own bytes");
    let mut opening = Opening::at_offset(0, &Limits::default());
    let file = index.ask(|index| opening.step(index)).expect("the file");
    assert_eq!((file.range(), file.size()), (0..400_000, 400_000));
    let (content, outcome) = read(file, &blob, Split::Whole);
    assert_eq!((content == blob, outcome), (true, Ok(())));
    let mut opening = Opening::at_offset(0, &Limits::default());
    let file = index.ask(|index| opening.step(index)).expect("the file");
    let mut wrong = blob.clone();
    wrong[300_000] ^= 1;
    let (content, outcome) = read(file, &wrong, Split::Whole);
    assert!(content.len() <= 300_000 && matches!(outcome, Err(Error::Span { .. })), "{outcome:?}");
}
