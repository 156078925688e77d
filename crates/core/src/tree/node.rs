//! The arena: paths, the versions that layers left at them, and the bytes of their names.

use super::{
    NodeId,
    chunks::Chunks,
    content::{Digests, Lost},
    names::{self, Names},
    packed::Versions,
    version::{Attributes, NONE, Version},
};
use crate::tar::Kind;
use hashbrown::HashTable;
use std::{
    hash::{BuildHasher, RandomState},
    ops::Deref,
};

/// The root directory.
pub(super) const ROOT: u32 = NodeId::ROOT.0;

/// A path: its name and its parent. Its versions form a list, newest first.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) parent: u32,
    /// Number of its name, and [`LIVE`].
    name: u32,
    /// The newest version, or `NONE` if nothing was written yet.
    pub(super) head: u32,
    /// First of all children, newest first.
    pub(super) first_child: u32,
    pub(super) next_sibling: u32,
    /// Children that exist now, as a doubly linked list: a removal does not visit nodes that are already gone.
    pub(super) first_live: u32,
    pub(super) next_live: u32,
    previous_live: u32,
}

/// In the name of a node: it exists now. A tree has fewer names than this number.
const LIVE: u32 = 1 << 31;

/// Fields that few entries have.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extra {
    pub(super) link: Span,
    pub(super) xattrs: Span,
    pub(super) major: i64,
    pub(super) minor: i64,
}

/// Fields that all names of an inode share.
#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub(super) kind: Kind,
    pub(super) layer: u32,
    pub(super) offset: u64,
    pub(super) size: u64,
    /// `Extra` of the first name.
    pub(super) extra: u32,
    /// The version of the first name.
    pub(super) origin: u32,
    /// Start of the digest's record, or `NONE`.
    pub(super) digest: u32,
    /// Attributes set by later links, by layer, where they differ from the first name's.
    pub(super) attributes: Vec<(u32, Attributes)>,
}

/// A range of the text arena.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) length: u32,
}

/// A name that has no node in its directory yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Missing(names::Found);

/// A version and its index.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) id: u32,
    version: Version,
}

impl Deref for Found {
    type Target = Version;

    fn deref(&self) -> &Version {
        &self.version
    }
}

/// The state to which `abort` returns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    nodes: u32,
    versions: u32,
    extras: u32,
    inodes: u32,
    names: u32,
    text: u32,
    digests: u32,
    lost: u32,
}

/// Nodes, versions and bytes, each in one vector, and an index from (parent, name) to node.
#[derive(Clone)]
pub(super) struct Arena {
    pub(super) nodes: Chunks<Node>,
    pub(super) versions: Versions,
    pub(super) extras: Vec<Extra>,
    pub(super) inodes: Vec<Inode>,
    pub(super) digests: Digests,
    pub(super) lost: Vec<Lost>,
    pub(super) names: Names,
    text: Vec<u8>,
    index: HashTable<u32>,
    keys: Keys,
}

/// Secrets of the hash of parent and name.
#[derive(Clone, Copy)]
struct Keys(u64, u64);

impl Keys {
    fn new() -> Self {
        let hasher = RandomState::new();
        Self(hasher.hash_one(0), hasher.hash_one(1) | 1)
    }

    /// Both halves of a product depend on all bits of both numbers.
    fn hash(self, parent: u32, name: u32) -> u64 {
        let pair = u64::from(parent) << 32 | u64::from(name);
        let product = u128::from(pair ^ self.0) * u128::from(self.1);
        product as u64 ^ (product >> 64) as u64
    }
}

impl Arena {
    /// An arena with only the root, as an implied directory.
    pub(super) fn new() -> Self {
        let mut arena = Self {
            nodes: Chunks::default(),
            versions: Versions::default(),
            extras: Vec::new(),
            inodes: Vec::new(),
            digests: Digests::default(),
            lost: Vec::new(),
            names: Names::new(),
            text: Vec::new(),
            index: HashTable::new(),
            keys: Keys::new(),
        };
        arena.nodes.push(Node::new(NONE, 0, NONE));
        arena
    }

    pub(super) fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    pub(super) fn version(&self, version: u32) -> Version {
        self.versions.get(version)
    }

    pub(super) fn name(&self, node: u32) -> &[u8] {
        self.names.get(self.node(node).name())
    }

    pub(super) fn text(&self, span: Span) -> &[u8] {
        &self.text[span.start as usize..][..span.length as usize]
    }

    pub(super) fn text_bytes(&self) -> usize {
        self.text.len() + self.names.text_bytes()
    }

