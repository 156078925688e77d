//! Contents of files: where their bytes are, their digests if someone computed them, and what a layer wrote in vain.

use super::node::{Arena, NONE};
use crate::{digest::Digest, tar::Kind};

/// Digests of contents, beside the versions that brought them. Takes no memory before the first one.
#[derive(Clone, Default)]
pub(super) struct Digests {
    /// For each version its place among the values, or `NONE`. Shorter than the versions where the last have none.
    places: Vec<u32>,
    values: Vec<Digest>,
}

impl Digests {
    pub(super) fn get(&self, place: u32) -> Option<&Digest> {
        self.values.get(place as usize)
    }

    pub(super) fn place(&self, version: u32) -> u32 {
        self.places.get(version as usize).copied().unwrap_or(NONE)
    }

    pub(super) fn set(&mut self, version: u32, digest: Digest) {
        let version = version as usize;
        if self.places.len() <= version {
            self.places.resize(version + 1, NONE);
        }
        self.places[version] = self.values.len() as u32;
        self.values.push(digest);
    }

    /// Forgets what a version had, which is about to become another, and tells where it is.
    pub(super) fn take(&mut self, version: u32) -> u32 {
        self.places.get_mut(version as usize).map_or(NONE, |place| std::mem::replace(place, NONE))
    }

    pub(super) fn count(&self) -> u32 {
        self.values.len() as u32
    }

    pub(super) fn cut(&mut self, versions: u32, values: u32) {
        self.places.truncate(versions as usize);
        self.values.truncate(values as usize);
    }
}

/// Content that a layer wrote and itself overwrote or removed: no version tells of it.
#[derive(Clone, Copy)]
pub(super) struct Lost {
    pub(super) node: u32,
    pub(super) stored: Stored,
    /// The inode that other names may still lead to, or `NONE`.
    pub(super) inode: u32,
}

/// Bytes of an archive that a name leads to.
#[derive(Clone, Copy)]
pub(super) struct Stored {
    pub(super) layer: u32,
    pub(super) offset: u64,
    pub(super) size: u64,
    /// Where the digest is, or `NONE`.
    pub(super) digest: u32,
}

impl Arena {
    /// The content of a version, or of what it removed; a hard link's is that of its inode.
    pub(super) fn stored(&self, id: u32) -> Option<Stored> {
        let id = self.told(id);
        let version = self.version(id);
        match (version.kind, self.inodes.get(version.inode as usize)) {
            (Kind::File | Kind::Hardlink, Some(inode)) if inode.kind == Kind::File => {
                Some(Stored { layer: inode.layer, offset: inode.offset, size: inode.size, digest: inode.digest })
            }
            (Kind::File, None) => Some(Stored {
                layer: version.layer,
                offset: version.offset,
                size: version.size,
                digest: self.digests.place(id),
            }),
            _ => None,
        }
    }

    /// The version that a version tells of: a removal is recorded as a copy of what it removed.
    pub(super) fn told(&self, id: u32) -> u32 {
        let version = self.version(id);
        let removed = !version.is_alive() && version.previous != NONE && self.version(version.previous).is_alive();
        if removed { version.previous } else { id }
    }

    /// The digest of a content, if it is known: that of nothing always is.
    pub(super) fn digest(&self, stored: &Stored) -> Option<Digest> {
        match stored.size {
            0 => Some(Digest::sha256(b"")),
            _ => self.digests.get(stored.digest).copied(),
        }
    }

    /// Whether two contents are the same, which may be of another arena; `None` if nobody can tell.
    pub(super) fn same_content(&self, mine: &Stored, other: &Self, theirs: &Stored) -> Option<bool> {
        if mine.size != theirs.size {
            return Some(false);
        }
        if mine.size == 0 {
            return Some(true);
        }
        let (mine, theirs) = (self.digests.get(mine.digest)?, other.digests.get(theirs.digest)?);
        (mine.algorithm() == theirs.algorithm()).then(|| mine == theirs)
    }
}
