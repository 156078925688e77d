//! What a session knows.

use super::{
    base::OpenedImages, compare::KeptComparison, evidence::EvidenceWait, given::UnpackedFile, kept::Keeping,
    names::NameLists, probe::ProbeRun,
};
use crate::{
    look::{Look, LookBody},
    pool::Roster,
    protocol::{FileView, ListedBill, ProbeKind, SignerRule},
    router::Router,
};
use porthole_core::platform::Platform;
use porthole_inspect::report::ComparedBase;
use porthole_registry::auth::Credentials;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
    rc::Rc,
    time::Duration,
};

/// Everything that a session knows, apart from its registry.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) base: String,
    pub(super) router: Router,
    /// Whether it is known if a relay serves this front end.
    pub(super) asked_for_relay: bool,
    pub(super) credentials: HashMap<String, Credentials>,
    /// Registries whose credentials may go through a relay on another machine.
    pub(super) allowed: HashSet<String>,
    /// Platforms to try where none is asked for, best first.
    pub(super) platforms: Vec<Platform>,
    pub(super) roster: Roster,
    pub(super) wish: Option<Wish>,
    pub(super) look: Option<Look>,
    /// The image that the one of the look is compared with.
    pub(super) other: Option<Look>,
    /// The comparison that it was last read for.
    pub(super) compared: Option<KeptComparison>,
    /// Images that were opened.
    pub(super) opened: OpenedImages,
    /// The image that the one of the look was compared with last, as its base.
    pub(super) built_on: Option<ComparedBase>,
    /// How many comparisons were begun.
    pub(super) comparisons: u32,
    /// Signatures that are being checked.
    pub(super) evidence: Option<EvidenceWait>,
    /// Whose signatures images must have.
    pub(super) policy: Vec<SignerRule>,
    /// Bills of materials of the look.
    pub(super) bills: Rc<Vec<ListedBill>>,
    /// What looks into contents, or did so last.
    pub(super) probes: BTreeMap<ProbeKind, ProbeRun>,
    /// Lists of tags and repositories.
    pub(super) names: NameLists,
    /// The window on the screen, which may be known before the look has begun.
    pub(super) window: Option<Range<u64>>,
    /// What is kept from one visit to the next.
    pub(super) keeping: Keeping,
    /// Workers that look into contents are about to end.
    pub(super) resting: bool,
    /// Files that were unpacked, the last at the end.
    pub(super) unpacked: Vec<UnpackedFile>,
    /// When the next turn is due, if one is.
    pub(super) turn: Option<Duration>,
}

impl Desk {
    /// The look of a number, be it the one that is compared with the current one.
    pub(super) fn look_of(&self, number: u32) -> Option<&Look> {
        [&self.look, &self.other].into_iter().flatten().find(|look| look.number == number)
    }

    /// The image of such a look, once its documents are read.
    pub(super) fn body_of(&self, number: u32) -> Option<&LookBody> {
        self.look_of(number)?.body.as_ref()
    }
}

/// What was asked for, kept for another try.
#[derive(Clone)]
pub(super) struct Wish {
    pub(super) look: u32,
    pub(super) reference: String,
    pub(super) platform: Option<String>,
    pub(super) view: FileView,
    pub(super) path: Option<String>,
    /// Read every layer whole, and compare tables of contents with archives.
    pub(super) audit: bool,
}
