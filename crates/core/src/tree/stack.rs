//! Stacking: one layer's entries applied in archive order.

use super::{
    Ambiguity, Error, FileTree, LayerSummary, NodeId,
    node::{Attributes, Extra, Flags, Hash, Inode, Mark, NONE, Version},
    resolve::{NAME_BYTES, PATH_BYTES, Walk, too_long},
};
use crate::{
    limits, path,
    tar::{Entry, Kind},
};
use std::collections::HashSet;

/// Steps for following symbolic links in the paths of all entries; an image that needs a hundredth of it is odd.
pub(super) const LINK_STEPS: u64 = 1 << 24;

const ROOT: u32 = NodeId::ROOT.0;
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// The layer being applied.
pub(super) struct Open {
    pub(super) layer: u32,
    pub(super) summary: LayerSummary,
    mark: Mark,
    link_steps: u64,
    /// Where the directory of the last entry leads.
    parent: Option<Parent>,
    /// Directories in archive order with their times, which containerd sets again at the end.
    directories: Vec<Directory>,
    /// Directories that an opaque marker has emptied: a second marker does nothing.
    opaque: HashSet<u32>,
    /// Paths of PAX global headers, which leave nothing, but count as entries of the layer.
    global: HashSet<u32>,
}

struct Parent {
    path: Vec<u8>,
    node: u32,
    linked: bool,
}

struct Directory {
    node: u32,
    mtime: u64,
    /// The path that led there, if it is not the node's own.
    linked: Option<Vec<u8>>,
}

/// Why something is removed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    Replaced,
    Whiteout,
    Opaque,
}

impl FileTree {
    /// Opens a layer. Layers come in order, bottom = 0; a skipped index is a layer that could not be read. A layer that is
    /// open still is aborted.
    pub fn begin(&mut self, layer: u32) {
        self.abort();
        self.open = Some(Open {
            layer,
            summary: LayerSummary::default(),
            mark: self.arena.mark(),
            link_steps: self.link_steps,
            parent: None,
            directories: Vec::new(),
            opaque: HashSet::new(),
            global: HashSet::new(),
        });
    }

