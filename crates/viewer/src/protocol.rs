//! The messages between a front end and a session: [`Command`]s and [`Event`]s.
//!
//! Their fields are twins of the core's values, converted by hand, so that a session may run in another thread or process. A
//! front end waits for [`Event::Ready`] before it sends anything.

mod archive;
mod base;
mod bill;
mod compare;
mod content;
mod event;
mod evidence;
mod export;
mod failure;
mod image;
mod map;
mod names;
mod overview;
mod packages;
mod probe;
mod progress;
mod secrets;
mod versions;
mod view;
mod waste;
mod wire;

pub use archive::{ArchiveFormat, ArchiveSaving};
pub use base::BaseLayers;
pub use bill::{BillDifference, BillFact, BillWindow, ListedBill, ListedPackage};
pub use compare::{
    ChangeSums, ChangedFile, ChangedSetting, ChangedStep, ComparedFiles, ComparisonFacts, ComparisonFailure,
    LayerRelation, MatchedLayer,
};
pub use content::{SHOWN_BYTES, ShownContent, ShownFacts, ShownMember, ShownMembers, ShownPart};
pub use event::{Event, KeptFacts, RegistryRoute, RouteReason, Selection};
pub use evidence::{
    EvidenceAnswer, EvidenceBlob, EvidenceCard, EvidenceJob, EvidenceLack, EvidenceProgress, EvidenceState,
    PolicyFacts, ShownSigner, SignatureVerdict, SignerCertificates, SignerIdentity, SignerRule, SignerText, SignerWish,
};
pub use export::{BillFormat, ExportWish};
pub use failure::{FailureCause, FailureNotice, Remedy};
pub use image::{DocumentText, HistoryEntry, ImageLayer, ImageSummary, InstructionLine};
pub use map::{FileMap, MapMeasure, MapTile, MapWish};
pub use names::{NameList, NameQuery, NameRow, NameSort, NameState, NameWindow, TagFacts};
pub use overview::{
    ArtifactBlob, ArtifactSummary, BaseFact, DocumentFact, FindingFact, FindingLink, OtherEntry, OtherRole,
    OverviewFacts,
};
pub use packages::{
    OwnerFacts, PackageChangeFact, PackageChanges, PackageFact, PackageQuery, PackageSort, PackageView, PackageWindow,
};
pub use probe::{
    ContentFateFact, LostPart, PathProblem, ProbeKind, ProbeProgress, ProbeState, ProbeSums, ProbeWish, SearchHit,
    SearchQuery, ShownFate,
};
pub use progress::{Chain, FileReading, LayerProgress, LayerState, LinkState, ProofLink, ProofStep, Sizes};
pub use secrets::{ConfigSecretFact, SecretFact, SecretKind, ShownConfidence};
pub use versions::{PathVersionFacts, ShownHunk, ShownLine, ShownSide, VersionDiff};
pub use view::{Changes, FileRow, FileView, RowChange, RowKind, RowSort, RowWindow, ViewMode};
pub use waste::{CopiedContent, LayerWasteFacts, WasteFacts, WastedPath, WhatIfFact};
pub use wire::{WireLine, WireLog};

use serde::{Deserialize, Serialize};
use std::fmt;

