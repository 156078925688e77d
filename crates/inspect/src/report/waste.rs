//! Waste, as `porthole analyze --json` prints it.

use super::ReportedPath;
use crate::{
    waste::{LayerShare, WasteReport},
    what_if::WhatIf,
};
use porthole_core::{
    layer::{BlobDigests, LayerNumber},
    quantity::size,
    tree::{Copies, FileTree, Group, LayerWaste, NodeId},
};
use serde::Serialize;

/// Wasted paths, and groups of copies, that are shown unless more are asked for.
pub const WASTED_PATHS: usize = 10;

/// The waste of an image.
#[derive(Serialize)]
pub struct AnalysisReport {
    /// Sums of all layers.
    pub sizes: AnalyzedSizes,
    /// Visible bytes of files divided by the bytes of files in all layers.
    pub efficiency: f64,
    /// How `efficiency` is defined, for readers of a log.
    pub efficiency_definition: &'static str,
    /// Sums of wasted bytes.
    pub wasted: AnalyzedWaste,
    /// Layers, bottom first.
    pub layers: Vec<AnalyzedLayer>,
    /// The biggest wasted paths, as many as are shown.
    pub wasted_paths: Vec<AnalyzedPath>,
    /// Number of all wasted paths.
    pub wasted_paths_total: usize,
    /// Same content at several paths, largest saving first.
    pub copies: Vec<CopiesReport>,
    /// Number of all such contents.
    pub copies_total: usize,
    /// Other ways to build the image, the largest saving first. They are alternatives.
    pub what_if: Vec<ReportedWhatIf>,
}

/// A way to build an image, and what it saves.
#[derive(Serialize)]
pub struct ReportedWhatIf {
    /// `squash`, `squash-all`, `set-at-once` or `zstd`.
    pub change: &'static str,
    /// The change in words.
    pub text: String,
    /// The layer that hides or copies the files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<LayerNumber>,
    /// Digest of its blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_digest: Option<String>,
    /// The other layers that it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerNumber>,
    /// The digests of their blobs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers_digests: Vec<String>,
    /// Bytes of files that it saves.
    pub unpacked: u64,
    /// Bytes of the download that it saves, estimated.
    pub download: u64,
    /// Lower bound of `download`.
    pub download_least: u64,
    /// Upper bound of `download`.
    pub download_most: u64,
    /// The saving in words.
    #[serde(skip)]
    pub saves: String,
}

impl ReportedWhatIf {
    fn of(way: &WhatIf, digests: &BlobDigests) -> Self {
        Self {
            change: way.name(),
            text: way.words(),
            layer: way.layer().map(LayerNumber::of_index),
            layer_digest: way.layer().and_then(|layer| digests.find(layer)).map(str::to_owned),
            layers: way.others().iter().copied().map(LayerNumber::of_index).collect(),
            layers_digests: digests.all(way.others()),
            unpacked: way.unpacked,
            download: way.download.about,
            download_least: way.download.least,
            download_most: way.download.most,
            saves: way.saves(size),
        }
    }
}

/// Sums of all layers in bytes.
#[derive(Serialize)]
pub struct AnalyzedSizes {
    /// Bytes of the blobs; for a bare layer, of its file.
    pub download: u64,
    /// Bytes of the archives.
    pub unpacked: u64,
    /// Bytes of the regular files in all archives.
    pub files: u64,
    /// Bytes of the regular files in the tree of all layers.
    pub visible: u64,
}

/// Sums of wasted bytes.
#[derive(Serialize)]
pub struct AnalyzedWaste {
    /// Bytes of files.
    pub bytes: u64,
    /// Bytes of the blobs that hold them, estimated.
    pub download: u64,
    /// `download` in percent of all blobs.
    pub download_percent: f64,
}

/// Size and waste of a layer.
#[derive(Serialize)]
pub struct AnalyzedLayer {
    /// Its number, from 1.
    pub layer: LayerNumber,
    /// Digest of its blob.
    pub digest: Option<String>,
    /// The instruction that made it.
    pub created_by: Option<String>,
    /// Bytes of its blob.
    pub download: u64,
    /// Bytes of its archive.
    pub unpacked: u64,
    /// Bytes of its regular files.
    pub files: u64,
    /// Bytes that this layer brings and that are wasted.
    pub wasted: u64,
    /// Bytes of its blob that hold them, estimated.
    pub wasted_download: u64,
    /// Bytes of lower layers that this layer wastes.
    pub wastes: CausedWaste,
}

/// Bytes that a layer wastes, by cause.
#[derive(Clone, Copy, Default, Serialize)]
pub struct CausedWaste {
    /// Bytes of all causes.
    pub bytes: u64,
    /// Bytes of files that it deleted.
    pub deleted: u64,
    /// Bytes of files that it wrote over.
    pub overwritten: u64,
    /// Bytes of files that it wrote again, with the same content.
    pub duplicated: u64,
    /// Bytes of files that it copied to change mode, owner or attributes.
    pub metadata: u64,
}

