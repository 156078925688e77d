//! From the session to the app.

use super::{FailureNotice, FileRow, ImageSummary, OverviewFacts, RowWindow, ShownContent};
use serde::{Deserialize, Serialize};

/// From the session to the app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The session listens. Sent once, without being asked.
    Ready,
    /// Whether a relay serves this page: after `Start`, and after `SetRelay`.
    Relay {
        /// Base URL of the relay in use; `None`: there is none.
        url: Option<String>,
        /// It serves this page, so its address need not be typed.
        same_origin: bool,
    },
    /// How the registry of this look is reached; sent again when it changes.
    Connection {
        /// Number of the look.
        look: u32,
        /// Logical registry.
        registry: String,
        /// Way to it.
        route: RegistryRoute,
        /// Reason for this way.
        reason: RouteReason,
    },
    /// The whole chain of proof, whenever a link of it changes.
    Chain {
        /// Number of the look.
        look: u32,
        /// The chain.
        chain: Chain,
    },
    /// The platforms of an index, as soon as it is read.
    Platforms {
        /// Number of the look.
        look: u32,
        /// Those that a person may choose.
        available: Vec<String>,
        /// The chosen one; `None`: none fits.
        chosen: Option<String>,
    },
    /// Manifest and config are verified: everything but the files.
    Image {
        /// Number of the look.
        look: u32,
        /// The image.
        image: Box<ImageSummary>,
    },
    /// The image at a glance: with the facts of its documents after `Image`, and with those of its layers after `Settled`.
    Overview {
        /// Number of the look.
        look: u32,
        /// The facts, all of them.
        overview: Box<OverviewFacts>,
    },
    /// Progress of the layers that changed, at most about ten times a second.
    Layers {
        /// Number of the look.
        look: u32,
        /// Those that changed.
        layers: Vec<LayerProgress>,
        /// The three sizes.
        sizes: Sizes,
        /// Bytes received in this look, documents and layers.
        fetched: u64,
    },
    /// Every layer is verified, wrong or failed; the rows sent after this are the last.
    Settled {
        /// Number of the look.
        look: u32,
    },
    /// Rows of the window asked for last, and again whenever they change.
    Rows {
        /// Number of the look.
        look: u32,
        /// The window.
        window: RowWindow,
    },
    /// Answer to `Select`, and again when the selected row changes.
    Selected {
        /// Number of the look.
        look: u32,
        /// What is selected; `None`: the path is not in this view (yet).
        selection: Option<Box<Selection>>,
    },
    /// Content of a file: the answer to `Read` and `Save`.
    Content {
        /// Number of the look.
        look: u32,
        /// Escaped path.
        path: String,
        /// Content.
        content: Box<ShownContent>,
    },
    /// Something went wrong. After a failure with a `layer` the other layers are still read; any other failure ends the look.
    Failure {
        /// Number of the look; 0 if it belongs to none.
        look: u32,
        /// Failure.
        failure: Box<FailureNotice>,
    },
    /// May a password go through a relay that is not on this machine? Answered with `AllowRelayPassword`, then `Retry`.
    AskRelayPassword {
        /// Number of the look.
        look: u32,
        /// Logical registry whose password is meant.
        registry: String,
        /// Base URL of the relay.
        relay: String,
    },
}

impl Event {
    /// Number of the look that this belongs to; `None` = to none.
    pub fn look(&self) -> Option<u32> {
        match self {
            Self::Ready | Self::Relay { .. } => None,
            Self::Failure { look: 0, .. } => None,
            Self::Connection { look, .. }
            | Self::Chain { look, .. }
            | Self::Platforms { look, .. }
            | Self::Image { look, .. }
            | Self::Overview { look, .. }
            | Self::Layers { look, .. }
            | Self::Settled { look }
            | Self::Rows { look, .. }
            | Self::Content { look, .. }
            | Self::Selected { look, .. }
            | Self::Failure { look, .. }
            | Self::AskRelayPassword { look, .. } => Some(*look),
        }
    }
}

/// How a registry is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegistryRoute {
    /// Straight to the registry.
    Direct,
    /// Through the relay.
    Relay,
    /// Neither: the image is part of the page.
    Page,
}

/// Why a registry is reached this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteReason {
    /// Direct is what is tried first.
    First,
    /// The person said always or never.
    Chosen,
    /// This registry is known to send no CORS headers.
    KnownWithoutCors,
    /// The registry answered, but does not let this page read it.
    NoCors,
    /// The registry refuses the preflight of an authorised request.
    Preflight,
    /// The registry could not be reached from here.
    Unreachable,
    /// The image ships inside the page, or inside the relay.
    Local,
}

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
    /// State.
    pub state: LinkState,
    /// Digest of this document; none for layers, the digest that the tag named for a tag.
    pub digest: Option<String>,
    /// The tag, or the media type of a document.
    pub label: String,
    /// Where wrong: what was expected and what came.
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
    /// Image manifest.
    Manifest,
    /// Image config.
    Config,
    /// All layers.
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
    /// Not begun yet.
    #[default]
    Waiting,
    /// Being fetched or checked.
    Progress,
    /// Done, and its bytes are what the link before promised.
    Verified,
    /// Done, but only by tables of contents, which were not compared with the archives.
    Listed,
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
            Self::Wrong => "wrong",
        }
    }
}

/// How far a layer is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerProgress {
    /// 0 = bottom.
    pub index: u32,
    /// State.
    pub state: LayerState,
    /// Bytes of the blob read.
    pub compressed: u64,
    /// Bytes of the blob there are.
    pub total: u64,
    /// Bytes of the tar read.
    pub uncompressed: u64,
    /// Entries read.
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
}

/// State of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerState {
    /// Not begun yet.
    #[default]
    Waiting,
    /// Its bytes arrive.
    Progress,
    /// Digest, size and diff_id are as promised.
    Verified,
    /// Listed from its table of contents, which was not compared with its archive.
    Listed,
    /// They are not, or it could not be fetched: none of its files are shown.
    Wrong,
}

impl LayerState {
    /// The word of `data-state`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Progress => "progress",
            Self::Verified => "verified",
            Self::Listed => "listed",
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

/// The selected path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Its row.
    pub row: FileRow,
    /// Index in the list; `None`: a filter hides it.
    pub index: Option<u64>,
}
