//! Rows: what a view shows for a path.

use super::{
    Ambiguity, Aspects, NodeId,
    entry::read_xattrs,
    node::{Arena, Found},
};
use crate::tar::Kind;

/// One line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Node of the path.
    pub node: NodeId,
    /// Full cleaned path, without a leading slash.
    pub path: Vec<u8>,
    /// Last component of the path.
    pub name: Vec<u8>,
    /// Number of directories above it below the root: 0 directly below the root.
    pub depth: u32,
    /// Type. A hard link stays [`Kind::Hardlink`], as in the archive.
    pub kind: Kind,
    /// Logical size of a file; 0 for anything else, including hard links.
    pub size: u64,
    /// Size of all files below a directory; otherwise `size`.
    pub total: u64,
    /// Permission bits, including set-uid, set-gid and sticky.
    pub mode: u32,
    /// Numeric user id of the owner.
    pub uid: i64,
    /// Numeric group id of the owner.
    pub gid: i64,
    /// Modification time in seconds since 1970.
    pub mtime: i64,
    /// Nanoseconds to add to `mtime`.
    pub mtime_nsec: u32,
    /// Target of a symbolic link as stored, or cleaned path of a hard link's target.
    pub link: Vec<u8>,
    /// Major device number.
    pub major: i64,
    /// Minor device number.
    pub minor: i64,
    /// Extended attributes by name.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// The layer that last wrote the path.
    pub layer: u32,
    /// What changed in the view.
    pub change: Change,
    /// What differs if the path is [`Change::Modified`]: from the version below the last layer that wrote it, or in
    /// [`Mode::Deleted`](super::Mode::Deleted) from the version that replaced it. Empty if a layer wrote the same
    /// again.
    pub aspects: Aspects,
    /// The layer that removed or overwrote the path.
    pub removed_by: Option<u32>,
    /// Why widely used tools interpret the path differently, if they do.
    pub ambiguous: Option<Ambiguity>,
    /// A directory without an entry in any archive.
    pub implied: bool,
    /// Whether it has children in this view.
    pub has_children: bool,
}

/// What happened to a path. In a view of layer n: in that layer. In the merged view: [`Added`](Self::Added) if one
/// layer wrote it, [`Modified`](Self::Modified) if several did. A directory that a layer repeats without a change is
/// [`Unchanged`](Self::Unchanged).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// It did not exist before.
    Added,
    /// It existed and is different now.
    Modified,
    /// It existed and is gone.
    Removed,
    /// It is the same as before.
    Unchanged,
}

/// A version, with its context in a view.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    pub(super) version: Found,
    /// The last layer whose hard links may change its attributes.
    pub(super) until: u32,
    pub(super) change: Change,
    pub(super) aspects: Aspects,
    pub(super) removed_by: Option<u32>,
}

impl Row {
    pub(super) fn new(arena: &Arena, node: u32, shown: Shown, path: Vec<u8>, depth: u32, total: u64) -> Self {
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