    /// Applies the next entry of the open layer, whiteouts included.
    ///
    /// # Errors
    ///
    /// Where containerd's unpacking fails, or a limit is exceeded. What the entry did before it failed stays, as it would
    /// on disk; the error is kept in the [`LayerSummary`], and the layer takes no more entries: each is answered with the
    /// same error.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Error> {
        match &self.open {
            None => return Err(Error::NoLayer),
            Some(Open { summary: LayerSummary { stopped: Some(error), .. }, .. }) => return Err(error.clone()),
            Some(_) => {}
        }
        self.generation += 1;
        let result = self.apply_entry(entry);
        if let (Err(error), Some(open)) = (&result, &mut self.open) {
            open.summary.stopped = Some(error.clone());
        }
        result
    }

    /// The open layer is verified: it is kept. Returns its counts, all zero if no layer was open.
    pub fn commit(&mut self) -> LayerSummary {
        self.finish_directories();
        let Some(open) = self.open.take() else {
            return LayerSummary::default();
        };
        self.summaries.push((open.layer, open.summary.clone()));
        open.summary
    }

    /// The open layer is wrong: everything it did is undone.
    pub fn abort(&mut self) {
        if let Some(open) = self.open.take() {
            self.arena.cut(&open.mark, open.layer);
            self.link_steps = open.link_steps;
            self.generation += 1;
        }
    }

    fn apply_entry(&mut self, entry: &Entry) -> Result<(), Error> {
        self.check_limits(entry)?;
        let path = path::clean(&entry.path);
        let (directory, name) = match path.iter().rposition(|&b| b == b'/') {
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (&b""[..], &path[..]),
        };
        if name.is_empty() {
            return Ok(()); // the root itself: containerd leaves it alone
        }
        if path.len() > PATH_BYTES {
            return Err(too_long(&path));
        }
        let (parent, linked) = self.parent(directory)?;
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
        let found = self.arena.child_or_hash(parent, name);
        let existing = found.ok().filter(|&node| self.arena.is_live(node));
        let merges = entry.kind == Kind::Directory
            && existing.and_then(|node| self.arena.alive(node)).is_some_and(|version| version.kind == Kind::Directory);
        if let Some(node) = existing.filter(|_| !merges) {
            self.remove(node, Cause::Replaced);
        }
        if entry.kind == Kind::Global {
            let node = self.node_for(parent, name, found)?;
            if let Some(open) = &mut self.open {
                open.global.insert(node);
            }
            return Ok(());
        }
        let (version, inode) = self.created(entry, &path, existing.filter(|_| merges))?;
        let node = self.node_for(parent, name, found)?;
        self.write(node, version);
        if let Some(inode) = inode {
            self.share(node, inode);
        }
        if let (Kind::Directory, Some(open)) = (entry.kind, &mut self.open) {
            open.directories.push(Directory { node, mtime: mtime(entry), linked: linked.then_some(path) });
        }
        Ok(())
    }

    fn check_limits(&self, entry: &Entry) -> Result<(), Error> {
        let changes = self.max_nodes * 2;
        if self.arena.versions.len() as u64 >= changes {
            return Err(Error::TooManyChanges { limit: changes });
        }
        let xattrs = entry.xattrs.iter().map(|(name, value)| name.len() + value.len() + 8).sum::<usize>();
        let text = self.arena.text_bytes() + 2 * entry.path.len() + entry.link.len() + xattrs + PATH_BYTES;
        if text as u64 > limits::TREE_TEXT_BYTES {
            return Err(Error::TooMuchText { limit: limits::TREE_TEXT_BYTES });
        }
        Ok(())
    }

    /// The directory of an entry, made with its own parents where it is missing, and whether symbolic links led there.
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
            parent = self.node_for(parent, name, self.arena.child_or_hash(parent, name))?;
            let attributes = Attributes { mtime: 0, uid: 0, gid: 0, mode: 0o755 };
            let unpacked = self.open.as_ref().is_some_and(|open| open.global.contains(&parent));
            let flags = Flags { implied: true, unpacked, ..Flags::default() };
            self.write(parent, Version { flags, ..self.new_version(Kind::Directory, attributes) });
        }
        Ok(parent)
    }

    fn node_for(&mut self, parent: u32, name: &[u8], found: Result<u32, Hash>) -> Result<u32, Error> {
        match found {
            Ok(node) => Ok(node),
            Err(_) if self.arena.nodes.len() as u64 >= self.max_nodes => {
                Err(Error::TooManyNodes { limit: self.max_nodes })
            }
            Err(hash) => Ok(self.arena.add(parent, name, hash)),
        }
    }

    fn new_version(&self, kind: Kind, attributes: Attributes) -> Version {
        Version {
            previous: NONE,
            layer: self.open.as_ref().map_or(0, |open| open.layer),
            size: 0,
            offset: 0,
            attributes,
            extra: NONE,
            inode: NONE,
            kind,
            ambiguous: None,
            flags: Flags::default(),
        }
    }

    /// What an entry leaves at its path; for a hard link also the node that it leads to.
    fn created(&mut self, entry: &Entry, path: &[u8], merged: Option<u32>) -> Result<(Version, Option<u32>), Error> {
        let shown = || path::escape(path).into_owned();
        let mut link = entry.link.clone();
        let mut target = None;
        match entry.kind {
            Kind::File if !matches!(entry.typeflag, 0 | b'0') => {
                return Err(Error::Type { path: shown(), typeflag: entry.typeflag });
            }
            Kind::File | Kind::Directory => {}
            Kind::Symlink if link.is_empty() => return Err(Error::EmptyLink(shown())),
            Kind::Symlink if link.len() > PATH_BYTES => return Err(too_long(path)),
            Kind::Symlink => {}
            Kind::Hardlink => {
                let node = self.link_target(entry, path)?;
                link = self.arena.path(node);
                target = Some(node);
            }
            Kind::Char | Kind::Block | Kind::Fifo => {
                let (major, minor) = (entry.major, entry.minor);
                if u32::try_from(major).is_err() || u32::try_from(minor).is_err() {
                    return Err(Error::DeviceNumber { path: shown(), major, minor });
                }
            }
            Kind::Global | Kind::Other => return Err(Error::Type { path: shown(), typeflag: entry.typeflag }),
        }
        let before = target.or(merged).and_then(|node| self.arena.alive(node));
        let before =
            before.map(|version| (self.arena.attributes(version, u32::MAX), self.arena.symlink(version).is_some()));
        let symlink = entry.kind == Kind::Symlink || before.is_some_and(|(_, symlink)| symlink);
        let owner = |id: i64, before: Option<u32>| match id as u32 {
            u32::MAX => before.unwrap_or(0), // chown leaves it as it was
            id => id,
        };
        let attributes = Attributes {
            mtime: mtime(entry),
            uid: owner(entry.uid, before.map(|(attributes, _)| attributes.uid)),
            gid: owner(entry.gid, before.map(|(attributes, _)| attributes.gid)),
            mode: if symlink { 0o777 } else { entry.permissions() as u16 },
        };
        let device = matches!(entry.kind, Kind::Char | Kind::Block);
        let linked = matches!(entry.kind, Kind::Symlink | Kind::Hardlink);
        let extra = if device || linked || !entry.xattrs.is_empty() {
            let link = if linked { self.arena.store(&link) } else { Default::default() };
            let xattrs = self.store_xattrs(&entry.xattrs);
            let (major, minor) = if device { (entry.major, entry.minor) } else { (0, 0) };
            self.arena.extras.push(Extra { link, xattrs, major, minor });
            self.arena.extras.len() as u32 - 1
        } else {
            NONE
        };
        let version = Version {
            size: if entry.kind == Kind::File { entry.size } else { 0 },
            offset: entry.offset,
            extra,
            ambiguous: entry.ambiguous.map(Ambiguity::from),
            flags: Flags { unpacked: true, ..Flags::default() },
            ..self.new_version(entry.kind, attributes)
        };
        Ok((version, target))
    }

    /// The node that a hard link leads to: symbolic links are followed in its directory, not at its end.
    fn link_target(&mut self, entry: &Entry, path: &[u8]) -> Result<u32, Error> {
        let texts = || (path::escape(path).into_owned(), path::escape(&entry.link).into_owned());
        let (directory, name) = match entry.link.iter().rposition(|&b| b == b'/') {
            Some(slash) => entry.link.split_at(slash + 1),
            None => (&b""[..], &entry.link[..]),
        };
        let node = match (self.walk_links(directory)?.0, name) {
            (Walk::Found(node), b"" | b".") => Some(node),
            (Walk::Found(ROOT), b"..") => Some(ROOT),
            (Walk::Found(node), b"..") => Some(self.arena.node(node).parent),
            (Walk::Found(node), name) => self.arena.child(node, name).filter(|&node| self.arena.is_live(node)),
            _ => None,
        };
        let Some(node) = node else {
            let (path, target) = texts();
            return Err(Error::LinkTarget { path, target });
        };
        if node == ROOT || self.arena.alive(node).is_some_and(|version| version.kind == Kind::Directory) {
            let (path, target) = texts();
            return Err(Error::LinkToDirectory { path, target });
        }
        Ok(node)
    }

    /// Makes the hard link at `node` a name of what is at `target`.
    fn share(&mut self, node: u32, target: u32) {
        let (head, origin) = (self.arena.node(node).head, self.arena.node(target).head);
        let first = self.arena.version(origin).clone();
        let (attributes, layer) = (self.arena.version(head).attributes, self.arena.version(head).layer);
        let before = self.arena.attributes(&first, u32::MAX);
        let mut index = first.inode;
        if index == NONE {
            index = self.arena.inodes.len() as u32;
            let Version { kind, layer, offset, size, extra, .. } = first;
            self.arena.inodes.push(Inode { kind, layer, offset, size, extra, origin, attributes: Vec::new() });
            self.arena.versions[origin as usize].inode = index;
        }
        self.arena.versions[head as usize].inode = index;
        if attributes != before {
            let shared = &mut self.arena.inodes[index as usize].attributes;
            shared.retain(|(by, _)| *by != layer);
            shared.push((layer, attributes));
        }
    }

    fn store_xattrs(&mut self, xattrs: &[(Vec<u8>, Vec<u8>)]) -> super::node::Span {
        let mut bytes = Vec::new();
        for part in xattrs.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        self.arena.store(&bytes)
    }

    fn white_out(&mut self, parent: u32, name: &[u8], hidden: &[u8]) -> Result<(), Error> {
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(Error::Whiteout(path::escape(name).into_owned()));
        }
        if hidden.len() > NAME_BYTES {
            return Err(too_long(hidden));
        }
        if let Some(node) = self.arena.child(parent, hidden).filter(|&node| self.arena.is_live(node)) {
            self.remove(node, Cause::Whiteout);
        }
        Ok(())
    }

    /// Removes everything in a directory that no entry of this layer named.
    fn make_opaque(&mut self, directory: u32) {
        let Some(open) = &mut self.open else { return };
        let mark = open.mark;
        if !open.opaque.insert(directory) {
            return;
        }
        let mut pending = vec![directory];
        while let Some(directory) = pending.pop() {
            let mut child = self.arena.node(directory).first_live;
            while child != NONE {
                let next = self.arena.node(child).next_live;
                let head = self.arena.node(child).head;
                if self.arena.is_new(head, &mark) && self.arena.version(head).flags.unpacked {
                    pending.push(child);
                } else {
                    self.remove(child, Cause::Opaque);
                }
                child = next;
            }
        }
    }

    /// Records that a path and everything below it is gone.
    fn remove(&mut self, node: u32, cause: Cause) {
        if let Some(open) = &mut self.open {
            open.parent = None;
        }
        let mut pending = vec![node];
        while let Some(node) = pending.pop() {
            let mut child = self.arena.node(node).first_live;
            while child != NONE {
                pending.push(child);
                child = self.arena.node(child).next_live;
            }
            self.remove_one(node, cause);
        }
    }

    fn remove_one(&mut self, node: u32, cause: Cause) {
        let Some(open) = &self.open else { return };
        let (mark, layer) = (open.mark, open.layer);
        let head = self.arena.node(node).head;
        if head == NONE {
            return;
        }
        let mut gone = self.arena.version(head).clone();
        if self.arena.is_new(head, &mark) {
            let Version { previous, flags, ambiguous, .. } = gone;
            if previous != NONE && self.arena.version(previous).is_alive() {
                gone = self.arena.version(previous).clone();
                gone.previous = previous;
            }
            gone.flags.unpacked = flags.unpacked;
            gone.ambiguous = match cause {
                Cause::Replaced => ambiguous,
                Cause::Whiteout => Some(Ambiguity::WhiteoutOfSameLayer),
                Cause::Opaque => Some(Ambiguity::OpaqueOfSameLayer),
            };
        } else {
            gone.previous = head;
            gone.flags = Flags::default();
            gone.ambiguous = None;
        }
        gone.layer = layer;
        gone.flags.removed = true;
        self.put(node, gone);
        self.arena.set_live(node, false);
    }

    /// Writes what an entry left.
    fn write(&mut self, node: u32, mut version: Version) {
        let Some(open) = &self.open else { return };
        let head = self.arena.node(node).head;
        let mut previous = head;
        if self.arena.is_new(head, &open.mark) {
            let before = self.arena.version(head);
            previous = before.previous;
            version.flags.unpacked |= before.flags.unpacked;
        }
        version.previous = previous;
        if previous != NONE {
            let before = self.arena.version(previous);
            let same = before.is_alive() && version.kind == Kind::Directory && before.kind == Kind::Directory;
            version.flags.unchanged =
                same && before.attributes == version.attributes && before.extra == NONE && version.extra == NONE;
            version.flags.several = before.flags.several || !version.flags.unchanged;
        }
        self.put(node, version);
        self.arena.set_live(node, true);
    }

    /// Makes a version the newest of its node, in place of one that this layer left before, and keeps the counts.
    fn put(&mut self, node: u32, version: Version) {
        let Some(open) = &mut self.open else { return };
        let head = self.arena.node(node).head;
        let before_is_alive = version.previous != NONE && self.arena.version(version.previous).is_alive();
        if self.arena.is_new(head, &open.mark) {
            count(&mut open.summary, self.arena.version(head), before_is_alive, u64::wrapping_sub);
            count(&mut open.summary, &version, before_is_alive, u64::wrapping_add);
            self.arena.versions[head as usize] = version;
        } else {
            count(&mut open.summary, &version, before_is_alive, u64::wrapping_add);
            self.arena.nodes[node as usize].head = self.arena.versions.len() as u32;
            self.arena.versions.push(version);
        }
    }

    /// containerd sets the times of directories when all entries are there: one that its own layer removed is an error,
    /// and where something else took its place that gets the time.
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

    /// What is found now where a directory was.
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
        let (Some(version), Some(open)) = (self.arena.alive(node).cloned(), &self.open) else { return };
        let before = self.arena.attributes(&version, u32::MAX);
        if before.mtime == mtime {
            return;
        }
        let attributes = Attributes { mtime, ..before };
        self.generation += 1;
        if let Some(inode) = self.arena.inodes.get_mut(version.inode as usize) {
            inode.attributes.retain(|(by, _)| *by != open.layer);
            inode.attributes.push((open.layer, attributes));
        } else {
            self.write(node, Version { attributes, layer: open.layer, ..version });
        }
    }
}

fn count(summary: &mut LayerSummary, version: &Version, before_is_alive: bool, step: fn(u64, u64) -> u64) {
    let count = match (version.is_alive(), before_is_alive) {
        (true, true) if version.flags.unchanged => None,
        (true, true) => Some(&mut summary.modified),
        (true, false) => Some(&mut summary.added),
        (false, true) => Some(&mut summary.removed),
        (false, false) => None,
    };
    if let Some(count) = count {
        *count = step(*count, 1);
    }
    if version.is_alive() {
        summary.bytes = step(summary.bytes, version.size);
    }
}

/// Nanoseconds since 1970; containerd sets times that do not fit to 1970.
fn mtime(entry: &Entry) -> u64 {
    let nanoseconds = i128::from(entry.mtime) * 1_000_000_000 + i128::from(entry.mtime_nsec);
    i64::try_from(nanoseconds).ok().and_then(|time| u64::try_from(time).ok()).unwrap_or(0)
}
