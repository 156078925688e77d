//! Probes: each is one pass over the contents of every layer.

use super::ViewMode;
use serde::{Deserialize, Serialize};

/// What a probe looks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeWish {
    /// Lines that match.
    Search(SearchQuery),
    /// Databases of packages.
    Packages,
    /// Private keys, tokens, passwords.
    Secrets,
    /// Digests of all files, by which contents are compared.
    Digests,
    /// Digests of all files of the image that it is compared with.
    OtherDigests,
    /// Digests of all files by the algorithms of package managers, which recorded some when they installed them.
    Recorded,
    /// Databases of packages of the image that it is compared with.
    OtherPackages,
}

impl ProbeWish {
    /// Which kind of probe this is.
    pub fn kind(&self) -> ProbeKind {
        match self {
            Self::Search(_) => ProbeKind::Search,
            Self::Packages => ProbeKind::Packages,
            Self::Secrets => ProbeKind::Secrets,
            Self::Digests => ProbeKind::Digests,
            Self::OtherDigests => ProbeKind::OtherDigests,
            Self::Recorded => ProbeKind::Recorded,
            Self::OtherPackages => ProbeKind::OtherPackages,
        }
    }
}

/// Kinds of probe. At most one of each runs at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeKind {
    /// Lines that match.
    Search,
    /// The packages that databases record.
    Packages,
    /// Keys, tokens and passwords.
    Secrets,
    /// Digests of files.
    Digests,
    /// Digests of all files of the image that it is compared with.
    OtherDigests,
    /// Digests of files by the algorithms of package managers.
    Recorded,
    /// Packages of the image that it is compared with.
    OtherPackages,
}

impl ProbeKind {
    /// Whether it reads the image that the one of the look is compared with.
    pub fn is_of_other(self) -> bool {
        matches!(self, Self::OtherDigests | Self::OtherPackages)
    }
}

/// Which lines are searched for, as `porthole search` takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchQuery {
    /// The text, or the expression.
    pub pattern: String,
    /// It is a regular expression.
    pub expression: bool,
    /// ASCII letters match in either case.
    pub ignore_case: bool,
    /// Text in UTF-16 matches as well.
    pub utf16: bool,
    /// Glob of the files that are searched; empty: every file.
    pub glob: String,
}

/// How far a probe is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeProgress {
    /// The kind of probe.
    pub kind: ProbeKind,
    /// Number of the run, as the app gave it.
    pub run: u32,
    /// Whether it runs, and how it ended.
    pub state: ProbeState,
    /// Bytes of blobs that were read.
    pub read: u64,
    /// Bytes of the blobs that are read.
    pub total: u64,
    /// Layers that were read to their end, or could not be.
    pub ended: u32,
    /// Layers that are read.
    pub layers: u32,
    /// What could not be read. Nothing that was found there counts.
    pub lost: Vec<LostPart>,
    /// Layers that have no files to read, and why. 0 = bottom.
    pub skipped: Vec<(u32, String)>,
    /// Sums of all layers.
    pub sums: ProbeSums,
    /// Rows that were sent; further ones are counted in `sums.found`.
    pub held: u64,
}

/// The state of a probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProbeState {
    /// Layers are being read.
    Running,
    /// Every layer was read, or is among the lost ones.
    Done,
    /// A person stopped it: what was found stays.
    Stopped,
    /// It did not begin: why.
    Refused(String),
}

/// A part of an image that a probe could not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostPart {
    /// The layer, 0 = bottom; `None`: the configuration.
    pub layer: Option<u32>,
    /// Why it was not read, for a person.
    pub text: String,
}

/// A file that a probe could not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathProblem {
    /// Layer, 0 = bottom.
    pub layer: u32,
    /// Path, escaped as `porthole ls --json` prints it.
    pub path: String,
    /// Why it was not read, for a person.
    pub why: String,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSums {
    /// What was found: lines that match, databases, secrets.
    pub found: u64,
    /// Files with something found.
    pub files: u64,
    /// Files that were read.
    pub searched: u64,
    /// Unpacked bytes of the files that were read.
    pub bytes: u64,
}

impl std::ops::AddAssign for ProbeSums {
    fn add_assign(&mut self, other: Self) {
        self.found += other.found;
        self.files += other.files;
        self.searched += other.searched;
        self.bytes += other.bytes;
    }
}

/// A line that matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchHit {
    /// Where the content of the file starts in its layer.
    pub content: u64,
    /// Path, escaped as `porthole ls --json` prints it.
    pub path: String,
    /// Number of the line, from 1.
    pub line: u64,
    /// The line before the match, as it can be shown.
    pub before: String,
    /// The part of the line that matches.
    pub matched: String,
    /// The line after the match.
    pub after: String,
    /// The encoding of the match, unless it is bytes.
    pub encoding: Option<String>,
}

/// What later layers made of a content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentFateFact {
    /// Layer that stores it, 0 = bottom.
    pub layer: u32,
    /// Where it starts in that layer.
    pub content: u64,
    /// What became of it.
    pub fate: ShownFate,
    /// The view in which its path shows it: that of its layer, where neither the merged view nor that of deleted files does.
    pub view: ViewMode,
}

/// What became of a content that a layer stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShownFate {
    /// A container sees it.
    Visible,
    /// This layer deleted it.
    Deleted(u32),
    /// This layer wrote something else to its path.
    Replaced(u32),
    /// Its own layer deleted or overwrote it, or no runtime unpacks it.
    Hidden,
    /// Unknown, because the list of files is incomplete.
    Unknown,
}
