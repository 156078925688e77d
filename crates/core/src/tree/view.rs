//! Views: filters over the tree.

use super::{
    Aspect, Aspects, Content, FileTree, NodeId, Row,
    aspect::Side,
    content::Stored,
    links::Groups,
    node::{Arena, Found, ROOT, as_of},
    row::{Change, Shown},
    version::NONE,
};
use crate::{digest::Digest, tar::Kind};
use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
};

/// What a view shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All layers stacked.
    Merged,
    /// Layers 0 to n stacked.
    UpTo(u32),
    /// Paths that layer n wrote or removed, and the directories above them.
    Only(u32),
    /// Versions that a later layer deleted or overwrote, and whose bytes are still in the image, and the directories above them.
    Deleted,
}

/// Order of siblings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// By the bytes of the name.
    Name,
    /// Largest first, directories by the total of their files; then by name.
    Size,
    /// Most recently modified first, directories by their own time; then by name.
    Time,
    /// By the layer that wrote it, the highest first; then by name.
    Layer,
}

/// A filtered view of a tree.
///
/// Creating one costs a pass over the tree if the tree has changed since the last view of that mode. After that,
/// listing a directory costs only its number of children.
pub struct View<'t> {
    pub(super) tree: &'t FileTree,
    mode: Mode,
    index: Arc<Index>,
}

/// Which nodes a view shows, and the size of the files below each.
struct Index {
    /// For each node with something below it, bytes of the files that the view shows there and below. In [`Mode::Only`] they include
    /// files that the layer removed, so that sizes and their order fit the rows.
    totals: HashMap<u32, u64>,
    /// Bytes of all files that the view shows and that its layer did not remove.
    kept: u64,
    marks: Vec<u8>,
    /// Nodes that the layer of the view hard-linked to others.
    links: HashSet<u32>,
}

/// Mark of a node that has a row in the view.
const SHOWN: u8 = 1;
/// Mark of a node that has a child with a row in the view.
const PARENT: u8 = 2;

/// Indexes of the latest views.
#[derive(Default)]
pub(super) struct Cache(Mutex<Vec<(Mode, u64, Arc<Index>)>>);

/// A copied tree starts with an empty cache.
impl Clone for Cache {
    fn clone(&self) -> Self {
        Self::default()
    }
}

const CACHED_VIEWS: usize = 4;

