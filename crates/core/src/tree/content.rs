//! Contents of files: positions, digests if computed, and content that a layer wrote and then removed.

use super::{node::Arena, version::NONE};
use crate::{
    digest::{Algorithm, Digest},
    tar::Kind,
};

/// Digests of contents, by version. Takes no memory until the first one is set.
#[derive(Clone, Default)]
pub(super) struct Digests {
    /// For each version the start of its record, or `NONE`. May be shorter than the list of versions.
    places: Vec<u32>,
    /// One record for each digest: a byte for the algorithm, then the value.
    records: Vec<u8>,
}

/// A stored digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Record<'t>(&'t [u8]);

impl Digests {
    pub(super) fn get(&self, place: u32) -> Option<Record<'_>> {
        let record = self.records.get(place as usize..)?;
        let algorithm = Algorithm::ALL[usize::from(*record.first()?)];
        record.get(..=algorithm.size()).map(Record)
    }

    pub(super) fn place(&self, version: u32) -> u32 {
        self.places.get(version as usize).copied().unwrap_or(NONE)
    }

    /// Stores the digest of a version. Ignored once the records take 4 GiB.
    pub(super) fn set(&mut self, version: u32, digest: Digest) {
        let place = self.add(digest);
        if place == NONE {
            return;
        }
        let version = version as usize;
        if self.places.len() <= version {
            self.places.resize(version + 1, NONE);
        }
        self.places[version] = place;
    }

    /// Stores a digest, and returns the start of its record; `NONE` once the records take 4 GiB.
    pub(super) fn add(&mut self, digest: Digest) -> u32 {
        let place = self.records.len() as u64;
        let end = place + 1 + digest.as_bytes().len() as u64;
        if end > u64::from(NONE) {
            return NONE;
        }
        self.records.push(digest.algorithm() as u8);
        self.records.extend_from_slice(digest.as_bytes());
        place as u32
    }

    /// Detaches the record of a version that is about to be replaced, and returns its start.
    pub(super) fn take(&mut self, version: u32) -> u32 {
        self.places.get_mut(version as usize).map_or(NONE, |place| std::mem::replace(place, NONE))
    }

    /// Start of the next record.
    pub(super) fn end(&self) -> u32 {
        self.records.len() as u32
    }

    pub(super) fn cut(&mut self, versions: u32, end: u32) {
        self.places.truncate(versions as usize);
        self.records.truncate(end as usize);
    }
}

impl Record<'_> {
    pub(super) fn algorithm(self) -> Algorithm {
        Algorithm::ALL[usize::from(self.0[0])]
    }

    pub(super) fn digest(self) -> Digest {
        Digest::from_value(self.algorithm(), &self.0[1..])
    }

    /// The first eight bytes of the value.
    pub(super) fn head(self) -> u64 {
        self.0[1..].first_chunk().map_or(0, |head| u64::from_be_bytes(*head))
    }
}

/// Content that a layer wrote and then overwrote or removed itself. No version refers to it.
#[derive(Clone, Copy)]
pub(super) struct Lost {
    pub(super) node: u32,
    pub(super) stored: Stored,
    /// The inode, which other names may still refer to, or `NONE`.
    pub(super) inode: u32,
}

/// Bytes in an archive.
#[derive(Clone, Copy)]
pub(super) struct Stored {
    pub(super) layer: u32,
    pub(super) offset: u64,
    pub(super) size: u64,
    /// Start of the digest's record, or `NONE`.
    pub(super) digest: u32,
}

impl Arena {
    /// The content of a version; for a removal, of the version that it removed. A hard link has the content of its inode.
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

    /// For a removal, the version that it removed; else the version itself.
    pub(super) fn told(&self, id: u32) -> u32 {
        let version = self.version(id);
        let removed = !version.is_alive() && version.previous != NONE && self.version(version.previous).is_alive();
        if removed { version.previous } else { id }
    }

    /// The digest of a content, if known. Empty content always has one.
    pub(super) fn digest(&self, stored: &Stored) -> Option<Digest> {
        match stored.size {
            0 => Some(Digest::sha256(b"")),
            _ => self.digests.get(stored.digest).map(Record::digest),
        }
    }

    /// Whether two contents are equal; `theirs` may be in another arena. `None` if a digest is missing.
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
