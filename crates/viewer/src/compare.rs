//! Twins of the comparison of two images.

use crate::{
    listing,
    protocol::{
        ChangeSums, ChangedFile, ChangedSetting, ChangedStep, ComparedFiles, ComparisonFacts, HistoryEntry, ImageLayer,
        ImageSummary, LayerRelation, MatchedLayer,
    },
};
use porthole_core::{
    image::diff::{self, HistoryChange, LayerMatch, LayerPair, SettingChange},
    path,
    tree::{FileTree, Mode, Row, View},
};
use porthole_inspect::compare::{FileComparison, FileSums, is_unsure};

/// Twin of the comparison of documents. `diff` is `None` if both have the same manifest.
pub(crate) fn documents(
    given: &str,
    before: &ImageSummary,
    after: &ImageSummary,
    diff: Option<&diff::Diff>,
) -> ComparisonFacts {
    let layer =
        |image: &ImageSummary, index: Option<u32>| -> Option<ImageLayer> { image.layers.get(index? as usize).cloned() };
    let step =
        |image: &ImageSummary, place: Option<usize>| -> Option<HistoryEntry> { image.history.get(place?).cloned() };
    let matched = |pair: &LayerPair| MatchedLayer {
        relation: match pair.state {
            LayerMatch::Same => LayerRelation::Same,
            LayerMatch::Recompressed => LayerRelation::Recompressed,
            LayerMatch::Removed => LayerRelation::Removed,
            LayerMatch::Added => LayerRelation::Added,
        },
        before: layer(before, pair.before),
        after: layer(after, pair.after),
    };
    let changed = |change: &HistoryChange| ChangedStep {
        before: step(before, change.before),
        after: step(after, change.after),
        fields: change.fields.iter().map(|&field| field.into()).collect(),
    };
    let settings = |document: &'static str, changes: &[SettingChange]| -> Vec<ChangedSetting> {
        changes.iter().map(|change| setting(document, change)).collect()
    };
    let mut facts = ComparisonFacts {
        given: given.into(),
        resolved: after.pinned.clone(),
        platform: after.platform.clone(),
        same: diff.is_none(),
        settings: Vec::new(),
        history: Vec::new(),
        layers: Vec::new(),
        shared: before.layers.len() as u32,
        download: 0,
        files: ComparedFiles::Nothing,
    };
    if let Some(diff) = diff {
        facts.settings = settings("manifest", &diff.manifest);
        facts.settings.extend(settings("config", &diff.config));
        facts.history = diff.history.iter().map(changed).collect();
        facts.layers = diff.layers.pairs.iter().map(matched).collect();
        (facts.shared, facts.download) = (diff.layers.shared, diff.layers.download);
    }
    facts
}

/// Twin of the comparison of files.
pub(crate) fn files(
    trees: [&FileTree; 2],
    compared: &FileComparison,
    fetched: u64,
    missing: [Vec<u32>; 2],
) -> ComparedFiles {
    let [before, after] = trees.map(|tree| tree.view(Mode::Merged));
    let row = |view: &View<'_>, node: Option<_>| -> Option<Row> { view.row(node?) };
    let changed = |found: &porthole_core::tree::Difference| ChangedFile {
        path: path::escape(&found.path).into_owned(),
        aspects: found.aspects.iter().map(|aspect| aspect.name().into()).collect(),
        before: row(&before, found.before).map(|row| listing::twin(&row, false)),
        after: row(&after, found.after).map(|row| listing::twin(&row, false)),
    };
    let certain = compared.differences.iter().filter(|found| !is_unsure(found));
    let FileSums { added, added_bytes, removed, removed_bytes, changed: both, grown_bytes, shrunk_bytes, unsure } =
        compared.sums;
    let sums =
        ChangeSums { added, added_bytes, removed, removed_bytes, changed: both, grown_bytes, shrunk_bytes, unsure };
    let [missing_before, missing_after] = missing;
    ComparedFiles::Done {
        sums,
        rows: certain.take(SENT).map(changed).collect(),
        total: added + removed + both,
        fetched,
        missing_before,
        missing_after,
    }
}

fn setting(document: &str, change: &SettingChange) -> ChangedSetting {
    let text = |value: &Option<diff::Value>| value.as_ref().map(ToString::to_string);
    ChangedSetting {
        document: document.into(),
        key: change.key.clone(),
        name: change.name.clone(),
        before: text(&change.before),
        after: text(&change.after),
    }
}

/// Most differences that are sent.
const SENT: usize = 5000;
