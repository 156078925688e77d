//! Every limit of a layer and a document: input at the limit passes, and one more is refused, with a hint that names the limit.

#![allow(clippy::unwrap_used)]

use std::fmt::{self, Display};

use porthole_core::{
    archive,
    config::ImageConfig,
    decode::{Decoder, Error, GzipPart, MIN_OUTPUT},
    failure::{self, Classify, Failure},
    hint::Hint,
    layer::{Expected, LayerReader},
    limits::{Limits, NAMED},
    manifest::{self, Document, Raw},
    media_type::Compression,
    tar::{self, Entry, EntrySink, Flow, Kind, Scanner},
    tree::{self, FileTree},
};
use wasm_bindgen_test::wasm_bindgen_test;

fn limits(name: &str, value: u64) -> Limits {
    let mut limits = Limits::default();
    Limits::named(name).unwrap().set(&mut limits, value);
    limits
}

/// The name of the limit in an error: the error is classified as a limit, its message names the limit, and its hint is a larger value.
fn named(error: &(impl Classify + Display), limits: &Limits) -> &'static str {
    let failure = error.failure();
    assert_eq!(failure.kind, failure::FailureClass::Limit, "{error}");
    let [Hint::RaiseLimit { name, value }] = failure.hints[..] else {
        panic!("expected a limit to raise: {failure:?}")
    };
    assert!(error.to_string().contains(name), "{error}");
    let limit = NAMED.iter().find(|limit| limit.name == name).unwrap();
    assert!(value > limit.get(limits), "{name}: {value}");
    name
}

struct Reading;

impl EntrySink for Reading {
    fn entry(&mut self, _: Entry) -> Flow {
        Flow::WantData
    }
}

fn scan(archive: &[u8], limits: &Limits) -> Result<(), tar::Error> {
    let mut scanner = Scanner::new(limits);
    scanner.push(archive, &mut Reading)?;
    scanner.finish()
}

/// The archive passes within the limit and not within one less.
fn exact(name: &str, value: u64, archive: &[u8]) {
    assert_eq!(scan(archive, &limits(name, value)), Ok(()), "{name} of {value}");
    let less = limits(name, value - 1);
    let error = scan(archive, &less).unwrap_err();
    assert_eq!(named(&error, &less), name, "{error}");
}

fn block(typeflag: u8, name: &str, size: u64) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = typeflag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    seal(block)
}

