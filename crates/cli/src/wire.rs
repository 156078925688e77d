//! What passes between this program and registries, for those who want to see it.

mod debug;
mod har;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use porthole_registry::trace::{self, Answered, Ended, Paused, Sent, TraceEvent, TraceHead, TraceObserver};

use self::har::{Har, Record};
use crate::{stderr::Stderr, ui::safe};

/// Hears of every exchange.
pub(crate) struct Wire {
    stderr: Arc<Stderr>,
    debug: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    har: Option<Har>,
    /// Exchanges under way.
    open: BTreeMap<u64, Open>,
    /// Warnings that were shown.
    warned: BTreeSet<(String, String)>,
}

/// An exchange under way.
struct Open {
    sent: Sent,
    started: SystemTime,
    since: Instant,
    /// The head of its answer, and how long it took.
    head: Option<(TraceHead, Duration)>,
}

/// Shorter waits are not reported.
const ASKED_FOR: Duration = Duration::from_secs(1);
const OURS: Duration = Duration::from_secs(3);
/// How many different warnings are shown in one run.
const WARNINGS: usize = 16;

impl Wire {
    /// Reports exchanges on stderr if `debug`, and writes a trace if there is a file for it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn new(stderr: Arc<Stderr>, debug: bool, trace: Option<&Path>) -> io::Result<Self> {
        let har = trace.map(Har::create).transpose()?;
        Ok(Self { stderr, debug, state: Mutex::new(State { har, ..State::default() }) })
    }

    pub(crate) fn observer(self: &Arc<Self>) -> TraceObserver {
        let wire = Arc::clone(self);
        TraceObserver::new(move |event| wire.hear(event))
    }

    /// Ends the trace, with what is still under way.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        for open in std::mem::take(&mut state.open).into_values() {
            let waited = open.since.elapsed();
            let failed = self.record(&mut state, &open, Err((CUT_OFF, waited)));
            self.complain(failed);
        }
        state.har = None;
    }

    fn hear(&self, event: &TraceEvent) {
        let lines = match event {
            TraceEvent::Sent(sent) => self.sent(sent),
            TraceEvent::Answered(answered) => self.answered(answered),
            TraceEvent::Ended(ended) => self.ended(ended),
            TraceEvent::Paused(paused) => {
                self.tell_of_wait(paused);
                Some(debug::paused(paused))
            }
            _ => None,
        };
        if let Some(lines) = lines.filter(|_| self.debug) {
            self.stderr.debug(&debug::stamped(&lines, SystemTime::now()));
        }
    }

    /// Says why nothing happens: to programs always, to people where they are shown no more.
    fn tell_of_wait(&self, paused: &Paused) {
        if self.stderr.is_json() {
            return self.stderr.row("retry", debug::retry(paused));
        }
        let worth_telling = if paused.asked { ASKED_FOR } else { OURS };
        if self.debug || paused.delay < worth_telling {
            return;
        }
        let (seconds, wish) = (paused.delay.as_secs_f64().ceil(), if paused.asked { ", as it asks" } else { "" });
        let because = safe(&paused.because);
        self.stderr.note(format_args!("{}: {because}; tries again in {seconds} s{wish}", paused.registry));
    }

    fn sent(&self, sent: &Sent) -> Option<Vec<String>> {
        let open = Open { sent: sent.clone(), started: SystemTime::now(), since: Instant::now(), head: None };
        self.state().open.insert(sent.number, open);
        Some(debug::sent(sent))
    }

    fn answered(&self, answered: &Answered) -> Option<Vec<String>> {
        let Answered { number, registry, outcome, .. } = answered;
        let mut state = self.state();
        match outcome {
            Ok(head) => {
                let open = state.open.get_mut(number)?;
                let waited = open.since.elapsed();
                open.head = Some((head.clone(), waited));
                drop(state);
                self.warn(registry, head);
                Some(debug::answered(*number, head, waited))
            }
            Err(error) => {
                let open = state.open.remove(number)?;
                let waited = open.since.elapsed();
                let failed = self.record(&mut state, &open, Err((error, waited)));
                drop(state);
                self.complain(failed);
                Some(debug::failed(*number, error, waited))
            }
        }
    }

    fn ended(&self, ended: &Ended) -> Option<Vec<String>> {
        let mut state = self.state();
        let open = state.open.remove(&ended.number)?;
        let until = open.since.elapsed();
        let failed = self.record(&mut state, &open, Ok((ended, until)));
        drop(state);
        self.complain(failed);
        Some(debug::ended(ended, until))
    }

    /// Adds an exchange to the trace, ended or abandoned.
    fn record(
        &self,
        state: &mut State,
        open: &Open,
        end: Result<(&Ended, Duration), (&str, Duration)>,
    ) -> Option<io::Error> {
        let har = state.har.as_mut()?;
        let (answer, waited) = match (&open.head, end) {
            (Some((head, waited)), _) => (Ok(head), *waited),
            (None, Err((error, waited))) => (Err(error), waited),
            (None, Ok((_, waited))) => (Err(CUT_OFF), waited),
        };
        let record = Record { sent: &open.sent, started: open.started, waited, answer, end: end.ok() };
        let failed = har.push(&record).err()?;
        state.har = None;
        Some(failed)
    }

    fn complain(&self, failed: Option<io::Error>) {
        if let Some(failed) = failed {
            self.stderr.note(format_args!("the trace ends early: {failed}"));
        }
    }

    /// Shows what a registry wants its users to know, each of it once.
    fn warn(&self, registry: &str, head: &TraceHead) {
        for text in trace::warnings(&head.fields) {
            let mut state = self.state();
            let warning = (registry.to_owned(), text);
            if state.warned.len() < WARNINGS && state.warned.insert(warning.clone()) {
                drop(state);
                self.stderr.note(format_args!("{registry} warns: {}", safe(&warning.1)));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const CUT_OFF: &str = "cut off";
