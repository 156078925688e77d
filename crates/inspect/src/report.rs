//! What the command line prints with `--json`. Scripts and the page's "Save JSON" rely on it: it changes only by additions.

mod files;
pub mod json;
mod referrers;

pub use self::{
    files::{EntryReport, FileReport, ReportedMeta, ReportedPath, kind},
    referrers::{ReferrerReport, Via},
};
