//! Walks root filesystems on disk.

use crate::Result;
use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    path::{Path, PathBuf},
};

/// Maps everything below a directory, without following links. `facts` gets the metadata and the target of a symbolic
/// link (empty otherwise).
///
/// # Errors
///
/// An error of reading a directory or an entry.
pub fn walk<F>(root: &Path, facts: impl Fn(&Metadata, PathBuf) -> F) -> Result<BTreeMap<PathBuf, F>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let metadata = path.symlink_metadata()?;
            let target = if metadata.is_symlink() { fs::read_link(&path)? } else { PathBuf::new() };
            found.insert(path.strip_prefix(root)?.to_owned(), facts(&metadata, target));
            if metadata.is_dir() {
                pending.push(path);
            }
        }
    }
    Ok(found)
}