/// From the app to the session.
///
/// `look` is a number that the app chooses, greater for every new look; the session repeats it on every event that
/// belongs to that look, so that the app can drop late answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// First of all: settings, and the page's base URL (`document.baseURI`), beside which `relay.json` may be.
    Start {
        /// Address that relative addresses refer to (`document.baseURI` in a page).
        base: String,
        /// What the person chose about relays.
        relay: RelaySettings,
    },
    /// Look inside an image. Ends the look before it.
    Look {
        /// Number of the look.
        look: u32,
        /// As typed; the session parses it.
        reference: String,
        /// `os/architecture[/variant]` as chosen; `None` lets the session choose.
        platform: Option<String>,
        /// View to begin with. `layer` may name a layer by digest where its number is not known yet.
        view: FileView,
        /// Escaped path to select and reveal as soon as it is known.
        path: Option<String>,
    },
    /// End the look.
    Cancel,
    /// Fetch nothing more for the look, and keep what is present.
    Stop,
    /// Do the last look again, but read every layer whole, and compare those that have a table of contents with it.
    Audit {
        /// Number of the new look.
        look: u32,
    },
    /// Do the last look again, with everything learned since (credentials, relay).
    Retry {
        /// Number of the new look.
        look: u32,
    },
    /// Do the last look again, and fetch the foreign layers that the registry lacks and that the image places on these hosts.
    AllowForeign {
        /// Number of the new look.
        look: u32,
        /// As in [`Remedy::AllowForeign`].
        hosts: String,
    },
    /// The window of rows on the screen. Answered at once with [`Event::Rows`], and again whenever they change.
    Rows {
        /// Index of the first row.
        from: u64,
        /// One past the last row.
        to: u64,
    },
    /// Another mode, layer, order or filter.
    SetView {
        /// The whole new view.
        view: FileView,
    },
    /// Show what a directory holds.
    Expand {
        /// Path, escaped as `porthole ls --json` prints it.
        path: String,
    },
    /// Hide what a directory holds.
    Collapse {
        /// Path, escaped as `porthole ls --json` prints it.
        path: String,
    },
    /// Expand every directory.
    ExpandAll,
    /// Collapse every directory.
    CollapseAll,
    /// Select a path and expand its parents, or select nothing. Answered with [`Event::Selected`].
    Select {
        /// Path, escaped as `porthole ls --json` prints it.
        path: Option<String>,
    },
    /// The beginning of the file at a path, and what it is. Answered with [`Event::Content`], once or more, and [`Event::Facts`].
    Read {
        /// Path, escaped as `porthole ls --json` prints it.
        path: String,
        /// Show the bytes from this offset on, in hexadecimal. The facts are not sent again.
        from: Option<u64>,
        /// Read without asking about the cost.
        anyway: bool,
    },
    /// All of the file at a path, to be saved. Answered with [`Event::Content`].
    Save {
        /// Path, escaped as `porthole ls --json` prints it.
        path: String,
    },
    /// The waste of the image. Answered with [`Event::Waste`] when every layer is settled.
    Waste,
    /// The HTTP exchanges of the look. Answered with [`Event::Wire`], now and whenever something changes.
    Wire,
    /// Save the HTTP exchanges of the look as an HTTP Archive. Answered with [`Event::Exported`].
    SaveWire,
    /// Save the image as an archive. Answered with [`Event::Archive`], several times.
    SaveArchive {
        /// Format of the archive.
        format: ArchiveFormat,
    },
    /// Stop saving the archive. No file is left.
    StopArchive,
    /// What each layer did to a path. Answered with [`Event::Versions`].
    Versions {
        /// Path, escaped as `porthole ls --json` prints it.
        path: String,
    },
    /// The beginning of a version of a file. Answered with [`Event::VersionContent`], once or more.
    ReadVersion {
        /// Path, escaped as `porthole ls --json` prints it.
        path: String,
        /// Layer that wrote the version, or removed it. 0 = bottom.
        layer: u32,
        /// Read without asking about the cost.
        anyway: bool,
    },
    /// How two versions of a file differ. Answered with [`Event::VersionDiff`], once or more.
    DiffVersions {
        /// Path, escaped as `porthole ls --json` prints it.
        path: String,
        /// Layer of the first version. 0 = bottom.
        before: u32,
        /// Layer of the second version.
        after: u32,
        /// Read without asking about the cost.
        anyway: bool,
    },
    /// Compare the image with another one, in place of the comparison before. Answered with [`Event::Compared`], several
    /// times: with the documents, while layers are read, with the files. Or with [`Event::CompareFailed`].
    Compare {
        /// The other reference, as typed.
        reference: String,
        /// Platform of the other image as chosen; `None` lets the session choose.
        platform: Option<String>,
        /// What is left out, by the names of `porthole diff --ignore`. Another choice for the same image fetches nothing.
        ignore: Vec<String>,
    },
    /// How a file differs between the two images that are compared. Answered with [`Event::FileDiff`], once or more.
    DiffFile {
        /// Path, escaped as `porthole ls --json` prints it.
        path: String,
        /// Read without asking about the cost.
        anyway: bool,
    },
    /// End the comparison.
    EndCompare,
    /// Look into the contents of every layer, in place of the probe of the same kind before. Answered with [`Event::Probe`],
    /// several times, and with what is found.
    Probe {
        /// Number of the run, which the app chooses, greater for every new run.
        run: u32,
        /// What to look for.
        wish: ProbeWish,
    },
    /// Look for signatures and statements, and check them. Answered with [`Event::Evidence`], more than once.
    Evidence {
        /// Number of the run, which the answers repeat.
        run: u32,
        /// Whose signature is asked for.
        wish: SignerWish,
        /// Only signatures: statements, which may be large, are not fetched.
        signatures_only: bool,
    },
    /// Stop the search for evidence. Answered with [`Event::Evidence`].
    StopEvidence,
    /// Take the text of a policy, in place of the one before. Answered with [`Event::Policy`].
    SetPolicy {
        /// As `porthole verify --policy` reads it; empty: no rules.
        text: String,
    },
    /// Demand signatures of these images from now on, in place of a rule about the same ones. Answered with [`Event::Policy`].
    Demand {
        /// The images, and the signers.
        rule: SignerRule,
    },
    /// Remove the rule about these images. Answered with [`Event::Policy`].
    Waive {
        /// As the rule has them.
        images: String,
    },
    /// Compare with a bill of materials that the person has as a file, too. Answered with [`Event::Packages`].
    GiveBill {
        /// Name of the file.
        name: String,
        /// The text of the file.
        text: String,
    },
    /// Show these packages. Answered with [`Event::Packages`], and again whenever more is known.
    ShowPackages {
        /// Which packages, in which order, and how many.
        view: PackageView,
    },
    /// Show tags of the image's repository, or repositories of its registry. Answered with [`Event::Names`], and again whenever
    /// more is known.
    ShowNames {
        /// Which list, filtered and ordered how.
        query: NameQuery,
        /// How many at most.
        most: u32,
        /// Fetch the list again.
        again: bool,
    },
    /// What a tag of that list stands for. Answered with [`Event::Names`].
    AskAboutTag {
        /// The tag, which the list has.
        tag: String,
    },
    /// A map of files. Answered with [`Event::Map`].
    Map {
        /// Which directory, and how many areas.
        wish: MapWish,
    },
    /// Find a row by the beginning of its name. Answered with [`Event::RowNamed`].
    NameRow {
        /// What it begins with, as the row is escaped; lower-case letters also match upper-case ones.
        text: String,
        /// Index of the row to begin at. After the last row comes the first.
        from: u64,
    },
    /// Say where a symbolic link leads to. Answered with [`Event::LinkTarget`].
    FollowLink {
        /// Escaped path of the link.
        path: String,
    },
    /// Compare the layers with those of an image that this one may have been built on. Answered with [`Event::Base`].
    CompareBase {
        /// The reference as typed.
        reference: String,
    },
    /// Read the contents of every layer for their digests, unless that was done. What depends on them is sent again.
    CompareContents {
        /// Also those of the image that it is compared with.
        other: bool,
    },
    /// Compare the contents of files with what packages recorded of them, unless that was done. Answered with [`Event::Packages`].
    CompareRecorded,
    /// Compare the packages of the image with those of the other one. Answered with [`Event::PackageChanges`].
    ComparePackages,
    /// Save what a command line prints. Answered with [`Event::Exported`].
    Export {
        /// Which command's output, with its options.
        wish: ExportWish,
    },
    /// Stop a probe, and keep what it found.
    StopProbe {
        /// The kind of probe to stop.
        kind: ProbeKind,
    },
    /// How much is kept from one visit to the next. Answered with [`Event::Kept`].
    Kept,
    /// Remove all of it. Answered with [`Event::Kept`].
    WipeKept,
    /// Credentials typed by the person; they stay in the session's memory. Does not look again: send `Retry`.
    SignIn {
        /// The registry as the reference names it, also where a relay is asked.
        registry: String,
        /// Name of the user at the registry.
        username: String,
        /// Password or token.
        password: Secret,
    },
    /// Answer to [`Event::AskRelayPassword`].
    AllowRelayPassword {
        /// Logical registry whose credentials are meant.
        registry: String,
        /// May they go through the relay?
        allow: bool,
    },
    /// Another choice about relays. Does not look again: send `Retry`.
    SetRelay {
        /// The whole choice.
        relay: RelaySettings,
    },
    /// Use the relay for this registry from now on. Does not look again: send `Retry`.
    UseRelay {
        /// The registry as the reference names it, also where a relay is asked.
        registry: String,
    },
}

/// Text that is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What the person chose about relays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RelaySettings {
    /// When to use a relay.
    pub mode: RelayMode,
    /// Base URL typed by the person; empty: the relay that serves this page, if one does.
    pub url: String,
}

/// When to use a relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelayMode {
    /// Where a registry does not let a page read it.
    #[default]
    Auto,
    /// For every registry.
    Always,
    /// No registry is reached through it.
    Never,
}
