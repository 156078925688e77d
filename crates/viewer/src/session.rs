//! A session: it owns the registry client, tokens, credentials and the file tree, and answers every query of a front end.

mod archive;
mod base;
mod compare;
mod content;
mod crew;
mod digests;
mod evidence;
mod export;
mod front;
mod given;
mod holdings;
mod kept;
mod lines;
mod names;
mod page;
mod prepared;
mod probe;
mod reports;
mod resolve;
mod rest;
mod twins;
mod versions;
mod wire;

use base::OpenedImages;
use compare::{CompareWish, KeptComparison};
pub use content::Want;
use evidence::{EvidenceRun, EvidenceWait};
pub use front::{ArchiveFile, Front, SavedFile, ScratchFile, SessionOptions};
use given::UnpackedFile;
pub use holdings::SessionHoldings;
use kept::Keeping;
use names::NameLists;
pub(crate) use page::{BlobPlace, PageImage};
use probe::ProbeRun;
pub(crate) use resolve::OfPage;
use versions::VersionName;

use crate::{
    errands::Errands,
    look::Look,
    pool::{Assignment, Pool, Roster},
    protocol::{
        ArchiveFormat, Command, Event, ExportWish, FailureCause, FileView, ListedBill, NameList, ProbeKind, Secret,
        SignerRule,
    },
    router::{Relay, Router},
};
use porthole_core::{platform::Platform, reference::Reference};
use porthole_inspect::report::ComparedBase;
use porthole_registry::{
    Registry,
    auth::Credentials,
    transport::{Body as _, Environment, Request, Transport},
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
/// It takes [`Command`]s with [`obey`](Self::obey) and the reports of layer workers with [`hear`](Self::hear), and answers
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
    /// The look of a number, be it the one that is compared with the current one.
    fn look_of(&self, number: u32) -> Option<&Look> {
        [&self.look, &self.other].into_iter().flatten().find(|look| look.number == number)
    }
}

/// What was asked for, kept for another try.
#[derive(Clone)]
struct Wish {
    look: u32,
    reference: String,
    platform: Option<String>,
    view: FileView,
    path: Option<String>,
    /// Read every layer whole, and compare tables of contents with archives.
    audit: bool,
}

