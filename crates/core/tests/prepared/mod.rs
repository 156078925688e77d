//! Layers with a table of contents, served by ranges like a registry does.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::ops::Range;

use porthole_core::{
    descriptor::Descriptor,
    layer::{Expected, LayerReader, LayerReport},
    limits::Limits,
    media_type::MediaType,
    tar::{self, EntrySink, Flow},
    toc::{Error, Toc, TocReader},
};
use porthole_testkit::{
    chunks::Split,
    image::{Entry, Format, Kind, Layer, PreparedLayer},
};
use serde_json::Value;

pub(crate) const FORMATS: [Format; 4] = [Format::EStargz, Format::Stargz, Format::ZstdChunked, Format::OldZstdChunked];

/// 20 000 bytes, of which the second and third 4096 are zeros.
pub(crate) fn big() -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..20_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    bytes[4096..3 * 4096].fill(0);
    bytes
}

pub(crate) fn layer() -> Layer {
    Layer::new("COPY rootfs /")
        .dir("etc")
        .entry(Entry::file("etc/passwd", "root:x:0:0\n").mode(0o4755).owner(5, 42).mtime(1_700_000_001))
        .file("etc/empty", "")
        .entry(Entry::file("etc/ünï", "utf-8").xattr("security.capability", [1, 0, 0, 2]).xattr("user.a", "b").mtime(0))
        .file("./usr/share/big", big())
        .symlink("bin", "usr/bin")
        .hardlink("usr/share/same", "usr/share/big")
        .entry(Entry::new("dev/sda", Kind::Block(8, 1)).mode(0o660))
        .entry(Entry::new("dev/null", Kind::Char(1, 3)).mode(0o666))
        .entry(Entry::new("run/pipe", Kind::Fifo))
        .whiteout("etc/gone")
        .opaque("var/cache")
        .file("etc/passwd", "again")
}

pub(crate) fn descriptor(layer: &PreparedLayer) -> Descriptor {
    let media_type = MediaType::parse(&layer.blob.media_type).unwrap();
    let digest = layer.blob.digest.parse().unwrap();
    let mut descriptor = Descriptor::new(media_type, digest, layer.blob.bytes.len() as u64);
    descriptor.annotations = layer.annotations.clone();
    descriptor
}

/// Reads a TOC by ranges. Also returns the requested ranges.
pub(crate) fn read(layer: &Descriptor, blob: &[u8], split: Split) -> (Result<Option<Toc>, Error>, Vec<Range<u64>>) {
    let mut ranges = Vec::new();
    let toc = TocReader::new(layer, &Limits::default()).and_then(|mut reader| {
        while let Some(range) = reader.wants() {
            assert!(range.end <= layer.size, "{range:?} is in the blob");
            ranges.push(range.clone());
            for piece in split.of(&blob[range.start as usize..range.end as usize]) {
                reader.push(piece)?;
            }
        }
        reader.finish()
    });
    (toc, ranges)
}

pub(crate) fn open(layer: &PreparedLayer) -> Toc {
    read(&descriptor(layer), &layer.blob.bytes, Split::Whole).0.unwrap().unwrap()
}

#[derive(Default)]
pub(crate) struct List(pub(crate) Vec<tar::Entry>);

impl EntrySink for List {
    fn entry(&mut self, entry: tar::Entry) -> Flow {
        self.0.push(tar::Entry { header: 0, offset: 0, ..entry });
        Flow::Continue
    }
}

pub(crate) fn scan(layer: &PreparedLayer, split: Split, sink: &mut impl EntrySink) -> LayerReport {
    let descriptor = descriptor(layer);
    let expected = Expected {
        digest: Some(descriptor.digest),
        size: Some(descriptor.size),
        diff_id: Some(layer.diff_id.parse().unwrap()),
        media_type: Some(descriptor.media_type),
    };
    let mut reader = LayerReader::new(expected, Limits::default());
    for piece in split.of(&layer.blob.bytes) {
        reader.push(piece, sink);
    }
    let report = reader.finish(sink);
    assert!(report.verified(), "{:?}", report.findings);
    report
}

/// What an audit reports, in words.
/// A file by its chunks, and how many bytes of the blob that took.
pub(crate) fn entries(toc: &mut Value) -> &mut Vec<Value> {
    toc["entries"].as_array_mut().unwrap()
}

pub(crate) fn entry<'v>(toc: &'v mut Value, name: &str) -> &'v mut Value {
    entries(toc).iter_mut().find(|entry| entry["name"] == name).unwrap()
}
