//! Root filesystems, as they are on disk.

use crate::Result;
use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    path::{Path, PathBuf},
};

/// Everything below a directory, links not followed: what `facts` makes of its metadata and of the target of a symbolic link, which is
/// empty for anything else.
///
/// # Errors
/// What the system says of a directory, or of what is in it.
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
