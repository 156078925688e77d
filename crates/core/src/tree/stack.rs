//! Stacking: applies the entries of a layer in archive order.

use super::{
    Error, FileTree, LayerSummary,
    change::Cause,
    entry::mtime,
    node::{Mark, Missing, ROOT},
    resolve::{NAME_BYTES, PATH_BYTES, Walk, too_long},
    version::{Attributes, Flags, Version},
};
use crate::{
    digest::Digest,
    limits, path,
    tar::{Entry, Kind},
};
use std::collections::{HashMap, HashSet};

/// Maximum number of changes in a tree, as a multiple of its maximum number of nodes.
pub(super) const CHANGES: u64 = 2;

/// Prefix of a whiteout: the entry `.wh.NAME` removes `NAME` of lower layers (OCI image specification, layer, "Whiteouts").
pub const WHITEOUT: &[u8] = b".wh.";
/// Name of an opaque marker, which hides everything that lower layers have in its directory ("Opaque Whiteout").
pub const OPAQUE: &[u8] = b".wh..wh..opq";
const SET_GROUP_ID: u16 = 0o2000;

/// The layer being applied.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) layer: u32,
    pub(super) summary: LayerSummary,
    pub(super) mark: Mark,
    link_steps: u64,
    /// Resolved directory of the last entry (cache).
    pub(super) parent: Option<Parent>,
    /// Directories in archive order with their times, which containerd sets again at the end of a layer.
    directories: Vec<Directory>,
    /// Directories that an opaque marker has emptied, and the number of implied directories at that time. While that
    /// number is the same, a second marker does nothing.
    pub(super) opaque: HashMap<u32, u64>,
    /// Number of directories created without an entry.
    pub(super) implied: u64,
    /// Paths of PAX global headers. They create nothing, but count as entries of the layer for opaque markers.
    global: HashSet<u32>,
    /// What [`FileTree::is_plain`] returned before this layer.
    pub(super) plain: bool,
    /// Directories with whiteouts of this layer.
    pub(super) whitened: HashSet<u32>,
}

#[derive(Clone)]
pub(super) struct Parent {
    path: Vec<u8>,
    node: u32,
    linked: bool,
}

#[derive(Clone)]
struct Directory {
    node: u32,
    mtime: u64,
    /// The path of the entry, if it leads through symbolic links.
    linked: Option<Vec<u8>>,
}

impl FileTree {
    /// Opens a layer. Layers come in order, starting at 0; a skipped index is a layer that could not be read. Aborts a
    /// layer that is still open.
    pub fn begin(&mut self, layer: u32) {
        self.abort();
        self.open = Some(Open {
            layer,
            summary: LayerSummary::default(),
            mark: self.arena.mark(),
            link_steps: self.link_steps,
            parent: None,
            directories: Vec::new(),
            opaque: HashMap::new(),
            implied: 0,
            global: HashSet::new(),
            plain: true,
            whitened: HashSet::new(),
        });
    }

