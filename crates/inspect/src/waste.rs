//! Waste: bytes of an image that a container does not see, by layer and by path.

use porthole_core::{
    digest::Digest,
    image::Image,
    seek::Offsets,
    tree::{Cause, Copies, FileTree, Group, LayerWaste, Waste},
};
use std::ops::Range;

/// Figures of a layer and its blob.
#[derive(Clone, Debug, Default)]
pub struct LayerBlob {
    /// Digest of the blob, if it is known.
    pub digest: Option<Digest>,
    /// Its size in bytes; of a layer that belongs to no image, the size of its file.
    pub size: u64,
    /// Bytes of the archive in it.
    pub uncompressed: u64,
    /// Entries of that archive.
    pub entries: u64,
    /// Approximate place in the blob of each byte of the archive. Without known places, the archive is spread evenly
    /// over the blob.
    pub offsets: Offsets,
}

impl LayerBlob {
    /// About how many bytes of the blob hold a range of the archive.
    pub fn download(&self, unpacked: Range<u64>) -> u64 {
        self.offsets.compressed_at(unpacked.end) - self.offsets.compressed_at(unpacked.start)
    }
}

/// The waste of an image, ranked.
#[derive(Clone, Debug)]
pub struct WasteReport {
    /// Bytes of all blobs.
    pub download: u64,
    /// Bytes of all archives.
    pub unpacked: u64,
    /// Totals, and every wasted content.
    pub waste: Waste,
    /// One for each layer, bottom first.
    pub layers: Vec<LayerShare>,
    /// Wasted contents by path, hiding layer and cause, most bytes first.
    pub groups: Vec<Group>,
    /// Visible files with the same bytes, largest saving first. Empty without digests of contents.
    pub copies: Vec<Copies>,
    /// Whether digests of contents are known. Without them a file that is written again with the same size counts as
    /// overwritten, and there are no copies.
    pub compared: bool,
}

/// Size and waste of a layer.
#[derive(Clone, Debug)]
pub struct LayerShare {
    /// Index of the layer.
    pub layer: u32,
    /// Digest of its blob, if it is known.
    pub digest: Option<Digest>,
    /// The instruction that made it.
    pub created_by: Option<String>,
    /// Bytes of its blob.
    pub download: u64,
    /// Bytes of its archive.
    pub unpacked: u64,
    /// What it adds, loses and wastes.
    pub waste: LayerWaste,
}

impl WasteReport {
    /// How [`Waste::efficiency`] is defined, for readers of a log.
    pub const EFFICIENCY: &str = "visible bytes of regular files / bytes of regular files in all layers; \
        hard links bring no bytes; 1.0 without waste";

    /// Computes the waste of stacked layers. `blobs` has one for each layer, bottom first; `image` names their
    /// instructions.
    pub fn of(tree: &FileTree, image: Option<&Image>, blobs: &[LayerBlob]) -> Self {
        let waste = tree
            .waste(&|layer: u32, range: Range<u64>| blobs.get(layer as usize).map_or(0, |blob| blob.download(range)));
        let share = |(layer, blob): (u32, &LayerBlob)| LayerShare {
            layer,
            digest: blob.digest,
            created_by: image
                .and_then(|image| image.layers.get(layer as usize))
                .and_then(|layer| layer.created_by.clone()),
            download: blob.size,
            unpacked: blob.uncompressed,
            waste: waste
                .layers
                .iter()
                .find(|of| of.layer == layer)
                .copied()
                .unwrap_or_else(|| LayerWaste { layer, ..LayerWaste::default() }),
        };
        Self {
            download: sum(blobs.iter().map(|blob| blob.size)),
            unpacked: sum(blobs.iter().map(|blob| blob.uncompressed)),
            layers: (0..).zip(blobs).map(share).collect(),
            groups: waste.groups(tree),
            copies: tree.copies(),
            compared: tree.knows_contents(),
            waste,
        }
    }

    /// Wasted bytes of the blobs in percent of all blobs.
    pub fn download_percent(&self) -> f64 {
        if self.download == 0 { 0.0 } else { self.waste.download as f64 * 100.0 / self.download as f64 }
    }

    /// Counts the files whose last name a later layer, or their own, deleted. Returns their number, their unpacked
    /// bytes, and about how many bytes of the blobs hold them.
    pub fn deleted(&self) -> (u64, u64, u64) {
        let deleted = self.waste.items.iter().filter(|item| item.cause == Cause::Deleted);
        deleted.fold((0, 0, 0), |(files, bytes, download), item| {
            (files + 1, u64::saturating_add(bytes, item.size), u64::saturating_add(download, item.download))
        })
    }
}

fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}
