//! Waste: bytes that an image carries and nobody sees, with who brought them, who wasted them, and how.

mod cause;
mod collect;

use super::{Aspects, FileTree, NodeId};
use std::ops::Range;

/// What of an image is visible in the end, and what is not.
///
/// Bytes are logical bytes of regular files as the layers bring them, so a file of 500 KB that two layers write is
/// 1 MB, of which 500 KB are visible and 500 KB are waste. A hard link brings no bytes, and its file is visible while
/// any of its names is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waste {
    /// Bytes of all files in all layers.
    pub all: u64,
    /// Bytes of the files that are there when all layers are stacked.
    pub visible: u64,
    /// Estimated bytes of the blobs that hold what is wasted.
    pub download: u64,
    /// The layers that brought or wasted bytes, bottom first.
    pub layers: Vec<LayerWaste>,
    /// Every wasted content, biggest first, then by path.
    pub items: Vec<Wasted>,
}

impl Waste {
    /// Bytes that are not visible: `all - visible`.
    pub fn wasted(&self) -> u64 {
        self.all.saturating_sub(self.visible)
    }

    /// Visible bytes ÷ all bytes: 1.0 for an image without waste, or without files; never above.
    ///
    /// This is not the figure of `dive`, which divides the sum of the smallest size of each path by the sum of all
    /// its sizes, and counts a path as waste only if it is seen twice: what is deleted with its directory costs
    /// nothing there, and what is overwritten is wasted with both of its copies.
    pub fn efficiency(&self) -> f64 {
        if self.all == 0 { 1.0 } else { self.visible as f64 / self.all as f64 }
    }

    /// The items by what a person would name: all that was lost with one directory and for one reason is one line.
    /// Biggest first, then by path.
    pub fn groups(&self, tree: &FileTree) -> Vec<Group> {
        collect::groups(self, tree)
    }
}

/// What one layer brought in vain, and what it made vain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerWaste {
    /// The layer.
    pub layer: u32,
    /// Bytes of files that it brings.
    pub bytes: u64,
    /// Bytes that it brings and that are not visible in the end.
    pub wasted: u64,
    /// Estimated bytes of its blob that hold those.
    pub download: u64,
    /// Bytes, of lower layers or its own, that are not visible because of it.
    pub wastes: u64,
    /// Of those: what it deleted.
    pub deleted: u64,
    /// Of those: what it overwrote with something else, or nobody knows with what.
    pub overwritten: u64,
    /// Of those: what it wrote again, the same bytes at the same path.
    pub duplicated: u64,
    /// Of those: what it wrote again to change mode, owner or extended attributes.
    pub metadata: u64,
}

/// A content that is not visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wasted {
    /// Where it was.
    pub node: NodeId,
    /// The highest directory that was lost together with it, for the same reason; else the node itself.
    pub top: NodeId,
    /// Who brought it.
    pub layer: u32,
    /// Who wasted it: for a file with several names, who took the last of them.
    pub by: u32,
    /// How.
    pub cause: Cause,
    /// In what the file that took its place differs; empty where nothing did.
    pub aspects: Aspects,
    /// Its bytes.
    pub size: u64,
    /// Estimated bytes of the blob that hold it.
    pub download: u64,
    /// A path where the same bytes are visible: the file was moved, or is there twice.
    pub elsewhere: Option<NodeId>,
}

/// How bytes come to be in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// Deleted, by itself or with a directory.
    Deleted,
    /// Something else was written at its path. So is counted what has the same size where no digests are known.
    Overwritten,
    /// The same bytes were written again at its path, with the same mode, owner and extended attributes.
    Duplicated,
    /// The same bytes were written again at its path, with another mode, owner or extended attributes: `chmod -R` and
    /// `chown -R` copy every file.
    Metadata,
}

impl Cause {
    /// Its name in one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Overwritten => "overwritten",
            Self::Duplicated => "duplicated",
            Self::Metadata => "metadata",
        }
    }
}

/// What was lost together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The directory or the file.
    pub node: NodeId,
    /// Its full cleaned path.
    pub path: Vec<u8>,
    /// Whether that is a directory, which stands for the files below it.
    pub directory: bool,
    /// Who brought the files, bottom first.
    pub layers: Vec<u32>,
    /// Who wasted them.
    pub by: u32,
    /// How.
    pub cause: Cause,
    /// In what the files that took their places differ, all together.
    pub aspects: Aspects,
    /// How many contents.
    pub files: u64,
    /// Their bytes.
    pub size: u64,
    /// Estimated bytes of the blobs that hold them.
    pub download: u64,
    /// A path where the bytes are visible still, if it is one file.
    pub elsewhere: Option<NodeId>,
}

/// Files with the same bytes, all of them visible, that are no hard links to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copies {
    /// Bytes of one.
    pub size: u64,
    /// One name of each, by path.
    pub nodes: Vec<NodeId>,
}

impl Copies {
    /// Bytes that one file with hard links would save.
    pub fn spare(&self) -> u64 {
        self.size.saturating_mul(self.nodes.len().saturating_sub(1) as u64)
    }
}

/// Knows how many bytes of a layer's blob a range of the unpacked layer came from.
pub trait Download {
    /// Bytes of the blob, estimated.
    fn bytes(&self, layer: u32, unpacked: Range<u64>) -> u64;
}

impl<F: Fn(u32, Range<u64>) -> u64> Download for F {
    fn bytes(&self, layer: u32, unpacked: Range<u64>) -> u64 {
        self(layer, unpacked)
    }
}

impl FileTree {
    /// What is wasted when all layers are stacked.
    ///
    /// Needs the digests of contents ([`apply_hashed`](Self::apply_hashed)) to tell duplicates and moved metadata from
    /// what was overwritten with something else. Sparse files count with their logical size, but are downloaded as stored.
    pub fn waste(&self, download: &impl Download) -> Waste {
        collect::waste(self, download)
    }

    /// Files of the same content that are visible at several paths, the most spare bytes first. Empty files and files
    /// whose digest is not known are left out.
    pub fn copies(&self) -> Vec<Copies> {
        collect::copies(self)
    }
}
