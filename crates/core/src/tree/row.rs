//! Rows: what a view tells of one path.

use super::{
    Ambiguity, Aspects, NodeId,
    node::{Arena, Found},
};
use crate::tar::Kind;

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The path's node.
    pub node: NodeId,
    /// Full cleaned path, no leading slash.
    pub path: Vec<u8>,
    /// Last component.
    pub name: Vec<u8>,
    /// 0 = directly below the root.
    pub depth: u32,
    /// Kind; a hard link stays [`Kind::Hardlink`], as the archive says.
    pub kind: Kind,
    /// Logical bytes of a file; 0 for anything else, hard links included.
    pub size: u64,
    /// Bytes of all files below (directories), own size else.
    pub total: u64,
    /// Permission bits with set-uid, set-gid and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: i64,
    /// Group.
    pub gid: i64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Nanoseconds of the second.
    pub mtime_nsec: u32,
    /// Symbolic link's target as stored, or hard link's cleaned path.
    pub link: Vec<u8>,
    /// Device number of a character or block device.
    pub major: i64,
    /// Device number of a character or block device.
    pub minor: i64,
    /// Extended attributes: name, value.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Who last wrote it.
    pub layer: u32,
    /// What happened to it in the chosen view.
    pub change: Change,
    /// In what a path that is [`Change::Modified`] differs: from what was there below the layer that wrote it last, or in the
    /// view of what was overwritten, from what is there instead. Empty where a layer wrote the same again.
    pub aspects: Aspects,
    /// Layer that removed or overwrote it.
    pub removed_by: Option<u32>,
    /// Why well-known readers make something else of it.
    pub ambiguous: Option<Ambiguity>,
    /// A directory that no archive names.
    pub implied: bool,
    /// Has children in this view.
    pub has_children: bool,
}

/// What happened to a path in the chosen view: by layer n in the views of layer n; in the merged view
/// [`Added`](Self::Added) if one layer wrote it and [`Modified`](Self::Modified) if several did. A directory that a layer
/// only says again is [`Unchanged`](Self::Unchanged).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// It was not there before.
    Added,
    /// It was there and is something else now.
    Modified,
    /// It was there and is gone.
    Removed,
    /// It is as it was.
    Unchanged,
}

/// A version with what a view knows about it.
#[derive(Clone, Copy)]
pub(super) struct Shown<'t> {
    pub(super) version: Found<'t>,
    /// The last layer whose hard links count for its attributes.
    pub(super) until: u32,
    pub(super) change: Change,
    pub(super) aspects: Aspects,
    pub(super) removed_by: Option<u32>,
}

impl Row {
    pub(super) fn new(arena: &Arena, node: u32, shown: Shown<'_>, path: Vec<u8>, depth: u32, total: u64) -> Self {
        const SECOND: u64 = 1_000_000_000;
        let version = shown.version;
        let attributes = arena.attributes(&version, shown.until);
        let extra = arena.extras.get(version.extra as usize).copied().unwrap_or_default();
        Self {
            node: NodeId(node),
            name: arena.name(node).to_vec(),
            path,
            depth,
            kind: version.kind,
            size: version.size,
            total,
            mode: u32::from(attributes.mode),
            uid: i64::from(attributes.uid),
            gid: i64::from(attributes.gid),
            mtime: (attributes.mtime / SECOND) as i64,
            mtime_nsec: (attributes.mtime % SECOND) as u32,
            link: arena.text(extra.link).to_vec(),
            major: extra.major,
            minor: extra.minor,
            xattrs: read_xattrs(arena.text(extra.xattrs)),
            layer: arena.version(arena.told(version.id)).layer,
            change: shown.change,
            aspects: shown.aspects,
            removed_by: shown.removed_by,
            ambiguous: version.ambiguous,
            implied: version.flags.implied,
            has_children: false,
        }
    }
}

/// The pairs that `store_xattrs` wrote.
pub(super) fn read_xattrs(mut bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut part = || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        bytes = rest;
        Some(part.to_vec())
    };
    std::iter::from_fn(|| Some((part()?, part()?))).collect()
}
