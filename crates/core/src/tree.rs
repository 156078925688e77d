//! The file tree of an image: all layers in one structure, with the layer that each path comes from.
//!
//! A [`FileTree`] is stacked layer by layer, in archive order, by the rules of containerd's `archive.Apply`: it shows
//! what a runtime would unpack, and a layer on which that runtime would fail stops at the same entry. Nodes are never
//! deleted. A removal is a recorded change, so the [`View`]s "up to layer n", "only layer n" and "deleted but still in
//! the image" are filters over one structure.

mod aspect;
mod change;
mod chunks;
mod content;
mod diff;
mod entry;
mod fate;
mod learn;
mod links;
mod names;
mod node;
mod packed;
mod resolve;
mod row;
mod shared;
mod stack;
mod survey;
mod version;
mod versions;
mod view;
mod walk;
mod waste;

use self::{node::Arena, stack::Open, view::Cache};
use crate::{
    failure::{Classify, Failure, FailureClass},
    tar,
};
use std::fmt;

pub use self::{
    aspect::{Aspect, Aspects},
    diff::{Comparison, Difference, diff},
    fate::{ContentFate, ContentFates},
    row::{Change, Row},
    shared::Shared,
    stack::{OPAQUE, WHITEOUT},
    survey::{Marked, Survey},
    versions::PathVersion,
    view::{Mode, Sort, View},
    walk::Walk,
    waste::{Cause, Copies, DownloadMap, Group, LayerWaste, Waste, Wasted},
};

/// All layers of an image, stacked. Nodes are never deleted.
///
/// Layers come bottom first: [`begin`](Self::begin), [`apply`](Self::apply) for each entry in archive order, then
/// [`commit`](Self::commit) or [`abort`](Self::abort). A view can be taken at any time, and includes the entries
/// applied so far of an open layer.
#[derive(Clone)]
pub struct FileTree {
    arena: Arena,
    max_nodes: u64,
    open: Option<Open>,
    summaries: Vec<(u32, LayerSummary)>,
    /// Remaining steps for following symbolic links.
    link_steps: u64,
    /// What [`is_plain`](Self::is_plain) returns.
    plain: bool,
    generation: u64,
    cache: Cache,
}

/// A path in the tree. Stays valid when the path is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The root directory of every tree.
    pub const ROOT: Self = Self(0);
}

impl FileTree {
    /// An empty tree for at most `max_nodes` paths (see [`Limits::tree_nodes`](crate::limits::Limits)).
    pub fn new(max_nodes: u64) -> Self {
        Self {
            arena: Arena::new(),
            max_nodes: max_nodes.min(u64::from(u32::MAX / 4)),
            open: None,
            summaries: Vec::new(),
            link_steps: resolve::LINK_STEPS,
            plain: true,
            generation: 0,
            cache: Cache::default(),
        }
    }

    /// The root directory. Views have no row for it.
    pub fn root(&self) -> NodeId {
        NodeId::ROOT
    }

    /// Number of paths that ever existed, including the root.
    pub fn len(&self) -> usize {
        self.arena.nodes.len()
    }

    /// Whether the tree holds only the root.
    pub fn is_empty(&self) -> bool {
        self.len() <= 1
    }

    /// A number that increases with every change. Values read from a view stay valid while it is the same.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Counts for a layer, open or committed. Zero for a layer that was not begun or was aborted.
    pub fn summary(&self, layer: u32) -> LayerSummary {
        match &self.open {
            Some(open) if open.layer == layer => open.summary.clone(),
            _ => self
                .summaries
                .iter()
                .find(|(of, _)| *of == layer)
                .map(|(_, summary)| summary.clone())
                .unwrap_or_default(),
        }
    }

    /// Whether all committed layers are plain. A path can then be found without a tree, by searching the entries of one
    /// layer after the other, the topmost first.
    ///
    /// In a plain layer each entry creates its own path (no symbolic link leads there), and each hard link names the path of
    /// its target. The layer removes or replaces no path that it wrote, and no directory in which it has whiteouts (a
    /// directory may come twice). A runtime would unpack it to its end. Most layers are plain.
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// A filtered view of the tree.
    pub fn view(&self, mode: Mode) -> View<'_> {
        View::new(self, mode)
    }

    /// Full cleaned path of a node, without a leading slash; the root is empty.
    pub fn path(&self, node: NodeId) -> Vec<u8> {
        if self.contains(node) { self.arena.path(node.0) } else { Vec::new() }
    }

    /// All nodes but the root, each after its parent.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (1..self.arena.nodes.len() as u32).map(NodeId)
    }

    /// The parent of a node. The parent of the root is the root.
    pub fn parent_of(&self, node: NodeId) -> NodeId {
        if self.contains(node) { NodeId(self.arena.node(node.0).parent) } else { NodeId::ROOT }
    }

    /// Whether any layer has a path below a node.
    pub fn is_parent(&self, node: NodeId) -> bool {
        self.contains(node) && self.arena.node(node.0).first_child != version::NONE
    }

    /// The last component of the path of a node; empty for the root.
    pub fn name(&self, node: NodeId) -> &[u8] {
        if self.contains(node) { self.arena.name(node.0) } else { &[] }
    }

    /// Number of the name of a node. Equal names have equal numbers, below [`names`](Self::names).
    pub fn name_number(&self, node: NodeId) -> usize {
        if self.contains(node) { self.arena.node(node.0).name() as usize } else { 0 }
    }

    /// Number of distinct names that the paths have.
    pub fn names(&self) -> usize {
        self.arena.names.len()
    }

    /// The bytes of the file at a node when all layers are stacked; a hard link has the content of its target. `None`
    /// for anything without content.
    pub fn content(&self, node: NodeId) -> Option<Content> {
        self.view(Mode::Merged).content(node)
    }

    fn contains(&self, node: NodeId) -> bool {
        (node.0 as usize) < self.arena.nodes.len()
    }
}

