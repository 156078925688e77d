//! Annotations of a layer's descriptor that announce a TOC.

use std::collections::BTreeMap;

use super::{Error, TocFormat};
use crate::{
    descriptor::Descriptor,
    digest::Digest,
    media_type::{Compression, Role},
    quote::quote,
};

/// Digest of an eStargz layer's TOC as JSON.
pub(super) const TOC_DIGEST: &str = "containerd.io/snapshot/stargz/toc.digest";
/// Size of the uncompressed layer in bytes.
pub(super) const UNCOMPRESSED_SIZE: &str = "io.containers.estargz.uncompressed-size";
/// Digest of a zstd:chunked layer's manifest as compressed. The second name is older: skopeo 1.9 and stargz-snapshotter
/// write it.
pub(super) const CHECKSUM: [&str; 2] =
    ["io.github.containers.zstd-chunked.manifest-checksum", "io.containers.zstd-chunked.manifest-checksum"];
/// `offset:length:uncompressed length:type` of that manifest.
pub(super) const POSITION: [&str; 2] =
    ["io.github.containers.zstd-chunked.manifest-position", "io.containers.zstd-chunked.manifest-position"];
/// The only manifest type that is defined: a TOC.
pub(super) const MANIFEST: u8 = 1;

/// A TOC that a descriptor announces.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// `None` if the descriptor announces no TOC.
    pub(super) format: Option<TocFormat>,
    /// Digest of the JSON.
    pub(super) json: Option<Digest>,
    /// Digest of the compressed JSON.
    pub(super) packed: Option<Digest>,
    pub(super) position: Option<Position>,
    pub(super) uncompressed: Option<u64>,
}

/// Position of the manifest of a zstd:chunked layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) unpacked: u64,
}

impl Announced {
    pub(super) fn read(layer: &Descriptor) -> Result<Self, Error> {
        let annotations = &layer.annotations;
        let zstd = layer.media_type.role() == Role::Layer(Compression::Zstd);
        let [today, before] =
            [0, 1].map(|age| [CHECKSUM, POSITION].iter().any(|names| annotations.contains_key(names[age])));
        // stargz-snapshotter annotates its zstd:chunked layers with both digests of one TOC, under the old name; a
        // reader that checks both is not misled. Under the current name, or on a gzip layer, the digests are of two
        // TOCs.
        if annotations.contains_key(TOC_DIGEST) && (today || before && !zstd) {
            return Err(Error::Both);
        }
        let json = annotations.get(TOC_DIGEST).map(|text| digest(TOC_DIGEST, text)).transpose()?;
        let packed = pair(annotations, CHECKSUM, digest)?;
        let position = pair(annotations, POSITION, position)?;
        let uncompressed = annotations.get(UNCOMPRESSED_SIZE).map(|text| size(UNCOMPRESSED_SIZE, text)).transpose()?;
        let format = match json {
            _ if today || before => Some(TocFormat::ZstdChunked),
            Some(_) if zstd => Some(TocFormat::ZstdChunked),
            Some(_) => Some(TocFormat::EStargz),
            None => None,
        };
        Ok(Self { format, json, packed, position, uncompressed })
    }
}

/// A value under either of two names. If both are present they must be equal.
fn pair<T: PartialEq>(
    annotations: &BTreeMap<String, String>,
    names: [&'static str; 2],
    parse: impl Fn(&'static str, &str) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    let mut value = None;
    for name in names {
        let Some(text) = annotations.get(name) else { continue };
        let parsed = parse(name, text)?;
        if value.as_ref().is_some_and(|value| *value != parsed) {
            return Err(invalid(name, "the value of its newer name", text));
        }
        value = Some(parsed);
    }
    Ok(value)
}

fn digest(name: &'static str, text: &str) -> Result<Digest, Error> {
    text.parse().map_err(|_| invalid(name, "a digest", text))
}

fn size(name: &'static str, text: &str) -> Result<u64, Error> {
    number(text).ok_or_else(|| invalid(name, "a size", text))
}

fn position(name: &'static str, text: &str) -> Result<Position, Error> {
    let mut fields = text.split(':').map(number);
    let mut next = || fields.next().flatten();
    let position = (|| Some(Position { offset: next()?, length: next()?, unpacked: next()? }))();
    let (kind, rest) = (next(), fields.next());
    position
        .filter(|_| kind == Some(u64::from(MANIFEST)) && rest.is_none())
        .ok_or_else(|| invalid(name, "`offset:length:uncompressed length:1`", text))
}

fn number(text: &str) -> Option<u64> {
    let decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if decimal { text.parse::<u64>().ok() } else { None };
    number.filter(|&number| i64::try_from(number).is_ok())
}

fn invalid(name: &'static str, expected: &'static str, got: &str) -> Error {
    Error::Annotation { name, expected, got: quote(got.as_bytes()) }
}