    /// Applies the next entry of the open layer, whiteouts included.
    ///
    /// # Errors
    ///
    /// [`Error`] where containerd's unpacking fails, or a limit is exceeded. Effects of the entry before the failure stay,
    /// as they would on disk. The error is kept in the [`LayerSummary`]; later entries of the layer return the same error.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Error> {
        self.apply_hashed(entry, None)
    }

    /// [`apply`](Self::apply) with the digest of the file's content, which distinguishes contents of equal size. Only
    /// files with a digest take memory for one.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn apply_hashed(&mut self, entry: &Entry, content: Option<Digest>) -> Result<(), Error> {
        match &self.open {
            None => return Err(Error::NoLayer),
            Some(Open { summary: LayerSummary { stopped: Some(error), .. }, .. }) => return Err(error.clone()),
            Some(_) => {}
        }
        self.generation += 1;
        let result = self.apply_entry(entry, content);
        if let (Err(error), Some(open)) = (&result, &mut self.open) {
            open.summary.stopped = Some(error.clone());
        }
        result
    }

    /// Keeps the open layer, which is verified. Returns its counts; all zero if no layer was open.
    pub fn commit(&mut self) -> LayerSummary {
        self.finish_directories();
        let Some(open) = self.open.take() else {
            return LayerSummary::default();
        };
        self.plain &= open.plain && open.summary.stopped.is_none();
        self.summaries.retain(|(layer, _)| *layer != open.layer);
        self.summaries.push((open.layer, open.summary.clone()));
        open.summary
    }

    /// Undoes the open layer, which failed verification.
    pub fn abort(&mut self) {
        if let Some(open) = self.open.take() {
            self.arena.cut(&open.mark, open.layer);
            self.link_steps = open.link_steps;
            self.generation += 1;
        }
    }

    fn apply_entry(&mut self, entry: &Entry, content: Option<Digest>) -> Result<(), Error> {
        self.check_limits(entry)?;
        let path = path::clean(&entry.path);
        let (directory, name) = match path.iter().rposition(|&b| b == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b""[..], &path[..]),
        };
        if name.is_empty() {
            return Ok(()); // the root itself: containerd does not change it
        }
        if path.len() > PATH_BYTES {
            return Err(too_long(&path));
        }
        let (parent, linked) = self.parent(directory)?;
        // A seek index has no rows for global headers, but they create their directories.
        if linked || entry.kind == Kind::Global && !directory.is_empty() {
            self.not_plain();
        }
        if name == OPAQUE {
            self.make_opaque(parent);
            return Ok(());
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            return self.white_out(parent, name, hidden);
        }
        if name.len() > NAME_BYTES {
            return Err(too_long(&path));
        }
        let found = self.arena.child_or_missing(parent, name);
        let existing = found.ok().filter(|&node| self.arena.is_live(node));
        let merges = entry.kind == Kind::Directory
            && existing.and_then(|node| self.arena.alive(node)).is_some_and(|version| version.kind == Kind::Directory);
        if let Some(node) = existing.filter(|_| !merges) {
            self.remove(node, Cause::Replaced);
        }
        if entry.kind == Kind::Global {
            if existing.is_some() {
                self.not_plain();
            }
            let node = self.node_for(parent, name, found)?;
            if let Some(open) = &mut self.open {
                open.global.insert(node);
            }
            return Ok(());
        }
        let (version, inode) = self.created(entry, &path, existing.filter(|_| merges))?;
        let node = self.node_for(parent, name, found)?;
        self.write(node, version);
        if let (Some(content), Kind::File, 1..) = (content, entry.kind, entry.size) {
            self.arena.digests.set(self.arena.node(node).head, content);
        }
        if let Some(inode) = inode {
            self.share(node, inode);
        }
        if let (Kind::Directory, Some(open)) = (entry.kind, &mut self.open) {
            open.directories.push(Directory { node, mtime: mtime(entry), linked: linked.then_some(path) });
        }
        Ok(())
    }

    fn check_limits(&self, entry: &Entry) -> Result<(), Error> {
        let changes = self.max_nodes.saturating_mul(CHANGES);
        if (self.arena.versions.len() + self.arena.lost.len()) as u64 >= changes {
            return Err(Error::TooManyChanges { limit: changes });
        }
        let xattrs = entry.xattrs.iter().map(|(name, value)| name.len() + value.len() + 8).sum::<usize>();
        let text = self.arena.text_bytes() + 2 * entry.path.len() + entry.link.len() + xattrs + PATH_BYTES;
        if text as u64 > limits::TREE_TEXT_BYTES {
            return Err(Error::TooMuchText { limit: limits::TREE_TEXT_BYTES });
        }
        Ok(())
    }

    /// The directory of an entry, created with its parents if missing, and whether symbolic links led there.
    fn parent(&mut self, directory: &[u8]) -> Result<(u32, bool), Error> {
        if directory.is_empty() {
            return Ok((ROOT, false));
        }
        if let Some(Open { parent: Some(Parent { path, node, linked }), .. }) = &self.open
            && path == directory
        {
            return Ok((*node, *linked));
        }
        let (walk, resolved) = self.walk_links(directory)?;
        let path = resolved.as_deref().unwrap_or(directory);
        let node = match walk {
            Walk::Found(ROOT) => ROOT,
            Walk::Found(node) if self.arena.alive(node).is_some_and(|version| version.kind == Kind::Directory) => node,
            Walk::Missing(node, start) => self.make_parents(node, &path[start..])?,
            Walk::Found(_) | Walk::NotADirectory | Walk::Link => {
                return Err(Error::NotADirectory(path::escape(path).into_owned()));
            }
        };
        let linked = path != directory;
        if let Some(open) = &mut self.open {
            open.parent = Some(Parent { path: directory.to_vec(), node, linked });
        }
        Ok((node, linked))
    }

    fn make_parents(&mut self, mut parent: u32, path: &[u8]) -> Result<u32, Error> {
        for name in path.split(|&b| b == b'/') {
            if name.len() > NAME_BYTES {
                return Err(too_long(name));
            }
            if name.starts_with(WHITEOUT) {
                self.not_plain();
            }
            // containerd creates missing parents as root, with root's group unless the parent has the set-group-ID bit.
            let above = self.arena.alive(parent).map(|version| version.attributes);
            let gid = above.filter(|above| above.mode & SET_GROUP_ID != 0).map_or(0, |above| above.gid);
            parent = self.node_for(parent, name, self.arena.child_or_missing(parent, name))?;
            let attributes = Attributes { mtime: 0, uid: 0, gid, mode: 0o755 };
            if let Some(open) = &mut self.open {
                open.implied += 1;
            }
            let unpacked = self.open.as_ref().is_some_and(|open| open.global.contains(&parent));
            let flags = Flags { implied: true, unpacked, ..Flags::default() };
            self.write(parent, Version { flags, ..self.new_version(Kind::Directory, attributes) });
        }
        Ok(parent)
    }

    /// Notes that the open layer is not [plain](FileTree::is_plain).
    pub(super) fn not_plain(&mut self) {
        if let Some(open) = &mut self.open {
            open.plain = false;
        }
    }

    fn node_for(&mut self, parent: u32, name: &[u8], found: Result<u32, Missing>) -> Result<u32, Error> {
        match found {
            Ok(node) => Ok(node),
            Err(_) if self.arena.nodes.len() as u64 >= self.max_nodes => {
                Err(Error::TooManyNodes { limit: self.max_nodes })
            }
            Err(missing) => Ok(self.arena.add(parent, name, missing)),
        }
    }

    /// Sets the times of directories, as containerd does after the last entry: a directory that its own layer removed
    /// is an error; if something else replaced it, that gets the time.
    fn finish_directories(&mut self) {
        let Some(open) = &mut self.open else { return };
        let directories = std::mem::take(&mut open.directories);
        if open.summary.stopped.is_some() {
            return;
        }
        for Directory { node, mtime, linked } in directories {
            match (self.find_again(node, linked), &mut self.open) {
                (Ok(node), _) => self.set_mtime(node, mtime),
                (Err(error), Some(open)) => {
                    open.summary.stopped = Some(error);
                    return;
                }
                (Err(_), None) => return,
            }
        }
    }

    /// Finds the node that exists now at the path of a directory.
    fn find_again(&mut self, node: u32, linked: Option<Vec<u8>>) -> Result<u32, Error> {
        if linked.is_none() && self.arena.alive(node).is_some_and(|version| version.kind == Kind::Directory) {
            return Ok(node);
        }
        let path = linked.unwrap_or_else(|| self.arena.path(node));
        match self.walk_links(&path)?.0 {
            Walk::Found(node) => Ok(node),
            _ => Err(Error::DirectoryRemoved(path::escape(&path).into_owned())),
        }
    }

    fn set_mtime(&mut self, node: u32, mtime: u64) {
        let (Some(version), Some(open)) = (self.arena.alive(node), &self.open) else { return };
        let before = self.arena.attributes(&version, u32::MAX);
        if before.mtime == mtime {
            return;
        }
        let attributes = Attributes { mtime, ..before };
        self.generation += 1;
        if let Some(inode) = self.arena.inodes.get_mut(version.inode as usize) {
            inode.attributes.retain(|(by, _)| *by != open.layer);
            inode.attributes.push((open.layer, attributes));
            return;
        }
        let layer = open.layer;
        // Data of a lower layer's file belongs to that layer.
        let shared = version.kind == Kind::File && version.layer != layer;
        let inode = if shared { self.inode(self.arena.node(node).head) } else { version.inode };
        self.write(node, Version { attributes, layer, inode, ..version });
    }
}
