//! An overview of an image: what its documents state, and what its layers add to that.

use crate::{
    artifact::{self, ArtifactFact, ArtifactKind},
    findings::{self, BASE_DIGEST, BASE_NAME, ImageFinding},
    resolve::ResolvedImage,
    waste::{LayerBlob, WasteReport},
};
use porthole_core::{
    descriptor::Descriptor,
    deviation::Deviation,
    digest::Digest,
    image::{Image, Layer},
    manifest::{Document, Index, Parsed},
    media_type::{MediaType, Role},
    platform::{Platform, available},
    tree::{FileTree, LayerSummary, Mode},
};
use std::collections::BTreeMap;

/// What the documents of an image state and, once they are read, what its layers contain.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The index that the name stands for, if it stands for one.
    pub index: Option<DocumentName>,
    /// Platforms of the index, each once.
    pub platforms: Vec<Platform>,
    /// Everything that the index lists.
    pub entries: Vec<IndexEntry>,
    /// Annotations of the index.
    pub index_annotations: BTreeMap<String, String>,
    /// Digest, media type and size of the manifest.
    pub manifest: DocumentName,
    /// Digest, media type and size of the configuration.
    pub config: DocumentName,
    /// The artifact type in the manifest, if it states one.
    pub artifact_type: Option<MediaType>,
    /// Kind and facts of the artifact, if the image is one.
    pub artifact: Option<ArtifactOverview>,
    /// The platform of the image, by the index or by the configuration.
    pub platform: Option<Platform>,
    /// The image that this one was built on, as its builder stated.
    pub base: Option<BaseImage>,
    /// The layers, bottom first.
    pub layers: Vec<LayerOverview>,
    /// Sizes of the download, of the unpacked layers and of the visible files.
    pub sizes: ImageSizes,
    /// Where the documents depart from their specification.
    pub deviations: Vec<Deviation>,
    /// What is worth knowing, the most serious first.
    pub findings: Vec<ImageFinding>,
}

/// What an artifact is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactOverview {
    /// Its kind, by its media types.
    pub kind: ArtifactKind,
    /// What its configuration says.
    pub facts: Vec<ArtifactFact>,
}

impl ArtifactOverview {
    fn of(image: &Image) -> Option<Self> {
        Some(Self { kind: ArtifactKind::of(image)?, facts: artifact::of_config(image) })
    }
}

/// A document by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentName {
    /// Digest of the bytes as served.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// Its size in bytes.
    pub size: u64,
}

/// An entry of an index.
#[derive(Clone, Debug)]
pub struct IndexEntry {
    /// The entry as the index has it.
    pub descriptor: Descriptor,
    /// What it leads to.
    pub role: EntryRole,
    /// Whether the image comes from this entry.
    pub chosen: bool,
}

/// What an entry of an index leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryRole {
    /// An image for a platform, or one that names none.
    Image,
    /// Statements about an image of the same index, as BuildKit attaches them.
    Attestation,
    /// An index within the index.
    Index,
    /// Any other artifact, such as a chart.
    Artifact,
}

/// The image that another was built on, as annotations or labels claim (`org.opencontainers.image.base.*`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseImage {
    /// Reference of the base image; `None` if only its digest is stated.
    pub name: Option<String>,
    /// The digest of its manifest.
    pub digest: Option<String>,
}

/// A layer, as the documents state it, and what was found in it.
#[derive(Clone, Debug)]
pub struct LayerOverview {
    /// The layer as the manifest has it.
    pub layer: Layer,
    /// What was found, once the layer is read.
    pub contents: Option<LayerContents>,
    /// What the blob of an artifact says of itself, once it is read.
    pub facts: Vec<ArtifactFact>,
}

/// What was found in a layer.
#[derive(Clone, Debug, Default)]
pub struct LayerContents {
    /// Bytes of its archive.
    pub uncompressed: u64,
    /// Entries of its archive.
    pub entries: u64,
    /// What it changed.
    pub summary: LayerSummary,
}

/// Sizes of an image in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageSizes {
    /// The blobs of all layers.
    pub download: u64,
    /// The archives of all layers, once they are read.
    pub unpacked: Option<u64>,
    /// The files that a container sees, once the layers are read.
    pub visible: Option<u64>,
}

