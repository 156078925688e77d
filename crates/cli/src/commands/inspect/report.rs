//! The report of an image as data.

use std::collections::BTreeMap;

use porthole_core::{
    config::{Execution, History},
    layer::LayerNumber,
    tree::{Aspects, Cause},
};
use porthole_inspect::{
    findings::ImageFinding,
    overview::{BaseImage, DocumentName, EntryRole, IndexEntry, LayerOverview, Overview},
    report::ReportedPath,
    resolve::ResolvedImage,
};
use serde::Serialize;

use crate::{source::Spec, ui::size};

#[derive(Serialize)]
pub(super) struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
    /// The same with the digest of what it named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resolved: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<Named>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) platforms: Vec<String>,
    /// Everything that the index lists: images, attestations, artifacts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) entries: Vec<EntryReport>,
    pub(super) manifest: Named,
    pub(super) config: Named,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    pub(super) platform: Option<String>,
    pub(super) created: Option<String>,
    pub(super) author: Option<String>,
    /// The image that it was built on, as its builder stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<BaseReport>,
    pub(super) sizes: Sizes,
    pub(super) layers: Vec<LayerReport>,
    pub(super) execution: ExecutionReport,
    pub(super) history: Vec<HistoryReport>,
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) index_annotations: BTreeMap<String, String>,
    /// Where the documents depart from the specification.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) deviations: Vec<String>,
    /// What is worth knowing. Those of the layers need `--full`.
    pub(super) findings: Vec<FindingReport>,
}

#[derive(Serialize)]
pub(super) struct BaseReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) digest: Option<String>,
}

/// A finding, in words and figures.
#[derive(Serialize)]
pub(in crate::commands) struct FindingReport {
    pub(in crate::commands) kind: &'static str,
    pub(in crate::commands) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Bytes of the blobs that hold them, estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    download: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) layer: Option<LayerNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aspects: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::commands) instruction: Option<String>,
}

/// A blob by its descriptor.
#[derive(Serialize)]
pub(super) struct Named {
    pub(super) digest: String,
    pub(super) media_type: String,
    pub(super) size: u64,
}

/// An entry of an index.
#[derive(Serialize)]
pub(super) struct EntryReport {
    #[serde(flatten)]
    pub(super) named: Named,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<String>,
    /// What it leads to: image, attestation, index or artifact.
    pub(super) role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artifact_type: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
    /// Whether the image that is shown comes from this entry.
    pub(super) chosen: bool,
}

/// Bytes. The latter two are known once all layers are read.
#[derive(Serialize)]
pub(super) struct Sizes {
    pub(super) download: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unpacked: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) visible: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct LayerReport {
    pub(super) layer: LayerNumber,
    #[serde(flatten)]
    pub(super) blob: Named,
    pub(super) diff_id: Option<String>,
    pub(super) created_by: Option<String>,
    /// How the key of an encrypted layer is wrapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encrypted: Option<Vec<String>>,
    #[serde(flatten)]
    pub(super) unpacked: Option<UnpackedLayer>,
}

#[derive(Serialize)]
pub(super) struct UnpackedLayer {
    pub(super) unpacked: u64,
    pub(super) entries: u64,
    pub(super) added: u64,
    pub(super) modified: u64,
    pub(super) removed: u64,
}

#[derive(Serialize)]
pub(super) struct ExecutionReport {
    pub(super) user: String,
    pub(super) env: Vec<String>,
    pub(super) entrypoint: Vec<String>,
    pub(super) cmd: Vec<String>,
    pub(super) working_dir: String,
    pub(super) exposed_ports: Vec<String>,
    pub(super) volumes: Vec<String>,
    pub(super) stop_signal: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Serialize)]
pub(super) struct HistoryReport {
    pub(super) created: Option<String>,
    pub(super) created_by: Option<String>,
    pub(super) author: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) empty_layer: bool,
}

