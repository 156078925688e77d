//! A front end without a screen: the state of the page over a session, layer workers on the same thread, registries in
//! memory, and a clock that moves when something sleeps.

mod crew;

use crate::archive::{Archives, Packing};
use crew::{Crew, Hashes};
use porthole_core::failure::FailureClass;
use porthole_registry::{Options, Registry, trace::Recorder, transport::Environment};
use porthole_source::Place;
use porthole_testkit::{
    image::{Built, Content, Image, Layer},
    registry::{Internet, Site},
};
use porthole_viewer::{
    protocol::{
        Command, Event, EvidenceAnswer, EvidenceJob, FailureCause, FailureNotice, FileView, LayerState, LinkState,
        Remedy, RowSort,
    },
    session::{self, Front, GivenFile, GivenPlace, SavedFile, Session, given_reference},
    state::{Action, Effect, State},
    worker::{WorkerOrder, WorkerReport},
};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
};

/// The registry of the tests.
pub(crate) const REGISTRY: &str = "r.example";
/// The reference of the tests.
pub(crate) const REFERENCE: &str = "r.example/a/b:1";

pub(crate) type TestSession = Session<Internet, Crew, Screen>;

pub(crate) struct Stage {
    pub(crate) internet: Internet,
    pub(crate) state: State,
    /// Every event, in order.
    pub(crate) events: Vec<Event>,
    /// Every effect of an action that is not a command.
    pub(crate) effects: Vec<Effect>,
    session: Rc<TestSession>,
    driver: Task,
    woken: Arc<Woken>,
    crew: Crew,
    screen: Screen,
    /// Reports stay where they are.
    hold: bool,
}

/// How a stage differs from the usual one.
pub(crate) struct Setup {
    pub(crate) workers: usize,
    pub(crate) options: session::SessionOptions,
    /// What `relay.json` beside the page says, if it is there.
    pub(crate) relay: Option<&'static str>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { workers: 2, options: session::SessionOptions::default(), relay: None }
    }
}

impl Stage {
    /// Registries in memory, and a page that no relay serves.
    pub(crate) fn new(internet: &Internet) -> Self {
        Self::with(internet, Setup::default())
    }

    pub(crate) fn with(internet: &Internet, setup: Setup) -> Self {
        internet.as_platform();
        internet.site(PAGE, Site::new());
        if let Some(note) = setup.relay {
            let body = note.as_bytes().to_vec();
            let answer = porthole_testkit::registry::Fault::Answer { status: 200, headers: Vec::new(), body };
            internet.fault("/relay.json", u32::MAX, answer);
        }
        let crew = Crew::new(internet, setup.workers, setup.options.limits);
        let screen = Screen::default();
        screen.archives.room.set(u64::MAX);
        let clock = internet.clone();
        let recorder = Recorder::new(move || clock.now());
        let options = Options { short_accept: true, observer: recorder.observer(), ..Options::default() };
        let registry = Registry::new(internet.clone(), options);
        let options = session::SessionOptions { recorder, ..setup.options };
        let session = Rc::new(Session::new(registry, crew.clone(), screen.clone(), options));
        let driven = Rc::clone(&session);
        let driver: Task = Box::pin(async move { driven.run().await });
        let mut stage = Self {
            internet: internet.clone(),
            // By name, so that a test does not have to state sizes.
            state: State { listing: FileView { sort: RowSort::Name, ..FileView::default() }, ..State::default() },
            events: Vec::new(),
            effects: Vec::new(),
            session,
            driver,
            woken: Arc::default(),
            crew,
            screen,
            hold: false,
        };
        let base = format!("https://{PAGE}/index.html");
        stage.command(Command::Start { base, relay: Default::default() });
        stage.settle();
        stage
    }

    /// A registry with one image, looked at.
    pub(crate) fn looking(content: Content) -> Self {
        let mut stage = Self::new(&registry(content));
        stage.look(REFERENCE);
        stage
    }