impl<'t> View<'t> {
    pub(super) fn new(tree: &'t FileTree, mode: Mode) -> Self {
        let mut cached = tree.cache.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., index)) =
            cached.iter().find(|(of, generation, _)| *of == mode && *generation == tree.generation)
        {
            return Self { tree, mode, index: Arc::clone(index) };
        }
        cached.retain(|(of, ..)| *of != mode);
        if cached.len() == CACHED_VIEWS {
            cached.remove(0);
        }
        let index = Arc::new(Index::new(&tree.arena, mode));
        cached.push((mode, tree.generation, Arc::clone(&index)));
        Self { tree, mode, index }
    }

    /// Rows of the children in this view, sorted. In [`Mode::Deleted`] a path has a row for each version, newest first,
    /// directories last.
    pub fn children(&self, node: NodeId, sort: Sort) -> Vec<Row> {
        if !self.tree.contains(node) {
            return Vec::new();
        }
        let arena = &self.tree.arena;
        let mut prefix = arena.path(node.0);
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        let depth = if node == NodeId::ROOT { 0 } else { arena.depth(node.0) + 1 };
        let mut rows = Vec::new();
        for child in self.sorted_children(node.0, sort) {
            let path = [&prefix, arena.name(child)].concat();
            rows.extend(self.rows_at(child, path, depth));
        }
        rows
    }

    /// Nodes of the children in this view, sorted. Cheaper than [`children`](Self::children) if only some rows are
    /// needed.
    pub fn child_nodes(&self, node: NodeId, sort: Sort) -> Vec<NodeId> {
        if !self.tree.contains(node) {
            return Vec::new();
        }
        self.sorted_children(node.0, sort).into_iter().map(NodeId).collect()
    }

    /// Nodes of the children in this view that are `wanted`, sorted. Cheaper than sorting all children.
    pub fn wanted_children(&self, node: NodeId, sort: Sort, wanted: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        if !self.tree.contains(node) {
            return Vec::new();
        }
        let children = self.tree.arena.children(node.0).filter(|&child| self.shows(child) && wanted(NodeId(child)));
        self.sorted(children.collect(), sort).into_iter().map(NodeId).collect()
    }

    /// Whether the view has a row for a node.
    pub fn has_row(&self, node: NodeId) -> bool {
        self.shows(node.0)
    }

    /// Whether the view shows anything below a node.
    pub fn has_children(&self, node: NodeId) -> bool {
        self.has(node.0, PARENT)
    }

    /// All rows of a node, newest first, directories last. Only [`Mode::Deleted`] can have more than one.
    pub fn rows_of(&self, node: NodeId) -> Vec<Row> {
        if !self.shows(node.0) {
            return Vec::new();
        }
        let arena = &self.tree.arena;
        self.rows_at(node.0, arena.path(node.0), arena.depth(node.0))
    }

    /// The first row of a node. `None` for the root and for nodes that the view does not show.
    pub fn row(&self, node: NodeId) -> Option<Row> {
        self.rows_of(node).into_iter().next()
    }

    /// The node at a cleaned path, if the view shows it. The empty path is the root.
    pub fn find(&self, path: &[u8]) -> Option<NodeId> {
        if path.is_empty() {
            return Some(NodeId::ROOT);
        }
        let mut node = NodeId::ROOT.0;
        for name in path.split(|&b| b == b'/') {
            node = self.tree.arena.child(node, name)?;
        }
        self.shows(node).then_some(NodeId(node))
    }

    /// Logical size of all files in the view. Files that [`Mode::Only`] shows as removed do not count.
    pub fn total_size(&self) -> u64 {
        self.index.kept
    }

    /// The content of the file at a node in this view. `None` for anything without content.
    pub fn content(&self, node: NodeId) -> Option<Content> {
        let shown = self.shown(node.0).first().copied()?;
        let Stored { layer, offset, size, .. } = self.tree.arena.stored(shown.version.id)?;
        Some(Content { layer, offset, size })
    }

    /// The contents of the rows of a node that are regular files, in the order of [`rows_of`](Self::rows_of). Hard links are left out.
    pub fn contents(&self, node: NodeId) -> Vec<Content> {
        let is_file = |shown: &Shown| shown.version.kind == Kind::File;
        let stored = |shown: Shown| is_file(&shown).then(|| self.tree.arena.stored(shown.version.id))?;
        let contents = self.shown(node.0).into_iter().filter_map(stored);
        contents.map(|Stored { layer, offset, size, .. }| Content { layer, offset, size }).collect()
    }

    /// The digest of the [`content`](Self::content), if [`FileTree::apply_hashed`] received it or the file is empty.
    pub fn digest(&self, node: NodeId) -> Option<Digest> {
        let shown = self.shown(node.0).first().copied()?;
        self.tree.arena.digest(&self.tree.arena.stored(shown.version.id)?)
    }

    pub(super) fn sorted_children(&self, node: u32, sort: Sort) -> Vec<u32> {
        self.sorted(self.tree.arena.children(node).filter(|&child| self.shows(child)).collect(), sort)
    }

    fn sorted(&self, mut children: Vec<u32>, sort: Sort) -> Vec<u32> {
        let arena = &self.tree.arena;
        match sort {
            Sort::Name => children.sort_unstable_by_key(|&child| arena.name(child)),
            Sort::Size => children.sort_by_cached_key(|&child| (Reverse(self.total(child)), arena.name(child))),
            Sort::Time => children.sort_by_cached_key(|&child| (Reverse(self.modified(child)), arena.name(child))),
            Sort::Layer => children.sort_by_cached_key(|&child| (Reverse(self.layer(child)), arena.name(child))),
        }
        children
    }

    /// Modification time of the first row of a node, in nanoseconds since 1970.
    fn modified(&self, node: u32) -> Option<u64> {
        let Shown { version, until, .. } = self.shown(node).first().copied()?;
        Some(self.tree.arena.attributes(&version, until).mtime)
    }

    /// The layer that wrote the first row of a node.
    fn layer(&self, node: u32) -> Option<u32> {
        let arena = &self.tree.arena;
        Some(arena.version(arena.told(self.shown(node).first()?.version.id)).layer)
    }

    pub(super) fn rows_at(&self, node: u32, path: Vec<u8>, depth: u32) -> Vec<Row> {
        let arena = &self.tree.arena;
        let row = |shown: Shown| {
            let directory = shown.version.kind == Kind::Directory;
            let total = if directory { self.total(node) } else { shown.version.size };
            Row::new(arena, node, shown, path.clone(), depth, total)
        };
        let mut rows: Vec<Row> = self.shown(node).into_iter().map(row).collect();
        // Children belong to the directory, so it comes last; if a layer replaced the directory, they belong to the
        // replacement.
        if let Some(directory) = rows.iter().position(|row| row.kind == Kind::Directory) {
            rows[directory..].rotate_left(1);
        }
        if let Some(last) = rows.last_mut() {
            last.has_children = self.has(node, PARENT);
        }
        rows
    }

    /// The versions that the view shows at a node.
    fn shown(&self, node: u32) -> Vec<Shown> {
        let arena = &self.tree.arena;
        if !self.shows(node) {
            return Vec::new();
        }
        match self.mode {
            Mode::Merged => {
                alive(arena, node).map(|version| self.written(node, version, u32::MAX)).into_iter().collect()
            }
            Mode::UpTo(layer) => {
                as_of(arena, node, layer).map(|version| self.written(node, version, layer)).into_iter().collect()
            }
            Mode::Only(layer) => {
                let removed = |version| Shown {
                    version,
                    until: layer,
                    change: Change::Removed,
                    aspects: Aspects::NONE,
                    removed_by: Some(layer),
                };
                let shown = match only(arena, node, layer) {
                    Some(version) if version.is_alive() => Some(self.written(node, version, layer)),
                    Some(version) => Some(removed(version)),
                    None => as_of(arena, node, layer)
                        .map(|version| self.written(node, version, layer))
                        .or_else(|| own(arena, node, layer).map(removed)),
                };
                shown.into_iter().collect()
            }
            Mode::Deleted => {
                let hidden: Vec<_> = hidden(arena, node).collect();
                if hidden.is_empty() {
                    let context = |version| Shown {
                        version,
                        until: u32::MAX,
                        change: Change::Unchanged,
                        aspects: Aspects::NONE,
                        removed_by: None,
                    };
                    return alive(arena, node).map(context).into_iter().collect();
                }
                hidden
            }
        }
    }

    fn written(&self, node: u32, version: Found, until: u32) -> Shown {
        let arena = &self.tree.arena;
        let change = match self.mode {
            Mode::Merged if version.flags.several => Change::Modified,
            Mode::Merged => Change::Added,
            Mode::UpTo(layer) | Mode::Only(layer) if version.layer != layer => Change::Unchanged,
            _ if version.flags.unchanged => Change::Unchanged,
            _ if version.previous != NONE && arena.version(version.previous).is_alive() => Change::Modified,
            _ => Change::Added,
        };
        let mut aspects = Aspects::NONE;
        if change == Change::Modified {
            let before = arena.found(arena.told(version.previous));
            let before = Side::new(arena, before, version.layer.saturating_sub(1));
            aspects = before.compare(&Side::new(arena, version, until), 0);
            if self.index.links.contains(&node) {
                aspects = aspects.with(Aspect::Links);
            }
        }
        Shown { version, until, change, aspects, removed_by: None }
    }

    pub(super) fn shows(&self, node: u32) -> bool {
        self.has(node, SHOWN)
    }

    fn has(&self, node: u32, mark: u8) -> bool {
        self.index.marks.get(node as usize).is_some_and(|marks| marks & mark != 0)
    }

    fn total(&self, node: u32) -> u64 {
        if !self.shows(node) {
            return 0;
        }
        self.index.totals.get(&node).copied().unwrap_or_else(|| own_row(&self.tree.arena, self.mode, node).size)
    }
}

