//! Twins of the report on waste.

use crate::{
    protocol::{CopiedContent, LayerWasteFacts, WasteFacts, WastedPath, WhatIfFact},
    summary,
};
use porthole_core::{
    path,
    tree::{Copies, FileTree, Group, NodeId, Waste},
};
use porthole_inspect::{
    waste::{LayerShare, WasteReport},
    what_if::WhatIf,
};

/// Twin of a report.
pub(crate) fn facts(tree: &FileTree, report: &WasteReport, ways: &[WhatIf], missing: Vec<u32>) -> WasteFacts {
    let Waste { all, visible, download, .. } = report.waste;
    WasteFacts {
        download: report.download,
        unpacked: report.unpacked,
        files: all,
        visible,
        wasted: report.waste.wasted(),
        wasted_download: download,
        efficiency: report.waste.efficiency(),
        definition: WasteReport::EFFICIENCY.into(),
        compared: report.compared,
        layers: report.layers.iter().map(layer).collect(),
        paths: report.groups.iter().take(SENT).map(|group| wasted(tree, group)).collect(),
        paths_total: report.groups.len() as u64,
        copies: report.copies.iter().take(SENT).map(|copies| copied(tree, copies)).collect(),
        copies_total: report.copies.len() as u64,
        what_if: ways.iter().map(what_if).collect(),
        missing,
    }
}

fn what_if(way: &WhatIf) -> WhatIfFact {
    WhatIfFact {
        change: way.name().into(),
        text: way.words(),
        layer: way.layer(),
        unpacked: way.unpacked,
        download: way.download.about,
        least: way.download.least,
        most: way.download.most,
    }
}

fn layer(share: &LayerShare) -> LayerWasteFacts {
    let of = &share.waste;
    LayerWasteFacts {
        layer: share.layer,
        digest: share.digest.map(|digest| digest.to_string()),
        instruction: share.created_by.as_deref().map(summary::instruction),
        download: share.download,
        unpacked: share.unpacked,
        files: of.bytes,
        wasted: of.wasted,
        wasted_download: of.download,
        wastes: of.wastes,
        deleted: of.deleted,
        overwritten: of.overwritten,
        duplicated: of.duplicated,
        metadata: of.metadata,
    }
}

fn wasted(tree: &FileTree, group: &Group) -> WastedPath {
    WastedPath {
        path: path::escape(&group.path).into_owned(),
        directory: group.directory,
        cause: group.cause.name().into(),
        aspects: group.aspects.iter().map(|aspect| aspect.name().into()).collect(),
        brought_by: group.layers.clone(),
        wasted_by: group.by,
        files: group.files,
        bytes: group.size,
        download: group.download,
        elsewhere: group.elsewhere.map(|node| escaped(tree, node)),
    }
}

fn copied(tree: &FileTree, copies: &Copies) -> CopiedContent {
    CopiedContent {
        bytes: copies.size,
        spare: copies.spare(),
        paths: copies.nodes.iter().take(NAMED).map(|node| escaped(tree, *node)).collect(),
        count: copies.nodes.len() as u64,
    }
}

fn escaped(tree: &FileTree, node: NodeId) -> String {
    path::escape(&tree.path(node)).into_owned()
}

/// Wasted paths, and groups of copies, that are sent.
const SENT: usize = 1000;
/// Paths of a group of copies that are sent.
const NAMED: usize = 100;
