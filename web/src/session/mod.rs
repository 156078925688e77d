//! The session worker: one for the page. It owns the registry client, tokens, credentials and the file tree, and
//! answers every query; the page only draws what it is sent.

pub mod content;
mod crew;
pub mod pool;
mod prepared;
mod resolve;
pub mod sample;

use crate::{
    protocol,
    task::Task,
    transport::{Fetch, sleep},
    worker,
};
use pool::Pool;
use porthole_registry::{Options, Registry, auth::Credentials, transport::ErrorKind};
use porthole_viewer::{
    look::Look,
    protocol::{Command, Event, Failure, FailureKind, Secret, View},
    router::{Relay, Router},
};
use sample::Layout;
use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
    time::Duration,
};

/// Listens to the page until the worker is ended.
pub fn run() {
    worker::on_panic(|text| send(&[internal(text)]));
    let session = Rc::new(Session {
        registry: Registry::new(Fetch, Options { short_accept: true, ..Options::default() }),
        layout: Layout::sample(),
        state: RefCell::default(),
    });
    let hear = {
        let session = Rc::clone(&session);
        Rc::new(move |number, data| session.hear_layer(number, data))
    };
    let died = {
        let session = Rc::clone(&session);
        Rc::new(move |number, _| session.bury(number))
    };
    session.state.borrow_mut().pool = Some(Pool::start(hear, died));
    worker::listen(move |message| {
        let (text, _) = worker::open(message);
        match text.as_deref().and_then(protocol::decode) {
            Some(command) => session.obey(command),
            None => send(&[internal("the page sent what its session does not understand".into())]),
        }
    });
    send(&[Event::Ready]);
}

/// Everything that lives as long as the page.
struct Session {
    registry: Registry<Fetch>,
    layout: Layout,
    /// Never borrowed across an `await`, nor while something is sent that could call back.
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    base: String,
    router: Router,
    /// Whether it is known if a relay serves this page.
    asked_for_relay: bool,
    credentials: HashMap<String, Credentials>,
    /// Registries whose credentials may go through a relay elsewhere.
    allowed: HashSet<String>,
    pool: Option<Pool>,
    wish: Option<Wish>,
    look: Option<Look>,
    /// The work of the look that goes on.
    task: Option<Task>,
    start: Option<Task>,
    /// The file that is being read.
    reading: Option<Task>,
    /// When the next turn is due, if one is.
    turn: Option<(f64, Task)>,
}

/// What the page asked to look at, kept for another try.
#[derive(Clone)]
struct Wish {
    look: u32,
    reference: String,
    platform: Option<String>,
    view: View,
    path: Option<String>,
    /// Read every layer whole, and compare tables of contents with archives.
    audit: bool,
}

impl Session {
    fn obey(self: &Rc<Self>, command: Command) {
        match command {
            Command::Start { base, relay } => {
                let mut state = self.state.borrow_mut();
                state.base = base;
                state.router.set(relay);
                let session = Rc::clone(self);
                state.start = Some(Task::spawn(async move { session.learn_relay().await }));
            }
            Command::Look { look, reference, platform, view, path } => {
                self.look(Wish { look, reference, platform, view, path, audit: false });
            }
            Command::Retry { look } => {
                let wish = self.state.borrow().wish.clone();
                if let Some(wish) = wish {
                    self.look(Wish { look, ..wish });
                }
            }
            Command::Audit { look } => {
                let wish = self.state.borrow().wish.clone();
                if let Some(wish) = wish {
                    self.look(Wish { look, audit: true, ..wish });
                }
            }
            Command::Cancel => self.cancel(),
            Command::Rows { from, to } => self.with_look(|look, out| look.set_window(from..to, out)),
            Command::SetView { view } => {
                if let Some(wish) = &mut self.state.borrow_mut().wish {
                    wish.view = view.clone();
                }
                self.with_look(|look, _| look.set_view(view));
            }
            Command::Expand { path } => self.with_look(|look, _| look.open(&path, true)),
            Command::Collapse { path } => self.with_look(|look, _| look.open(&path, false)),
            Command::ExpandAll => self.with_look(|look, _| look.open_all(true)),
            Command::CollapseAll => self.with_look(|look, _| look.open_all(false)),
            Command::Select { path } => {
                if let Some(wish) = &mut self.state.borrow_mut().wish {
                    wish.path.clone_from(&path);
                }
                self.with_look(|look, _| look.select(path.as_deref()));
            }
            Command::Read { path, anyway } => {
                self.read(path, if anyway { content::Want::StartAnyway } else { content::Want::Start });
            }
            Command::Save { path } => self.read(path, content::Want::All),
            Command::SignIn { registry, username, password: Secret(password) } => {
                let credentials = Credentials::basic(username, password);
                self.state.borrow_mut().credentials.insert(registry, credentials);
            }
            Command::AllowRelayPassword { registry, allow } => {
                let mut state = self.state.borrow_mut();
                if allow {
                    state.allowed.insert(registry);
                } else {
                    state.credentials.remove(&registry);
                }
            }
            Command::SetRelay { relay } => {
                self.state.borrow_mut().router.set(relay);
                self.tell_relay();
            }
            Command::UseRelay { registry } => {
                self.state.borrow_mut().router.use_relay(&registry);
                self.tell_relay();
            }
        }
    }

