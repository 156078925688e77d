//! Aspects: how two versions of a path differ.

use super::{
    entry::read_xattrs,
    node::{Arena, Found},
};
use crate::tar::Kind;
use std::fmt;

/// One way in which a path differs from its earlier version or from its version in another image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Aspect {
    /// The type, such as a file instead of a directory. A hard link has the type of its target.
    Type,
    /// The bytes of a file, the target of a symbolic link, or the numbers of a device.
    Content,
    /// The bytes of a file may differ: sizes are equal, and a digest is missing.
    Unknown,
    /// Permission bits, including set-uid, set-gid and sticky.
    Mode,
    /// User or group.
    Owner,
    /// The time of modification, to the second.
    Time,
    /// An extended attribute, or its value.
    Xattr,
    /// The set of paths (present on both sides) that are hard links to each other.
    Links,
}

impl Aspect {
    /// All aspects, in display order.
    pub const ALL: [Self; 8] =
        [Self::Type, Self::Content, Self::Unknown, Self::Mode, Self::Owner, Self::Time, Self::Xattr, Self::Links];

    /// Name of the aspect in one word, with a question mark for [`Unknown`](Self::Unknown).
    pub fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Content => "content",
            Self::Unknown => "content?",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Time => "time",
            Self::Xattr => "xattr",
            Self::Links => "links",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of aspects. Empty means that nothing differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Aspects(u8);

impl Aspects {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Whether the set holds `aspect`.
    pub fn contains(self, aspect: Aspect) -> bool {
        self.0 & aspect.bit() != 0
    }

    /// The set with `aspect` added.
    #[must_use]
    pub fn with(self, aspect: Aspect) -> Self {
        Self(self.0 | aspect.bit())
    }

    /// The set without the aspects in `others`.
    #[must_use]
    pub fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// The aspects in the order of [`Aspect::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Aspect> {
        Aspect::ALL.into_iter().filter(move |aspect| self.contains(*aspect))
    }
}

impl FromIterator<Aspect> for Aspects {
    fn from_iter<I: IntoIterator<Item = Aspect>>(aspects: I) -> Self {
        aspects.into_iter().fold(Self::NONE, Self::with)
    }
}

/// Names separated by spaces.
impl fmt::Display for Aspects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, aspect) in self.iter().enumerate() {
            let space = if number == 0 { "" } else { " " };
            write!(f, "{space}{aspect}")?;
        }
        Ok(())
    }
}

/// A version as seen after a layer.
#[derive(Clone, Copy)]
pub(super) struct Side<'t> {
    pub(super) arena: &'t Arena,
    pub(super) version: Found,
    /// The last layer whose hard links may change its attributes.
    pub(super) until: u32,
}

impl<'t> Side<'t> {
    pub(super) fn new(arena: &'t Arena, version: Found, until: u32) -> Self {
        Self { arena, version, until }
    }

    /// Compares two versions. Contents at the same position of the lowest `shared` layers, which both images have in
    /// common, are equal. Hard links are not compared.
    pub(super) fn compare(&self, other: &Self, shared: u32) -> Aspects {
        let (mine, theirs) = (self.kind(), other.kind());
        let (before, after) = (
            self.arena.attributes(&self.version, self.until), //
            other.arena.attributes(&other.version, other.until),
        );
        let differs = [
            (Aspect::Type, mine != theirs),
            (Aspect::Mode, mine == theirs && before.mode != after.mode),
            (Aspect::Owner, (before.uid, before.gid) != (after.uid, after.gid)),
            (Aspect::Time, before.mtime != after.mtime),
            (Aspect::Xattr, self.xattrs() != other.xattrs()),
        ];
        let mut aspects: Aspects =
            differs.into_iter().filter(|(_, differs)| *differs).map(|(aspect, _)| aspect).collect();
        if mine == theirs {
            match self.same_content(other, shared) {
                Some(true) => {}
                Some(false) => aspects = aspects.with(Aspect::Content),
                None => aspects = aspects.with(Aspect::Unknown),
            }
        }
        aspects
    }

    fn same_content(&self, other: &Self, shared: u32) -> Option<bool> {
        let (arena, theirs) = (self.arena, other.arena);
        match (arena.stored(self.version.id), theirs.stored(other.version.id)) {
            (Some(a), Some(b)) if a.layer < shared && (a.layer, a.offset) == (b.layer, b.offset) => Some(true),
            (Some(a), Some(b)) => arena.same_content(&a, theirs, &b),
            _ if self.kind() == Kind::Symlink => Some(arena.symlink(&self.version) == theirs.symlink(&other.version)),
            _ => Some(self.device() == other.device()),
        }
    }

    /// The type; a hard link has the type of its target.
    pub(super) fn kind(&self) -> Kind {
        match (self.version.kind, self.arena.inodes.get(self.version.inode as usize)) {
            (Kind::Hardlink, Some(inode)) => inode.kind,
            (kind, _) => kind,
        }
    }

    /// The `Extra` of the version; for a hard link without one, that of its inode.
    pub(super) fn extra(&self) -> u32 {
        let inode = self.arena.inodes.get(self.version.inode as usize);
        match inode.filter(|_| self.version.kind == Kind::Hardlink) {
            Some(inode) => inode.extra,
            None => self.version.extra,
        }
    }

    fn device(&self) -> (i64, i64) {
        self.arena.extras.get(self.extra() as usize).map_or((0, 0), |extra| (extra.major, extra.minor))
    }

    /// Extended attributes sorted by name: archives store them in any order.
    fn xattrs(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let of = |extra: u32| {
            let extra = self.arena.extras.get(extra as usize);
            extra.map(|extra| read_xattrs(self.arena.text(extra.xattrs))).unwrap_or_default()
        };
        let mut own = of(self.version.extra);
        if own.is_empty() {
            own = of(self.extra());
        }
        own.sort();
        own
    }
}