    /// Hands over a file, before a look at it.
    pub(crate) fn give(&self, name: &str, file: GivenFile) {
        self.screen.given.borrow_mut().insert(given_reference(name), (name.into(), Place::File(file)));
    }

    /// Keeps files from one visit to the next.
    pub(crate) fn keep_in(&self, files: Rc<dyn porthole_viewer::session::KeptFiles>) {
        self.session.set_kept(files);
    }

    /// Hands over a folder, before a look at it.
    pub(crate) fn give_folder(&self, name: &str, files: BTreeMap<String, GivenFile>) {
        self.screen.given.borrow_mut().insert(given_reference(name), (name.into(), Place::Directory(files)));
    }

    /// Looks at an image, to the end.
    pub(crate) fn look(&mut self, reference: &str) {
        self.act(Action::Look(reference.into()));
    }

    /// Does something, and lets everything that follows from it happen.
    pub(crate) fn act(&mut self, action: Action) {
        self.begin(action);
        self.settle();
    }

    /// Does something, and lets nothing follow from it yet.
    pub(crate) fn begin(&mut self, action: Action) {
        for effect in self.state.update(action) {
            match effect {
                Effect::Send(command) => self.session.obey(command),
                Effect::SaveArchive { format, .. } => self.session.obey(Command::SaveArchive { format }),
                other => self.effects.push(other),
            }
        }
        self.collect();
    }

    /// A command that no action of the page sends.
    pub(crate) fn command(&mut self, command: Command) {
        self.session.obey(command);
        self.collect();
    }

    /// Platforms that are tried where none is asked for.
    pub(crate) fn set_platforms(&self, platforms: &[&str]) {
        self.session.set_platforms(platforms.iter().map(|platform| platform.parse().expect("a platform")).collect());
    }

    /// Lets everything happen that can.
    pub(crate) fn settle(&mut self) {
        for _ in 0..STEPS {
            if !self.step() {
                return;
            }
        }
        panic!("this does not end: {:?}", self.events.last());
    }

    /// Lets things happen until `reached`; panics where nothing leads there.
    pub(crate) fn until(&mut self, reached: impl Fn(&Self) -> bool) {
        for _ in 0..STEPS {
            if reached(self) {
                return;
            }
            assert!(self.step(), "nothing leads there: {:?}", self.events.last());
        }
        panic!("this does not end: {:?}", self.events.last());
    }

