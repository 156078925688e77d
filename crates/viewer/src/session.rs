//! A session: it owns the registry client, tokens, credentials and the file tree, and answers every query of a front end.

mod archive;
mod base;
mod compare;
mod content;
mod crew;
mod digests;
mod evidence;
mod export;
mod facts;
mod foreign;
mod front;
mod given;
mod holdings;
mod kept;
mod lines;
mod names;
mod obey;
mod packages;
mod page;
mod prepared;
mod probe;
mod reports;
mod resolve;
mod rest;
mod served;
mod twins;
mod versions;
mod wire;
mod work;

use base::OpenedImages;
use compare::{CompareWish, KeptComparison};
use content::BegunFile;
pub use content::Want;
use evidence::{EvidenceRun, EvidenceWait};
pub use front::{ArchiveFile, Front, SavedFile, ScratchFile, SessionOptions};
use given::UnpackedFile;
pub use holdings::SessionHoldings;
use kept::Keeping;
use names::NameLists;
pub(crate) use page::{BlobPlace, OfPage, PageImage};
use probe::ProbeRun;
use versions::VersionName;

use crate::{
    errands::Errands,
    look::{Look, LookBody},
    pool::{Assignment, Roster},
    protocol::{ArchiveFormat, Event, ExportWish, FailureCause, FileView, ListedBill, NameList, ProbeKind, SignerRule},
    router::Router,
};
pub use crate::{
    given::{GivenFile, GivenPlace, OpenFile, given_reference},
    kept::{KeptError, KeptFile, KeptFiles, KeptLock, Later, TEMPORARY},
    pool::Pool,
    router::{GIVEN, is_on_this_machine},
};
use porthole_contents::secrets::SecretMask;
use porthole_core::{digest::Digest, platform::Platform, reference::Reference};
use porthole_inspect::report::ComparedBase;
use porthole_registry::{
    Registry,
    auth::Credentials,
    transport::{Environment, Transport},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
    rc::Rc,
    time::Duration,
};

/// Everything that lives as long as a front end, over any transport and any pool of layer workers.
///
/// It takes [`Command`](crate::protocol::Command)s with [`obey`](Self::obey) and the reports of layer workers with [`hear`](Self::hear), and answers
/// with [`Event`]s. All of its own work is one future, [`run`](Self::run), which the front end polls for as long as it
/// lives. No method blocks.
pub struct Session<T, P, F> {
    registry: Registry<T>,
    pool: P,
    front: F,
    options: SessionOptions,
    /// Never borrowed across an `await`, nor while an event is sent.
    desk: RefCell<Desk>,
    errands: Errands<Errand, Work>,
}

/// Everything that a session knows, apart from its registry.
#[derive(Default)]
struct Desk {
    base: String,
    router: Router,
    /// Whether it is known if a relay serves this front end.
    asked_for_relay: bool,
    credentials: HashMap<String, Credentials>,
    /// Registries whose credentials may go through a relay on another machine.
    allowed: HashSet<String>,
    /// Platforms to try where none is asked for, best first.
    platforms: Vec<Platform>,
    roster: Roster,
    wish: Option<Wish>,
    look: Option<Look>,
    /// The secrets of its documents that are masked.
    mask: SecretMask,
    /// The image that the one of the look is compared with.
    other: Option<Look>,
    /// The comparison that it was last read for.
    compared: Option<KeptComparison>,
    /// Images that were opened.
    opened: OpenedImages,
    /// The image that the one of the look was compared with last, as its base.
    built_on: Option<ComparedBase>,
    /// How many comparisons were begun.
    comparisons: u32,
    /// Signatures that are being checked.
    evidence: Option<EvidenceWait>,
    /// Whose signatures images must have.
    policy: Vec<SignerRule>,
    /// Bills of materials of the look.
    bills: Rc<Vec<ListedBill>>,
    /// What looks into contents, or did so last.
    probes: BTreeMap<ProbeKind, ProbeRun>,
    /// Lists of tags and repositories.
    names: NameLists,
    /// The window on the screen, which may be known before the look has begun.
    window: Option<Range<u64>>,
    /// What is kept from one visit to the next.
    keeping: Keeping,
    /// Workers that look into contents are about to end.
    resting: bool,
    /// Files that were unpacked, the last at the end.
    unpacked: Vec<UnpackedFile>,
    /// When the next turn is due, if one is.
    turn: Option<Duration>,
}

