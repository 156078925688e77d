//! Ambiguities of one layer, which readers may interpret differently, as JSON and as text.

use porthole_core::tree::Ambiguity;
use porthole_inspect::{
    report::ReportedPath,
    verify::{Doubt, LayerDoubts},
};
use serde::Serialize;

/// [`LayerDoubts`] as JSON.
#[derive(Default, Serialize)]
pub(super) struct Doubts {
    #[serde(skip_serializing_if = "is_zero")]
    ambiguous: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ambiguities: Vec<AmbiguityReport>,
    #[serde(skip_serializing_if = "is_zero")]
    after_end: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    contradiction: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unchecked: Option<String>,
}

/// An entry or a path that readers interpret differently, and why.
#[derive(Serialize)]
struct AmbiguityReport {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
    reason: String,
    level: Level,
}

/// The step in which readers differ.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// Reading the archive.
    Archive,
    /// Unpacking the archive.
    Tree,
}

impl Doubts {
    pub(super) fn of(doubts: &LayerDoubts) -> Self {
        Self {
            ambiguous: doubts.ambiguous,
            ambiguities: doubts.named.iter().map(AmbiguityReport::of).collect(),
            after_end: doubts.after_end,
            contradiction: doubts.contradiction.as_ref().map(ToString::to_string),
            unchecked: doubts.unchecked.as_ref().map(ToString::to_string),
        }
    }

    /// The doubts as text, one a line.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        lines.extend(self.contradiction.clone());
        if self.after_end > 0 {
            lines.push(format!("{} bytes after the end of the archive are more than padding", self.after_end));
        }
        lines.extend(self.unchecked.as_ref().map(|reason| format!("not checked whether it unpacks: {reason}")));
        for AmbiguityReport { path, reason, level, .. } in &self.ambiguities {
            let level = if *level == Level::Archive { "readers differ" } else { "runtimes differ" };
            lines.push(format!("{level}: {path}: {reason}"));
        }
        match self.ambiguous - self.ambiguities.len() as u64 {
            0 => {}
            more => lines.push(format!("and {more} more")),
        }
        lines
    }
}

impl AmbiguityReport {
    fn of(doubt: &Doubt) -> Self {
        let ReportedPath { path, path_b64 } = ReportedPath::of(&doubt.path);
        let level = if matches!(doubt.reason, Ambiguity::Archive(_)) { Level::Archive } else { Level::Tree };
        let reason = doubt.reason.to_string();
        Self { path: path.into_owned(), path_b64, reason, level }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
