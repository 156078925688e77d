//! Layers that are as promised, but not beyond doubt: what readers make different things of.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_core::{
    layer::{Finding, LayerReport},
    path,
    tar::Entry,
    tree::{Ambiguity as TreeAmbiguity, FileTree, Mode, WHITEOUT},
};
use serde::Serialize;

/// How many entries of a layer are named; the rest is counted.
const NAMED: usize = 1000;

/// What readers may disagree about in one layer.
#[derive(Default, Serialize)]
pub(super) struct Doubts {
    #[serde(skip_serializing_if = "is_zero")]
    ambiguous: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ambiguities: Vec<Ambiguity>,
    #[serde(skip_serializing_if = "is_zero")]
    after_end: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    contradiction: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unchecked: Option<String>,
}

/// An entry, or what became of it, and why readers split.
#[derive(Serialize)]
struct Ambiguity {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
    reason: String,
    level: Level,
}

/// Where readers split.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// In reading the archive.
    Archive,
    /// In unpacking it.
    Tree,
}

/// Collects what the entries of a layer tell.
#[derive(Default)]
pub(super) struct Collector {
    ambiguities: Vec<Ambiguity>,
    whiteouts: bool,
}

impl Collector {
    pub(super) fn add(&mut self, entry: &Entry) {
        let name = entry.path.rsplit(|&b| b == b'/').next().unwrap_or_default();
        self.whiteouts |= name.starts_with(WHITEOUT);
        if let Some(reason) = entry.ambiguous
            && self.ambiguities.len() < NAMED
        {
            self.ambiguities.push(Ambiguity::new(&entry.path, reason.to_string(), Level::Archive));
        }
    }

    /// At the end of the layer, before the tree is asked.
    pub(super) fn doubts(self, report: &LayerReport) -> Doubts {
        let contradiction = report.findings.iter().find(|finding| matches!(finding, Finding::Compression { .. }));
        Doubts {
            ambiguous: report.ambiguous,
            ambiguities: self.ambiguities,
            after_end: if report.after_end_data { report.after_end } else { 0 },
            contradiction: contradiction.map(ToString::to_string),
            unchecked: None,
        }
    }

    /// Only markers that hide something can make trees differ where archives do not.
    pub(super) fn has_whiteouts(&self) -> bool {
        self.whiteouts
    }
}

impl Doubts {
    /// Adds what readers make different trees of, once the layer is part of one.
    pub(super) fn add_tree(&mut self, tree: &FileTree, layer: u32) {
        for row in tree.view(Mode::Only(layer)).rows() {
            // Directories that only lead there are shown as other layers left them.
            let own = row.layer == layer || row.removed_by == Some(layer);
            match row.ambiguous.filter(|_| own) {
                None | Some(TreeAmbiguity::Archive(_)) => {}
                Some(reason) => {
                    self.ambiguous += 1;
                    if self.ambiguities.len() < NAMED {
                        self.ambiguities.push(Ambiguity::new(&row.path, reason.to_string(), Level::Tree));
                    }
                }
            }
        }
    }

    /// How many they are.
    pub(super) fn count(&self) -> u64 {
        let others = [self.after_end > 0, self.contradiction.is_some(), self.unchecked.is_some()];
        self.ambiguous + others.into_iter().map(u64::from).sum::<u64>()
    }

    /// Each in words.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        lines.extend(self.contradiction.clone());
        if self.after_end > 0 {
            lines.push(format!("{} bytes after the end of the archive are more than padding", self.after_end));
        }
        lines.extend(self.unchecked.as_ref().map(|reason| format!("not checked whether it unpacks: {reason}")));
        for Ambiguity { path, reason, level, .. } in &self.ambiguities {
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

impl Ambiguity {
    fn new(path: &[u8], reason: String, level: Level) -> Self {
        let text = path::escape(path);
        let path_b64 = matches!(text, std::borrow::Cow::Owned(_)).then(|| STANDARD.encode(path));
        Self { path: text.into_owned(), path_b64, reason, level }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
