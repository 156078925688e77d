//! From the session to the app.

use super::{
    ArchiveSaving, BaseLayers, Chain, ComparisonFacts, ComparisonFailure, ConfigSecretFact, ContentFateFact,
    EvidenceProgress, FailureNotice, FileMap, FileReading, FileRow, FindingLink, ImageSummary, LayerProgress,
    NameWindow, OverviewFacts, PackageChanges, PackageWindow, PathProblem, PathVersionFacts, PolicyFacts, ProbeKind,
    ProbeProgress, RowWindow, SearchHit, SecretFact, ShownContent, ShownFacts, Sizes, VersionDiff, WasteFacts, WireLog,
};
use serde::{Deserialize, Serialize};

/// From the session to the app.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The session accepts commands. Sent once, unasked.
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
        /// The registry as the reference names it, also where a relay is asked.
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
        /// The chain, with the state of each link.
        chain: Chain,
    },
    /// How much is kept from one visit to the next: the answer to `Kept` and `WipeKept`.
    Kept {
        /// What is kept, and up to which size.
        facts: KeptFacts,
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
        /// What the documents of the image say.
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
        /// Bytes received in this look: documents, layers and parts of layers for files.
        fetched: u64,
    },
    /// How far a file is that must be read whole before its images are found, a few times a second.
    FileReading {
        /// Number of the look.
        look: u32,
        /// Bytes read and bytes unpacked so far.
        reading: FileReading,
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
        /// The rows that were asked for.
        window: RowWindow,
    },
    /// The selected row: the answer to `Select`, and again when it changes.
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
        /// Path, escaped as `porthole ls --json` prints it.
        path: String,
        /// What is shown of the file.
        content: Box<ShownContent>,
    },
    /// The type of a file and its facts. Follows its content.
    Facts {
        /// Number of the look.
        look: u32,
        /// Path, escaped as `porthole ls --json` prints it.
        path: String,
        /// The facts that its bytes contain.
        facts: Box<ShownFacts>,
    },
    /// Tags of the repository, or repositories of the registry.
    Names {
        /// Number of the look.
        look: u32,
        /// The names on the screen.
        window: Box<NameWindow>,
    },
    /// A map of files.
    Map {
        /// Number of the look.
        look: u32,
        /// The areas and their sizes.
        map: Box<FileMap>,
    },
    /// A file to be saved, which holds what a command line prints.
    Exported {
        /// Number of the look.
        look: u32,
        /// Name of the file.
        name: String,
        /// A `blob:` URL, or why there is none.
        file: Result<String, String>,
    },
    /// How far an archive of the image is: the answer to `SaveArchive`.
    Archive {
        /// Number of the look.
        look: u32,
        /// How far the archive is, or how it ended.
        saving: ArchiveSaving,
    },
    /// HTTP exchanges of the look: the answer to `Wire`.
    Wire {
        /// Number of the look.
        look: u32,
        /// Those that changed, and sums.
        log: Box<WireLog>,
    },
    /// The waste of the image: the answer to `Waste`.
    Waste {
        /// Number of the look.
        look: u32,
        /// Bytes that the final tree does not show, by layer and by path.
        waste: Box<WasteFacts>,
    },
    /// What each layer did to a path: the answer to `Versions`.
    Versions {
        /// Number of the look.
        look: u32,
        /// Path, escaped as `porthole ls --json` prints it.
        path: String,
        /// Bottom first; empty if no layer that was read so far has the path.
        versions: Vec<PathVersionFacts>,
    },
    /// Content of a version: the answer to `ReadVersion`.
    VersionContent {
        /// Number of the look.
        look: u32,
        /// Path, escaped as `porthole ls --json` prints it.
        path: String,
        /// Layer that wrote the version, or removed it.
        layer: u32,
        /// What is shown of this version.
        content: Box<ShownContent>,
    },
    /// How two versions differ: the answer to `DiffVersions`.
    VersionDiff {
        /// Number of the look.
        look: u32,
        /// Path, escaped as `porthole ls --json` prints it.
        path: String,
        /// Layer of the first version.
        before: u32,
        /// Layer of the second version.
        after: u32,
        /// The differences, line by line where they are texts.
        diff: Box<VersionDiff>,
    },
    /// How a file differs between two images: the answer to `DiffFile`.
    FileDiff {
        /// Number of the look.
        look: u32,
        /// Path, escaped as `porthole ls --json` prints it.
        path: String,
        /// The differences, line by line where they are texts.
        diff: Box<VersionDiff>,
    },
    /// The row whose name begins as asked for: the answer to `NameRow`.
    RowNamed {
        /// Number of the look.
        look: u32,
        /// Its escaped path; `None`: there is none.
        path: Option<String>,
    },
    /// Where a symbolic link leads to: the answer to `FollowLink`.
    LinkTarget {
        /// Number of the look.
        look: u32,
        /// Where that is, or what is missing, in words.
        target: Result<FindingLink, String>,
    },
    /// The image that this one may have been built on, or why it could not be read: the answer to `CompareBase`. Also sent without being
    /// asked, where an image that was opened before turns out to be its base.
    Base {
        /// Number of the look.
        look: u32,
        /// What was found.
        base: Result<BaseLayers, String>,
    },
    /// The image compared with another: the answer to `Compare`.
    Compared {
        /// Number of the look.
        look: u32,
        /// What is known so far.
        comparison: Box<ComparisonFacts>,
    },
    /// The other image could not be read. The look is not affected.
    CompareFailed {
        /// Number of the look.
        look: u32,
        /// Which of the two images failed, and why.
        failure: Box<ComparisonFailure>,
    },
    /// Whose signatures images must have, after each change.
    Policy {
        /// The rules that hold from now on.
        policy: PolicyFacts,
    },
    /// How far the search for signatures and statements is: the answer to `Evidence`.
    Evidence {
        /// Number of the look.
        look: u32,
        /// How far it is.
        progress: Box<EvidenceProgress>,
    },
    /// How far a probe is: the answer to `Probe` and `StopProbe`.
    Probe {
        /// Number of the look.
        look: u32,
        /// How far the probe is.
        progress: Box<ProbeProgress>,
    },
    /// Lines that a search found, in the order of the archive.
    Hits {
        /// Number of the look.
        look: u32,
        /// Number of the run.
        run: u32,
        /// Layer, 0 = bottom.
        layer: u32,
        /// Those that are new.
        hits: Vec<SearchHit>,
    },
    /// Secrets in files of a layer, in the order of the archive.
    Secrets {
        /// Number of the look.
        look: u32,
        /// Number of the run.
        run: u32,
        /// Layer, 0 = bottom.
        layer: u32,
        /// Those that are new.
        secrets: Vec<SecretFact>,
        /// Files that are too large to be searched.
        unread: Vec<PathProblem>,
    },
    /// Secrets in the configuration.
    ConfigSecrets {
        /// Number of the look.
        look: u32,
        /// Number of the run.
        run: u32,
        /// All of them.
        secrets: Vec<ConfigSecretFact>,
        /// What made each layer, bottom first, without its secrets.
        instructions: Vec<String>,
    },
    /// Packages of the layers that are read so far, counted from the bottom: the answer to `ShowPackages`.
    Packages {
        /// Number of the look.
        look: u32,
        /// Number of the run.
        run: u32,
        /// Those that are shown.
        packages: Box<PackageWindow>,
    },
    /// The packages of the image and of the other one, compared. An error says why they are not.
    PackageChanges {
        /// Number of the look.
        look: u32,
        /// The packages that differ, at most 2000.
        changes: Box<Result<PackageChanges, String>>,
    },
    /// What later layers made of the files in which a probe found something. Sent once every layer is settled.
    Fates {
        /// Number of the look.
        look: u32,
        /// Which kind of probe.
        kind: ProbeKind,
        /// Number of the run.
        run: u32,
        /// Of all files so far.
        fates: Vec<ContentFateFact>,
    },
    /// Something went wrong. After a failure with a `layer` the other layers are still read; any other failure ends the look.
    Failure {
        /// Number of the look; 0 if it belongs to none.
        look: u32,
        /// What failed, and what a person can do.
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
            Self::Ready | Self::Relay { .. } | Self::Kept { .. } | Self::Policy { .. } => None,
            Self::Failure { look: 0, .. } => None,
            Self::Connection { look, .. }
            | Self::Chain { look, .. }
            | Self::Platforms { look, .. }
            | Self::Image { look, .. }
            | Self::Overview { look, .. }
            | Self::Layers { look, .. }
            | Self::FileReading { look, .. }
            | Self::Settled { look }
            | Self::Rows { look, .. }
            | Self::Content { look, .. }
            | Self::Facts { look, .. }
            | Self::Exported { look, .. }
            | Self::Wire { look, .. }
            | Self::Archive { look, .. }
            | Self::Names { look, .. }
            | Self::Map { look, .. }
            | Self::Waste { look, .. }
            | Self::Base { look, .. }
            | Self::RowNamed { look, .. }
            | Self::LinkTarget { look, .. }
            | Self::Compared { look, .. }
            | Self::CompareFailed { look, .. }
            | Self::Versions { look, .. }
            | Self::VersionContent { look, .. }
            | Self::VersionDiff { look, .. }
            | Self::FileDiff { look, .. }
            | Self::Selected { look, .. }
            | Self::Probe { look, .. }
            | Self::Hits { look, .. }
            | Self::Packages { look, .. }
            | Self::PackageChanges { look, .. }
            | Self::Secrets { look, .. }
            | Self::ConfigSecrets { look, .. }
            | Self::Fates { look, .. }
            | Self::Evidence { look, .. }
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

/// What is kept from one visit to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFacts {
    /// Bytes that are kept now.
    pub bytes: u64,
    /// Layers of which something is kept.
    pub layers: u64,
    /// Bytes that are kept at most.
    pub most: u64,
    /// Why no more is kept, in words.
    pub lack: Option<String>,
}

/// The selected path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The row as the list shows it.
    pub row: FileRow,
    /// Index in the list; `None`: a filter hides it.
    pub index: Option<u64>,
}
