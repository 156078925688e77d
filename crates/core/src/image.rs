//! An image: a manifest together with its configuration.

pub mod diff;
mod instruction;
mod name;

pub use self::{
    diff::diff,
    instruction::{Instruction, instruction},
};
use crate::{
    config::{self, ImageConfig},
    descriptor::Descriptor,
    deviation::Deviation,
    digest::Digest,
    failure::{Classify, Failure},
    layer::{BlobDigests, LayerNumber, NamedLayer},
    limits::Limits,
    manifest::{Manifest, Parsed, Raw},
    media_type::{MediaType, Role},
    platform::Platform,
};

/// An image, or an artifact stored in an image manifest.
#[derive(Clone, Debug)]
pub struct Image {
    /// The manifest and its raw bytes.
    pub manifest: Parsed<Manifest>,
    /// Raw bytes of the configuration.
    pub config_raw: Raw,
    /// The parsed configuration. Empty for an artifact, whose configuration has another media type.
    pub config: ImageConfig,
    /// The layers, bottom first.
    pub layers: Vec<Layer>,
    /// Platform of the index entry that led to this image, if there is one.
    pub offered: Option<Platform>,
}

/// One layer of an image.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Position in the image; 0 is the bottom layer.
    pub index: u32,
    /// Descriptor of the compressed blob.
    pub descriptor: Descriptor,
    /// Digest of the uncompressed archive. `None` for an artifact.
    pub diff_id: Option<Digest>,
    /// Whether the blob must be a tar archive. Never for an artifact, whatever its media types: ORAS, for example, uses that
    /// of a tar archive for any file.
    pub archive: bool,
    /// File name of the blob. Only for an artifact, whose blobs may be any files.
    pub file: Option<String>,
    /// The instruction that made the layer. `None` unless the history has exactly one non-empty entry for each layer.
    pub created_by: Option<String>,
}

impl Layer {
    /// Its name in errors.
    pub fn named(&self) -> NamedLayer {
        NamedLayer { number: LayerNumber::of_index(self.index), digest: Some(self.descriptor.digest) }
    }
}

impl Image {
    /// The digests of the blobs of all layers.
    pub fn blob_digests(&self) -> BlobDigests {
        self.layers.iter().map(|layer| layer.named().digest).collect()
    }

    /// Pairs each layer with its diff_id and its history entry.
    ///
    /// # Errors
    ///
    /// [`Error`] for a configuration that is ambiguous or over a limit. [`deviations`](Self::deviations) lists lesser
    /// faults. The configuration of an artifact is not parsed, and so never refused.
    pub fn assemble(manifest: Parsed<Manifest>, config_raw: Raw) -> Result<Self, Error> {
        Self::assemble_with_limits(manifest, config_raw, &Limits::default())
    }

    /// [`assemble`](Self::assemble) within [`Limits::manifest_bytes`] and [`Limits::descriptors`].
    ///
    /// # Errors
    ///
    /// As [`assemble`](Self::assemble).
    pub fn assemble_with_limits(manifest: Parsed<Manifest>, config_raw: Raw, limits: &Limits) -> Result<Self, Error> {
        let is_image = has_image_config(&manifest);
        let is_artifact = !is_image || holds_no_layers(&manifest.value.layers);
        let config =
            if is_image { ImageConfig::parse_with_limits(&config_raw, limits)? } else { ImageConfig::default() };
        let descriptors = &manifest.value.layers;
        // If the numbers differ, it is unknown which diff_id belongs to which layer.
        let paired = config.diff_ids.len() == descriptors.len();
        let diff_ids = if paired { config.diff_ids.as_slice() } else { &[] };
        let makers: Vec<_> = config.history.iter().filter(|entry| !entry.empty_layer).collect();
        // A history of another length can be paired with the layers in several ways. Show no instruction rather than a
        // wrong one.
        let makers = if makers.len() == descriptors.len() { makers } else { Vec::new() };
        let layers = descriptors
            .iter()
            .zip(0..)
            .enumerate()
            .map(|(place, (descriptor, index))| Layer {
                index,
                descriptor: descriptor.clone(),
                diff_id: diff_ids.get(place).copied(),
                archive: is_image && matches!(descriptor.media_type.role(), Role::Layer(_)),
                file: is_artifact.then(|| name::file_name(descriptor)),
                created_by: makers.get(place).and_then(|entry| entry.created_by.clone()),
            })
            .collect();
        Ok(Self { manifest, config_raw, config, layers, offered: None })
    }

    /// The platform of the image, normalised: that of the index if an index led here, else that of the configuration.
    pub fn platform(&self) -> Option<Platform> {
        self.offered.as_ref().or(self.config.platform.as_ref()).map(Platform::normalized)
    }

    /// Whether this is an image (its configuration was parsed), not an artifact.
    pub fn is_image(&self) -> bool {
        has_image_config(&self.manifest)
    }

    /// Lists where manifest and configuration depart from the specification, or contradict each other.
    pub fn deviations(&self) -> Vec<Deviation> {
        let mut deviations = self.config.deviations.clone();
        let (layers, diff_ids) = (self.layers.len(), self.config.diff_ids.len());
        // Docker builds images without layers, and its schema allows them.
        if layers == 0 && self.manifest.media_type == MediaType::OCI_MANIFEST {
            deviations.push(Deviation::NoLayers);
        }
        if let Some((index, config)) = self.offered.as_ref().zip(self.config.platform.as_ref())
            && !index.is_same_machine(config)
        {
            deviations.push(Deviation::Platform { index: index.normalized(), config: config.clone() });
        }
        let explained =
            deviations.iter().any(|deviation| matches!(deviation, Deviation::Config(_) | Deviation::Rootfs(_)));
        if self.is_image() && layers != diff_ids && !explained {
            deviations.push(match diff_ids {
                0 => Deviation::NoDiffIds { layers },
                _ => Deviation::LayerCount { layers, diff_ids },
            });
        }
        deviations
    }

    /// Checks that engines would unpack the image.
    ///
    /// # Errors
    ///
    /// [`Error::Refuted`] with the first deviation that [refutes](Deviation::refutes) the image.
    pub fn unpackable(&self) -> Result<(), Error> {
        let refuting = self.deviations().into_iter().find(Deviation::refutes);
        refuting.map_or(Ok(()), |deviation| Err(Error::Refuted(deviation)))
    }

    /// The sum of the sizes of the layers' blobs, in bytes. A repeated blob counts each time.
    pub fn download_size(&self) -> u64 {
        self.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.descriptor.size))
    }
}

/// Whether no descriptor has a media type of a layer, though the configuration may be that of an image: signatures and
/// attestations of cosign and BuildKit, models of Ollama. An encrypted layer is a layer. False for an empty list.
fn holds_no_layers(descriptors: &[Descriptor]) -> bool {
    let is_other =
        |descriptor: &Descriptor| descriptor.media_type.role() == Role::Other && !descriptor.media_type.is_encrypted();
    !descriptors.is_empty() && descriptors.iter().all(is_other)
}

/// Old versions of Docker pushed image configurations as `application/octet-stream`.
fn has_image_config(manifest: &Parsed<Manifest>) -> bool {
    let media_type = &manifest.value.config.media_type;
    media_type.role() == Role::Config
        || manifest.media_type == MediaType::DOCKER_MANIFEST && media_type.as_str() == "application/octet-stream"
}

/// Why a manifest and a configuration do not form an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is malformed.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The documents contradict each other, so that the image cannot be unpacked.
    #[error("malformed image: {0}")]
    Refuted(Deviation),
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Config(error) => error.failure(),
            Self::Refuted(_) => Failure::malformed(),
        }
    }
}