    /// Asks once whether a relay serves this page.
    async fn learn_relay(&self) {
        let base = self.state.borrow().base.clone();
        let base = base.split(['?', '#']).next().unwrap_or_default();
        let base = &base[..base.rfind('/').map_or(0, |slash| slash)];
        let note = crate::transport::fetch_note(&format!("{base}/relay.json")).await;
        let served = note.is_some_and(|note| note.trim_start().starts_with('{'));
        let relay = served.then(|| Relay { url: base.into(), same_origin: true });
        let mut state = self.state.borrow_mut();
        if !std::mem::replace(&mut state.asked_for_relay, true) {
            state.router.set_serving(relay);
            drop(state);
            self.tell_relay();
        }
    }

    fn tell_relay(&self) {
        let relay = self.state.borrow().router.relay();
        let same_origin = relay.as_ref().is_some_and(|relay| relay.same_origin);
        send(&[Event::Relay { url: relay.map(|relay| relay.url), same_origin }]);
    }

    fn look(self: &Rc<Self>, wish: Wish) {
        self.cancel();
        let session = Rc::clone(self);
        let mut state = self.state.borrow_mut();
        state.wish = Some(wish.clone());
        state.task = Some(Task::spawn(async move { session.resolve(wish).await }));
    }

    fn cancel(&self) {
        let stopped = {
            let mut state = self.state.borrow_mut();
            state.look = None;
            if let Some(pool) = &mut state.pool {
                pool.cancel();
            }
            (state.task.take(), state.turn.take(), state.reading.take())
        };
        drop(stopped);
    }

    /// Something about the current look; then the turn that follows from it.
    fn with_look(self: &Rc<Self>, change: impl FnOnce(&mut Look, &mut Vec<Event>)) {
        let mut out = Vec::new();
        if let Some(look) = &mut self.state.borrow_mut().look {
            change(look, &mut out);
        }
        send(&out);
        self.turn();
    }

    /// Stacks, lists and tells as far as it is time, and comes back when there will be more to do.
    fn turn(self: &Rc<Self>) {
        let mut out = Vec::new();
        let (mut again, mut alone) = (None, None);
        if let Some(look) = &mut self.state.borrow_mut().look {
            again = look.turn(worker::now, &mut out);
            alone = look.ask_alone().map(|layer| (look.number, layer));
        }
        send(&out);
        if let Some((look, layer)) = alone {
            return self.enqueue(look, [layer].into_iter());
        }
        let mut state = self.state.borrow_mut();
        state.turn = again.map(|pause| {
            let session = Rc::clone(self);
            let due = worker::now() + pause;
            let task = Task::spawn(async move {
                sleep(Duration::from_secs_f64(pause.max(0.0) / 1_000.0)).await;
                session.state.borrow_mut().turn = None;
                session.turn();
            });
            (due, task)
        });
    }

    /// Something about a look, if it is still the current one.
    fn of_look(&self, number: u32, change: impl FnOnce(&mut Look, &mut Vec<Event>)) {
        let mut out = Vec::new();
        if let Some(look) = self.state.borrow_mut().look.as_mut().filter(|look| look.number == number) {
            change(look, &mut out);
        }
        send(&out);
    }

    /// A turn now, unless one is due within moments anyway.
    fn turn_soon(self: &Rc<Self>) {
        let due = self.state.borrow().turn.as_ref().map(|(due, _)| *due);
        if due.is_none_or(|due| due > worker::now()) {
            self.turn();
        }
    }
}

/// What the transport called a failure that a layer worker reports.
fn error_kind(kind: FailureKind) -> ErrorKind {
    match kind {
        FailureKind::NoCors => ErrorKind::Cors,
        FailureKind::Preflight => ErrorKind::Preflight,
        FailureKind::DeadHost => ErrorKind::Connect,
        _ => ErrorKind::Other,
    }
}

fn internal(text: String) -> Event {
    let text =
        if text.contains("internal error") { text } else { format!("internal error (a bug in porthole): {text}") };
    Event::Failure { look: 0, failure: Box::new(Failure::plain(FailureKind::Other, text)) }
}

fn send(events: &[Event]) {
    for event in events {
        worker::post(&protocol::encode(event).into());
    }
}