    /// One turn of the session and of each worker. `false` = everything waits.
    pub(crate) fn step(&mut self) -> bool {
        self.woken.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&self.woken));
        let mut context = Context::from_waker(&waker);
        let _ = self.driver.as_mut().poll(&mut context);
        self.crew.poll(&mut context);
        let delivered = !self.hold && self.deliver(1);
        self.collect() | delivered | self.woken.0.load(Ordering::Relaxed)
    }

    /// Keeps the reports of workers back, or no longer.
    pub(crate) fn hold(&mut self, hold: bool) {
        self.hold = hold;
    }

    /// Delivers the next reports of workers.
    fn deliver(&mut self, most: usize) -> bool {
        let reports: Vec<_> = {
            let mut reports = self.crew.0.reports.borrow_mut();
            let most = most.min(reports.len());
            reports.drain(..most).collect()
        };
        let some = !reports.is_empty();
        for (worker, report) in reports {
            self.session.hear(worker, report);
        }
        some
    }

    /// The signatures that are to be checked, each once.
    pub(crate) fn evidence_jobs(&self) -> Vec<EvidenceJob> {
        self.screen.jobs.take()
    }

    /// The program that checks signatures answers, or ends without an answer.
    pub(crate) fn answer_evidence(&mut self, answer: Option<EvidenceAnswer>) {
        match answer {
            Some(answer) => self.session.hear_evidence(answer),
            None => self.session.bury_evidence(),
        }
        self.settle();
    }

    /// A worker reports this.
    pub(crate) fn report(&mut self, worker: usize, report: WorkerReport) {
        self.session.hear(worker, report);
        self.collect();
    }

    /// A worker ends without a report.
    pub(crate) fn kill(&mut self, worker: usize) {
        self.crew.stop(worker);
        self.session.bury(worker);
        self.collect();
    }

    /// From now on no worker is started again.
    pub(crate) fn refuse_workers(&self) {
        self.crew.0.refuses.set(true);
    }

    /// Workers that can look into contents now.
    pub(crate) fn contents_workers(&self) -> usize {
        self.crew.0.members.borrow().iter().skip(self.crew.0.contents.get()).flatten().count()
    }

    /// Orders that were sent to workers so far.
    pub(crate) fn orders(&self) -> Vec<(usize, WorkerOrder)> {
        self.crew.0.orders.borrow().clone()
    }

    /// Layer reads that were ordered so far.
    pub(crate) fn reads(&self) -> usize {
        self.orders().iter().filter(|(_, order)| matches!(order, WorkerOrder::Read(_))).count()
    }

    /// Archives that were saved.
    pub(crate) fn archives(&self) -> Vec<Vec<u8>> {
        self.screen.archives.kept.borrow().clone()
    }

    /// What was done to archives since the last call.
    pub(crate) fn archive_deeds(&self) -> Vec<&'static str> {
        self.screen.archives.deeds.take()
    }

    /// The front end has room for this many bytes.
    pub(crate) fn set_room(&self, bytes: u64) {
        self.screen.archives.room.set(bytes);
    }

    /// Files that were begun for what given files unpack to.
    pub(crate) fn scratches(&self) -> usize {
        self.screen.scratches.get()
    }

    /// Files that were saved.
    pub(crate) fn saved(&self) -> Vec<Vec<u8>> {
        self.screen.saved.borrow().clone()
    }

    /// Hands events to the state of the page.
    fn collect(&mut self) -> bool {
        let mut some = false;
        loop {
            let events = std::mem::take(&mut *self.screen.events.borrow_mut());
            if events.is_empty() {
                return some;
            }
            some = true;
            self.events.extend(events.iter().cloned());
            for effect in self.state.update(Action::Events(events)) {
                match effect {
                    Effect::Send(command) => self.session.obey(command),
                    other => self.effects.push(other),
                }
            }
        }
    }

    /// What the session holds.
    pub(crate) fn holdings(&self) -> session::SessionHoldings {
        self.session.holdings()
    }

    // What the page shows.

    /// Paths of the rows.
    pub(crate) fn paths(&self) -> Vec<&str> {
        self.state.rows.rows.iter().map(|row| row.path.as_str()).collect()
    }

    /// The failure that ended the look.
    #[track_caller]
    pub(crate) fn failure(&self) -> &FailureNotice {
        self.state.failure.as_deref().expect("the look failed")
    }

    #[track_caller]
    pub(crate) fn failed_as(&self, kind: FailureClass) -> &FailureNotice {
        let failure = self.failure();
        assert_eq!(failure.kind, kind, "{failure:?}");
        failure
    }

    #[track_caller]
    pub(crate) fn failed_by(&self, cause: FailureCause) -> &FailureNotice {
        let failure = self.failed_as(FailureClass::Network);
        assert_eq!(failure.cause, Some(cause), "{failure:?}");
        failure
    }

    /// The failure of a layer.
    #[track_caller]
    pub(crate) fn layer_failure(&self, layer: u32) -> &FailureNotice {
        self.state.layer_failures.get(&layer).expect("the layer failed")
    }

    /// What the threads that hash for layer workers did.
    pub(crate) fn hashes(&self) -> &Hashes {
        &self.crew.0.hashes
    }

    pub(crate) fn layer_states(&self) -> Vec<LayerState> {
        self.state.layers.iter().map(|layer| layer.state).collect()
    }

    /// Asserts that everything was read and verified.
    #[track_caller]
    pub(crate) fn verified(&self) {
        assert_eq!(self.state.failure, None);
        assert_eq!(self.state.chain.state, LinkState::Verified, "{:?}", self.state.chain);
        assert!(self.state.settled && self.state.rows.complete && self.state.sizes.complete);
    }

    /// What is in the selected file.
    #[track_caller]
    pub(crate) fn content(&self) -> &porthole_viewer::protocol::ShownContent {
        &self.state.content.as_ref().expect("the file is read").1
    }

    /// Events of a look from a place in the log on.
    pub(crate) fn events_of(&self, look: u32, from: usize) -> Vec<&Event> {
        self.events[from..].iter().filter(|event| event.look() == Some(look)).collect()
    }
}

