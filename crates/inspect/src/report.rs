//! What the command line prints with `--json`. Scripts and the page's "Save JSON" rely on it: it changes only by additions.

mod files;
pub mod json;
mod referrers;

use serde_json::{Value, json};

pub use self::{
    files::{EntryReport, FileReport, ReportedMeta, ReportedPath},
    referrers::{ReferrerReport, Via},
};

/// A tag or a repository in a list, as `porthole tags --json` and `porthole catalog --json` print it.
pub fn listed_name(field: &str, name: &str) -> Value {
    json!({ field: name })
}
