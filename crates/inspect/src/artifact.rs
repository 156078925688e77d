//! Describes artifacts: what a registry stores like an image, but no engine runs.
//!
//! The media types of an artifact give its kind. [`of_config`] and [`of_blob`] return further facts from its
//! configuration and from the first [`HEAD_BYTES`] of its blobs. Both expect verified bytes.

mod fact;
mod facts;
mod gguf;
mod head;

pub use self::{
    fact::ArtifactFact,
    facts::{of_blob, of_config},
    head::BlobHead,
};

use porthole_core::{
    descriptor::Descriptor,
    image::Image,
    manifest::Index,
    media_type::{MediaType, Role},
};

/// Bytes at the start of a blob that [`of_blob`] reads, at most.
pub const HEAD_BYTES: usize = 256 << 10;

/// What kind of artifact it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArtifactKind {
    /// A chart of Helm.
    HelmChart,
    /// A WebAssembly module or component.
    Wasm,
    /// A machine learning model.
    Model,
    /// A bill of materials: SPDX or CycloneDX.
    Bill,
    /// A signature on an image, of cosign or Notation.
    Signature,
    /// A signed statement about an image: in-toto.
    Attestation,
    /// An application of Flatpak, which is stored as an image.
    Flatpak,
    /// A bundle of policies for Open Policy Agent.
    Policy,
    /// The cache of a build by BuildKit.
    BuildCache,
    /// An artifact that has annotations and no content.
    Empty,
    /// Any other artifact.
    Other,
}

impl ArtifactKind {
    /// Returns the kind of artifact that an image manifest describes; `None` for the image of a file system.
    pub fn of(image: &Image) -> Option<Self> {
        if image.config.execution.labels.contains_key(FLATPAK) {
            return Some(Self::Flatpak);
        }
        let manifest = &image.manifest.value;
        if image.is_image() && !image.layers.iter().any(|layer| layer.file.is_some()) {
            return None;
        }
        let layers = || manifest.layers.iter().map(|layer| &layer.media_type);
        let types = [manifest.artifact_type.as_ref(), Some(&manifest.config.media_type)];
        let known = types.into_iter().flatten().chain(layers()).find_map(Self::of_type);
        let empty = || manifest.layers.iter().all(is_empty).then_some(Self::Empty);
        Some(known.or_else(empty).unwrap_or(Self::Other))
    }

    /// The kind that one media type stands for.
    fn of_type(media_type: &MediaType) -> Option<Self> {
        let text = media_type.as_str().to_ascii_lowercase();
        KINDS.iter().find(|(part, _)| text.contains(part)).map(|(_, kind)| *kind)
    }

    /// One word, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::HelmChart => "helm-chart",
            Self::Wasm => "wasm",
            Self::Model => "model",
            Self::Bill => "sbom",
            Self::Signature => "signature",
            Self::Attestation => "attestation",
            Self::Flatpak => "flatpak",
            Self::Policy => "policy",
            Self::BuildCache => "build-cache",
            Self::Empty => "empty",
            Self::Other => "other",
        }
    }

    /// The kind in a few words, for a person.
    pub fn words(self) -> &'static str {
        match self {
            Self::HelmChart => "Helm chart",
            Self::Wasm => "WebAssembly",
            Self::Model => "model",
            Self::Bill => "bill of materials",
            Self::Signature => "signature",
            Self::Attestation => "attestation",
            Self::Flatpak => "Flatpak application",
            Self::Policy => "policies of Open Policy Agent",
            Self::BuildCache => "build cache of BuildKit",
            Self::Empty => "nothing but its annotations",
            Self::Other => "artifact",
        }
    }
}

fn is_empty(descriptor: &Descriptor) -> bool {
    descriptor.media_type == MediaType::OCI_EMPTY
}

/// Counts the layers that the index of a BuildKit cache lists; `None` for any other index. Such an index lists the
/// layers themselves in place of images, and a configuration that states how they belong together.
pub fn cached_layers(index: &Index) -> Option<usize> {
    let is_cache = |entry: &&Descriptor| entry.media_type.as_str().starts_with(CACHE);
    index.manifests.iter().find(is_cache)?;
    Some(index.manifests.iter().filter(|entry| matches!(entry.media_type.role(), Role::Layer(_))).count())
}

/// Returns the addresses of a foreign layer, which come in its descriptor because registries may not distribute it, as
/// the licence of Windows' base layers demands. `None` for any other blob.
pub fn foreign(descriptor: &Descriptor) -> Option<&[String]> {
    let is_layer = matches!(descriptor.media_type.role(), Role::Layer(_));
    (is_layer && (descriptor.media_type.is_nondistributable() || !descriptor.urls.is_empty()))
        .then_some(&descriptor.urls)
}

/// Start of the media type of the configuration of a BuildKit cache.
const CACHE: &str = "application/vnd.buildkit.cacheconfig.";
/// Label that Flatpak sets on applications that it stores as images.
const FLATPAK: &str = "org.flatpak.ref";
/// Parts of media types in lower case, the most specific first.
const KINDS: [(&str, ArtifactKind); 24] = [
    ("vnd.cncf.helm.", ArtifactKind::HelmChart),
    ("vnd.buildkit.cacheconfig", ArtifactKind::BuildCache),
    ("vnd.cncf.openpolicyagent.", ArtifactKind::Policy),
    ("vnd.dev.cosign.simplesigning", ArtifactKind::Signature),
    ("vnd.cncf.notary.signature", ArtifactKind::Signature),
    ("vnd.dev.cosign.artifact.sig", ArtifactKind::Signature),
    ("vnd.dev.cosign.artifact.sbom", ArtifactKind::Bill),
    ("vnd.dev.sigstore.bundle", ArtifactKind::Attestation),
    ("vnd.dsse.envelope", ArtifactKind::Attestation),
    ("vnd.in-toto", ArtifactKind::Attestation),
    ("in-toto+json", ArtifactKind::Attestation),
    ("spdx", ArtifactKind::Bill),
    ("cyclonedx", ArtifactKind::Bill),
    ("vnd.syft", ArtifactKind::Bill),
    ("vnd.ollama.", ArtifactKind::Model),
    ("vnd.docker.ai.", ArtifactKind::Model),
    ("vnd.cncf.model.", ArtifactKind::Model),
    ("gguf", ArtifactKind::Model),
    ("safetensors", ArtifactKind::Model),
    ("onnx", ArtifactKind::Model),
    ("vnd.wasm.", ArtifactKind::Wasm),
    ("application/wasm", ArtifactKind::Wasm),
    ("vnd.module.wasm", ArtifactKind::Wasm),
    ("+wasm", ArtifactKind::Wasm),
];
