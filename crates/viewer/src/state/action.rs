//! Actions of the user and events of the session.

use super::{Dialog, NameAction, PolicyAction, RecentAction};
use crate::address::{Address, Tab};
use crate::protocol::{
    ArchiveFormat, Event, ExportWish, FindingLink, MapMeasure, PackageQuery, PackageSort, ProbeKind, RelaySettings,
    RowChange, RowSort, SearchQuery, Secret, ShownConfidence, SignerWish, ViewMode,
};

/// An action of the user, or events of the session.
#[derive(Clone, Debug)]
pub enum Action {
    /// The address changed, or the page was opened with it.
    Address(Box<Address>),
    /// A reference was typed.
    Look(String),
    /// A file of this name was given to the session.
    File(String),
    /// What was dropped on the page cannot be read, for this reason.
    DropFailed(String),
    /// Look at the image for another platform.
    Platform(String),
    /// Open another tab.
    Tab(Tab),
    /// The tab to begin with, which "back" does not lead to.
    First(Tab),
    /// Go to what a finding is about.
    Follow(FindingLink),
    /// Go to a file, and to a line of it.
    Open(FindingLink, Option<u32>),
    /// Search the contents of all layers.
    Search(SearchQuery),
    /// Look for secrets.
    Secrets,
    /// Show the secrets that are at least as certain.
    Confidence(ShownConfidence),
    /// Read the packages.
    Packages,
    /// Show other packages.
    ShowPackages(PackageQuery),
    /// Show them in another order.
    SortPackages(PackageSort),
    /// Show more of them.
    MorePackages,
    /// Compare with a bill of materials: the name of a file, and its text.
    GiveBill(String, String),
    /// Stop a probe, and keep what it found.
    StopProbe(ProbeKind),
    /// Look for signatures and statements.
    Evidence(SignerWish),
    /// Stop the reading of evidence.
    StopEvidence,
    /// Change the rules about signatures.
    Policy(PolicyAction),
    /// Another view, of the focused layer where it wants one.
    View(ViewMode),
    /// A layer was chosen. Choosing it again removes the choice.
    Layer(u32),
    /// The layer above (1) or below (-1).
    StepLayer(i32),
    /// Order the rows by something else.
    Sort(RowSort),
    /// Filter the rows by another text.
    Filter(String),
    /// A kind of change is shown or hidden.
    Toggle(RowChange),
    /// What the areas of the map are proportional to.
    MapMeasure(MapMeasure),
    /// Go to the row whose name begins with a text, from an index on.
    NameRow(String, u64),
    /// Rows that are on the screen.
    Window(u64, u64),
    /// Open or close a directory.
    Expand(String, bool),
    /// Open or close every directory.
    ExpandAll(bool),
    /// Compare two versions of the selected path, by their layers.
    Diff {
        /// Layer of the first.
        before: u32,
        /// Layer of the second.
        after: u32,
        /// Read without asking about the cost.
        anyway: bool,
    },
    /// Compare the image with another one.
    Compare {
        /// The other reference as typed.
        with: String,
        /// Its platform as chosen.
        platform: Option<String>,
    },
    /// Leave something out of the comparison, or take it in again: a name of `porthole diff --ignore`.
    Ignore(String),
    /// How a file differs between the two images, or none any more.
    DiffFile {
        /// Escaped path; `None`: hide the differences.
        path: Option<String>,
        /// Read without asking about the cost.
        anyway: bool,
    },
    /// Compare the layers with those of an image that this one may have been built on.
    Base(String),
    /// End the comparison.
    EndCompare,
    /// Select a path; going back selects the one before.
    Select(Option<String>),
    /// Select a path on the way through the list.
    Pass(String),
    /// Go where the selected symbolic link leads.
    FollowLink,
    /// Mark a line of the selected file.
    Line(Option<u32>),
    /// Read the selected file over the whole middle pane, or go back to the tree.
    Reading(bool),
    /// End the look, and keep what is present.
    Stop,
    /// The session broke.
    SessionDied,
    /// Read the selected file without asking about the cost.
    Read,
    /// Show bytes of the selected file from an offset on; `None`: its content by its type.
    Offset(Option<u64>),
    /// Save the selected file.
    Save,
    /// Save the HTTP exchanges.
    SaveWire,
    /// Save the image as an archive.
    SaveArchive(ArchiveFormat),
    /// Stop saving the archive.
    StopArchive,
    /// Show a directory as a map, or the tree.
    Map(Option<String>),
    /// Room for a map in pixels.
    MapSize(u32, u32),
    /// Change the list of references that were opened before.
    Recent(RecentAction),
    /// Change the list of tags or repositories.
    Names(NameAction),
    /// Read contents for their digests, and compare by them.
    CompareContents,
    /// Show the files that a filter names, in the tree of all layers.
    ListFiles(String),
    /// Compare the contents of files with what packages recorded of them.
    CompareRecorded,
    /// Compare the packages with those of the other image.
    ComparePackages,
    /// Save what the command line prints.
    Export(ExportWish),
    /// Open a dialog, or close it.
    Dialog(Option<Dialog>),
    /// Credentials for a registry.
    SignIn {
        /// The registry as the reference names it, also where a relay is asked.
        registry: String,
        /// Name of the user at the registry.
        username: String,
        /// Password or token.
        password: Secret,
    },
    /// The answer to a question about a password.
    AllowRelayPassword(bool),
    /// Another choice about relays.
    Relay(RelaySettings),
    /// Reach this registry through the relay.
    UseRelay(String),
    /// Look at the same reference again.
    Retry,
    /// Look again, and fetch foreign layers from these hosts.
    AllowForeign(String),
    /// Look again, and compare tables of contents with archives.
    Audit,
    /// Remove what is kept from one visit to the next.
    WipeKept,
    /// Events of the session, in their order.
    Events(Vec<Event>),
}