impl Desk {
    /// The look with this number: the current one, or the one that it is compared with.
    fn look_of(&self, number: u32) -> Option<&Look> {
        [&self.look, &self.other].into_iter().flatten().find(|look| look.number == number)
    }

    /// The image of such a look, once its documents are read.
    fn body_of(&self, number: u32) -> Option<&LookBody> {
        self.look_of(number)?.body.as_ref()
    }
}

/// The request, kept for a retry.
#[derive(Clone, Default)]
struct Wish {
    look: u32,
    reference: String,
    platform: Option<String>,
    view: FileView,
    path: Option<String>,
    /// Read every layer whole, and compare tables of contents with archives.
    audit: bool,
    /// Foreign layers that may be fetched from these hosts.
    foreign: Vec<(Digest, String)>,
}

/// Kinds of work of which one piece runs at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Errand {
    Relay,
    Look,
    File,
    Facts,
    Version,
    Comparison,
    Base,
    Evidence,
    Wire,
    Archive,
    Export,
    Contents,
    Names(NameList),
    Tag(usize),
    Turn,
    Twins(u32),
    Renewal(usize),
    Keep,
    Quiet,
    Kept,
    Rest,
    Forget(u32),
}

enum Work {
    LearnRelay,
    Look(Wish),
    Read { look: u32, path: String, want: Want },
    Facts(Box<BegunFile>),
    ReadVersion { name: VersionName, want: Want },
    DiffVersions { before: VersionName, after: u32, anyway: bool },
    DiffFile { look: u32, path: String, anyway: bool },
    Compare(CompareWish),
    CompareBase { look: u32, reference: String },
    Evidence(EvidenceRun),
    Wire { look: u32 },
    Archive { look: u32, format: ArchiveFormat },
    Export { look: u32, wish: ExportWish },
    CompareContents { other: bool },
    CompareRecorded,
    ComparePackages { look: u32 },
    ListNames { look: u32, list: NameList, reference: Box<Reference> },
    AskAboutTag { look: u32, tag: String, reference: Box<Reference> },
    CopyToTwins { look: u32, layer: u32 },
    Turn(Duration),
    Keep,
    WaitForQuiet,
    Rest,
    TellKept,
    WipeKept,
    ForgetKept(String),
    Renew { worker: usize, assignment: Assignment, cause: Option<FailureCause> },
}

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// A session without a look.
    pub fn new(registry: Registry<T>, pool: P, front: F, options: SessionOptions) -> Self {
        let desk = Desk {
            roster: Roster::new(pool.size()),
            platforms: vec![Platform::new("linux", "amd64", None)],
            ..Desk::default()
        };
        Self { registry, pool, front, options, desk: RefCell::new(desk), errands: Errands::default() }
    }

    /// Sets the platforms to try, best first, where a command names none. By default `linux/amd64`.
    pub fn set_platforms(&self, platforms: Vec<Platform>) {
        self.desk.borrow_mut().platforms = platforms;
    }

    /// Drives the session for as long as it is polled.
    pub async fn run(&self) {
        self.errands.run(|work| self.work(work)).await;
    }

    fn look_again(&self, change: impl FnOnce(Wish) -> Wish) {
        let wish = self.desk.borrow().wish.clone();
        if let Some(wish) = wish {
            self.look(change(wish));
        }
    }

    fn look(&self, wish: Wish) {
        self.cancel();
        self.desk.borrow_mut().wish = Some(wish.clone());
        self.errands.begin(Errand::Look, Work::Look(wish));
    }

    /// Fetches nothing more; the layers that were read stay.
    fn stop(&self) {
        if self.desk.borrow().look.as_ref().is_none_or(|look| look.body.is_none()) {
            return self.cancel();
        }
        self.end_comparison();
        self.halt();
        self.stop_probes();
        self.with_look(|look, _| look.stop());
    }

    /// Ends the work of the layer workers.
    fn halt(&self) {
        self.errands.stop(Errand::Look);
        let begun = self.desk.borrow_mut().roster.cancel();
        self.stop_jobs(begun);
    }

    fn cancel(&self) {
        {
            let mut desk = self.desk.borrow_mut();
            (desk.look, desk.other, desk.compared, desk.turn) = (None, None, None, None);
            desk.probes.clear();
            desk.built_on = None;
            desk.bills = Rc::default();
            desk.names = NameLists::default();
        }
        self.options.recorder.clear();
        self.registry.allow_foreign_blobs(HashMap::new());
        self.halt();
        for errand in [
            Errand::File,
            Errand::Version,
            Errand::Comparison,
            Errand::Base,
            Errand::Export,
            Errand::Contents,
            Errand::Wire,
            Errand::Archive,
            Errand::Turn,
        ] {
            self.errands.stop(errand);
        }
    }

    /// Has workers stop these jobs.
    fn stop_jobs(&self, begun: Vec<(usize, u32)>) {
        for (worker, job) in begun {
            self.errands.stop(Errand::Renewal(worker));
            self.pool.send(worker, crate::layer::WorkerOrder::Cancel { job });
        }
        self.dispatch();
    }

    /// Begins work on a version of a path, in place of the work on another.
    fn begin_version(&self, path: String, layer: u32, work: impl FnOnce(VersionName) -> Work) {
        let look = self.desk.borrow().look.as_ref().map(|look| look.number);
        if let Some(look) = look {
            self.errands.begin(Errand::Version, work(VersionName { look, path, layer }));
        }
    }

    /// Changes the current look; then takes the turn that follows from it.
    fn with_look(&self, change: impl FnOnce(&mut Look, &mut Vec<Event>)) {
        let mut out = Vec::new();
        if let Some(look) = &mut self.desk.borrow_mut().look {
            change(look, &mut out);
        }
        self.tell(out);
        self.turn();
    }

    /// Changes a look, if it is still the current one, or the one that is compared with it. The latter reports nothing.
    fn of_look(&self, number: u32, change: impl FnOnce(&mut Look, &mut Vec<Event>)) {
        let mut out = Vec::new();
        let mut desk = self.desk.borrow_mut();
        if let Some(look) = desk.look.as_mut().filter(|look| look.number == number) {
            change(look, &mut out);
        } else if let Some(other) = desk.other.as_mut().filter(|other| other.number == number) {
            change(other, &mut Vec::new());
        }
        drop(desk);
        self.tell(out);
    }

    /// Takes a turn of the look, and schedules the next one.
    fn turn(&self) {
        self.learn_contents();
        let mut out = Vec::new();
        let (mut again, mut alone) = (None, None);
        if let Some(look) = &mut self.desk.borrow_mut().look {
            again = look.turn(|| self.now(), &mut out);
            alone = look.ask_alone().map(|layer| (look.number, layer));
        }
        self.tell(out);
        self.judge_probes();
        if let Some((look, layer)) = alone {
            return self.enqueue(look, [layer].into_iter());
        }
        self.desk.borrow_mut().turn = again.map(|pause| self.now() + pause);
        match again {
            Some(pause) => self.errands.begin(Errand::Turn, Work::Turn(pause)),
            None => self.errands.stop(Errand::Turn),
        }
    }

    /// Takes a turn now, unless one is overdue.
    fn turn_soon(&self) {
        let due = self.desk.borrow().turn;
        if due.is_none_or(|due| due > self.now()) {
            self.turn();
        }
    }

    fn tell(&self, events: Vec<Event>) {
        events.into_iter().for_each(|event| self.front.tell(event));
    }

    fn now(&self) -> Duration {
        self.registry.transport().now()
    }
}