impl Index {
    /// One pass from the newest node to the root: in the arena, every node comes after its parent.
    fn new(arena: &Arena, mode: Mode) -> Self {
        let count = arena.nodes.len();
        let links = relinked(arena, mode);
        let mut index = Self { totals: HashMap::new(), kept: 0, marks: vec![0; count], links };
        // Most children of a directory follow each other.
        let (mut parent, mut below) = (ROOT, 0_u64);
        for node in (1..count as u32).rev() {
            if node == parent {
                index.add(parent, std::mem::take(&mut below));
            }
            let OwnRow { shown, size, removed } = own_row(arena, mode, node);
            let here = node as usize;
            let is_parent = index.marks[here] & PARENT != 0;
            if shown || is_parent {
                index.marks[here] |= SHOWN;
                let total = if is_parent { index.add(node, size) } else { size };
                let above = arena.node(node).parent;
                index.marks[above as usize] |= PARENT;
                if above != parent {
                    index.add(parent, below);
                    (parent, below) = (above, 0);
                }
                below = below.saturating_add(total);
                if !removed {
                    index.kept = index.kept.saturating_add(size);
                }
            }
        }
        index.add(parent, below);
        index
    }

    /// Adds bytes to the total of a node, and returns it.
    fn add(&mut self, node: u32, bytes: u64) -> u64 {
        let total = self.totals.entry(node).or_default();
        *total = total.saturating_add(bytes);
        *total
    }
}

