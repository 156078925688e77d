//! What the command line prints with `--json`. Scripts and the page's "Save JSON" rely on it: it changes only by additions.

mod differences;
mod files;
mod findings;
mod hits;
pub mod json;
mod overview;
mod referrers;
mod waste;

use serde_json::{Value, json};

pub use self::{
    differences::{
        DifferenceChange, DifferenceRow, FileDifferenceRow, HistoryRow, HistoryStep, LayerRow, LayerRowBlob, LayersRow,
        SeenFile, SeenRow, SettingRow,
    },
    files::{EntryReport, FileReport, ReportedMeta, ReportedPath},
    findings::FindingReport,
    hits::SearchRow,
    overview::{
        ArtifactReport, BaseReport, ComparedBase, ExecutionReport, HistoryReport, IndexEntryReport, OverviewReport,
        ReportedBlob, ReportedLayer, ReportedSizes, ReportedUnpacked,
    },
    referrers::{ReferrerReport, Via},
    waste::{
        AnalysisReport, AnalyzedLayer, AnalyzedPath, AnalyzedSizes, AnalyzedWaste, CausedWaste, CopiesReport,
        OwnedPath, ReportedWhatIf, WASTED_PATHS,
    },
};

/// A tag or a repository in a list, as `porthole tags --json` and `porthole catalog --json` print it.
pub fn listed_name(field: &str, name: &str) -> Value {
    json!({ field: name })
}