impl Report {
    pub(super) fn of(spec: &Spec, resolved: &ResolvedImage, overview: Overview) -> Self {
        let image = &resolved.image;
        let root = overview.index.as_ref().unwrap_or(&overview.manifest);
        let (reference, pinned) = match spec {
            Spec::Registry(reference) => {
                (Some(reference.to_string()), Some(reference.with_digest(root.digest).to_string()))
            }
            _ => (None, None),
        };
        Self {
            reference,
            resolved: pinned,
            index: overview.index.as_ref().map(Named::of),
            platforms: overview.platforms.iter().map(ToString::to_string).collect(),
            entries: overview.entries.into_iter().map(EntryReport::of).collect(),
            manifest: Named::of(&overview.manifest),
            config: Named::of(&overview.config),
            artifact_type: overview.artifact_type.as_ref().map(ToString::to_string),
            platform: overview.platform.as_ref().map(ToString::to_string),
            created: image.config.created.clone(),
            author: image.config.author.clone(),
            base: overview.base.map(|BaseImage { name, digest }| BaseReport { name, digest }),
            sizes: Sizes {
                download: overview.sizes.download,
                unpacked: overview.sizes.unpacked,
                visible: overview.sizes.visible,
            },
            layers: overview.layers.into_iter().map(LayerReport::of).collect(),
            execution: execution(&image.config.execution),
            history: image.config.history.iter().map(history).collect(),
            annotations: image.manifest.value.annotations.clone(),
            index_annotations: overview.index_annotations,
            deviations: overview.deviations.iter().map(ToString::to_string).collect(),
            findings: overview.findings.iter().map(FindingReport::of).collect(),
        }
    }
}

impl Named {
    fn of(name: &DocumentName) -> Self {
        Self { digest: name.digest.to_string(), media_type: name.media_type.to_string(), size: name.size }
    }
}

impl EntryReport {
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
            named: Named {
                digest: descriptor.digest.to_string(),
                media_type: descriptor.media_type.to_string(),
                size: descriptor.size,
            },
        }
    }
}

impl LayerReport {
    fn of(of: LayerOverview) -> Self {
        let LayerOverview { layer, contents } = of;
        let descriptor = &layer.descriptor;
        let schemes = || descriptor.encryption_schemes().into_iter().map(str::to_owned).collect();
        Self {
            layer: LayerNumber::of_index(layer.index),
            diff_id: layer.diff_id.map(|diff_id| diff_id.to_string()),
            encrypted: descriptor.media_type.is_encrypted().then(schemes),
            blob: Named {
                digest: descriptor.digest.to_string(),
                media_type: descriptor.media_type.to_string(),
                size: descriptor.size,
            },
            created_by: layer.created_by,
            unpacked: contents.map(|contents| UnpackedLayer {
                unpacked: contents.uncompressed,
                entries: contents.entries,
                added: contents.summary.added,
                modified: contents.summary.modified,
                removed: contents.summary.removed,
            }),
        }
    }
}

impl FindingReport {
    /// A finding about a file, or about the image.
    pub(in crate::commands) fn new(kind: &'static str, text: String, layer: Option<u32>, path: Option<&[u8]>) -> Self {
        let (path, path_b64) = match path.map(ReportedPath::of) {
            Some(ReportedPath { path, path_b64 }) => (Some(path.into_owned()), path_b64),
            None => (None, None),
        };
        Self {
            kind,
            text,
            count: None,
            bytes: None,
            download: None,
            layer: layer.map(LayerNumber::of_index),
            path,
            path_b64,
            cause: None,
            aspects: Vec::new(),
            instruction: None,
        }
    }

    pub(in crate::commands) fn of(finding: &ImageFinding) -> Self {
        let target = finding.target();
        let (cause, aspects, instruction) = match finding {
            ImageFinding::MetadataCopies { aspects, instruction, .. } => (None, *aspects, instruction.clone()),
            ImageFinding::BiggestWaste { cause, .. } => (Some(Cause::name(*cause)), Aspects::NONE, None),
            _ => (None, Aspects::NONE, None),
        };
        let (path, path_b64) = match target.path.as_deref().map(ReportedPath::of) {
            Some(ReportedPath { path, path_b64 }) => (Some(path.into_owned()), path_b64),
            None => (None, None),
        };
        Self {
            kind: finding.name(),
            text: finding.words(size),
            count: finding.count(),
            bytes: finding.bytes().map(|(bytes, _)| bytes),
            download: finding.bytes().map(|(_, download)| download),
            layer: target.layer.map(LayerNumber::of_index),
            path,
            path_b64,
            cause,
            aspects: aspects.iter().map(|aspect| aspect.name()).collect(),
            instruction,
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
