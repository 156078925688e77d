//! Aligns the layers of two images.

use super::{Image, align};
use crate::{digest::Digest, image::Layer};
use std::collections::BTreeSet;

/// The layers of two images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Layers {
    /// Every layer of both, in order.
    pub pairs: Vec<LayerPair>,
    /// Number of layers, from the bottom, that unpack to the same archives in both images. They need to be read only once.
    pub shared: u32,
    /// Compressed bytes of the blobs that only the second image has: the download for a machine that has the first image.
    pub download: u64,
    /// Whether both images unpack to the same archives, layer by layer. Then no layer needs to be read to compare their files.
    pub same_files: bool,
}

/// A layer of one image, or of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerPair {
    /// Index in the first image; 0 is the bottom layer.
    pub before: Option<u32>,
    /// Index in the second image; 0 is the bottom layer.
    pub after: Option<u32>,
    /// How the two layers differ.
    pub state: LayerMatch,
}

/// How two aligned layers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerMatch {
    /// The same blob.
    Same,
    /// Different blobs that unpack to the same archive: only the compression differs.
    Recompressed,
    /// Only the first image has it.
    Removed,
    /// Only the second image has it.
    Added,
}

impl Layers {
    /// Whether the images differ in any blob, or in the order of their blobs.
    pub fn differ(&self) -> bool {
        self.pairs.iter().any(|pair| pair.state != LayerMatch::Same)
    }

    pub(super) fn new(before: &Image, after: &Image) -> Self {
        let identities = |image: &Image| image.layers.iter().map(Identity::of).collect::<Vec<_>>();
        let (left, right) = (identities(before), identities(after));
        let pair = |(left, right): (Option<usize>, Option<usize>)| LayerPair {
            before: left.map(|place| place as u32),
            after: right.map(|place| place as u32),
            state: match (left, right) {
                (Some(left), Some(right)) if digest(before, left) == digest(after, right) => LayerMatch::Same,
                (Some(_), Some(_)) => LayerMatch::Recompressed,
                (Some(_), None) => LayerMatch::Removed,
                (None, _) => LayerMatch::Added,
            },
        };
        let here: BTreeSet<Digest> = before.layers.iter().map(|layer| layer.descriptor.digest).collect();
        let mut missing = BTreeSet::new();
        let download = after
            .layers
            .iter()
            .map(|layer| &layer.descriptor)
            .filter(|blob| !here.contains(&blob.digest) && missing.insert(blob.digest))
            .fold(0_u64, |sum, blob| sum.saturating_add(blob.size));
        Self {
            pairs: align(&left, &right).into_iter().map(pair).collect(),
            shared: left.iter().zip(&right).take_while(|(a, b)| a == b).count() as u32,
            download,
            same_files: left == right,
        }
    }
}

fn digest(image: &Image, place: usize) -> Option<&Digest> {
    image.layers.get(place).map(|layer| &layer.descriptor.digest)
}

/// Identity of a layer's unpacked archive: its diff_id, or the digest of its blob if it has no diff_id.
#[derive(PartialEq, Eq)]
enum Identity {
    Archive(Digest),
    Blob(Digest),
}

impl Identity {
    fn of(layer: &Layer) -> Self {
        layer.diff_id.map_or(Self::Blob(layer.descriptor.digest), Self::Archive)
    }
}
