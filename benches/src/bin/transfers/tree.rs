//! Compares root filesystems.

use porthole_tests::{Result, rootfs::walk};
use std::{collections::BTreeMap, os::unix::fs::MetadataExt as _, path::Path, path::PathBuf};

/// Attributes that must be equal: type and mode, owner and group, file size, seconds and nanoseconds, target of a
/// symbolic link.
type Facts = (u32, (u32, u32), u64, (i64, i64), PathBuf);

/// Everything below a directory.
pub(crate) struct Tree(BTreeMap<PathBuf, Facts>);

impl Tree {
    pub(crate) fn read(root: &Path) -> Result<Self> {
        Ok(Self(walk(root, |metadata, target| {
            let size = if metadata.is_file() { metadata.len() } else { 0 };
            let (owner, time) = ((metadata.uid(), metadata.gid()), (metadata.mtime(), metadata.mtime_nsec()));
            (metadata.mode(), owner, size, time, target)
        })?))
    }

    /// Compares two trees. The error has the number of differences and the first of them.
    pub(crate) fn compare(&self, expected: &Self) -> Result<()> {
        let paths = self.0.keys().chain(expected.0.keys().filter(|path| !self.0.contains_key(*path)));
        let mut wrong = paths.filter(|path| self.0.get(*path) != expected.0.get(*path));
        let Some(first) = wrong.next() else { return Ok(()) };
        let (path, count) = (first.display(), 1 + wrong.count());
        let (got, expected) = (self.0.get(first), expected.0.get(first));
        Err(format!("{count} paths differ, one of them {path}: expected {expected:?}, got {got:?}").into())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
