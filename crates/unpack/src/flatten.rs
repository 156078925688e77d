//! Writes the merged tree as one tar archive.
//!
//! Order: depth first, siblings by the bytes of their names. The first of several hard links in this order carries the
//! content. So the archive depends only on the tree, and not on the order in the layers. Depth first, an extractor that sets
//! a directory's time when it leaves the directory sets the right one.

mod archive;

use std::{
    collections::HashMap,
    io::{self, Read, Write},
};

use porthole_core::{
    failure::{Classify, Failure},
    path,
    tar::{Entry, Kind},
    tree::{Content, FileTree, Mode, NodeId, Sort, View},
};

/// Why an archive cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The entry cannot be represented in a tar archive.
    #[error("`{path}` does not fit into an archive: {reason}")]
    Unwritable {
        /// Path of the entry, escaped.
        path: String,
        /// Which part does not fit, such as `a number is negative`.
        reason: &'static str,
    },
    /// The reader that the caller supplied for a file ended before the file's size.
    #[error("content of `{path}` is shorter than {size} bytes (this is a bug in porthole)")]
    Short {
        /// Path of the file, escaped.
        path: String,
        /// Size of the file.
        size: u64,
    },
    /// Writing to the output failed.
    #[error(transparent)]
    Write(#[from] io::Error),
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Unwritable { .. } => Failure::malformed(),
            Self::Short { .. } => Failure::bug(),
            Self::Write(_) => Failure::machine(),
        }
    }
}

/// Writes the merged tree of all layers. `open` returns a reader for the content of a file.
///
/// # Errors
///
/// [`Error::Unwritable`] for an entry that no archive can hold, and errors of reading and writing.
pub fn write<R: Read>(
    tree: &FileTree,
    out: &mut impl Write,
    mut open: impl FnMut(Content) -> io::Result<R>,
) -> Result<(), Error> {
    let names = Names { tree, view: tree.view(Mode::Merged) };
    // First name of each inode with several names.
    let mut first: HashMap<u32, NodeId> = HashMap::new();
    let mut pending = names.below(NodeId::ROOT);
    while let Some(node) = pending.pop() {
        let Some(mut entry) = names.entry(node) else { continue };
        let number = tree.shared(node).map(|shared| shared.number);
        match number.map(|number| *first.entry(number).or_insert(node)).filter(|target| *target != node) {
            Some(target) => {
                entry = link(entry, tree.path(target));
                archive::write_header(out, &entry)?;
            }
            None => {
                archive::write_header(out, &entry)?;
                if let Some(content) = names.view.content(node).filter(|content| content.size > 0) {
                    let copied = io::copy(&mut open(content)?.take(content.size), out)?;
                    if copied < content.size {
                        let path = path::escape(&entry.path).into_owned();
                        return Err(Error::Short { path, size: content.size });
                    }
                    archive::pad(out, content.size)?;
                }
            }
        }
        pending.append(&mut names.below(node));
    }
    Ok(archive::end(out)?)
}

/// Turns an entry into a hard link to an earlier name. Drops extended attributes and device numbers: they belong to the
/// inode.
fn link(entry: Entry, target: Vec<u8>) -> Entry {
    Entry {
        kind: Kind::Hardlink,
        typeflag: b'1',
        link: target,
        size: 0,
        xattrs: Vec::new(),
        major: 0,
        minor: 0,
        ..entry
    }
}

struct Names<'t> {
    tree: &'t FileTree,
    view: View<'t>,
}

impl Names<'_> {
    /// Children of a directory in reverse order.
    fn below(&self, node: NodeId) -> Vec<NodeId> {
        let mut nodes = self.view.child_nodes(node, Sort::Name);
        nodes.reverse();
        nodes
    }

    /// The entry of a node itself, never as a hard link.
    fn entry(&self, node: NodeId) -> Option<Entry> {
        let row = self.view.row(node)?;
        let shared = self.tree.shared(node);
        let kind = shared.as_ref().map_or(row.kind, |shared| shared.kind);
        let mut entry = Entry::new(row.path, kind);
        if kind == Kind::Directory {
            entry.path.push(b'/');
        }
        entry.mode = i64::from(row.mode);
        (entry.uid, entry.gid) = (row.uid, row.gid);
        (entry.mtime, entry.mtime_nsec) = (row.mtime, row.mtime_nsec);
        entry.size = self.view.content(node).map_or(0, |content| content.size);
        (entry.major, entry.minor) = (row.major, row.minor);
        entry.xattrs = row.xattrs;
        if kind == Kind::Symlink {
            entry.link = row.link;
        }
        if let Some(shared) = shared {
            entry.link = shared.link;
            (entry.major, entry.minor) = (shared.major, shared.minor);
            // Attributes added by later links override those of the inode.
            for (name, value) in shared.xattrs {
                if !entry.xattrs.iter().any(|(own, _)| *own == name) {
                    entry.xattrs.push((name, value));
                }
            }
        }
        entry.xattrs.sort();
        Some(entry)
    }
}
