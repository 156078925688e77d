//! One tree of all layers, with provenance.
//!
//! A [`FileTree`] is stacked layer by layer, each in archive order, by the rules of containerd's `archive.Apply`: what it
//! shows is what a runtime would unpack, and where that runtime would stop with an error, so does the layer. Nothing is
//! ever forgotten. A removal is a recorded change, so the [`View`]s "as of layer n", "only layer n" and "deleted but still
//! in the image" are filters over one structure.

mod aspect;
mod change;
mod content;
mod diff;
mod entry;
mod links;
mod node;
mod resolve;
mod row;
mod shared;
mod stack;
mod view;
mod waste;

use self::{node::Arena, stack::Open, view::Cache};
use crate::tar;
use std::fmt;

pub use self::{
    aspect::{Aspect, Aspects},
    diff::{Comparison, Difference, diff},
    row::{Change, Row},
    shared::Shared,
    view::{Mode, Sort, View},
    waste::{Cause, Copies, Download, Group, LayerWaste, Waste, Wasted},
};

/// All layers of an image, stacked. Nodes are never deleted.
///
/// Layers come bottom first: [`begin`](Self::begin), [`apply`](Self::apply) for each entry in archive order, then
/// [`commit`](Self::commit) or [`abort`](Self::abort). Views may be taken at any time and show an open layer as far as it is.
#[derive(Clone)]
pub struct FileTree {
    arena: Arena,
    max_nodes: u64,
    open: Option<Open>,
    summaries: Vec<(u32, LayerSummary)>,
    /// Steps left for following symbolic links.
    link_steps: u64,
    generation: u64,
    cache: Cache,
}

/// A path of the tree, whatever is or was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The root directory of every tree.
    pub const ROOT: Self = Self(0);
}

impl FileTree {
    /// An empty tree that will hold up to `max_nodes` paths (see [`Limits::tree_nodes`](crate::limits::Limits)).
    pub fn new(max_nodes: u64) -> Self {
        Self {
            arena: Arena::new(),
            max_nodes: max_nodes.min(u64::from(u32::MAX / 4)),
            open: None,
            summaries: Vec::new(),
            link_steps: stack::LINK_STEPS,
            generation: 0,
            cache: Cache::default(),
        }
    }

    /// The root directory; no row tells of it.
    pub fn root(&self) -> NodeId {
        NodeId::ROOT
    }

    /// Paths that were ever there, the root included.
    pub fn len(&self) -> usize {
        self.arena.nodes.len()
    }

    /// Only the root.
    pub fn is_empty(&self) -> bool {
        self.len() <= 1
    }

    /// A number that grows whenever the tree changes: what was read from a view is good while it stays the same.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Counts of a layer so far, open or committed; zeros for a layer that was not begun or was aborted.
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

    /// A filter over the tree.
    pub fn view(&self, mode: Mode) -> View<'_> {
        View::new(self, mode)
    }

    /// Full cleaned path of a node, without a leading slash; the root is empty.
    pub fn path(&self, node: NodeId) -> Vec<u8> {
        if self.contains(node) { self.arena.path(node.0) } else { Vec::new() }
    }

    /// Where the bytes of the file are that is at a node when all layers are stacked; a hard link leads to what it was
    /// linked to. `None` for everything that has no content.
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

/// Where a file's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The layer that brought them.
    pub layer: u32,
    /// Where they start in that layer's tar, bytes.
    pub offset: u64,
    /// Logical length, bytes.
    pub size: u64,
}

/// What one layer did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerSummary {
    /// Paths that were not there before.
    pub added: u64,
    /// Paths of lower layers that this one wrote anew, or directories whose metadata it changed.
    pub modified: u64,
    /// Paths of lower layers that this one hides.
    pub removed: u64,
    /// Bytes of the files written by this layer and left by it.
    pub bytes: u64,
    /// Where containerd stops with an error. What came before is in the tree; what comes after is not.
    pub stopped: Option<Error>,
}

/// Why well-known readers make different trees of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ambiguity {
    /// They list the entry differently.
    Archive(tar::Ambiguity),
    /// A whiteout comes after an entry that the same layer wrote: containerd removes it, others keep it.
    WhiteoutOfSameLayer,
    /// An opaque marker comes after something in a directory of the same layer that no entry names: containerd removes
    /// it, others keep it.
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

impl From<tar::Ambiguity> for Ambiguity {
    fn from(reason: tar::Ambiguity) -> Self {
        Self::Archive(reason)
    }
}

impl Error {
    /// A limit of the tree is reached: a container runtime would go on.
    pub fn is_limit(&self) -> bool {
        matches!(
            self,
            Self::TooManyNodes { .. }
                | Self::TooManyChanges { .. }
                | Self::TooMuchText { .. }
                | Self::TooManySteps { .. }
        )
    }
}

/// Why an entry cannot be applied. Paths are escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// More paths than the limit.
    #[error("tree has more than {limit} nodes")]
    TooManyNodes {
        /// The limit.
        limit: u64,
    },
    /// More changes to paths than the limit.
    #[error("layers change paths more than {limit} times")]
    TooManyChanges {
        /// The limit.
        limit: u64,
    },
    /// Names, link targets and extended attributes take more memory than the limit.
    #[error("names and attributes take more than {limit} bytes")]
    TooMuchText {
        /// The limit.
        limit: u64,
    },
    /// Following symbolic links costs more steps than the limit.
    #[error("symbolic links in the paths of entries take more than {limit} steps to follow")]
    TooManySteps {
        /// The limit.
        limit: u64,
    },
    /// A whiteout that names nothing, its directory or the one above.
    #[error("invalid whiteout name: `{0}`")]
    Whiteout(String),
    /// Something below a path that is not a directory.
    #[error("not a directory: `{0}`")]
    NotADirectory(String),
    /// A name of more than 255 bytes, or a path of more than 4095.
    #[error("file name too long: `{0}`")]
    NameTooLong(String),
    /// Symbolic links that lead in a circle, or on and on.
    #[error("too many symbolic links: `{0}`")]
    TooManyLinks(String),
    /// A symbolic link without a target.
    #[error("symbolic link without a target: `{0}`")]
    EmptyLink(String),
    /// A hard link to nothing.
    #[error("hard link `{path}` to a file that does not exist: `{target}`")]
    LinkTarget {
        /// The link.
        path: String,
        /// What it should lead to, as stored.
        target: String,
    },
    /// A hard link to a directory.
    #[error("hard link `{path}` to a directory: `{target}`")]
    LinkToDirectory {
        /// The link.
        path: String,
        /// What it should lead to, as stored.
        target: String,
    },
    /// A device number that no kernel has.
    #[error("device number {major}:{minor} out of range: `{path}`")]
    DeviceNumber {
        /// The device.
        path: String,
        /// Its major number.
        major: i64,
        /// Its minor number.
        minor: i64,
    },
    /// An entry type that is not a file, directory, link, device or fifo.
    #[error("unhandled entry type {typeflag}: `{path}`")]
    Type {
        /// The entry.
        path: String,
        /// Its type flag.
        typeflag: u8,
    },
    /// A directory of the layer that the layer removed again: its time cannot be set.
    #[error("directory was removed by its own layer: `{0}`")]
    DirectoryRemoved(String),
    /// An entry without a layer to belong to.
    #[error("no layer is open")]
    NoLayer,
}
