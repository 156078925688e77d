//! What is known of a layer before it is read, and so what it answers for.

use porthole_core::{
    decode::Format,
    descriptor::Descriptor,
    digest::Digest,
    image::Layer,
    layer::{Expected, Finding, LayerReport},
    media_type::{Compression, MediaType, Role},
    seek::Index,
};

use crate::error::{Error, of_layer};

/// A layer to be read.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) layer: u32,
    pub(crate) descriptor: Option<Descriptor>,
    pub(crate) diff_id: Option<Digest>,
}

impl Job {
    /// Layers of an image.
    pub(crate) fn of(layers: &[Layer]) -> Vec<Self> {
        let job = |layer: &Layer| Self {
            layer: layer.index,
            descriptor: Some(layer.descriptor.clone()),
            diff_id: layer.diff_id,
        };
        layers.iter().map(job).collect()
    }

    /// A layer in a file of its own, of which nothing is known.
    pub(crate) fn bare() -> Vec<Self> {
        vec![Self { layer: 0, descriptor: None, diff_id: None }]
    }

    /// Whether it is said to be a layer of a file system. A layer of an artifact may be anything.
    pub(crate) fn is_archive(&self) -> bool {
        let role = self.descriptor.as_ref().map(|descriptor| descriptor.media_type.role());
        matches!(role, None | Some(Role::Layer(_)))
    }

    /// What is wrong with the layer. The right bytes under a wrong name are what a runtime would unpack.
    pub(crate) fn findings<'r>(&self, report: &'r LayerReport) -> Vec<&'r Finding> {
        report.findings.iter().filter(|finding| finding.refutes() && self.answers_for(finding)).collect()
    }

    /// Whether a finding is the layer's fault: an artifact's need only be the bytes that were promised.
    pub(crate) fn answers_for(&self, finding: &Finding) -> bool {
        self.is_archive() || matches!(finding, Finding::Digest { .. } | Finding::Size { .. } | Finding::DiffId { .. })
    }

    /// A finding, with the number of the layer.
    pub(crate) fn in_words(&self, finding: &Finding) -> String {
        of_layer(self.layer, finding)
    }

    /// What the cached index of the layer says against its media type.
    pub(crate) fn contradiction(&self, index: &Index) -> Option<Finding> {
        let media_type = &self.descriptor.as_ref()?.media_type;
        let found = match (media_type.role(), index.compression()) {
            (Role::Layer(declared), found) if declared == found => return None,
            (_, Compression::None) => Format::Tar,
            (_, Compression::Gzip) => Format::Gzip,
            (_, Compression::Zstd) => Format::Zstd,
            _ => return None,
        };
        Some(Finding::Compression { declared: media_type.to_string(), found })
    }

    /// The refusal to list what is no archive, and need not be one.
    pub(crate) fn no_files(&self) -> Error {
        let media_type = self.descriptor.as_ref().map(|descriptor| descriptor.media_type.clone());
        Error::NoFiles { layer: self.layer, media_type: media_type.unwrap_or(MediaType::OCI_EMPTY) }
    }

    pub(super) fn expected(&self) -> Expected {
        Expected {
            digest: self.descriptor.as_ref().map(|descriptor| descriptor.digest),
            size: self.descriptor.as_ref().map(|descriptor| descriptor.size),
            diff_id: self.diff_id,
            media_type: self.descriptor.as_ref().map(|descriptor| descriptor.media_type.clone()),
        }
    }
}
