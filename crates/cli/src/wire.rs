//! Reports HTTP exchanges with registries: on stderr, in a trace file, and to verbs that show them.

mod debug;
mod har;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use porthole_registry::trace::{
    self, Answered, Ended, Paused, RecordedExchange, Recorder, Sent, TraceEvent, TraceHead, TraceObserver,
};

use self::har::Har;
use crate::{stderr::Stderr, ui::safe};

/// Writes a whole trace to a file that only its owner may read. Replaces the content of an existing file.
///
/// # Errors
///
/// The file cannot be written.
pub(crate) fn write_trace(path: &Path, text: &str) -> io::Result<()> {
    har::private_file(path)?.write_all(text.as_bytes())
}

/// The observer of all exchanges.
pub(crate) struct Wire {
    stderr: Arc<Stderr>,
    debug: bool,
    clock: Clock,
    /// Recorder of exchanges, for verbs that show them. Empty until [`record`](Self::record).
    recorder: OnceLock<Recorder>,
    state: Mutex<State>,
}

/// A clock of Unix time that does not jump: it reads the system's time once, and then counts with a monotonic clock.
#[derive(Clone, Copy)]
struct Clock {
    started: SystemTime,
    since: Instant,
}

impl Clock {
    fn start() -> Self {
        Self { started: SystemTime::now(), since: Instant::now() }
    }

    fn now(&self) -> Duration {
        self.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() + self.since.elapsed()
    }
}

#[derive(Default)]
struct State {
    har: Option<Har>,
    /// Exchanges that have not ended.
    open: BTreeMap<u64, RecordedExchange>,
    /// Warnings that were shown, each as registry and text.
    warned: BTreeSet<(String, String)>,
}

/// Minimum length of a wait that is reported: one that the registry asked for, and one of our own.
const ASKED_FOR: Duration = Duration::from_secs(1);
const OURS: Duration = Duration::from_secs(3);
/// Maximum number of different warnings that are shown in one run.
const WARNINGS: usize = 16;

impl Wire {
    /// Creates the observer. It reports exchanges on stderr if `debug`, and writes them to the file `trace` if that is given.
    ///
    /// # Errors
    ///
    /// The trace file cannot be written.
    pub(crate) fn new(stderr: Arc<Stderr>, debug: bool, trace: Option<&Path>) -> io::Result<Self> {
        let har = trace.map(Har::create).transpose()?;
        let state = Mutex::new(State { har, ..State::default() });
        Ok(Self { stderr, debug, clock: Clock::start(), recorder: OnceLock::new(), state })
    }

    pub(crate) fn observer(self: &Arc<Self>) -> TraceObserver {
        let wire = Arc::clone(self);
        TraceObserver::new(move |event| wire.hear(event))
    }

    /// Starts to record exchanges.
    pub(crate) fn record(&self) -> &Recorder {
        let clock = self.clock;
        self.recorder.get_or_init(|| Recorder::new(move || clock.now()))
    }

    /// Ends the trace. Writes the exchanges that have not ended.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        for mut open in std::mem::take(&mut state.open).into_values() {
            if open.answer.is_none() {
                open.answer(Err(CUT_OFF), self.clock.now());
            }
            let failed = write(&mut state, &open);
            self.complain(failed);
        }
        state.har = None;
    }

    fn hear(&self, event: &TraceEvent) {
        if let Some(recorder) = self.recorder.get() {
            recorder.hear(event);
        }
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

    /// Reports a pause and its reason. JSON reports every pause. Text reports only long ones, and none with `--debug`, which shows
    /// them anyway.
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
        let open = RecordedExchange::begin(sent, self.clock.now());
        self.state().open.insert(sent.number, open);
        Some(debug::sent(sent))
    }

    fn answered(&self, answered: &Answered) -> Option<Vec<String>> {
        let Answered { number, registry, outcome, .. } = answered;
        let mut state = self.state();
        let open = state.open.get_mut(number)?;
        open.answer(outcome.as_ref().map_err(String::as_str), self.clock.now());
        let waited = open.waited.unwrap_or_default();
        match outcome {
            Ok(head) => {
                drop(state);
                self.warn(registry, head);
                Some(debug::answered(*number, head, waited))
            }
            Err(error) => {
                let open = state.open.remove(number)?;
                let failed = write(&mut state, &open);
                drop(state);
                self.complain(failed);
                Some(debug::failed(*number, error, waited))
            }
        }
    }

    fn ended(&self, ended: &Ended) -> Option<Vec<String>> {
        let mut state = self.state();
        let mut open = state.open.remove(&ended.number)?;
        open.end(ended.bytes, &ended.outcome, self.clock.now());
        if open.answer.is_none() {
            open.answer(Err(CUT_OFF), self.clock.now());
        }
        let failed = write(&mut state, &open);
        drop(state);
        self.complain(failed);
        Some(debug::ended(ended, open.duration().unwrap_or_default()))
    }

    fn complain(&self, failed: Option<io::Error>) {
        if let Some(failed) = failed {
            self.stderr.note(format_args!("the trace ends early: {failed}"));
        }
    }

    /// Shows the warnings that a registry sends to its users, each once.
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

/// Adds an exchange, ended or aborted, to the trace. Returns the error if that fails; then the trace ends.
fn write(state: &mut State, exchange: &RecordedExchange) -> Option<io::Error> {
    let failed = state.har.as_mut()?.push(exchange).err()?;
    state.har = None;
    Some(failed)
}

const CUT_OFF: &str = "cut off";