/// A failure offers this remedy.
pub(crate) fn offers(failure: &FailureNotice, wanted: impl Fn(&Remedy) -> bool) -> bool {
    failure.remedies.iter().any(wanted)
}

/// Host of the page.
pub(crate) const PAGE: &str = "page.example";
/// More than any test takes.
const STEPS: usize = 20_000;

type Task = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the session reported, and what was saved.
#[derive(Clone, Default)]
pub(crate) struct Screen {
    events: Rc<RefCell<Vec<Event>>>,
    saved: Rc<RefCell<Vec<Vec<u8>>>>,
    /// Files that were opened, by their references.
    given: Rc<RefCell<BTreeMap<String, (String, GivenPlace)>>>,
    jobs: Rc<RefCell<Vec<EvidenceJob>>>,
    archives: Archives,
    /// Files for what given files unpack to, counted.
    scratches: Rc<Cell<usize>>,
}

impl Front for Screen {
    type File = Saving;
    type Archive = Packing;
    type Scratch = crate::unpacked::Scratch;

    fn tell(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }

    fn save(&self) -> Saving {
        Saving { bytes: Vec::new(), saved: Rc::clone(&self.saved) }
    }

    fn archive(&self) -> Packing {
        Packing::new(&self.archives)
    }

    async fn scratch(&self, bytes: u64) -> Result<Self::Scratch, String> {
        if bytes > self.archives.room.get() {
            return Err("there is room for nothing".into());
        }
        self.scratches.set(self.scratches.get() + 1);
        Ok(crate::unpacked::Scratch::default())
    }

    fn check(&self, job: EvidenceJob) {
        self.jobs.borrow_mut().push(job);
    }

    fn given(&self, reference: &str) -> Option<(String, GivenPlace)> {
        self.given.borrow().get(reference).cloned()
    }
}

pub(crate) struct Saving {
    bytes: Vec<u8>,
    saved: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl SavedFile for Saving {
    fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn finish(self) -> Result<String, String> {
        let mut saved = self.saved.borrow_mut();
        saved.push(self.bytes);
        Ok(format!("memory:{}", saved.len()))
    }
}

/// A registry with a repository `a/b`.
pub(crate) fn registry(content: Content) -> Internet {
    let internet = Internet::new();
    internet.site(REGISTRY, Site::new().repository("a/b", content));
    internet
}

/// Two layers: the upper one writes, replaces and removes files of the lower one.
pub(crate) fn image() -> Image {
    Image::new()
        .layer(Layer::new("COPY rootfs /").dir("etc").file("etc/hosts", "one\n").file("etc/motd", "hello\n"))
        .layer(Layer::new("RUN change").file("etc/hosts", "two\n").whiteout("etc/motd").file("srv/app", vec![0; 20]))
}

pub(crate) fn built() -> Built {
    image().build()
}

/// The image under the tag of [`REFERENCE`].
pub(crate) fn content() -> Content {
    built().into_content("1")
}

/// Bytes that do not compress.
pub(crate) fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    (0..bytes).map(|_| next()).collect()
}
