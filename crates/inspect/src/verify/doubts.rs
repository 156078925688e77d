//! Layers that match their digests, but that readers or runtimes read differently.

use porthole_core::{
    layer::{Finding, LayerReport},
    tar,
    tree::{self, Ambiguity, FileTree, Mode, WHITEOUT},
};

/// Most entries of a layer that are listed by path; further ones are only counted.
const NAMED: usize = 1000;

/// What readers may disagree about in one layer.
#[derive(Clone, Debug, Default)]
pub struct LayerDoubts {
    /// How many entries readers treat differently.
    pub ambiguous: u64,
    /// The first 1000 of them.
    pub named: Vec<Doubt>,
    /// Bytes after the end of the archive, if they are more than padding; else 0.
    pub after_end: u64,
    /// The compression is another than the media type says.
    pub contradiction: Option<Finding>,
    /// The limit at which the check whether the layer unpacks ended.
    pub unchecked: Option<tree::Error>,
}

/// An entry that readers treat differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Its path, as the archive states it or cleaned.
    pub path: Vec<u8>,
    /// Where readers differ, and why: in reading the archive, or in unpacking it.
    pub reason: Ambiguity,
}

impl LayerDoubts {
    /// Counts the doubts: entries, data after the end, the contradiction, the check that was not made.
    pub fn count(&self) -> u64 {
        let others = [self.after_end > 0, self.contradiction.is_some(), self.unchecked.is_some()];
        self.ambiguous + others.into_iter().map(u64::from).sum::<u64>()
    }

    /// Adds the entries from which runtimes make different trees. The layer must be part of `tree`.
    pub(super) fn add_tree(&mut self, tree: &FileTree, layer: u32) {
        for row in tree.view(Mode::Only(layer)).rows() {
            // The view also has parent directories as other layers left them.
            let own = row.layer == layer || row.removed_by == Some(layer);
            match row.ambiguous.filter(|_| own) {
                None | Some(Ambiguity::Archive(_)) => {}
                Some(reason) => {
                    self.ambiguous += 1;
                    if self.named.len() < NAMED {
                        self.named.push(Doubt { path: row.path.clone(), reason });
                    }
                }
            }
        }
    }
}

/// Collects the entries of a layer that readers treat differently.
#[derive(Debug, Default)]
pub(super) struct DoubtCollector {
    named: Vec<Doubt>,
    whiteouts: bool,
}

impl DoubtCollector {
    pub(super) fn add(&mut self, entry: &tar::Entry) {
        let name = entry.path.rsplit(|&b| b == b'/').next().unwrap_or_default();
        self.whiteouts |= name.starts_with(WHITEOUT);
        if let Some(reason) = entry.ambiguous
            && self.named.len() < NAMED
        {
            self.named.push(Doubt { path: entry.path.to_vec(), reason: reason.into() });
        }
    }

    /// Returns the doubts about the archive, at the end of the layer. Those about its tree are not part of them.
    pub(super) fn doubts(self, report: &LayerReport) -> LayerDoubts {
        let contradiction = report.findings.iter().find(|finding| matches!(finding, Finding::Compression { .. }));
        LayerDoubts {
            ambiguous: report.ambiguous,
            named: self.named,
            after_end: if report.after_end_data { report.after_end } else { 0 },
            contradiction: contradiction.cloned(),
            unchecked: None,
        }
    }

    /// Reports whether the layer has whiteouts: without them, runtimes make the same tree of an archive without doubts.
    pub(super) fn has_whiteouts(&self) -> bool {
        self.whiteouts
    }
}