/// What there is at most one of at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Errand {
    Relay,
    Look,
    File,
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

    async fn work(&self, work: Work) {
        match work {
            Work::LearnRelay => self.learn_relay().await,
            Work::Look(wish) => self.resolve(wish).await,
            Work::Read { look, path, want } => self.read_file(look, path, want).await,
            Work::ReadVersion { name, want } => self.read_version(name, want).await,
            Work::DiffVersions { before, after, anyway } => self.diff_versions(before, after, anyway).await,
            Work::DiffFile { look, path, anyway } => self.diff_file(look, path, anyway).await,
            Work::Compare(wish) => self.compare(wish).await,
            Work::CompareBase { look, reference } => self.compare_base(look, reference).await,
            Work::Evidence(run) => self.find_evidence(run).await,
            Work::Wire { look } => self.tell_wire(look).await,
            Work::Archive { look, format } => self.save_archive(look, format).await,
            Work::Export { look, wish } => self.save_export(look, wish).await,
            // Why it failed is in what the probe reports.
            Work::CompareContents { other } => drop(self.know_contents(other).await),
            Work::ListNames { look, list, reference } => self.list_names(look, list, *reference).await,
            Work::AskAboutTag { look, tag, reference } => self.find_tag_facts(look, tag, *reference).await,
            Work::CopyToTwins { look, layer } => self.copy_to_twins(look, layer).await,
            Work::Turn(pause) => {
                self.registry.transport().sleep(pause).await;
                self.desk.borrow_mut().turn = None;
                self.turn();
            }
            Work::Keep => self.keep().await,
            Work::WaitForQuiet => self.wait_for_quiet().await,
            Work::Rest => self.rest().await,
            Work::TellKept => self.tell_kept().await,
            Work::WipeKept => self.wipe_kept().await,
            Work::ForgetKept(name) => self.remove_kept(name).await,
            Work::Renew { worker, assignment, cause } => self.renew(worker, assignment, cause).await,
        }
    }

    /// Takes a command.
    pub fn obey(&self, command: Command) {
        match command {
            Command::Start { base, relay } => {
                let mut desk = self.desk.borrow_mut();
                desk.base = base;
                desk.router.set(relay);
                self.errands.begin(Errand::Relay, Work::LearnRelay);
            }
            Command::Look { look, reference, platform, view, path } => {
                self.look(Wish { look, reference, platform, view, path, audit: false });
            }
            Command::Retry { look } => self.look_again(|wish| Wish { look, ..wish }),
            Command::Audit { look } => self.look_again(|wish| Wish { look, audit: true, ..wish }),
            Command::Cancel => self.cancel(),
            Command::Stop => self.stop(),
            Command::Rows { from, to } => {
                self.desk.borrow_mut().window = Some(from..to);
                self.with_look(|look, out| look.set_window(from..to, out));
            }
            Command::SetView { view } => {
                if let Some(wish) = &mut self.desk.borrow_mut().wish {
                    wish.view = view.clone();
                }
                self.with_look(|look, _| look.set_view(view));
            }
            Command::Expand { path } => self.with_look(|look, _| look.open(&path, true)),
            Command::Collapse { path } => self.with_look(|look, _| look.open(&path, false)),
            Command::ExpandAll => self.with_look(|look, _| look.open_all(true)),
            Command::CollapseAll => self.with_look(|look, _| look.open_all(false)),
            Command::Select { path } => {
                if let Some(wish) = &mut self.desk.borrow_mut().wish {
                    wish.path.clone_from(&path);
                }
                self.with_look(|look, _| look.select(path.as_deref()));
            }
            Command::Read { path, anyway } => self.read(path, if anyway { Want::StartAnyway } else { Want::Start }),
            Command::Save { path } => self.read(path, Want::All),
            Command::Wire => self.begin_wire(),
            Command::SaveArchive { format } => self.begin_archive(format),
            Command::StopArchive => self.errands.stop(Errand::Archive),
            Command::SaveWire => self.save_wire(),
            Command::Waste => self.with_look(|look, _| look.want_waste()),
            Command::Versions { path } => self.with_look(|look, out| versions::tell_versions(look, &path, out)),
            Command::ReadVersion { path, layer, anyway } => {
                let want = if anyway { Want::StartAnyway } else { Want::Start };
                self.begin_version(path, layer, |name| Work::ReadVersion { name, want });
            }
            Command::DiffVersions { path, before, after, anyway } => {
                self.begin_version(path, before, |before| Work::DiffVersions { before, after, anyway });
            }
            Command::Compare { reference, platform, ignore } => self.begin_comparison(reference, platform, &ignore),
            Command::DiffFile { path, anyway } => {
                let look = self.desk.borrow().look.as_ref().map(|look| look.number);
                if let Some(look) = look {
                    self.errands.begin(Errand::Version, Work::DiffFile { look, path, anyway });
                }
            }
            Command::CompareBase { reference } => {
                let look = self.desk.borrow().look.as_ref().map(|look| look.number);
                if let Some(look) = look {
                    self.errands.begin(Errand::Base, Work::CompareBase { look, reference });
                }
            }
            Command::EndCompare => self.end_comparison(),
            Command::Probe { run, wish } => self.begin_probe(run, wish),
            Command::ShowPackages { view } => self.show_packages(view),
            Command::GiveBill { name, text } => self.take_bill(name, &text),
            Command::Evidence { run, wish, signatures_only } => self.begin_evidence(run, wish, signatures_only),
            Command::StopEvidence => self.stop_evidence(),
            Command::SetPolicy { text } => self.set_policy(&text),
            Command::Demand { rule } => self.demand(rule),
            Command::Waive { images } => self.change_policy(|rules| rules.retain(|rule| rule.images != images)),
            Command::ShowNames { query, most, again } => self.show_names(query, most, again),
            Command::AskAboutTag { tag } => self.ask_about_tag(tag),
            Command::FollowLink { path } => self.with_look(|look, out| look.follow_link(&path, out)),
            Command::Map { wish } => self.with_look(|look, out| look.map(&wish, out)),
            Command::CompareContents { other } => {
                self.errands.begin(Errand::Contents, Work::CompareContents { other });
            }
            Command::Export { wish } => self.export(wish),
            Command::StopProbe { kind } => self.stop_probe(kind),
            Command::Kept => self.errands.begin(Errand::Kept, Work::TellKept),
            Command::WipeKept => self.errands.begin(Errand::Kept, Work::WipeKept),
            Command::SignIn { registry, username, password: Secret(password) } => {
                let credentials = Credentials::basic(username, password);
                self.desk.borrow_mut().credentials.insert(registry, credentials);
            }
            Command::AllowRelayPassword { registry, allow } => {
                let mut desk = self.desk.borrow_mut();
                if allow {
                    desk.allowed.insert(registry);
                } else {
                    desk.credentials.remove(&registry);
                }
            }
            Command::SetRelay { relay } => {
                self.desk.borrow_mut().router.set(relay);
                self.tell_relay();
            }
            Command::UseRelay { registry } => {
                self.desk.borrow_mut().router.use_relay(&registry);
                self.tell_relay();
            }
        }
    }

    /// Asks once whether a relay serves this front end.
    async fn learn_relay(&self) {
        let relay = self.is_served().await.then(|| Relay { url: self.place(), same_origin: true });
        let mut desk = self.desk.borrow_mut();
        if !std::mem::replace(&mut desk.asked_for_relay, true) {
            desk.router.set_serving(relay);
            drop(desk);
            self.tell_relay();
        }
    }

    /// Whether a relay answers beside the front end.
    async fn is_served(&self) -> bool {
        let note = self.fetch_note(&format!("{}/relay.json", self.place())).await;
        note.is_some_and(|note| note.trim_ascii_start().starts_with(b"{"))
    }

    /// Where the front end is, without its file.
    fn place(&self) -> String {
        let desk = self.desk.borrow();
        let base = desk.base.split(['?', '#']).next().unwrap_or_default();
        base[..base.rfind('/').map_or(0, |slash| slash)].to_owned()
    }

    /// A small file that the page's own host serves beside the page; `None` if there is none.
    async fn fetch_note(&self, url: &str) -> Option<Vec<u8>> {
        let request: Request = http::Request::get(url).body(Default::default()).ok()?;
        let response = self.registry.transport().send(request).await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let (mut body, mut note, mut buffer) = (response.into_body(), Vec::new(), vec![0; NOTE]);
        loop {
            match body.read(&mut buffer).await.ok()? {
                0 => return Some(note),
                read if note.len() + read > NOTE => return None,
                read => note.extend_from_slice(&buffer[..read]),
            }
        }
    }

    fn tell_relay(&self) {
        let relay = self.desk.borrow().router.relay();
        let same_origin = relay.as_ref().is_some_and(|relay| relay.same_origin);
        self.front.tell(Event::Relay { url: relay.map(|relay| relay.url), same_origin });
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

    /// A turn now, unless one is overdue and will be taken anyway.
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

/// Bytes of `relay.json` that are read.
const NOTE: usize = 64 << 10;