    /// Appends bytes. The caller keeps the arena below 4 GiB.
    pub(super) fn store(&mut self, bytes: &[u8]) -> Span {
        let span = Span { start: self.text.len() as u32, length: bytes.len() as u32 };
        self.text.extend_from_slice(bytes);
        span
    }

    /// The node of a name, even if nothing exists there now.
    pub(super) fn child(&self, parent: u32, name: &[u8]) -> Option<u32> {
        self.child_or_missing(parent, name).ok()
    }

    /// The node of a name, or what [`add`](Self::add) needs to create it.
    pub(super) fn child_or_missing(&self, parent: u32, name: &[u8]) -> Result<u32, Missing> {
        let found = self.names.find(name);
        let Ok(name) = found else { return Err(Missing(found)) };
        let is_it = |&node: &u32| self.node(node).parent == parent && self.node(node).name() == name;
        self.index.find(self.keys.hash(parent, name), is_it).copied().ok_or(Missing(found))
    }

    /// Creates a node for a name that has none, right after it was missing.
    pub(super) fn add(&mut self, parent: u32, name: &[u8], Missing(found): Missing) -> u32 {
        let name = self.names.intern(name, found);
        let node = self.nodes.len() as u32;
        let next = std::mem::replace(&mut self.nodes[parent as usize].first_child, node);
        self.nodes.push(Node::new(parent, name, next));
        let (nodes, keys) = (&self.nodes, self.keys);
        self.index.insert_unique(keys.hash(parent, name), node, |&node| nodes[node as usize].hash(keys));
        node
    }

    /// The version that exists at a node now.
    pub(super) fn alive(&self, node: u32) -> Option<Version> {
        self.newest(node).filter(|found| found.is_alive()).map(|found| found.version)
    }

    /// The newest version of a node.
    pub(super) fn newest(&self, node: u32) -> Option<Found> {
        self.versions(node).next()
    }

    pub(super) fn found(&self, id: u32) -> Found {
        Found { id, version: self.version(id) }
    }

    pub(super) fn is_live(&self, node: u32) -> bool {
        self.node(node).live()
    }

    /// Adds a node to, or removes it from, its parent's list of existing children.
    pub(super) fn set_live(&mut self, node: u32, live: bool) {
        let Node { parent, previous_live, next_live, .. } = *self.node(node);
        if live == self.is_live(node) || parent == NONE {
            return;
        }
        self.nodes[node as usize].name ^= LIVE;
        if live {
            let first = std::mem::replace(&mut self.nodes[parent as usize].first_live, node);
            self.nodes[node as usize].next_live = first;
            self.nodes[node as usize].previous_live = NONE;
            if first != NONE {
                self.nodes[first as usize].previous_live = node;
            }
            return;
        }
        if previous_live == NONE {
            self.nodes[parent as usize].first_live = next_live;
        } else {
            self.nodes[previous_live as usize].next_live = next_live;
        }
        if next_live != NONE {
            self.nodes[next_live as usize].previous_live = previous_live;
        }
    }

    /// Full path of a node; the root is empty.
    pub(super) fn path(&self, node: u32) -> Vec<u8> {
        let mut length = 0;
        for node in self.up(node) {
            length += self.name(node).len() + 1;
        }
        let mut path = vec![b'/'; length.saturating_sub(1)];
        let mut end = path.len();
        for node in self.up(node) {
            let name = self.name(node);
            path[end - name.len()..end].copy_from_slice(name);
            end = end.saturating_sub(name.len() + 1);
        }
        path
    }

    /// Components between the root and the node: 0 for a child of the root.
    pub(super) fn depth(&self, node: u32) -> u32 {
        self.up(node).count().saturating_sub(1) as u32
    }

    /// The node and its ancestors without the root.
    fn up(&self, node: u32) -> impl Iterator<Item = u32> {
        std::iter::successors(Some(node), |&node| Some(self.node(node).parent))
            .take_while(|&node| node != NodeId::ROOT.0)
    }

    /// All children, newest first, existing or not.
    pub(super) fn children(&self, node: u32) -> impl Iterator<Item = u32> {
        list(self.node(node).first_child, |node| self.node(node).next_sibling)
    }

    /// The versions of a node, newest first.
    pub(super) fn versions(&self, node: u32) -> impl Iterator<Item = Found> {
        list(self.node(node).head, |version| self.version(version).previous).map(|version| self.found(version))
    }

    /// Children that exist now, in no particular order.
    pub(super) fn live_children(&self, node: u32) -> impl Iterator<Item = u32> {
        list(self.node(node).first_live, |node| self.node(node).next_live)
    }

