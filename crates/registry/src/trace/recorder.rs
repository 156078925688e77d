//! Keeps the exchanges of a look, for a person who wants to see them.

use super::{HarEntry, Paused, RecordedExchange, TraceEvent, TraceObserver, har_document};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    fmt,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
    time::Duration,
};

/// A log of exchanges in memory, which is shared by its clones. It reads the clock that it is made with.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

struct Shared {
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    items: Vec<Recorded>,
    /// Exchanges that have not ended, by their source and their numbers there.
    open: BTreeMap<(TraceSource, u64), usize>,
    /// What documents and layers are, by digest.
    names: BTreeMap<String, String>,
    changed: BTreeSet<usize>,
    waker: Option<Waker>,
    /// Exchanges that were not kept.
    missed: u64,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recorded {
    /// An exchange, with what is known of it so far.
    Exchange(Box<RecordedExchange>),
    /// Something that took no exchange, such as a wait before another try.
    Note(RecordedNote),
}

/// Something that took no exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedNote {
    /// When, since the Unix epoch.
    pub at: Duration,
    /// How long it took, if it took time.
    pub lasted: Duration,
    /// What happened, in words.
    pub text: String,
}

/// Where an exchange is reported from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TraceSource {
    /// The client that the recorder observes.
    Client,
    /// A program without a client, by the number of its job.
    Job(u32),
}

/// Sums over a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordedTotals {
    /// Exchanges, those that are not kept included.
    pub exchanges: u64,
    /// Exchanges that repeat one that failed.
    pub retries: u64,
    /// Bytes of bodies that were received.
    pub bytes: u64,
    /// From the first request to the last end.
    pub duration: Duration,
    /// Exchanges that are not kept, because there were too many.
    pub missed: u64,
}

/// Most lines that are kept.
const KEPT: usize = 10_000;

