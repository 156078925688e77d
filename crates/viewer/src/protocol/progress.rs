//! How far a look is: the chain of proof, layers, sizes.

use porthole_core::failure::FailureClass;
use serde::{Deserialize, Serialize};

/// The chain of proof: what was asked for, down to the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// In order; a chain without an index has no such link.
    pub links: Vec<ProofLink>,
    /// Wrong if any link is; verified if all are.
    pub state: LinkState,
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofLink {
    /// Step that it proves.
    pub step: ProofStep,
    /// Whether it was verified.
    pub state: LinkState,
    /// Digest of this document; none for layers, the digest that the tag named for a tag.
    pub digest: Option<String>,
    /// The tag, or the media type of a document.
    pub label: String,
    /// Where wrong: what was expected and what came. For a tag that is not what was looked at: the digest that was asked
    /// for, and the one that the tag stands for.
    pub mismatch: Option<(String, String)>,
    /// For layers: how many are verified, and of how many.
    pub count: Option<(u32, u32)>,
}

/// Steps from a tag to the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProofStep {
    /// The tag, or the digest that was asked for.
    Tag,
    /// Index or manifest list.
    Index,
    /// The manifest of the image.
    Manifest,
    /// The configuration, which the manifest names.
    Config,
    /// The layers, taken as one link.
    Layers,
}

impl ProofStep {
    /// The word of `data-step`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Index => "index",
            Self::Manifest => "manifest",
            Self::Config => "config",
            Self::Layers => "layers",
        }
    }
}

/// State of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Waits for its turn.
    #[default]
    Waiting,
    /// Being fetched or checked.
    Progress,
    /// Done, and its bytes are what the link before promised.
    Verified,
    /// Done, but only by tables of contents, which were not compared with the archives.
    Listed,
    /// Not looked at, or not read to its end: nothing is known about it.
    Unchecked,
    /// Other bytes than promised, or none.
    Wrong,
}

impl LinkState {
    /// The word of `data-state`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Progress => "progress",
            Self::Verified => "verified",
            Self::Listed => "listed",
            Self::Unchecked => "unchecked",
            Self::Wrong => "wrong",
        }
    }
}

/// How far a layer is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerProgress {
    /// Index of the layer, counted from 0 at the bottom.
    pub index: u32,
    /// Whether it waits, is read, or was judged.
    pub state: LayerState,
    /// Bytes of the blob read.
    pub compressed: u64,
    /// Bytes of the blob there are.
    pub total: u64,
    /// Bytes of the tar read.
    pub uncompressed: u64,
    /// Number of entries so far.
    pub entries: u64,
    /// Paths that it adds.
    pub added: u64,
    /// Paths that it writes again.
    pub modified: u64,
    /// Paths that it removes.
    pub removed: u64,
    /// Entries that well-known readers list differently.
    pub ambiguous: u64,
    /// What is wrong, worst first, in words.
    pub findings: Vec<String>,
    /// What is known of its table of contents, in words.
    pub note: Option<String>,
    /// The day on which it was verified, where it is listed from what was kept since: `2026-11-18`.
    pub since: Option<String>,
}

/// How far a file is that must be read whole before any file in it is found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReading {
    /// It is unpacked, because it is compressed with this as a whole. `None` = it is a single layer, and is read for its digests.
    pub compression: Option<String>,
    /// Bytes that were read so far.
    pub read: u64,
    /// Bytes to read.
    pub total: u64,
    /// Bytes that it was unpacked to so far.
    pub written: u64,
}

/// State of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerState {
    /// Waits for its turn.
    #[default]
    Waiting,
    /// Its bytes arrive.
    Progress,
    /// Digest, size and diff_id are as promised.
    Verified,
    /// Listed from its table of contents, which was not compared with its archive.
    Listed,
    /// The person stopped before it was read to its end: none of its files are shown.
    Stopped,
    /// It could not be fetched, or is beyond a limit: none of its files are shown.
    Lost,
    /// Digest, size or diff_id differ: none of its files are shown.
    Wrong,
}

impl LayerState {
    /// The state after a failure: wrong if the layer itself is malformed, else not read.
    pub fn of_failure(kind: FailureClass) -> Self {
        if kind == FailureClass::Malformed { Self::Wrong } else { Self::Lost }
    }

    /// The word of `data-state`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Progress => "progress",
            Self::Verified => "verified",
            Self::Listed => "listed",
            Self::Stopped => "stopped",
            Self::Lost => "lost",
            Self::Wrong => "wrong",
        }
    }
}

impl From<LayerState> for LinkState {
    fn from(state: LayerState) -> Self {
        match state {
            LayerState::Waiting => Self::Waiting,
            LayerState::Progress => Self::Progress,
            LayerState::Verified => Self::Verified,
            LayerState::Listed => Self::Listed,
            LayerState::Stopped | LayerState::Lost => Self::Unchecked,
            LayerState::Wrong => Self::Wrong,
        }
    }
}

/// The three sizes, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Blobs of all layers.
    pub download: u64,
    /// Tars of all layers, as far as read.
    pub unpacked: u64,
    /// Files of the merged tree.
    pub visible: u64,
    /// `unpacked` and `visible` are final.
    pub complete: bool,
}