    /// Attributes of a version after layer `until`, including changes by later hard links.
    pub(super) fn attributes(&self, version: &Version, until: u32) -> Attributes {
        let shared = self.inodes.get(version.inode as usize).and_then(|inode| {
            inode.attributes.iter().rev().find(|(layer, _)| *layer <= until).map(|(_, attributes)| *attributes)
        });
        shared.unwrap_or(version.attributes)
    }

    /// Target of a symbolic link, also through a hard link to one.
    pub(super) fn symlink(&self, version: &Version) -> Option<&[u8]> {
        let extra = match (version.kind, self.inodes.get(version.inode as usize)) {
            (Kind::Symlink, _) => version.extra,
            (Kind::Hardlink, Some(inode)) if inode.kind == Kind::Symlink => inode.extra,
            _ => return None,
        };
        self.extras.get(extra as usize).map(|extra| self.text(extra.link))
    }

    pub(super) fn mark(&self) -> Mark {
        Mark {
            nodes: self.nodes.len() as u32,
            versions: self.versions.len() as u32,
            extras: self.extras.len() as u32,
            inodes: self.inodes.len() as u32,
            names: self.names.len() as u32,
            text: self.text.len() as u32,
            digests: self.digests.end(),
            lost: self.lost.len() as u32,
        }
    }

    /// Whether the version was written after the mark.
    pub(super) fn is_new(&self, version: u32, mark: &Mark) -> bool {
        version != NONE && version >= mark.versions
    }

    /// Discards everything after the mark. The open layer can have changed older state in three ways only: newer versions
    /// and children at the heads of lists, the presence of nodes, and the attributes of inodes to which it linked.
    pub(super) fn cut(&mut self, mark: &Mark, layer: u32) {
        for inode in self.inodes.drain(mark.inodes as usize..) {
            self.versions.set_inode(inode.origin, NONE);
        }
        for inode in &mut self.inodes {
            inode.attributes.retain(|(by, _)| *by != layer);
        }
        for node in mark.nodes..self.nodes.len() as u32 {
            if let Ok(entry) = self.index.find_entry(self.node(node).hash(self.keys), |&found| found == node) {
                entry.remove();
            }
        }
        self.nodes.truncate(mark.nodes as usize);
        for node in self.nodes.iter_mut() {
            while node.head != NONE && node.head >= mark.versions {
                node.head = self.versions.get(node.head).previous;
            }
            node.first_live = NONE;
            node.name &= !LIVE;
        }
        self.relink(mark.nodes);
        self.versions.truncate(mark.versions);
        self.digests.cut(mark.versions, mark.digests);
        self.lost.truncate(mark.lost as usize);
        self.extras.truncate(mark.extras as usize);
        self.names.cut(mark.names);
        self.text.truncate(mark.text as usize);
    }

    /// Rebuilds the lists of children for nodes below `count`.
    fn relink(&mut self, count: u32) {
        for node in self.nodes.iter_mut() {
            node.first_child = NONE;
        }
        for node in 1..count {
            let parent = self.node(node).parent as usize;
            let next = std::mem::replace(&mut self.nodes[parent].first_child, node);
            self.nodes[node as usize].next_sibling = next;
            if self.alive(node).is_some() {
                self.set_live(node, true);
            }
        }
    }
}

impl Node {
    fn new(parent: u32, name: u32, next_sibling: u32) -> Self {
        Self {
            parent,
            name,
            head: NONE,
            first_child: NONE,
            next_sibling,
            first_live: NONE,
            next_live: NONE,
            previous_live: NONE,
        }
    }

    /// Number of its name.
    pub(super) fn name(&self) -> u32 {
        self.name & !LIVE
    }

    fn live(&self) -> bool {
        self.name & LIVE != 0
    }

    fn hash(&self, keys: Keys) -> u64 {
        keys.hash(self.parent, self.name())
    }
}

/// The version at a node when layers 0 to n are stacked.
pub(super) fn as_of(arena: &Arena, node: u32, layer: u32) -> Option<Found> {
    arena.versions(node).find(|version| version.layer <= layer).filter(|version| version.is_alive())
}

fn list(first: u32, next: impl Fn(u32) -> u32) -> impl Iterator<Item = u32> {
    let some = |item| (item != NONE).then_some(item);
    std::iter::successors(some(first), move |&item| some(next(item)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_of_them_stay_small() {
        assert_eq!(size_of::<Node>(), 32);
    }
}