impl Recorder {
    /// An empty log. `clock` returns the time since the Unix epoch.
    pub fn new(clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared { clock: Box::new(clock), log: Mutex::default() }))
    }

    /// Returns an observer that records the exchanges of a client here.
    pub fn observer(&self) -> TraceObserver {
        let recorder = self.clone();
        TraceObserver::new(move |event| recorder.hear(event))
    }

    /// Takes an event of a client.
    pub fn hear(&self, event: &TraceEvent) {
        let at = (self.0.clock)();
        let mut log = self.log();
        match event {
            TraceEvent::Sent(sent) => {
                log.put((TraceSource::Client, sent.number), RecordedExchange::begin(sent, at));
            }
            TraceEvent::Answered(answered) => {
                log.change(answered.number, |exchange| {
                    exchange.answer(answered.outcome.as_ref().map_err(String::as_str), at);
                });
            }
            TraceEvent::Ended(ended) => {
                log.change(ended.number, |exchange| exchange.end(ended.bytes, &ended.outcome, at));
            }
            TraceEvent::Paused(Paused { attempt, delay, asked, because, .. }) => {
                let wish = if *asked { ", as the registry asks" } else { "" };
                let text = format!("waits{wish} before try {attempt}, after {because}");
                log.push(Recorded::Note(RecordedNote { at, lasted: *delay, text }));
            }
        }
        log.wake();
    }

    /// Records an exchange of a program without a client, which counts its exchanges from 1 in each job.
    pub fn put(&self, job: u32, number: u64, exchange: RecordedExchange) {
        let mut log = self.log();
        log.put((TraceSource::Job(job), number), exchange);
        log.wake();
    }

    /// Adds a line about something that takes no exchange.
    pub fn note(&self, text: impl Into<String>) {
        let note = RecordedNote { at: (self.0.clock)(), lasted: Duration::ZERO, text: text.into() };
        let mut log = self.log();
        log.push(Recorded::Note(note));
        log.wake();
    }

    /// Says what a document or a layer is: `layer 2 of 3`. The first name stays.
    pub fn name(&self, digest: impl fmt::Display, name: impl Into<String>) {
        let mut log = self.log();
        if let Entry::Vacant(unknown) = log.names.entry(digest.to_string()) {
            unknown.insert(name.into());
            log.changed = (0..log.items.len()).collect();
            log.wake();
        }
    }

    /// Clears the log. Exchanges that are still under way are not recorded any more.
    pub fn clear(&self) {
        let mut log = self.log();
        *log = Log { waker: log.waker.take(), ..Log::default() };
        log.wake();
    }

    /// All lines, in the order in which they began.
    pub fn items(&self) -> Vec<Recorded> {
        self.log().items.clone()
    }

    /// The meaning of a line in words.
    pub fn meaning(&self, item: &Recorded) -> String {
        match item {
            Recorded::Exchange(exchange) => exchange.meaning(&self.log().names),
            Recorded::Note(note) => note.text.clone(),
        }
    }

    /// Sums over all lines.
    pub fn totals(&self) -> RecordedTotals {
        let log = self.log();
        let mut totals = RecordedTotals { exchanges: log.missed, missed: log.missed, ..RecordedTotals::default() };
        let mut span: Option<(Duration, Duration)> = None;
        for item in &log.items {
            let Recorded::Exchange(exchange) = item else { continue };
            totals.exchanges += 1;
            totals.retries += u64::from(matches!(exchange.reason, Some(super::Reason::Retry { .. })));
            totals.bytes += exchange.bytes();
            let end = exchange.sent + exchange.duration().unwrap_or_default();
            span = Some(span.map_or((exchange.sent, end), |(from, to)| (from.min(exchange.sent), to.max(end))));
        }
        totals.duration = span.map(|(from, to)| to.saturating_sub(from)).unwrap_or_default();
        totals
    }

    /// Returns the lines that changed since the last call, with their places in the log; waits until there is one.
    pub async fn changes(&self) -> Vec<(usize, Recorded)> {
        poll_fn(|context| {
            let mut log = self.log();
            if log.changed.is_empty() {
                log.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            let changed = std::mem::take(&mut log.changed);
            Poll::Ready(changed.into_iter().filter_map(|at| Some((at, log.items.get(at)?.clone()))).collect())
        })
        .await
    }

    /// All exchanges as an HTTP Archive. `version` is that of the program.
    pub fn har(&self, version: &str) -> String {
        let log = self.log();
        let entries = log.items.iter().filter_map(|item| match item {
            Recorded::Exchange(exchange) => Some(HarEntry::of(exchange, exchange.meaning(&log.names))),
            Recorded::Note(_) => None,
        });
        har_document(version, entries)
    }

    /// When the first line began.
    pub fn started(&self) -> Option<Duration> {
        self.log().items.first().map(Recorded::at)
    }

    /// From the start of the first line to the latest end of all lines so far.
    pub fn span(&self) -> Duration {
        let log = self.log();
        let start = log.items.first().map(Recorded::at).unwrap_or_default();
        let ends = log.items.iter().map(|item| item.at() + item.lasted());
        ends.max().unwrap_or_default().saturating_sub(start)
    }

    /// Makes [`changes`](Self::changes) return every line once more.
    pub fn repeat(&self) {
        let mut log = self.log();
        log.changed = (0..log.items.len()).collect();
        log.wake();
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorded {
    /// When it began, since the Unix epoch.
    pub fn at(&self) -> Duration {
        match self {
            Self::Exchange(exchange) => exchange.sent,
            Self::Note(note) => note.at,
        }
    }

    /// How long it took, as far as that is known.
    pub fn lasted(&self) -> Duration {
        match self {
            Self::Exchange(exchange) => exchange.duration().unwrap_or_default(),
            Self::Note(note) => note.lasted,
        }
    }
}

impl Log {
    fn put(&mut self, key: (TraceSource, u64), exchange: RecordedExchange) {
        // An answer to an unknown exchange belongs to a log that was cleared.
        if exchange.answer.is_some() && !self.open.contains_key(&key) {
            return;
        }
        let ended = exchange.has_ended();
        let item = Recorded::Exchange(Box::new(exchange));
        let place = match self.open.get(&key) {
            Some(&place) => {
                self.items[place] = item;
                self.changed.insert(place);
                Some(place)
            }
            None => self.push(item),
        };
        match place {
            Some(place) if !ended => drop(self.open.insert(key, place)),
            _ => drop(self.open.remove(&key)),
        }
    }

    fn push(&mut self, item: Recorded) -> Option<usize> {
        let place = self.items.len();
        if place >= KEPT {
            self.missed += u64::from(matches!(item, Recorded::Exchange(_)));
            return None;
        }
        self.items.push(item);
        self.changed.insert(place);
        Some(place)
    }

    fn change(&mut self, number: u64, change: impl FnOnce(&mut RecordedExchange)) {
        let key = (TraceSource::Client, number);
        let Some(&place) = self.open.get(&key) else { return };
        if let Some(Recorded::Exchange(exchange)) = self.items.get_mut(place) {
            change(exchange);
            self.changed.insert(place);
            if exchange.has_ended() {
                self.open.remove(&key);
            }
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take_if(|_| !self.changed.is_empty()) {
            waker.wake();
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        trace::{Answered, Ended, Sent},
        transport::BodyOutcome,
    };
    use http::Method;
    use std::{
        pin::pin,
        sync::atomic::{AtomicU64, Ordering},
        task::Context,
    };

    fn sent(number: u64) -> Sent {
        Sent {
            number,
            registry: "r.example".into(),
            step: "blob",
            name: "sha256:00".into(),
            method: Method::GET,
            url: "https://r.example/v2/a/blobs/sha256:00".into(),
            fields: Vec::new(),
            length: 0,
            authorized: false,
            reason: None,
        }
    }

    fn recorder() -> Recorder {
        let ticks = AtomicU64::new(0);
        Recorder::new(move || Duration::from_millis(ticks.fetch_add(10, Ordering::Relaxed)))
    }

    #[test]
    fn an_exchange_is_one_line_from_begin_to_end() {
        let recorder = recorder();
        recorder.hear(&TraceEvent::Sent(sent(1)));
        recorder.hear(&TraceEvent::Sent(sent(2)));
        let failed = Answered { number: 2, registry: "r.example".into(), outcome: Err("no connection".into()) };
        recorder.hear(&TraceEvent::Answered(failed));
        recorder.hear(&TraceEvent::Ended(Ended { number: 1, bytes: 7, outcome: BodyOutcome::Complete }));
        let items = recorder.items();
        let [Recorded::Exchange(first), Recorded::Exchange(second)] = &items[..] else { panic!("{items:?}") };
        assert_eq!((first.bytes(), first.duration()), (7, Some(Duration::from_millis(30))));
        assert_eq!((second.failure(), second.has_ended()), (Some("no connection"), true));
        let totals = recorder.totals();
        assert_eq!((totals.exchanges, totals.bytes, totals.duration), (2, 7, Duration::from_millis(30)));
    }

    /// A layer that an image has several times had every line sent to the page once more for each.
    #[test]
    fn a_name_that_is_known_changes_no_line() {
        let recorder = recorder();
        let changes = || {
            let mut changes = pin!(recorder.changes());
            match changes.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(changed) => changed.len(),
                Poll::Pending => 0,
            }
        };
        recorder.hear(&TraceEvent::Sent(sent(1)));
        assert_eq!(changes(), 1);
        recorder.name("sha256:00", "layer 1 of 2");
        assert_eq!(changes(), 1, "its meaning is another one");
        recorder.name("sha256:00", "layer 2 of 2");
        assert_eq!(changes(), 0);
        assert!(recorder.meaning(&recorder.items()[0]).contains("layer 1 of 2"));
    }

    #[test]
    fn an_exchange_that_outlives_its_look_is_in_no_other() {
        let recorder = recorder();
        recorder.hear(&TraceEvent::Sent(sent(1)));
        recorder.clear();
        recorder.hear(&TraceEvent::Ended(Ended { number: 1, bytes: 7, outcome: BodyOutcome::Complete }));
        assert_eq!(recorder.items(), []);
    }

    #[test]
    fn no_more_lines_are_kept_than_fit() {
        let recorder = recorder();
        for number in 1..=KEPT as u64 + 3 {
            recorder.hear(&TraceEvent::Sent(sent(number)));
        }
        assert_eq!(recorder.items().len(), KEPT);
        assert_eq!((recorder.totals().exchanges, recorder.totals().missed), (KEPT as u64 + 3, 3));
    }
}
