//! What a front end saves: what a command line prints.

use super::{FileView, NameList, PackageQuery, ProofStep, ShownConfidence};
use serde::{Deserialize, Serialize};

/// What is saved as a file: what `porthole` prints about the image with `--json`, or a bill of materials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExportWish {
    /// `inspect --full`: the image at a glance.
    Overview,
    /// `analyze`: what is wasted.
    Waste,
    /// `diff`: the image and another one.
    Comparison,
    /// `search`: what was found.
    Search,
    /// `ls`: the files of a view, or those at and below an escaped path.
    Files(Box<FileView>, Option<String>),
    /// `manifest` or `config`: a document, byte for byte.
    Document(ProofStep),
    /// What `porthole packages --json` prints.
    Packages(PackageQuery),
    /// `packages --format`: a bill of materials, with the image's name as the command line has it.
    Bill(BillFormat, String),
    /// What `porthole secrets --json` prints, from this confidence on.
    Secrets(ShownConfidence),
    /// What `porthole referrers --tree --json` prints.
    Referrers,
    /// `tags` or `catalog`.
    Names(NameList),
}

/// A format of bills of materials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BillFormat {
    /// SPDX 2.3, in JSON.
    Spdx,
    /// CycloneDX 1.6, in JSON.
    Cyclonedx,
}

impl BillFormat {
    /// The name in `porthole packages --format`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spdx => "spdx",
            Self::Cyclonedx => "cyclonedx",
        }
    }
}
