//! Waste: bytes in an image that are not visible in the final tree, the layers that added and hid them, and the cause.

mod cause;
mod collect;

use super::{Aspects, FileTree, NodeId};
use std::ops::Range;

/// Visible and wasted bytes of an image.
///
/// Counts logical bytes of regular files as the layers store them: a file of 500 KB that two layers write counts 1 MB,
/// half of it visible and half waste. A hard link adds no bytes, and its file is visible while any of its names is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waste {
    /// Size of all files in all layers.
    pub all: u64,
    /// Size of the files in the final tree.
    pub visible: u64,
    /// Estimated compressed bytes that hold the waste.
    pub download: u64,
    /// Layers that added or caused waste, bottom first.
    pub layers: Vec<LayerWaste>,
    /// Every wasted content, largest first, then in the order in which the layers first wrote the paths.
    pub items: Vec<Wasted>,
}

impl Waste {
    /// Bytes that are not visible: `all - visible`.
    pub fn wasted(&self) -> u64 {
        self.all.saturating_sub(self.visible)
    }

    /// Visible bytes divided by all bytes: 1.0 for an image without waste or without files, never more.
    ///
    /// `dive` computes another figure: the sum of the smallest size of each path divided by the sum of all its sizes,
    /// for paths that occur at least twice. There, a file deleted with its directory costs nothing, and an overwritten
    /// file is wasted with both copies.
    pub fn efficiency(&self) -> f64 {
        if self.all == 0 { 1.0 } else { self.visible as f64 / self.all as f64 }
    }

    /// Groups the items for display: contents lost with one directory for one reason become one group. Largest first,
    /// then by path.
    pub fn groups(&self, tree: &FileTree) -> Vec<Group> {
        collect::groups(self, tree)
    }
}

/// Waste that one layer added, and waste that it caused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerWaste {
    /// Index of the layer.
    pub layer: u32,
    /// Size of the files that it adds.
    pub bytes: u64,
    /// Size of those files that are not visible in the final tree.
    pub wasted: u64,
    /// Estimated bytes of its blob that hold the wasted files.
    pub download: u64,
    /// Bytes, of lower layers or its own, that are not visible because of this layer.
    pub wastes: u64,
    /// The part of `wastes` that it deleted.
    pub deleted: u64,
    /// The part of `wastes` that it overwrote with other content, or with content that could not be compared.
    pub overwritten: u64,
    /// The part of `wastes` that it wrote again with the same bytes at the same path.
    pub duplicated: u64,
    /// The part of `wastes` that it wrote again to change mode, owner or extended attributes.
    pub metadata: u64,
}

/// A content that is not visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wasted {
    /// Node of the path.
    pub node: NodeId,
    /// The highest directory lost together with it for the same reason, else the node itself.
    pub top: NodeId,
    /// The layer that added the content.
    pub layer: u32,
    /// The layer that hid it; for a file with several names, the layer that removed the last of them.
    pub by: u32,
    /// Why it is not visible.
    pub cause: Cause,
    /// How the replacing file differs. Empty if nothing replaced it.
    pub aspects: Aspects,
    /// Size in bytes.
    pub size: u64,
    /// Bytes of the layer's archive that hold it.
    pub stored: Range<u64>,
    /// Estimated bytes of the blob that hold it.
    pub download: u64,
    /// A path where the same bytes are visible: the file was moved or copied.
    pub elsewhere: Option<NodeId>,
}

/// Why content is not visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// Deleted, alone or with its directory.
    Deleted,
    /// Overwritten with other content. Without digests, content of equal size counts as different.
    Overwritten,
    /// The same bytes were written again at the same path, with the same mode, owner and extended attributes.
    Duplicated,
    /// The same bytes were written again at the same path with another mode, owner or extended attributes: `chmod -R`
    /// and `chown -R` copy every file.
    Metadata,
}

impl Cause {
    /// Name of the cause in one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Overwritten => "overwritten",
            Self::Duplicated => "duplicated",
            Self::Metadata => "metadata",
        }
    }
}

/// Contents lost together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Node of the directory or file.
    pub node: NodeId,
    /// Full cleaned path of the node.
    pub path: Vec<u8>,
    /// Whether the node is a directory that stands for the files below it.
    pub directory: bool,
    /// The layers that added the files, bottom first.
    pub layers: Vec<u32>,
    /// The layer that hid them.
    pub by: u32,
    /// Why they are not visible.
    pub cause: Cause,
    /// How the replacing files differ, combined.
    pub aspects: Aspects,
    /// Number of contents.
    pub files: u64,
    /// Size in bytes.
    pub size: u64,
    /// Estimated bytes of the blobs that hold them.
    pub download: u64,
    /// A path where the bytes are still visible, if the group is one file.
    pub elsewhere: Option<NodeId>,
}

/// Visible files with the same bytes that are not hard links to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copies {
    /// Size of one copy in bytes.
    pub size: u64,
    /// One name of each copy, in the order in which the layers first wrote them.
    pub nodes: Vec<NodeId>,
}

impl Copies {
    /// Bytes that replacing the copies with hard links would save.
    pub fn spare(&self) -> u64 {
        self.size.saturating_mul(self.nodes.len().saturating_sub(1) as u64)
    }
}

/// Maps a range of an uncompressed layer to bytes of its blob.
pub trait DownloadMap {
    /// Estimated bytes of the blob that hold `unpacked`.
    fn bytes(&self, layer: u32, unpacked: Range<u64>) -> u64;
}

impl<F: Fn(u32, Range<u64>) -> u64> DownloadMap for F {
    fn bytes(&self, layer: u32, unpacked: Range<u64>) -> u64 {
        self(layer, unpacked)
    }
}

impl FileTree {
    /// Computes the waste when all layers are stacked.
    ///
    /// Needs digests of contents ([`apply_hashed`](Self::apply_hashed)) to distinguish duplicates and metadata changes
    /// from overwrites. A sparse file counts with its logical size, but its download estimate is of the stored bytes.
    pub fn waste(&self, download: &impl DownloadMap) -> Waste {
        collect::waste(self, download)
    }

    /// Groups of visible files with the same content, largest saving first. Empty files and files without a known
    /// digest are left out.
    pub fn copies(&self) -> Vec<Copies> {
        collect::copies(self)
    }
}
