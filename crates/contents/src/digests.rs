//! Digests of the files of a layer, by the algorithms of package managers, computed while the layer is read.

use crate::package::ContentDigest;
use md5::Md5;
use porthole_core::tar::{Entry, Kind};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use std::collections::HashMap;

/// Digests of one file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileDigests {
    md5: [u8; 16],
    sha1: [u8; 20],
    sha256: [u8; 32],
}

impl FileDigests {
    /// Computes the digests of a content.
    pub fn of(content: &[u8]) -> Self {
        let mut hashing = Hashing::default();
        hashing.update(content);
        hashing.finish()
    }

    /// MD5, SHA-1 and SHA-256 that were computed elsewhere.
    pub fn from_parts(md5: [u8; 16], sha1: [u8; 20], sha256: [u8; 32]) -> Self {
        Self { md5, sha1, sha256 }
    }

    /// MD5, SHA-1 and SHA-256.
    pub fn parts(&self) -> ([u8; 16], [u8; 20], [u8; 32]) {
        (self.md5, self.sha1, self.sha256)
    }

    /// Whether a recorded digest is that of the content.
    pub fn matches(&self, recorded: &ContentDigest) -> bool {
        match recorded {
            ContentDigest::Md5(digest) => *digest == self.md5,
            ContentDigest::Sha1(digest) => *digest == self.sha1,
            ContentDigest::Sha256(digest) => *digest == self.sha256,
            ContentDigest::Sha256Of160(digest) => self.sha256.starts_with(digest),
        }
    }

    /// The digest by the algorithm of a recorded one.
    pub fn like(&self, recorded: &ContentDigest) -> ContentDigest {
        match recorded {
            ContentDigest::Md5(_) => ContentDigest::Md5(self.md5),
            ContentDigest::Sha1(_) => ContentDigest::Sha1(self.sha1),
            ContentDigest::Sha256(_) => ContentDigest::Sha256(self.sha256),
            ContentDigest::Sha256Of160(_) => {
                ContentDigest::Sha256Of160(std::array::from_fn(|place| self.sha256[place]))
            }
        }
    }
}

/// The digests of a layer's files, by the offset of their data in its archive.
#[derive(Clone, Debug, Default)]
pub struct LayerDigests(HashMap<u64, FileDigests>);

impl LayerDigests {
    /// The digests of the file whose data starts there.
    pub fn find(&self, offset: u64) -> Option<&FileDigests> {
        self.0.get(&offset)
    }
}

impl FromIterator<(u64, FileDigests)> for LayerDigests {
    fn from_iter<I: IntoIterator<Item = (u64, FileDigests)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

impl Extend<(u64, FileDigests)> for LayerDigests {
    fn extend<I: IntoIterator<Item = (u64, FileDigests)>>(&mut self, all: I) {
        self.0.extend(all);
    }
}

/// Computes the digests of one layer's files. They are provisional until the layer is verified.
#[derive(Default)]
pub struct DigestCollector {
    all: LayerDigests,
    taking: Option<(u64, Hashing)>,
}

#[derive(Default)]
struct Hashing {
    md5: Md5,
    sha1: Sha1,
    sha256: Sha256,
}

impl Hashing {
    fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sha1.update(bytes);
        self.sha256.update(bytes);
    }

    fn finish(self) -> FileDigests {
        FileDigests {
            md5: self.md5.finalize().into(),
            sha1: self.sha1.finalize().into(),
            sha256: self.sha256.finalize().into(),
        }
    }
}

impl DigestCollector {
    /// Starts with an entry. Returns whether its data is wanted.
    pub fn begin(&mut self, entry: &Entry) -> bool {
        let wanted = entry.kind == Kind::File && entry.size > 0;
        self.taking = wanted.then(|| (entry.offset, Hashing::default()));
        wanted
    }

    /// Takes data of the entry.
    pub fn push(&mut self, data: &[u8]) {
        if let Some((_, hashing)) = &mut self.taking {
            // Each hash takes a piece that is still in the CPU's cache.
            data.chunks(16 << 10).for_each(|piece| hashing.update(piece));
        }
    }

    /// Ends the entry: its data is complete.
    pub fn end(&mut self) {
        if let Some((offset, hashing)) = self.taking.take() {
            self.all.0.insert(offset, hashing.finish());
        }
    }

    /// The digests since the last call, each with the offset at which the data of its file starts.
    pub fn take(&mut self) -> Vec<(u64, FileDigests)> {
        self.all.0.drain().collect()
    }

    /// The digests that were found.
    pub fn finish(self) -> LayerDigests {
        self.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_each_algorithm() {
        let digests = FileDigests::of(b"abc");
        let cut = ContentDigest::sha1(b"ba7816bf8f01cfea414140de5dae2223b00361a3");
        let Some(ContentDigest::Sha1(cut)) = cut else { panic!("20 bytes") };
        let recorded = [
            Some(ContentDigest::Sha256Of160(cut)),
            ContentDigest::md5(b"900150983cd24fb0d6963f7d28e17f72"),
            ContentDigest::sha1(b"a9993e364706816aba3e25717850c26c9cd0d89d"),
            ContentDigest::sha256(b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ];
        for recorded in recorded.map(Option::unwrap) {
            assert!(digests.matches(&recorded));
            assert_eq!(digests.like(&recorded), recorded);
            assert!(!FileDigests::of(b"abd").matches(&recorded));
        }
    }
}