/// What a view shows at a node for its own sake.
struct OwnRow {
    shown: bool,
    size: u64,
    /// The layer of the view removed it.
    removed: bool,
}

fn own_row(arena: &Arena, mode: Mode, node: u32) -> OwnRow {
    let written = |version: Option<Found>| OwnRow {
        shown: version.is_some(),
        size: version.map_or(0, |version| version.size),
        removed: false,
    };
    match mode {
        Mode::Merged => written(alive(arena, node)),
        Mode::UpTo(layer) => written(as_of(arena, node, layer)),
        Mode::Only(layer) => {
            let version = only(arena, node, layer);
            OwnRow { removed: version.is_some_and(|version| !version.is_alive()), ..written(version) }
        }
        Mode::Deleted => {
            let mut hidden = hidden(arena, node).map(|shown| shown.version.size).peekable();
            let shown = hidden.peek().is_some();
            OwnRow { shown, size: hidden.fold(0, u64::saturating_add), removed: false }
        }
    }
}

/// Nodes whose set of hard links the layer of the mode changed.
fn relinked(arena: &Arena, mode: Mode) -> HashSet<u32> {
    let (Mode::UpTo(layer @ 1..) | Mode::Only(layer @ 1..)) = mode else { return HashSet::new() };
    let before = Groups::new(arena, layer - 1);
    let after = Groups::new(arena, layer);
    let still = |node| as_of(arena, node, layer).map(|_| node);
    let already = |node| as_of(arena, node, layer - 1).map(|_| node);
    before.differing(&after, still, already)
}

/// The version at a node when all layers are stacked.
fn alive(arena: &Arena, node: u32) -> Option<Found> {
    arena.newest(node).filter(|version| version.is_alive())
}

/// The version that layer n left at a node.
pub(super) fn own(arena: &Arena, node: u32, layer: u32) -> Option<Found> {
    arena.versions(node).find(|version| version.layer == layer)
}

/// The version that layer n wrote at a node, or its removal. A path that it both wrote and removed is shown only if readers disagree on it.
fn only(arena: &Arena, node: u32, layer: u32) -> Option<Found> {
    own(arena, node, layer).filter(|version| {
        version.is_alive()
            || version.ambiguous.is_some()
            || version.previous != NONE && arena.version(version.previous).is_alive()
    })
}

/// Versions of a node that a later layer removed or overwrote, newest first. A directory counts once, and not at all
/// while the path is still a directory.
fn hidden(arena: &Arena, node: u32) -> impl Iterator<Item = Shown> {
    let newer = arena.versions(node);
    let side = |version, until| Side::new(arena, version, until);
    let mut directory = arena.alive(node).is_some_and(|version| version.kind == Kind::Directory);
    arena.versions(node).skip(1).zip(newer).filter_map(move |(version, newer)| {
        if !version.is_alive() || version.kind == Kind::Directory && std::mem::replace(&mut directory, true) {
            return None;
        }
        let until = newer.layer.saturating_sub(1);
        let (change, aspects) = match newer.is_alive() {
            true => (Change::Modified, side(version, until).compare(&side(newer, newer.layer), 0)),
            false => (Change::Removed, Aspects::NONE),
        };
        Some(Shown { version, until, change, aspects, removed_by: Some(newer.layer) })
    })
}
