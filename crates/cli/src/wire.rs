//! What passes between this program and registries, for those who want to see it.

mod debug;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use porthole_registry::trace::{self, Event, Head, Observer, Paused};

use crate::{stderr::Stderr, ui::safe};

/// Hears of every exchange.
pub(crate) struct Wire {
    stderr: Arc<Stderr>,
    debug: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Exchanges under way, since when.
    open: HashMap<u64, Instant>,
    /// Warnings that were shown.
    warned: BTreeSet<(String, String)>,
}

/// Waits that are told of: shorter ones are over before anyone has read of them.
const ASKED_FOR: Duration = Duration::from_secs(1);
const OURS: Duration = Duration::from_secs(3);
/// How many different warnings are shown in one run.
const WARNINGS: usize = 16;

impl Wire {
    pub(crate) fn new(stderr: Arc<Stderr>, debug: bool) -> Self {
        Self { stderr, debug, state: Mutex::default() }
    }

    pub(crate) fn observer(self: &Arc<Self>) -> Observer {
        let wire = Arc::clone(self);
        Observer::new(move |event| wire.hear(event))
    }

    fn hear(&self, event: &Event) {
        let lines = match event {
            Event::Sent(sent) => {
                self.state().open.insert(sent.number, Instant::now());
                debug::sent(sent)
            }
            Event::Answered(answered) => {
                let mut state = self.state();
                let after = state.open.get(&answered.number).map(Instant::elapsed).unwrap_or_default();
                match &answered.outcome {
                    Ok(head) => {
                        drop(state);
                        self.warn(&answered.registry, head);
                        debug::answered(answered.number, head, after)
                    }
                    Err(error) => {
                        state.open.remove(&answered.number);
                        debug::failed(answered.number, error, after)
                    }
                }
            }
            Event::Ended(ended) => match self.state().open.remove(&ended.number) {
                Some(since) => debug::ended(ended, since.elapsed()),
                None => return,
            },
            Event::Paused(paused) => {
                let worth_telling = if paused.asked { ASKED_FOR } else { OURS };
                if !self.debug && paused.delay >= worth_telling {
                    self.tell_of_wait(paused);
                }
                debug::paused(paused)
            }
            _ => return,
        };
        if self.debug {
            self.stderr.line(&debug::stamped(&lines, SystemTime::now()));
        }
    }

    /// Says why nothing happens.
    fn tell_of_wait(&self, paused: &Paused) {
        let (seconds, wish) = (paused.delay.as_secs_f64().ceil(), if paused.asked { ", as it asks" } else { "" });
        let because = safe(&paused.because);
        self.stderr.note(format_args!("{}: {because}; tries again in {seconds} s{wish}", paused.registry));
    }

    /// Shows what a registry wants its users to know, each of it once.
    fn warn(&self, registry: &str, head: &Head) {
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
