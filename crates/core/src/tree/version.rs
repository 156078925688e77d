//! Versions: what the layers left at the paths.

use super::Ambiguity;
use crate::tar::Kind;

/// End of a list: "no node", "no version", "no extra".
pub(super) const NONE: u32 = u32::MAX;

/// What one layer left at a path. A layer leaves at most one version at a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    /// The version of the layer before, or `NONE`.
    pub(super) previous: u32,
    pub(super) layer: u32,
    pub(super) size: u64,
    /// Start of the content in the uncompressed layer.
    pub(super) offset: u64,
    pub(super) attributes: Attributes,
    /// Index of an [`Extra`], or `NONE`.
    pub(super) extra: u32,
    /// Index of an [`Inode`] where hard links share one, or `NONE`.
    pub(super) inode: u32,
    pub(super) kind: Kind,
    pub(super) ambiguous: Option<Ambiguity>,
    pub(super) flags: Flags,
}

/// Attributes that `chown`, `chmod` and `utimes` set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attributes {
    /// Nanoseconds since 1970.
    pub(super) mtime: u64,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mode: u16,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    /// The layer removed the path. The version is a copy of the removed one.
    pub(super) removed: bool,
    /// A directory without an entry, created for its children.
    pub(super) implied: bool,
    /// An entry of this layer named the path, so an opaque marker of the same layer keeps it.
    pub(super) unpacked: bool,
    /// The layer repeats the version before without a change.
    pub(super) unchanged: bool,
    /// Several layers wrote this path.
    pub(super) several: bool,
}

impl Flags {
    pub(super) fn bits(self) -> u8 {
        let flags = [self.removed, self.implied, self.unpacked, self.unchanged, self.several];
        flags.into_iter().rev().fold(0, |bits, flag| bits << 1 | u8::from(flag))
    }

    pub(super) fn of_bits(bits: u8) -> Self {
        let flag = |number: u8| bits >> number & 1 == 1;
        Self { removed: flag(0), implied: flag(1), unpacked: flag(2), unchanged: flag(3), several: flag(4) }
    }
}

impl Version {
    pub(super) fn is_alive(&self) -> bool {
        !self.flags.removed
    }
}
