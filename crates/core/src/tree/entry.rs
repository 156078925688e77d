//! Makes the version that an entry creates at its path.

use super::{
    Ambiguity, Error, FileTree,
    node::{Extra, Inode, ROOT, Span},
    resolve::{PATH_BYTES, Walk, too_long},
    version::{Attributes, Flags, NONE, Version},
};
use crate::{
    path,
    tar::{Entry, Kind},
};

impl FileTree {
    pub(super) fn new_version(&self, kind: Kind, attributes: Attributes) -> Version {
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

    /// The version that an entry creates; for a hard link also the node that it links to.
    pub(super) fn created(
        &mut self,
        entry: &Entry,
        path: &[u8],
        merged: Option<u32>,
    ) -> Result<(Version, Option<u32>), Error> {
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
                if link != path::clean(&entry.link) {
                    self.not_plain();
                }
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
            before.map(|version| (self.arena.attributes(&version, u32::MAX), self.arena.symlink(&version).is_some()));
        let symlink = entry.kind == Kind::Symlink || before.is_some_and(|(_, symlink)| symlink);
        let owner = |id: i64, before: Option<u32>| match id as u32 {
            u32::MAX => before.unwrap_or(0), // like chown(2), -1 keeps the owner
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

    /// The target of a hard link. Symbolic links are followed in its directory, not in its last component.
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

    /// Makes `node` another name of the inode of `target`.
    pub(super) fn share(&mut self, node: u32, target: u32) {
        let (head, origin) = (self.arena.node(node).head, self.arena.node(target).head);
        let (attributes, layer) = (self.arena.version(head).attributes, self.arena.version(head).layer);
        let before = self.arena.attributes(&self.arena.version(origin), u32::MAX);
        let index = self.inode(origin);
        self.arena.versions.set_inode(head, index);
        if attributes != before {
            let shared = &mut self.arena.inodes[index as usize].attributes;
            shared.retain(|(by, _)| *by != layer);
            shared.push((layer, attributes));
        }
    }

    /// The inode of a version. Creates one if there is none.
    pub(super) fn inode(&mut self, origin: u32) -> u32 {
        let Version { kind, layer, offset, size, extra, inode, .. } = self.arena.version(origin);
        if inode != NONE {
            return inode;
        }
        let index = self.arena.inodes.len() as u32;
        let digest = self.arena.digests.place(origin);
        let attributes = Vec::new();
        self.arena.inodes.push(Inode { kind, layer, offset, size, extra, origin, digest, attributes });
        self.arena.versions.set_inode(origin, index);
        index
    }

    fn store_xattrs(&mut self, xattrs: &[(Vec<u8>, Vec<u8>)]) -> Span {
        let mut bytes = Vec::new();
        for part in xattrs.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        self.arena.store(&bytes)
    }
}

/// Decodes the pairs that `store_xattrs` wrote.
pub(super) fn read_xattrs(mut bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut part = || {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        bytes = rest;
        Some(part.to_vec())
    };
    std::iter::from_fn(|| Some((part()?, part()?))).collect()
}

/// Modification time in nanoseconds since 1970. Like containerd, times out of range become 1970.
pub(super) fn mtime(entry: &Entry) -> u64 {
    let nanoseconds = i128::from(entry.mtime) * 1_000_000_000 + i128::from(entry.mtime_nsec);
    i64::try_from(nanoseconds).ok().and_then(|time| u64::try_from(time).ok()).unwrap_or(0)
}
