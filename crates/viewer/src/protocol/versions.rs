//! The versions of a path, and how two of them differ.

use super::{FileRow, InstructionLine};
use serde::{Deserialize, Serialize};

/// What one layer did to a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathVersionFacts {
    /// Layer that wrote or removed the path. 0 = bottom.
    pub layer: u32,
    /// What made the layer.
    pub instruction: Option<InstructionLine>,
    /// The path as the layer left it; if the layer removed it, as it was before. `change` is that of this layer.
    pub row: FileRow,
    /// How it differs from the version before.
    pub aspects: Vec<String>,
    /// Digest of the content, if it is known.
    pub digest: Option<String>,
    /// Bytes of the content; `None`: it has none.
    pub content: Option<u64>,
}

/// How two versions of a path differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersionDiff {
    /// They are being read.
    Reading,
    /// Reading them fetches this many bytes, which is more than a session fetches without asking.
    Costly {
        /// Bytes that would be fetched.
        bytes: u64,
    },
    /// They are the same bytes.
    Same,
    /// Both are text.
    Lines {
        /// What differs, with a few lines around.
        hunks: Vec<ShownHunk>,
    },
    /// At least one of them is no text.
    Binary,
    /// At least one of them is larger than what is compared.
    TooLarge {
        /// Bytes that are compared at most.
        limit: u64,
    },
    /// At least one of them cannot be read.
    Failed {
        /// These were other bytes than promised.
        wrong: bool,
        /// Why, in words.
        text: String,
    },
}

/// Neighbouring changes, with a few lines around them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownHunk {
    /// Lines of the first version: number of the first, counted from 1, and how many.
    pub before: (u64, u64),
    /// Lines of the second version.
    pub after: (u64, u64),
    /// The lines, in order.
    pub lines: Vec<ShownLine>,
}

/// A line of one version, or of both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownLine {
    /// The version that it is in.
    pub side: ShownSide,
    /// The line; characters that would show as nothing are escapes.
    pub text: String,
    /// It is the last of its text, which does not end with a line feed.
    pub unended: bool,
}

/// The version that a line is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShownSide {
    /// The line is in both versions.
    Both,
    /// The version of the lower layer.
    Before,
    /// The version of the upper layer.
    After,
}