impl Overview {
    /// Collects what the documents state.
    pub fn of(resolved: &ResolvedImage) -> Self {
        let image = &resolved.image;
        let manifest = &image.manifest;
        let index = match &resolved.index {
            Some(Document::Index(index)) => Some(index),
            _ => None,
        };
        let entries = index.map_or(&[][..], |index| &index.value.manifests);
        let config = &manifest.value.config;
        let chosen = resolved.chosen.as_ref();
        Self {
            index: index.map(DocumentName::of),
            platforms: available(entries),
            entries: entries
                .iter()
                .map(|entry| IndexEntry {
                    role: EntryRole::of(entry),
                    chosen: chosen == Some(entry),
                    descriptor: entry.clone(),
                })
                .collect(),
            index_annotations: index.map(|index| index.value.annotations.clone()).unwrap_or_default(),
            manifest: DocumentName::of(manifest),
            config: DocumentName { digest: config.digest, media_type: config.media_type.clone(), size: config.size },
            artifact_type: manifest.value.artifact_type.clone(),
            artifact: ArtifactOverview::of(image),
            platform: image.platform(),
            base: BaseImage::of(image, index),
            layers: image
                .layers
                .iter()
                .map(|layer| LayerOverview { layer: layer.clone(), contents: None, facts: Vec::new() })
                .collect(),
            sizes: ImageSizes { download: image.download_size(), unpacked: None, visible: None },
            deviations: image.deviations(),
            findings: findings::of_documents(image),
        }
    }

    /// Adds what the blobs of an artifact say of themselves, one for each layer, bottom first.
    pub fn add_facts(&mut self, facts: Vec<Vec<ArtifactFact>>) {
        self.layers.iter_mut().zip(facts).for_each(|(layer, facts)| layer.facts = facts);
    }

    /// Adds what the layers contain: `tree` has all of them stacked, `blobs` has one for each, bottom first.
    pub fn add_layers(&mut self, tree: &FileTree, blobs: &[LayerBlob], report: &WasteReport) {
        for (index, (layer, blob)) in (0..).zip(self.layers.iter_mut().zip(blobs)) {
            let (uncompressed, entries) = (blob.uncompressed, blob.entries);
            layer.contents = Some(LayerContents { uncompressed, entries, summary: tree.summary(index) });
        }
        self.sizes.unpacked = Some(report.unpacked);
        self.sizes.visible = Some(tree.view(Mode::Merged).total_size());
        self.findings.extend(findings::of_layers(tree, report));
    }
}

impl DocumentName {
    fn of<T>(document: &Parsed<T>) -> Self {
        let (digest, size) = (*document.raw.digest(), document.raw.size());
        Self { digest, media_type: document.media_type.clone(), size }
    }
}

impl EntryRole {
    fn of(entry: &Descriptor) -> Self {
        if entry.annotations.contains_key(ATTESTATION) {
            return Self::Attestation;
        }
        match entry.media_type.role() {
            Role::Index => Self::Index,
            Role::Manifest if is_image(entry) => Self::Image,
            _ => Self::Artifact,
        }
    }
}

fn is_image(entry: &Descriptor) -> bool {
    let other = entry.artifact_type.as_ref().is_some_and(|kind| kind.role() != Role::Config);
    !other && !entry.platform.as_ref().is_some_and(Platform::is_unknown)
}

impl BaseImage {
    /// The manifest's annotations, else those of the index, else the labels.
    fn of(image: &Image, index: Option<&Parsed<Index>>) -> Option<Self> {
        let places = [
            Some(&image.manifest.value.annotations),
            index.map(|index| &index.value.annotations),
            Some(&image.config.execution.labels),
        ];
        let base = |place: &BTreeMap<String, String>| Self {
            name: place.get(BASE_NAME).cloned(),
            digest: place.get(BASE_DIGEST).cloned(),
        };
        places.into_iter().flatten().map(base).find(|base| *base != Self::default())
    }
}

/// Set by BuildKit on the manifests of attestations.
const ATTESTATION: &str = "vnd.docker.reference.type";