impl fmt::Debug for FileTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileTree").field("nodes", &self.len()).field("layers", &self.summaries).finish_non_exhaustive()
    }
}

/// Position of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The layer that stores the bytes.
    pub layer: u32,
    /// Start of the bytes in that layer's archive.
    pub offset: u64,
    /// Logical length in bytes.
    pub size: u64,
}

/// What one layer changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerSummary {
    /// Paths that did not exist before.
    pub added: u64,
    /// Paths of lower layers that this layer rewrote, and directories whose metadata it changed.
    pub modified: u64,
    /// Paths of lower layers that this layer removed.
    pub removed: u64,
    /// Size in bytes of the files that this layer wrote and did not remove itself.
    pub bytes: u64,
    /// The error at which containerd would stop. Entries before it are in the tree, later ones are not.
    pub stopped: Option<Error>,
}

/// Why widely used tools build different trees from one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ambiguity {
    /// Readers interpret the archive entry differently.
    Archive(tar::EntryAmbiguity),
    /// A whiteout follows an entry of the same layer: containerd removes that entry, others keep it.
    WhiteoutOfSameLayer,
    /// An opaque marker follows something in its directory that the same layer created without an entry: containerd
    /// removes it, others keep it.
    OpaqueOfSameLayer,
}

impl fmt::Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Archive(reason) => reason.fmt(f),
            Self::WhiteoutOfSameLayer => f.write_str("a whiteout removes what the same layer wrote"),
            Self::OpaqueOfSameLayer => f.write_str("an opaque marker removes what the same layer wrote"),
        }
    }
}

impl From<tar::EntryAmbiguity> for Ambiguity {
    fn from(reason: tar::EntryAmbiguity) -> Self {
        Self::Archive(reason)
    }
}

impl Error {
    /// Whether the error is a limit of this program. A container runtime would continue.
    pub fn is_limit(&self) -> bool {
        self.failure().kind == FailureClass::Limit
    }
}

/// Why an entry cannot be applied. Paths are escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tree has more paths than allowed.
    #[error("tree has more than {limit} nodes (limit tree_nodes)")]
    TooManyNodes {
        /// Nodes that a tree may have.
        limit: u64,
    },
    /// The layers change paths more often than allowed.
    #[error("layers change paths more than {limit} times (twice the limit tree_nodes)")]
    TooManyChanges {
        /// Changes that a tree may record.
        limit: u64,
    },
    /// Names, link targets and extended attributes take more memory than allowed.
    #[error("names and attributes take more than {limit} bytes (fixed limit tree_text_bytes)")]
    TooMuchText {
        /// Bytes that all names, link targets and attributes of a tree may have.
        limit: u64,
    },
    /// Following symbolic links takes more steps than allowed.
    #[error("symbolic links in the paths of entries take more than {limit} steps to follow (fixed limit link_steps)")]
    TooManySteps {
        /// Steps that all symbolic links of a tree may take.
        limit: u64,
    },
    /// A whiteout that names nothing, `.` or `..`.
    #[error("invalid whiteout name: `{0}`")]
    Whiteout(String),
    /// A path leads through something that is not a directory.
    #[error("not a directory: `{0}`")]
    NotADirectory(String),
    /// A name is longer than 255 bytes, or a path longer than 4095.
    #[error("file name too long: `{0}`")]
    NameTooLong(String),
    /// Symbolic links form a loop or a chain that is too long.
    #[error("too many symbolic links: `{0}`")]
    TooManyLinks(String),
    /// A symbolic link has no target.
    #[error("symbolic link without a target: `{0}`")]
    EmptyLink(String),
    /// The target of a hard link does not exist.
    #[error("hard link `{path}` to a file that does not exist: `{target}`")]
    LinkTarget {
        /// Path of the link.
        path: String,
        /// Target as stored.
        target: String,
    },
    /// The target of a hard link is a directory.
    #[error("hard link `{path}` to a directory: `{target}`")]
    LinkToDirectory {
        /// Path of the link.
        path: String,
        /// Target as stored.
        target: String,
    },
    /// A device number that does not fit the kernel's.
    #[error("device number {major}:{minor} out of range: `{path}`")]
    DeviceNumber {
        /// Path of the device.
        path: String,
        /// Its major number.
        major: i64,
        /// Its minor number.
        minor: i64,
    },
    /// The entry is not a file, directory, link, device or FIFO.
    #[error("unhandled entry type {typeflag}: `{path}`")]
    Type {
        /// Path of the entry.
        path: String,
        /// Type flag of the entry.
        typeflag: u8,
    },
    /// The layer removed a directory of its own, whose time can no longer be set.
    #[error("directory was removed by its own layer: `{0}`")]
    DirectoryRemoved(String),
    /// An entry was applied while no layer was open.
    #[error("no layer is open")]
    NoLayer,
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::TooManyNodes { limit } => Failure::named_limit("tree_nodes", *limit, 0),
            Self::TooManyChanges { limit } => Failure::named_limit("tree_nodes", limit / stack::CHANGES, 0),
            Self::TooMuchText { .. } | Self::TooManySteps { .. } => Failure::limit(),
            Self::NoLayer => Failure::bug(),
            _ => Failure::malformed(),
        }
    }
}
