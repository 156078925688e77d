//! Deviations from the specification that do not prevent a document from being read.

use crate::{json, platform::Platform};

/// A rule of the image specification that a manifest or a configuration breaks.
///
/// Registries hold such images, and engines run most of them. The valid fields are read, the others count as absent, and the
/// deviation is reported beside the result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Deviation {
    /// The manifest has no layers. The schema of an OCI manifest asks for at least one (`manifest.md`, `layers`).
    #[error("the manifest has no layers")]
    NoLayers,
    /// The configuration is not a JSON object, so all its fields are unknown.
    #[error("the configuration is not a JSON object: {0}")]
    Config(json::Error),
    /// A field of the configuration is missing or has the wrong form.
    #[error("{0}")]
    Field(json::Error),
    /// `rootfs` of the configuration cannot be read, so no layer has a known diff_id.
    #[error("{0}")]
    Rootfs(json::Error),
    /// The platform of the configuration differs from that in the index. A runtime of the platform in the index cannot start the image.
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
    /// Whether engines and verification refuse an image with this deviation, because its documents contradict each other or
    /// the configuration is unusable.
    pub fn refutes(&self) -> bool {
        matches!(self, Self::Config(_) | Self::Rootfs(json::Error::Digest { .. }) | Self::LayerCount { .. })
    }
}
