//! The report of an image as data.

use std::collections::BTreeMap;

use porthole_core::{
    config::{Execution, History},
    descriptor::Descriptor,
    image::Layer,
    layer::LayerNumber,
    manifest::Document,
    platform::available,
};
use porthole_inspect::resolve::ResolvedImage;
use serde::Serialize;

use super::Unpacked;
use crate::source::Spec;

#[derive(Serialize)]
pub(super) struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
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
    pub(super) sizes: Sizes,
    pub(super) layers: Vec<LayerReport>,
    pub(super) execution: ExecutionReport,
    pub(super) history: Vec<HistoryReport>,
    pub(super) annotations: BTreeMap<String, String>,
    /// Where the documents depart from the specification.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) deviations: Vec<String>,
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
    pub(super) unpacked: Option<u64>,
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
    pub(super) fn of(spec: &Spec, resolved: &ResolvedImage, unpacked: Option<&Unpacked>) -> Self {
        let image = &resolved.image;
        let (index, platforms, entries) = match &resolved.index {
            Some(Document::Index(index)) => {
                let entries = &index.value.manifests;
                (
                    Some(named(&index.raw.digest().to_string(), index.media_type.as_str(), index.raw.size())),
                    available(entries).iter().map(ToString::to_string).collect(),
                    entries.iter().map(|entry| listed(entry, resolved.chosen.as_ref() == Some(entry))).collect(),
                )
            }
            _ => (None, Vec::new(), Vec::new()),
        };
        let manifest = &image.manifest;
        let config = &manifest.value.config;
        let layer = |(place, layer): (usize, &Layer)| LayerReport {
            layer: LayerNumber::of_index(layer.index),
            blob: named(
                &layer.descriptor.digest.to_string(),
                layer.descriptor.media_type.as_str(),
                layer.descriptor.size,
            ),
            diff_id: layer.diff_id.map(|diff_id| diff_id.to_string()),
            created_by: layer.created_by.clone(),
            encrypted: layer
                .descriptor
                .media_type
                .is_encrypted()
                .then(|| layer.descriptor.encryption_schemes().into_iter().map(str::to_owned).collect()),
            unpacked: unpacked.and_then(|unpacked| unpacked.layers.get(place)).map(|(known, summary)| UnpackedLayer {
                unpacked: known.uncompressed(),
                entries: known.entries(),
                added: summary.added,
                modified: summary.modified,
                removed: summary.removed,
            }),
        };
        Self {
            reference: match spec {
                Spec::Registry(reference) => Some(reference.to_string()),
                _ => None,
            },
            index,
            platforms,
            entries,
            manifest: named(&manifest.raw.digest().to_string(), manifest.media_type.as_str(), manifest.raw.size()),
            config: named(&config.digest.to_string(), config.media_type.as_str(), config.size),
            artifact_type: manifest.value.artifact_type.as_ref().map(ToString::to_string),
            platform: image.config.platform.as_ref().map(ToString::to_string),
            created: image.config.created.clone(),
            author: image.config.author.clone(),
            sizes: Sizes {
                download: image.download_size(),
                unpacked: unpacked.map(|unpacked| {
                    unpacked.layers.iter().fold(0, |sum, (known, _)| u64::saturating_add(sum, known.uncompressed()))
                }),
                visible: unpacked.map(|unpacked| unpacked.visible),
            },
            layers: image.layers.iter().enumerate().map(layer).collect(),
            execution: execution(&image.config.execution),
            history: image.config.history.iter().map(history).collect(),
            annotations: manifest.value.annotations.clone(),
            deviations: image.deviations().iter().map(ToString::to_string).collect(),
        }
    }
}

fn named(digest: &str, media_type: &str, size: u64) -> Named {
    Named { digest: digest.to_owned(), media_type: media_type.to_owned(), size }
}

fn listed(entry: &Descriptor, chosen: bool) -> EntryReport {
    EntryReport {
        named: named(&entry.digest.to_string(), entry.media_type.as_str(), entry.size),
        platform: entry.platform.as_ref().map(ToString::to_string),
        artifact_type: entry.artifact_type.as_ref().map(ToString::to_string),
        annotations: entry.annotations.clone(),
        chosen,
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