fn seal(mut block: Vec<u8>) -> Vec<u8> {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn entry(typeflag: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = block(typeflag, "file", data.len() as u64);
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A PAX record of exactly `length` bytes.
fn record(key: &str, length: usize) -> Vec<u8> {
    let before = format!("{length} {key}=");
    format!("{before}{}\n", "v".repeat(length - before.len() - 1)).into_bytes()
}

fn text(records: &[(&str, String)]) -> Vec<u8> {
    let record = |(key, value): &(&str, String)| {
        let rest = key.len() + value.len() + 3;
        let length = (1..9).map(|digits| rest + digits).find(|n| n.to_string().len() + rest == *n).unwrap();
        format!("{length} {key}={value}\n")
    };
    records.iter().map(record).collect::<String>().into_bytes()
}

#[wasm_bindgen_test(unsupported = test)]
fn extension_bytes() {
    let file = block(b'0', "file", 0);
    for length in [512, 1000] {
        exact("extension_bytes", length, &[entry(b'x', &record("comment", length as usize)), file.clone()].concat());
        exact("extension_bytes", length, &[entry(b'L', &vec![b'n'; length as usize]), file.clone()].concat());
    }
    let default = 1 << 20;
    assert_eq!(scan(&[entry(b'x', &record("comment", default)), file.clone()].concat(), &Limits::default()), Ok(()));
    let more = [entry(b'x', &record("comment", default + 1)), file].concat();
    assert_eq!(scan(&more, &Limits::default()), Err(tar::Error::FieldTooLong { offset: 0, limit: default as u64 }));
    // A stated length costs nothing. It is refused only when more bytes than the limit have arrived.
    let lie = block(b'x', "lie", 1 << 32);
    assert_eq!(scan(&lie, &Limits::default()), Err(tar::Error::UnexpectedEof { offset: 512 }));
}

#[wasm_bindgen_test(unsupported = test)]
fn sparse_segments_of_every_form() {
    let segments = 10;
    let map = |separator: &str| (0..segments).map(|n| format!("{n}{separator}1")).collect::<Vec<_>>().join(separator);
    let numbers = ("GNU.sparse.numblocks", segments.to_string());
    let size = ("GNU.sparse.size", segments.to_string());
    let pairs = (0..segments)
        .flat_map(|n| [("GNU.sparse.offset", n.to_string()), ("GNU.sparse.numbytes", "1".to_owned())])
        .collect::<Vec<_>>();
    let data = vec![b'd'; segments];
    let version = |major: &str, minor: &str| {
        [("GNU.sparse.major", major.to_owned()), ("GNU.sparse.minor", minor.to_owned())].to_vec()
    };
    let form_0_0 = [version("0", "0"), vec![size.clone(), numbers.clone()], pairs].concat();
    let form_0_1 = [version("0", "1"), vec![size, numbers, ("GNU.sparse.map", map(","))]].concat();
    let form_1_0 = [version("1", "0"), vec![("GNU.sparse.realsize", segments.to_string())]].concat();
    let mut in_front = format!("{segments}\n{}\n", map("\n")).into_bytes();
    in_front.resize(512, 0);
    for (records, data) in
        [(form_0_0, data.clone()), (form_0_1, data.clone()), (form_1_0, [in_front, data.clone()].concat())]
    {
        exact("sparse_segments", segments as u64, &[entry(b'x', &text(&records)), entry(b'0', &data)].concat());
    }
    exact("sparse_segments", segments as u64, &gnu_sparse(segments as u64));
}

/// The form of old GNU tar: four segments in the header, 21 in each block that follows.
fn gnu_sparse(segments: u64) -> Vec<u8> {
    let mut header = block(b'S', "file", segments);
    header[257..265].copy_from_slice(b"ustar  \0");
    header[483..494].copy_from_slice(format!("{segments:011o}").as_bytes());
    let mut maps = [header[386..482].to_vec()].to_vec();
    maps.resize(1 + segments.saturating_sub(4).div_ceil(21) as usize, vec![0; 504]);
    let places = maps.iter_mut().flat_map(|map| map.chunks_exact_mut(24));
    for (n, place) in (0..segments).zip(places) {
        place[..11].copy_from_slice(format!("{n:011o}").as_bytes());
        place[12..23].copy_from_slice(format!("{:011o}", 1).as_bytes());
    }
    let count = maps.len();
    header[386..482].copy_from_slice(&maps[0]);
    header[482] = u8::from(count > 1);
    let mut bytes = seal(header);
    for (number, map) in maps.iter().enumerate().skip(1) {
        bytes.extend_from_slice(map);
        bytes.extend_from_slice(&[u8::from(number + 1 < count), 0, 0, 0, 0, 0, 0, 0]);
    }
    bytes.extend_from_slice(&vec![b'd'; segments as usize]);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

#[wasm_bindgen_test(unsupported = test)]
fn ten_thousand_segments_by_default() {
    assert_eq!(scan(&gnu_sparse(10_000), &Limits::default()), Ok(()));
    let refused = tar::Error::SparseTooLong { offset: 0, limit: 10_000, unit: "segments" };
    assert_eq!(scan(&gnu_sparse(10_001), &Limits::default()), Err(refused));
}

#[wasm_bindgen_test(unsupported = test)]
fn path_bytes() {
    let named =
        |key, length: usize| [entry(b'x', &text(&[(key, "n".repeat(length))])), block(b'2', "link", 0)].concat();
    exact("path_bytes", 100, &named("path", 100));
    exact("path_bytes", 100, &named("linkpath", 100));
    assert_eq!(scan(&named("path", 64 << 10), &Limits::default()), Ok(()));
    let refused = tar::Error::NameTooLong { offset: 66_048 + 512, length: 65_537, limit: 65_536 };
    assert_eq!(scan(&named("path", (64 << 10) + 1), &Limits::default()), Err(refused));
}

#[wasm_bindgen_test(unsupported = test)]
fn entries() {
    exact("entries", 3, &block(b'0', "file", 0).repeat(3));
    assert_eq!(Limits::default().entries, 10_000_000);
}

#[wasm_bindgen_test(unsupported = test)]
fn tree_nodes() {
    let mut tree = FileTree::new(3);
    tree.begin(0);
    assert_eq!(tree.apply(&Entry::new("a", Kind::File)), Ok(()), "the root and one more");
    assert_eq!(tree.apply(&Entry::new("b", Kind::File)), Ok(()));
    assert_eq!(tree.apply(&Entry::new("c", Kind::File)), Err(tree::Error::TooManyNodes { limit: 3 }));
    assert_eq!((Limits::default().tree_nodes, Limits::of_a_tab().tree_nodes), (10_000_000, 2_000_000));
}

/// The number of unpacked bytes, and the verdict.
fn unpack(compression: Compression, bytes: &[u8], limits: &Limits) -> (u64, Result<(), Error>) {
    let mut decoder = Decoder::new(compression, limits);
    let mut buffer = vec![0; MIN_OUTPUT];
    let mut rest = bytes;
    loop {
        match decoder.decode(rest, &mut buffer) {
            Ok(step) => {
                rest = &rest[step.read..];
                if step.starved {
                    return (decoder.written(), decoder.finish());
                }
            }
            Err(error) => return (decoder.written(), Err(error)),
        }
    }
}

/// A frame with a window of `(8 + eighths) << shift` bytes, and one repeated byte in each of its blocks.
fn frame(shift: u8, eighths: u8, blocks: usize, length: u32) -> Vec<u8> {
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (shift - 7) << 3 | eighths];
    for number in 1..=blocks {
        bytes.extend_from_slice(&(length << 3 | 1 << 1 | u32::from(number == blocks)).to_le_bytes()[..3]);
        bytes.push(b'r');
    }
    bytes
}

#[wasm_bindgen_test(unsupported = test)]
fn window_bytes() {
    const BLOCK: u32 = 128 << 10;
    let verdict =
        |eighths, blocks, limits: &Limits| unpack(Compression::Zstd, &frame(17, eighths, blocks, BLOCK), limits);
    let limit = limits("window_bytes", 1 << 20);
    assert_eq!(verdict(0, 20, &limit), (20 << 17, Ok(())), "a window of the limit, filled");
    assert_eq!(verdict(1, 8, &limit), (8 << 17, Ok(())), "a larger one, not filled");
    let (written, refused) = verdict(1, 9, &limit);
    let error = Error::ZstdWindow { requested: 9 << 17, limit: 1 << 20 };
    assert_eq!((written, &refused), (8 << 17, &Err(error.clone())));
    assert_eq!(named(&error, &limit), "window_bytes");
    assert!(error.to_string().ends_with("exceeds the limit of 1048576 bytes (limit window_bytes)"));
    assert_eq!(verdict(1, 9, &limits("window_bytes", 9 << 17)).1, Ok(()));
    // A frame that states the size of its content is refused at once.
    let stated = [&[0x28, 0xb5, 0x2f, 0xfd, 0xa0], &((1 << 20) + 1u32).to_le_bytes()[..], &[0; 3]].concat();
    let error = Error::ZstdWindow { requested: (1 << 20) + 1, limit: 1 << 20 };
    assert_eq!(unpack(Compression::Zstd, &stated, &limit), (0, Err(error)));
    assert_eq!((Limits::default().window_bytes, Limits::of_a_tab().window_bytes), (128 << 20, 64 << 20));
    // A window above the maximum of any runtime has no limit to raise.
    let (_, verdict) = unpack(Compression::Zstd, &frame(26, 1, 1, 5), &limits("window_bytes", u64::MAX));
    let error = verdict.unwrap_err();
    assert!(error.to_string().ends_with("(limit window_bytes, at most 536870912)"), "{error}");
    assert_eq!(error.failure().hints, []);
}

#[wasm_bindgen_test(unsupported = test)]
fn unpacked_bytes() {
    for compression in [Compression::Zstd, Compression::None] {
        let bytes = if compression == Compression::Zstd { frame(10, 0, 3, 1000) } else { vec![b'r'; 3000] };
        assert_eq!(unpack(compression, &bytes, &limits("unpacked_bytes", 3000)), (3000, Ok(())));
        let less = limits("unpacked_bytes", 2999);
        let error = unpack(compression, &bytes, &less).1.unwrap_err();
        assert_eq!(error, Error::TooLarge { limit: 2999 });
        assert_eq!(named(&error, &less), "unpacked_bytes");
    }
    // An uncompressed layer has the same limit.
    let archive = [entry(b'0', b"data"), vec![0; 1024]].concat();
    for (limit, passes) in [(2048, true), (2047, false)] {
        let mut reader = LayerReader::new(Expected::default(), limits("unpacked_bytes", limit));
        reader.push(&archive, &mut Reading);
        let report = reader.finish(&mut Reading);
        assert_eq!(report.findings.is_empty(), passes, "{:?}", report.findings);
        let limits = limits("unpacked_bytes", limit);
        let name = report.findings.first().map(|finding| named(finding, &limits));
        assert_eq!(name, (!passes).then_some("unpacked_bytes"));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn expansion_ratio() {
    let judged_at_once = |ratio| {
        let mut limits = limits("expansion_ratio", ratio);
        limits.expansion_grace = 64 << 20;
        limits
    };
    // The ratio does not apply to the first 64 MiB. The block after them is over the grace.
    let bytes = frame(20, 0, 513, 128 << 10);
    // The smallest ratio that allows it, because the quotient is rounded down.
    let ratio = (513 << 17) / (bytes.len() as u64 + 1) + 1;
    assert_eq!(unpack(Compression::Zstd, &bytes, &judged_at_once(ratio)), (513 << 17, Ok(())));
    let less = judged_at_once(ratio - 1);
    let error = unpack(Compression::Zstd, &bytes, &less).1.unwrap_err();
    assert_eq!(error, Error::Expansion { limit: ratio - 1 });
    assert_eq!(named(&error, &less), "expansion_ratio");
    let free = frame(20, 0, 512, 128 << 10);
    assert_eq!(unpack(Compression::Zstd, &free, &judged_at_once(1)), (64 << 20, Ok(())));
}

#[wasm_bindgen_test(unsupported = test)]
fn gzip_name_bytes() {
    let member = |name: usize| {
        let header = [vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 255], vec![b'n'; name], vec![0]].concat();
        [header, vec![3, 0], vec![0; 8]].concat()
    };
    let default = Limits::default();
    assert_eq!(unpack(Compression::Gzip, &member(511), &default), (0, Ok(())));
    let error = unpack(Compression::Gzip, &member(512), &default).1.unwrap_err();
    assert_eq!(error, Error::GzipHeader { offset: 0, part: GzipPart::Name });
    assert_eq!(named(&error, &default), "gzip_name_bytes");
    assert_eq!(unpack(Compression::Gzip, &member(512), &limits("gzip_name_bytes", 513)), (0, Ok(())));
}

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn manifest(layers: usize) -> String {
    let descriptor =
        format!(r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{DIGEST}","size":1}}"#);
    format!(r#"{{"schemaVersion":2,"config":{descriptor},"layers":[{}]}}"#, vec![descriptor.as_str(); layers].join(","))
}

fn config(layers: usize) -> String {
    format!(r#"{{"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#, vec![format!("\"{DIGEST}\""); layers].join(","))
}

fn archived(layers: usize) -> String {
    format!(r#"[{{"Config":"c","Layers":[{}]}}]"#, vec!["\"l\""; layers].join(","))
}

/// Writes a document with this many parts.
type Write = fn(usize) -> String;
/// Reads it again, within limits.
type Read = fn(&str, &Limits) -> Result<(), Met>;

/// The error of any document.
#[derive(Debug, PartialEq)]
struct Met(Failure, String);

impl Met {
    fn of(error: impl Classify + Display) -> Self {
        Self(error.failure(), error.to_string())
    }
}

impl Classify for Met {
    fn failure(&self) -> Failure {
        self.0.clone()
    }
}

impl Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn manifest_bytes_and_descriptors() {
    let documents: [(Write, Read); 3] = [
        (manifest, |text, limits| {
            let parsed = Document::parse_with_limits(Raw::trust_on_first_use(text.into()), None, limits);
            parsed.map(drop).map_err(Met::of)
        }),
        (config, |text, limits| {
            let parsed = ImageConfig::parse_with_limits(&Raw::trust_on_first_use(text.into()), limits);
            parsed.map(drop).map_err(Met::of)
        }),
        (archived, |text, limits| {
            archive::parse_manifest_with_limits(text.as_bytes(), limits).map(drop).map_err(Met::of)
        }),
    ];
    for (write, read) in documents {
        for (name, value, text, more) in [
            ("manifest_bytes", 9000, format!("{:9000}", write(2)), format!("{:9001}", write(2))),
            ("descriptors", 3, write(3), write(4)),
        ] {
            let limits = limits(name, value);
            assert_eq!(read(&text, &limits), Ok(()), "{name}");
            assert_eq!(named(&read(&more, &limits).unwrap_err(), &limits), name);
            assert_eq!(read(&more, &Limits::default()), Ok(()), "{name}");
        }
    }
    let (limit, raw) = (4 << 20, |length| {
        Raw::trust_on_first_use([manifest(1), " ".repeat(length - manifest(1).len())].concat().into())
    });
    assert!(Document::parse(raw(limit), None).is_ok());
    let refused = Document::parse(raw(limit + 1), None).map(drop);
    assert_eq!(refused, Err(manifest::Error::TooLarge { limit: limit as u64, got: limit as u64 + 1 }));
    assert!(Document::parse(Raw::trust_on_first_use(manifest(10_000).into()), None).is_ok());
    assert!(Document::parse(Raw::trust_on_first_use(manifest(10_001).into()), None).is_err());
}
