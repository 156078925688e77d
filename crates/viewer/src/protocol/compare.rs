//! Two images compared.

use super::{FailureNotice, FileRow, HistoryEntry, ImageLayer};
use serde::{Deserialize, Serialize};

/// The image of a look compared with another: as `porthole diff` reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparisonFacts {
    /// The other reference as typed.
    pub given: String,
    /// The other reference, pinned to the digest of what it names.
    pub resolved: String,
    /// Platform of the other image.
    pub platform: Option<String>,
    /// Both have the same manifest: nothing differs.
    pub same: bool,
    /// Changes to manifest and config.
    pub settings: Vec<ChangedSetting>,
    /// History entries that differ.
    pub history: Vec<ChangedStep>,
    /// Layers of both, aligned, bottom first.
    pub layers: Vec<MatchedLayer>,
    /// How many of the lowest layers unpack to the same.
    pub shared: u32,
    /// Bytes of the blobs that only the other image has.
    pub download: u64,
    /// How far the files are.
    pub files: ComparedFiles,
}

/// A value that was set, unset or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedSetting {
    /// `manifest` or `config`.
    pub document: String,
    /// What changed: `env`, `user`, `label` …
    pub key: String,
    /// Name of the variable, label, port, volume or annotation.
    pub name: Option<String>,
    /// Value in the first image; `None`: unset.
    pub before: Option<String>,
    /// Value in the second image; `None`: unset.
    pub after: Option<String>,
}

/// A history entry that only one image has, or that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedStep {
    /// The entry of the first image.
    pub before: Option<HistoryEntry>,
    /// The entry of the second image.
    pub after: Option<HistoryEntry>,
    /// What differs if both have it: `created`, `author`, `comment`.
    pub fields: Vec<String>,
}

/// A layer of one image, or of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedLayer {
    /// How the two layers relate.
    pub relation: LayerRelation,
    /// The layer of the first image.
    pub before: Option<ImageLayer>,
    /// The layer of the second image.
    pub after: Option<ImageLayer>,
}

/// How layers of two images relate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerRelation {
    /// The same blob.
    Same,
    /// Other blobs that unpack to the same archive.
    Recompressed,
    /// Only the first image has it.
    Removed,
    /// Only the second image has it.
    Added,
}

/// How far the files of two images are compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComparedFiles {
    /// Layers are being read.
    Reading {
        /// Bytes of layers that were fetched for the comparison.
        fetched: u64,
        /// Bytes of the layers that are fetched for it; those that both images have are not.
        total: u64,
    },
    /// They are not compared, since both images unpack to the same files, or are no images.
    Nothing,
    /// They are compared.
    Done {
        /// How many files differ in which way.
        sums: ChangeSums,
        /// What differs for certain, by path: at most 5000.
        rows: Vec<ChangedFile>,
        /// How many differences there are, those included that are not sent.
        total: u64,
        /// Bytes of layers that were fetched for it.
        fetched: u64,
        /// Layers of the first image that could not be read or are wrong. 0 = bottom.
        missing_before: Vec<u32>,
        /// Layers of the second image that could not be read or are wrong.
        missing_after: Vec<u32>,
    },
}

/// Sums of the files that differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSums {
    /// Paths that only the second image has.
    pub added: u64,
    /// Bytes of the files among them.
    pub added_bytes: u64,
    /// Paths that only the first image has.
    pub removed: u64,
    /// Bytes of the files among them.
    pub removed_bytes: u64,
    /// Paths that both have, and that differ for certain.
    pub changed: u64,
    /// Bytes by which changed files are larger in the second image.
    pub grown_bytes: u64,
    /// Bytes by which changed files are smaller in the second image.
    pub shrunk_bytes: u64,
    /// Files of the same size in layers that differ: their contents are not compared.
    pub unsure: u64,
}

/// A path that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// Path, escaped as `porthole ls --json` prints it.
    pub path: String,
    /// The fields that differ, if both images have it.
    pub aspects: Vec<String>,
    /// The path in the first image.
    pub before: Option<FileRow>,
    /// The path in the second image.
    pub after: Option<FileRow>,
}

/// A comparison that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparisonFailure {
    /// The other reference as typed.
    pub given: String,
    /// Why, and what to do.
    pub failure: FailureNotice,
}
