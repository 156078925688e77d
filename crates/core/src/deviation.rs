//! Where a document departs from its specification, and can be read all the same.

use crate::{json, platform::Platform};

/// A rule of the image specification that a manifest or a configuration breaks.
///
/// Registries hold such images, and engines run most of them. Whatever can be read is read, the rest counts as absent,
/// and the deviation is reported beside it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Deviation {
    /// The manifest has no layers. The schema of an OCI manifest asks for at least one (`manifest.md`, `layers`).
    #[error("the manifest has no layers")]
    NoLayers,
    /// The configuration is not a JSON object, so nothing of it is known.
    #[error("the configuration is not a JSON object: {0}")]
    Config(json::Error),
    /// A field of the configuration is missing or has the wrong form.
    #[error("{0}")]
    Field(json::Error),
    /// `rootfs` of the configuration cannot be read, so no layer has a known diff_id.
    #[error("{0}")]
    Rootfs(json::Error),
    /// The configuration is for another platform than the index says. A runtime of the platform of the index cannot start the image.
    #[error("the index offers the image for {index}, but the configuration is for {config}")]
    Platform {
        /// The platform of the index, normalised.
        index: Platform,
        /// The platform of the configuration, normalised.
        config: Platform,
    },
    /// The configuration names no diff_ids. The unpacked bytes of the layers cannot be checked.
    #[error("the configuration names no diff_ids, expected {layers}, one for each layer")]
    NoDiffIds {
        /// Layers of the manifest.
        layers: usize,
    },
    /// The configuration names diff_ids for another number of layers. None of them is used.
    #[error("expected {layers} diff_ids, one for each layer, got {diff_ids}")]
    LayerCount {
        /// Layers of the manifest.
        layers: usize,
        /// Digests in the configuration.
        diff_ids: usize,
    },
}

impl Deviation {
    /// Whether the image cannot be what its documents promise: an engine refuses it, and so does verification.
    pub fn refutes(&self) -> bool {
        matches!(self, Self::Config(_) | Self::Rootfs(json::Error::Digest { .. }) | Self::LayerCount { .. })
    }
}
