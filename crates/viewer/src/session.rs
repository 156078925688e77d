//! A session: it owns the registry client, tokens, credentials and the file tree, and answers every query of a front end.

mod archive;
mod base;
mod compare;
mod content;
mod crew;
mod desk;
mod digests;
mod evidence;
mod export;
mod front;
mod given;
mod holdings;
mod kept;
mod lines;
mod names;
mod obey;
mod page;
mod prepared;
mod probe;
mod reports;
mod resolve;
mod rest;
mod twins;
mod versions;
mod wire;
mod work;

pub use content::Want;
use desk::{Desk, Wish};
pub use front::{ArchiveFile, Front, SavedFile, ScratchFile, SessionOptions};
pub use holdings::SessionHoldings;
use names::NameLists;
pub(crate) use page::{BlobPlace, PageImage};
pub(crate) use resolve::OfPage;
use versions::VersionName;
use work::{Errand, Work};

use crate::{
    errands::Errands,
    look::Look,
    pool::{Pool, Roster},
    protocol::Event,
    router::Relay,
};
use porthole_core::platform::Platform;
use porthole_registry::{
    Registry,
    transport::{Body as _, Environment, Request, Transport},
};
use std::{cell::RefCell, rc::Rc, time::Duration};

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
