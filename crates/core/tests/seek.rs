//! Every file that is read through an index is the file in the whole stream, and no wrong byte is given out.

use std::{io::Write, ops::Range};

use flate2::{Compression as Level, write::GzEncoder};
use porthole_core::{
    digest::{Algorithm, Digest},
    layer::{Expected, LayerReader, LayerReport},
    limits::Limits,
    seek::{Error, FileReader, Index, IndexOptions},
    tar::{Entry, EntrySink, Flow, Kind},
};
use porthole_testkit::chunks::{SPLITS, Split, next};
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

/// Takes entries and nothing else.
#[derive(Default)]
struct Names(Vec<Entry>);

impl EntrySink for Names {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.0.push(entry);
        Flow::Continue
    }
}

/// Bytes that compress about as programs do.
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

/// An archive of every kind of entry: many small files, some large ones, links, devices, long names, attributes, global
/// headers, and sparse files in two forms.
fn archive(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut builder = tar::Builder::new(Vec::new());
    let append = |builder: &mut tar::Builder<Vec<u8>>, kind, name: &str, data: &[u8]| {
        builder.append_data(&mut header(kind, data.len()), name, data).expect("a builder in memory");
    };
    for number in 0..300 + next(&mut state) % 300 {
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
            8 if number % 64 == 8 => {
                let large = 60_000 + (next(&mut state) % 300_000) as usize;
                append(&mut builder, tar::EntryType::Regular, &name, &bytes(&mut state, large));
            }
            9 if number > 200 => append(&mut builder, tar::EntryType::XGlobalHeader, "global", b"12 comment=\n"),
            _ => {
                let small = (next(&mut state) % 4000) as usize;
                append(&mut builder, tar::EntryType::Regular, &name, &bytes(&mut state, small));
            }
        }
    }
    append(&mut builder, tar::EntryType::Regular, "big", &bytes(&mut state, 700_000));
    append(&mut builder, tar::EntryType::Regular, "empty", b"");
    append(&mut builder, tar::EntryType::Regular, "last", b"the last one");
    let mut archive = builder.into_inner().expect("a builder in memory");
    archive.resize(archive.len().next_multiple_of(10_240), 0);
    archive
}

/// A sparse file of form 1.0: its map stands in front of its data.
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

/// A sparse file of the old GNU form, with a block of map after the header.
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
    // In pieces and flushed, so that even a fast encoder ends a block now and then.
    for piece in bytes.chunks(60_000) {
        encoder.write_all(piece).expect("an encoder in memory");
        if level < 6 {
            encoder.flush().expect("an encoder in memory");
        }
    }
    encoder.finish().expect("an encoder in memory")
}

/// The archive as a layer in every way that there is to compress it.
fn blobs(archive: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let members = |length| archive.chunks(length).flat_map(|piece| gzip(piece, 6)).collect();
    let frames = |length| archive.chunks(length).flat_map(|piece| compress_to_vec(piece, CompressionLevel::Fastest));
    vec![
        ("plain", archive.to_vec()),
        ("gzip 0", gzip(archive, 0)),
        ("gzip 1", gzip(archive, 1)),
        ("gzip 6", gzip(archive, 6)),
        ("gzip 9", gzip(archive, 9)),
        ("members", members(9_000)),
        ("long members", members(400_000)),
        ("zstd", compress_to_vec(archive, CompressionLevel::Fastest)),
        ("frames", frames(70_000).collect()),
    ]
}

fn options(spacing: u64, file_digests: bool) -> IndexOptions {
    let mut options = IndexOptions::default();
    (options.spacing, options.file_digests) = (spacing, file_digests);
    options
}

fn expected(algorithm: Algorithm, blob: &[u8]) -> Expected {
    Expected { digest: Some(Digest::of(algorithm, blob)), size: Some(blob.len() as u64), ..Expected::default() }
}

fn index(expected: Expected, blob: &[u8], options: IndexOptions) -> (LayerReport, Option<Index>, Vec<Entry>) {
    let mut reader = LayerReader::new(expected, Limits::default()).indexed(options);
    let mut names = Names::default();
    for chunk in blob.chunks(40_000) {
        reader.push(chunk, &mut names);
    }
    let (report, index) = reader.finish_with_index(&mut names);
    (report, index, names.0)
}

fn indexed(algorithm: Algorithm, blob: &[u8]) -> Index {
    index(expected(algorithm, blob), blob, options(30_000, false)).1.expect("a whole layer")
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
    for (name, blob) in blobs(&archive) {
        let listing = whole(&blob);
        let index = indexed(Algorithm::Sha256, &blob);
        assert_eq!(index.entry_count(), listing.entries.len() as u64);
        let mut files = 0;
        for (number, (entry, content)) in listing.entries.iter().zip(&listing.contents).enumerate() {
            let reader = index.open(number as u64, &Limits::default());
            if entry.kind != Kind::File {
                assert_eq!(reader.err(), Some(Error::NotAFile { number: number as u64, kind: entry.kind }));
                continue;
            }
            files += 1;
            // Large ones, and of the small ones as many as time allows.
            if content.len() < 5000 && number % 3 != 0 {
                continue;
            }
            let reader = reader.expect("a regular file");
            assert_eq!(reader.size(), content.len() as u64);
            let bytes = part(&blob, reader.range());
            let split = SPLITS[if files % 50 == 0 { 1 } else { files % 2 * 2 }];
            let (got, verdict) = read(reader, bytes, split);
            assert_eq!(verdict, Ok(()), "{name}: {}", String::from_utf8_lossy(&entry.path));
            assert!(got == *content, "{name}: {}", String::from_utf8_lossy(&entry.path));
            let again = index.open_at(entry.offset, &Limits::default()).expect("a regular file");
            assert_eq!(read(again, bytes, Split::Whole), (got, Ok(())));
        }
        assert!(files > 150, "{files}");
        assert!(index.open(index.entry_count(), &Limits::default()).is_err());
        assert!(index.open_at(7, &Limits::default()).is_err());
    }
}