/// Wasted contents at one path, hidden by one layer for one cause.
#[derive(Serialize)]
pub struct AnalyzedPath {
    /// Path of the file or directory.
    #[serde(flatten)]
    pub name: OwnedPath,
    /// Whether it is a directory that stands for the files below it.
    pub directory: bool,
    /// `deleted`, `overwritten`, `duplicated` or `metadata`.
    pub cause: &'static str,
    /// Aspects in which the files that replaced them differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aspects: Vec<&'static str>,
    /// Layers that brought them.
    pub brought_by: Vec<LayerNumber>,
    /// The digests of their blobs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub brought_by_digests: Vec<String>,
    /// The layer that hid them.
    pub wasted_by: LayerNumber,
    /// Digest of its blob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wasted_by_digest: Option<String>,
    /// How many files.
    pub files: u64,
    /// Bytes of those files.
    pub bytes: u64,
    /// Bytes of the blobs that hold them, estimated.
    pub download: u64,
    /// Where the same bytes are visible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<OwnedPath>,
}

/// Files of the same content that are not hard links.
#[derive(Serialize)]
pub struct CopiesReport {
    /// Bytes of one.
    pub bytes: u64,
    /// Bytes that hard links would save.
    pub spare: u64,
    /// Every path of the content.
    pub paths: Vec<OwnedPath>,
}

/// A path, as in `ls --json`.
#[derive(Serialize)]
pub struct OwnedPath {
    /// The path, escaped.
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
}

impl OwnedPath {
    fn of(bytes: &[u8]) -> Self {
        let ReportedPath { path, path_b64 } = ReportedPath::of(bytes);
        Self { path: path.into_owned(), path_b64 }
    }

    fn at(tree: &FileTree, node: NodeId) -> Self {
        Self::of(&tree.path(node))
    }
}

impl AnalysisReport {
    /// Selects what `porthole analyze` shows of a report: `top` wasted paths and groups of copies. With `only`, the
    /// wasted paths are those that this layer brought or hid, and there are no copies.
    pub fn of(tree: &FileTree, report: WasteReport, ways: &[WhatIf], top: usize, only: Option<u32>) -> Self {
        let about =
            |way: &&WhatIf| only.is_none_or(|layer| way.layer() == Some(layer) || way.others().contains(&layer));
        let percent = report.download_percent();
        let WasteReport { download, unpacked, waste, layers, groups, copies, .. } = report;
        let digests: BlobDigests = layers.iter().map(|share| share.digest).collect();
        let concerns = |group: &Group| only.is_none_or(|layer| group.by == layer || group.layers.contains(&layer));
        let groups: Vec<Group> = groups.into_iter().filter(concerns).collect();
        // Copies do not belong to one layer.
        let copies = if only.is_some() { Vec::new() } else { copies };
        Self {
            sizes: AnalyzedSizes { download, unpacked, files: waste.all, visible: waste.visible },
            efficiency: waste.efficiency(),
            efficiency_definition: WasteReport::EFFICIENCY,
            wasted: AnalyzedWaste { bytes: waste.wasted(), download: waste.download, download_percent: percent },
            layers: layers.into_iter().map(AnalyzedLayer::of).collect(),
            wasted_paths_total: groups.len(),
            wasted_paths: groups.iter().take(top).map(|group| AnalyzedPath::of(group, tree, &digests)).collect(),
            what_if: ways.iter().filter(about).map(|way| ReportedWhatIf::of(way, &digests)).collect(),
            copies_total: copies.len(),
            copies: copies.iter().take(top).map(|copies| CopiesReport::of(copies, tree)).collect(),
        }
    }
}

impl AnalyzedLayer {
    fn of(share: LayerShare) -> Self {
        let LayerWaste { bytes, wasted, download, wastes, deleted, overwritten, duplicated, metadata, .. } =
            share.waste;
        Self {
            layer: LayerNumber::of_index(share.layer),
            digest: share.digest.map(|digest| digest.to_string()),
            created_by: share.created_by,
            download: share.download,
            unpacked: share.unpacked,
            files: bytes,
            wasted,
            wasted_download: download,
            wastes: CausedWaste { bytes: wastes, deleted, overwritten, duplicated, metadata },
        }
    }
}

impl AnalyzedPath {
    fn of(group: &Group, tree: &FileTree, digests: &BlobDigests) -> Self {
        Self {
            name: OwnedPath::of(&group.path),
            directory: group.directory,
            cause: group.cause.name(),
            aspects: group.aspects.iter().map(|aspect| aspect.name()).collect(),
            brought_by: group.layers.iter().copied().map(LayerNumber::of_index).collect(),
            brought_by_digests: digests.all(&group.layers),
            wasted_by: LayerNumber::of_index(group.by),
            wasted_by_digest: digests.find(group.by).map(str::to_owned),
            files: group.files,
            bytes: group.size,
            download: group.download,
            elsewhere: group.elsewhere.map(|node| OwnedPath::at(tree, node)),
        }
    }
}

impl CopiesReport {
    fn of(copies: &Copies, tree: &FileTree) -> Self {
        Self {
            bytes: copies.size,
            spare: copies.spare(),
            paths: copies.nodes.iter().map(|node| OwnedPath::at(tree, *node)).collect(),
        }
    }
}
