//! Files and entries, as `porthole ls --json` prints them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_core::{
    layer::{BlobDigests, LayerNumber},
    path,
    tar::{Entry, Kind},
    tree::{Change, Row},
};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap};

/// One row of a view.
#[derive(Serialize)]
pub struct FileReport<'r> {
    #[serde(flatten)]
    name: ReportedPath<'r>,
    #[serde(flatten)]
    meta: ReportedMeta<'r>,
    layer: LayerNumber,
    /// Absent for a layer that belongs to no image.
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_digest: Option<&'r str>,
    change: &'static str,
    /// Aspects that are modified.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aspects: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_by: Option<LayerNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_by_digest: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ambiguous: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    implied: bool,
    /// `toc` = the row comes from the layer's table of contents, and its archive was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'static str>,
}

impl<'r> FileReport<'r> {
    /// The report of a row of a view of these layers. `by_toc`: only the table of contents of its layer was read.
    pub fn of(row: &'r Row, layers: &'r BlobDigests, digest: Option<String>, by_toc: bool) -> Self {
        Self {
            name: ReportedPath::of(&row.path),
            meta: ReportedMeta::of(row),
            layer: LayerNumber::of_index(row.layer),
            layer_digest: layers.find(row.layer),
            change: change(row.change),
            aspects: row.aspects.iter().map(|aspect| aspect.name()).collect(),
            removed_by: row.removed_by.map(LayerNumber::of_index),
            removed_by_digest: row.removed_by.and_then(|layer| layers.find(layer)),
            ambiguous: row.ambiguous.map(|reason| reason.to_string()),
            digest,
            implied: row.implied,
            from: by_toc.then_some("toc"),
        }
    }
}

/// One entry of an archive, as it is stored.
#[derive(Serialize)]
pub struct EntryReport<'e> {
    #[serde(flatten)]
    name: ReportedPath<'e>,
    #[serde(flatten)]
    meta: ReportedMeta<'e>,
    typeflag: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    ambiguous: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

impl<'e> EntryReport<'e> {
    /// The report of an entry, with the digest of its content.
    pub fn of(entry: &'e Entry, digest: Option<String>) -> Self {
        Self {
            name: ReportedPath::of(&entry.path),
            meta: ReportedMeta {
                kind: entry.kind.name(),
                size: if entry.kind == Kind::File { entry.size } else { 0 },
                mode: entry.permissions(),
                uid: entry.uid,
                gid: entry.gid,
                mtime: entry.mtime,
                mtime_nsec: entry.mtime_nsec,
                link: Link::as_stored(entry.kind, &entry.link),
                device: Device::of(entry.kind, entry.major, entry.minor),
                xattrs: xattrs(&entry.xattrs),
            },
            typeflag: entry.typeflag,
            ambiguous: entry.ambiguous.map(|reason| reason.to_string()),
            digest,
        }
    }
}

/// A path: escaped text, and the bytes in base64 if the text is not exact.
#[derive(Serialize)]
pub struct ReportedPath<'r> {
    /// The path, escaped.
    pub path: Cow<'r, str>,
    /// Its bytes in base64, if the text is not exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
}

impl<'r> ReportedPath<'r> {
    /// Both forms of a path.
    pub fn of(bytes: &'r [u8]) -> Self {
        let (path, path_b64) = escaped(bytes);
        Self { path, path_b64 }
    }
}

/// Metadata that `lstat` would return.
#[derive(Serialize)]
pub struct ReportedMeta<'r> {
    #[serde(rename = "type")]
    kind: &'static str,
    size: u64,
    mode: u32,
    uid: i64,
    gid: i64,
    mtime: i64,
    #[serde(skip_serializing_if = "is_zero")]
    mtime_nsec: u32,
    #[serde(flatten)]
    link: Option<Link<'r>>,
    #[serde(flatten)]
    device: Option<Device>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    xattrs: BTreeMap<Cow<'r, str>, String>,
}

impl<'r> ReportedMeta<'r> {
    /// The metadata of a row.
    pub fn of(row: &'r Row) -> Self {
        Self {
            kind: row.kind.name(),
            size: row.size,
            mode: row.mode,
            uid: row.uid,
            gid: row.gid,
            mtime: row.mtime,
            mtime_nsec: row.mtime_nsec,
            link: Link::of(row.kind, &row.link),
            device: Device::of(row.kind, row.major, row.minor),
            xattrs: xattrs(&row.xattrs),
        }
    }
}

#[derive(Serialize)]
struct Link<'r> {
    link: Cow<'r, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_b64: Option<String>,
}

impl<'r> Link<'r> {
    fn of(kind: Kind, target: &'r [u8]) -> Option<Self> {
        matches!(kind, Kind::Symlink | Kind::Hardlink).then(|| Self::to(target))
    }

    /// Keeps the target of any entry: in an archive, files and directories may have one too.
    fn as_stored(kind: Kind, target: &'r [u8]) -> Option<Self> {
        if target.is_empty() { Self::of(kind, target) } else { Some(Self::to(target)) }
    }

    fn to(target: &'r [u8]) -> Self {
        let (link, link_b64) = escaped(target);
        Self { link, link_b64 }
    }
}

#[derive(Serialize)]
struct Device {
    major: i64,
    minor: i64,
}

impl Device {
    fn of(kind: Kind, major: i64, minor: i64) -> Option<Self> {
        matches!(kind, Kind::Char | Kind::Block).then_some(Self { major, minor })
    }
}

/// Returns bytes as escaped text, and in base64 if the text is not exact.
fn escaped(bytes: &[u8]) -> (Cow<'_, str>, Option<String>) {
    let text = path::escape(bytes);
    let exact = matches!(text, Cow::Owned(_)).then(|| STANDARD.encode(bytes));
    (text, exact)
}

fn xattrs(pairs: &[(Vec<u8>, Vec<u8>)]) -> BTreeMap<Cow<'_, str>, String> {
    pairs.iter().map(|(name, value)| (path::escape(name), STANDARD.encode(value))).collect()
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn change(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Modified => "modified",
        Change::Removed => "removed",
        Change::Unchanged => "unchanged",
    }
}
