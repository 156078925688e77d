//! The report of waste as data.

use porthole_core::{
    layer::LayerNumber,
    tree::{Copies, FileTree, Group, LayerWaste, NodeId},
};
use porthole_inspect::{
    report::ReportedPath,
    waste::{LayerShare, WasteReport},
};
use serde::Serialize;

use super::{Arguments, thresholds::Check};

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) sizes: Sizes,
    pub(super) efficiency: f64,
    /// What the figure means, for readers of a log.
    pub(super) efficiency_definition: &'static str,
    pub(super) wasted: Wasted,
    pub(super) layers: Vec<LayerReport>,
    /// The biggest, or all of them if there are no more.
    pub(super) wasted_paths: Vec<Path>,
    /// How many there are in all.
    pub(super) wasted_paths_total: usize,
    pub(super) copies: Vec<CopiesReport>,
    pub(super) copies_total: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) thresholds: Vec<Check>,
    #[serde(skip)]
    pub(super) only: Option<u32>,
}

/// Bytes.
#[derive(Serialize)]
pub(super) struct Sizes {
    /// Of the blobs; of a bare layer, of its file.
    pub(super) download: u64,
    /// Of the archives.
    pub(super) unpacked: u64,
    /// Of the regular files in all archives.
    pub(super) files: u64,
    /// Of the regular files that are there when all layers are stacked.
    pub(super) visible: u64,
}

#[derive(Serialize)]
pub(super) struct Wasted {
    pub(super) bytes: u64,
    /// Bytes of the blobs that hold them, estimated.
    pub(super) download: u64,
    /// Those, in percent of all blobs.
    pub(super) download_percent: f64,
}

#[derive(Serialize)]
pub(super) struct LayerReport {
    pub(super) layer: LayerNumber,
    pub(super) digest: Option<String>,
    pub(super) created_by: Option<String>,
    pub(super) download: u64,
    pub(super) unpacked: u64,
    pub(super) files: u64,
    /// Bytes that this layer brings and that are wasted.
    pub(super) wasted: u64,
    pub(super) wasted_download: u64,
    /// Bytes of lower layers that this layer wastes.
    pub(super) wastes: Wastes,
}

#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Wastes {
    pub(super) bytes: u64,
    pub(super) deleted: u64,
    pub(super) overwritten: u64,
    pub(super) duplicated: u64,
    pub(super) metadata: u64,
}

#[derive(Serialize)]
pub(super) struct Path {
    #[serde(flatten)]
    pub(super) name: OwnedName,
    /// It stands for the files below it.
    pub(super) directory: bool,
    pub(super) cause: &'static str,
    /// In what the files that took their place differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) aspects: Vec<&'static str>,
    pub(super) brought_by: Vec<LayerNumber>,
    pub(super) wasted_by: LayerNumber,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) download: u64,
    /// Where the same bytes are visible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) elsewhere: Option<OwnedName>,
}

/// Files of the same content that are no hard links.
#[derive(Serialize)]
pub(super) struct CopiesReport {
    pub(super) bytes: u64,
    /// What hard links would save.
    pub(super) spare: u64,
    pub(super) paths: Vec<OwnedName>,
}

/// A path, as in `ls --json`.
#[derive(Serialize)]
pub(super) struct OwnedName {
    pub(super) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
}

impl OwnedName {
    fn of(bytes: &[u8]) -> Self {
        let ReportedPath { path, path_b64 } = ReportedPath::of(bytes);
        Self { path: path.into_owned(), path_b64 }
    }

    fn at(tree: &FileTree, node: NodeId) -> Self {
        Self::of(&tree.path(node))
    }
}

impl Report {
    pub(super) fn new(tree: &FileTree, report: WasteReport, only: Option<u32>, arguments: &Arguments) -> Self {
        let percent = report.download_percent();
        let WasteReport { download, unpacked, waste, layers, groups, copies, .. } = report;
        let concerns = |group: &Group| only.is_none_or(|layer| group.by == layer || group.layers.contains(&layer));
        let groups: Vec<Group> = groups.into_iter().filter(concerns).collect();
        // Copies are of no layer.
        let copies = if only.is_some() { Vec::new() } else { copies };
        Self {
            sizes: Sizes { download, unpacked, files: waste.all, visible: waste.visible },
            efficiency: waste.efficiency(),
            efficiency_definition: WasteReport::EFFICIENCY,
            wasted: Wasted { bytes: waste.wasted(), download: waste.download, download_percent: percent },
            layers: layers.into_iter().map(LayerReport::of).collect(),
            wasted_paths_total: groups.len(),
            wasted_paths: groups.iter().take(arguments.top).map(|group| Path::of(group, tree)).collect(),
            copies_total: copies.len(),
            copies: copies.iter().take(arguments.top).map(|copies| CopiesReport::of(copies, tree)).collect(),
            thresholds: arguments.thresholds.check(&waste, percent),
            only,
        }
    }

    /// The thresholds that are missed, in words.
    pub(super) fn failed(&self) -> Vec<String> {
        self.thresholds.iter().filter(|check| !check.passed).map(|check| check.words.clone()).collect()
    }
}

impl LayerReport {
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
            wastes: Wastes { bytes: wastes, deleted, overwritten, duplicated, metadata },
        }
    }
}

impl Path {
    fn of(group: &Group, tree: &FileTree) -> Self {
        Self {
            name: OwnedName::of(&group.path),
            directory: group.directory,
            cause: group.cause.name(),
            aspects: group.aspects.iter().map(|aspect| aspect.name()).collect(),
            brought_by: group.layers.iter().copied().map(LayerNumber::of_index).collect(),
            wasted_by: LayerNumber::of_index(group.by),
            files: group.files,
            bytes: group.size,
            download: group.download,
            elsewhere: group.elsewhere.map(|node| OwnedName::at(tree, node)),
        }
    }
}

impl CopiesReport {
    fn of(copies: &Copies, tree: &FileTree) -> Self {
        Self {
            bytes: copies.size,
            spare: copies.spare(),
            paths: copies.nodes.iter().map(|node| OwnedName::at(tree, *node)).collect(),
        }
    }
}
