//! An image, as `porthole inspect --json` prints it.

use super::FindingReport;
use crate::{
    artifact::{ArtifactFact, foreign},
    base::BaseBoundary,
    overview::{BaseImage, DocumentName, EntryRole, IndexEntry, LayerOverview, Overview},
    resolve::ResolvedImage,
};
use porthole_core::{
    config::{Execution, History},
    image::Image,
    layer::LayerNumber,
    path,
    reference::Reference,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// An image: its documents, its configuration, its layers, and what is worth knowing.
#[derive(Serialize)]
pub struct OverviewReport {
    /// The reference as it was given, for an image of a registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The reference with the digest of the document that it stood for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<String>,
    /// The index, if the name stands for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<ReportedBlob>,
    /// Platforms of the index.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
    /// Everything that the index lists: images, attestations, artifacts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entries: Vec<IndexEntryReport>,
    /// The manifest of the platform.
    pub manifest: ReportedBlob,
    /// The configuration of the image.
    pub config: ReportedBlob,
    /// The artifact type in the manifest, if it states one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Kind and facts of the artifact, if the image is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<ArtifactReport>,
    /// `os/architecture[/variant]`, as the index or the configuration has it.
    pub platform: Option<String>,
    /// Time of creation, as the configuration states it.
    pub created: Option<String>,
    /// The author, as the configuration states it.
    pub author: Option<String>,
    /// The image that it was built on, as its builder stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseReport>,
    /// Sizes of the download, of the unpacked layers and of the visible files.
    pub sizes: ReportedSizes,
    /// Layers, bottom first.
    pub layers: Vec<ReportedLayer>,
    /// How a container is started.
    pub execution: ExecutionReport,
    /// History, oldest first.
    pub history: Vec<HistoryReport>,
    /// Annotations of the manifest.
    pub annotations: BTreeMap<String, String>,
    /// Annotations of the index.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub index_annotations: BTreeMap<String, String>,
    /// Where the documents depart from the specification.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deviations: Vec<String>,
    /// What is worth knowing. Findings about layers need `--full`.
    pub findings: Vec<FindingReport>,
}

/// What an artifact is.
#[derive(Serialize)]
pub struct ArtifactReport {
    /// One word: see [`ArtifactKind::name`](crate::artifact::ArtifactKind::name).
    pub kind: &'static str,
    /// The kind in a few words, for a person.
    #[serde(skip)]
    pub words: &'static str,
    /// What its configuration says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<ArtifactFact>,
}

/// The image that another was built on.
#[derive(Serialize)]
pub struct BaseReport {
    /// Its reference, as stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The digest of its manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The image that it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compared: Option<ComparedBase>,
}

/// An image, compared with another that may have been built on it.
#[derive(Clone, Debug, Serialize)]
pub struct ComparedBase {
    /// Its name, as it was given.
    pub reference: String,
    /// Digest of its manifest.
    pub digest: String,
    /// How many of the lowest layers unpack to the same in both.
    pub shared: u32,
    /// How many layers it has.
    pub layers: u32,
    /// Whether the image has all of them below its own.
    pub proved: bool,
}

impl ComparedBase {
    /// Compares the layers of an image with those of a base.
    pub fn of(reference: String, image: &Image, base: &Image) -> Self {
        Self::at(reference, base.manifest.raw.digest().to_string(), BaseBoundary::of(image, base))
    }

    /// Makes the report from the digest of the base's manifest and the number of layers in common.
    pub fn at(reference: String, digest: String, boundary: BaseBoundary) -> Self {
        let BaseBoundary { shared, layers } = boundary;
        Self { reference, digest, shared, layers, proved: boundary.is_proved() }
    }
}

/// A blob by its descriptor.
#[derive(Serialize)]
pub struct ReportedBlob {
    /// Digest of the bytes.
    pub digest: String,
    /// Media type, as declared.
    pub media_type: String,
    /// Size in bytes.
    pub size: u64,
}

/// An entry of an index.
#[derive(Serialize)]
pub struct IndexEntryReport {
    /// Digest, media type and size of the document that it leads to.
    #[serde(flatten)]
    pub named: ReportedBlob,
    /// Its platform, if it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// What it leads to: image, attestation, index or artifact.
    pub role: &'static str,
    /// Its artifact type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Annotations of the entry.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Whether the image that is shown comes from this entry.
    pub chosen: bool,
}

/// Sizes in bytes. `unpacked` and `visible` are known once all layers are read.
#[derive(Serialize)]
pub struct ReportedSizes {
    /// The blobs of all layers.
    pub download: u64,
    /// The archives of all layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unpacked: Option<u64>,
    /// The files that a container sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visible: Option<u64>,
}

/// A layer as the documents state it.
#[derive(Serialize)]
pub struct ReportedLayer {
    /// Its number, from 1.
    pub layer: LayerNumber,
    /// The compressed bytes, by descriptor.
    #[serde(flatten)]
    pub blob: ReportedBlob,
    /// Digest of its archive.
    pub diff_id: Option<String>,
    /// The instruction that made it.
    pub created_by: Option<String>,
    /// The blob of an artifact as a file, escaped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What the first bytes of that blob say, once it is read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<ArtifactFact>,
    /// Addresses of a foreign layer, which registries need not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urls: Option<Vec<String>>,
    /// How the key of an encrypted layer is wrapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypted: Option<Vec<String>>,
    /// Whether it is proved that the layer belongs to the base image.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub base: bool,
    /// What was found in it, once it is read.
    #[serde(flatten)]
    pub unpacked: Option<ReportedUnpacked>,
}

/// What was found in a layer.
#[derive(Serialize)]
pub struct ReportedUnpacked {
    /// Bytes of its archive.
    pub unpacked: u64,
    /// Entries of its archive.
    pub entries: u64,
    /// Paths that it added.
    pub added: u64,
    /// Paths that it modified.
    pub modified: u64,
    /// Paths that it removed.
    pub removed: u64,
}

/// How a container is started.
#[derive(Serialize)]
pub struct ExecutionReport {
    /// User and group; empty if none is named.
    pub user: String,
    /// Variables, as `NAME=VALUE`.
    pub env: Vec<String>,
    /// Entrypoint, word by word.
    pub entrypoint: Vec<String>,
    /// Command, word by word.
    pub cmd: Vec<String>,
    /// Directory in which it starts.
    pub working_dir: String,
    /// Ports, as `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Paths that are volumes.
    pub volumes: Vec<String>,
    /// Signal that stops it.
    pub stop_signal: Option<String>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
}

/// An entry of the history.
#[derive(Serialize)]
pub struct HistoryReport {
    /// When it was made, as stated.
    pub created: Option<String>,
    /// The instruction, as stated.
    pub created_by: Option<String>,
    /// Who made it, as stated.
    pub author: Option<String>,
    /// A comment of the builder.
    pub comment: Option<String>,
    /// Whether the step made no layer.
    pub empty_layer: bool,
}

impl OverviewReport {
    /// The report of an image. `reference`: as it was given, if it is one of a registry.
    pub fn of(reference: Option<&Reference>, resolved: &ResolvedImage, overview: Overview) -> Self {
        let image = &resolved.image;
        let digests = image.blob_digests();
        let root = overview.index.as_ref().unwrap_or(&overview.manifest);
        Self {
            reference: reference.map(ToString::to_string),
            resolved: reference.map(|reference| reference.with_digest(root.digest).to_string()),
            index: overview.index.as_ref().map(ReportedBlob::of),
            platforms: overview.platforms.iter().map(ToString::to_string).collect(),
            entries: overview.entries.into_iter().map(IndexEntryReport::of).collect(),
            manifest: ReportedBlob::of(&overview.manifest),
            config: ReportedBlob::of(&overview.config),
            artifact_type: overview.artifact_type.as_ref().map(ToString::to_string),
            artifact: overview.artifact.map(|artifact| ArtifactReport {
                kind: artifact.kind.name(),
                words: artifact.kind.words(),
                facts: artifact.facts,
            }),
            platform: overview.platform.as_ref().map(ToString::to_string),
            created: image.config.created.clone(),
            author: image.config.author.clone(),
            base: overview.base.map(|BaseImage { name, digest }| BaseReport { name, digest, compared: None }),
            sizes: ReportedSizes {
                download: overview.sizes.download,
                unpacked: overview.sizes.unpacked,
                visible: overview.sizes.visible,
            },
            layers: overview.layers.into_iter().map(ReportedLayer::of).collect(),
            execution: execution(&image.config.execution),
            history: image.config.history.iter().map(history).collect(),
            annotations: image.manifest.value.annotations.clone(),
            index_annotations: overview.index_annotations,
            deviations: overview.deviations.iter().map(ToString::to_string).collect(),
            findings: overview.findings.iter().map(|finding| FindingReport::of(finding, &digests)).collect(),
        }
    }
}

impl OverviewReport {
    /// Adds an image that this one may have been built on. Where that is proved, its layers are marked.
    pub fn compare_with(&mut self, base: ComparedBase) {
        if base.proved {
            self.layers.iter_mut().take(base.layers as usize).for_each(|layer| layer.base = true);
        }
        let empty = BaseReport { name: None, digest: None, compared: None };
        self.base.get_or_insert(empty).compared = Some(base);
    }
}

impl ReportedBlob {
    fn of(name: &DocumentName) -> Self {
        Self { digest: name.digest.to_string(), media_type: name.media_type.to_string(), size: name.size }
    }
}

impl IndexEntryReport {
    fn of(entry: IndexEntry) -> Self {
        let IndexEntry { descriptor, role, chosen } = entry;
        Self {
            platform: descriptor.platform.as_ref().map(ToString::to_string),
            role: match role {
                EntryRole::Image => "image",
                EntryRole::Attestation => "attestation",
                EntryRole::Index => "index",
                EntryRole::Artifact => "artifact",
            },
            artifact_type: descriptor.artifact_type.as_ref().map(ToString::to_string),
            annotations: descriptor.annotations,
            chosen,
            named: ReportedBlob {
                digest: descriptor.digest.to_string(),
                media_type: descriptor.media_type.to_string(),
                size: descriptor.size,
            },
        }
    }
}

impl ReportedLayer {
    fn of(of: LayerOverview) -> Self {
        let LayerOverview { layer, contents, facts } = of;
        let descriptor = &layer.descriptor;
        let schemes = || descriptor.encryption_schemes().into_iter().map(str::to_owned).collect();
        Self {
            layer: LayerNumber::of_index(layer.index),
            diff_id: layer.diff_id.map(|diff_id| diff_id.to_string()),
            file: layer.file.as_deref().map(|name| path::escape(name.as_bytes()).into_owned()),
            facts,
            urls: foreign(descriptor).map(<[String]>::to_vec),
            encrypted: descriptor.media_type.is_encrypted().then(schemes),
            blob: ReportedBlob {
                digest: descriptor.digest.to_string(),
                media_type: descriptor.media_type.to_string(),
                size: descriptor.size,
            },
            created_by: layer.created_by,
            base: false,
            unpacked: contents.map(|contents| ReportedUnpacked {
                unpacked: contents.uncompressed,
                entries: contents.entries,
                added: contents.summary.added,
                modified: contents.summary.modified,
                removed: contents.summary.removed,
            }),
        }
    }
}

fn execution(execution: &Execution) -> ExecutionReport {
    let execution = execution.clone();
    ExecutionReport {
        user: execution.user,
        env: execution.env,
        entrypoint: execution.entrypoint,
        cmd: execution.cmd,
        working_dir: execution.working_dir,
        exposed_ports: execution.exposed_ports,
        volumes: execution.volumes,
        stop_signal: execution.stop_signal,
        labels: execution.labels,
    }
}

fn history(entry: &History) -> HistoryReport {
    let entry = entry.clone();
    HistoryReport {
        created: entry.created,
        created_by: entry.created_by,
        author: entry.author,
        comment: entry.comment,
        empty_layer: entry.empty_layer,
    }
}
