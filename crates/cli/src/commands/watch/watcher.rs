//! The loop: polls the tags by the schedule, reports moves, runs the command.

use std::{
    collections::HashMap,
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use porthole_core::{digest::Digest, reference::Reference};
use porthole_registry::{
    client::Known,
    plan::watch::{Polled, Schedule},
    transport::Environment,
};
use porthole_store::Store;
use serde_json::json;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
    time::sleep_until,
};

use super::{
    command::{Ended, Task},
    look::{self, Look, Missed, Subject, Trouble},
    memory,
};
use crate::{
    commands::history,
    error::Error,
    output::print_json,
    session::{Client, Session},
    ui::safe,
};

/// The state of all watched tags.
pub(super) struct Watcher<'s> {
    session: &'s Session<'s>,
    store: Store,
    tags: Vec<Tag>,
    task: Option<Task>,
    once: bool,
    /// By registry, the trouble that was reported.
    troubles: HashMap<String, Trouble>,
    ended: (UnboundedSender<Ended>, UnboundedReceiver<Ended>),
    /// Whether any tag has moved.
    moved: bool,
    /// The error with which `--once` ends.
    error: Option<Error>,
}

/// A reference that is watched.
struct Tag {
    reference: Reference,
    known: Known,
    /// The image of the tag at the last poll, in this run or an earlier one.
    last: Option<Subject>,
    /// The digest for which the command succeeded or is not needed.
    done: Option<Digest>,
    running: bool,
    /// The subject of the next run of the command.
    waiting: Option<Subject>,
    /// The trouble of this tag alone that was reported.
    trouble: Option<Trouble>,
    refusals: u32,
    /// Whether a poll was sent with the credentials that were found.
    asked: bool,
    /// Whether the digest of the tag, or its absence, was reported.
    reported: bool,
}

type Looked = (usize, Result<Look, Missed>);

impl<'s> Watcher<'s> {
    /// Starts from the state in the journal.
    pub(super) fn new(
        session: &'s Session<'s>,
        references: Vec<Reference>,
        task: Option<Task>,
        once: bool,
    ) -> Result<Self, Error> {
        let store = session.store()?;
        let journal = store.journal().entries()?;
        let tag = |reference: Reference| {
            let name = reference.to_string();
            let entries: Vec<_> = journal.iter().filter(|entry| entry.reference == name).cloned().collect();
            let last = memory::last(&entries, session.wanted_platform());
            let done = last.map(|last| last.digest());
            let known = Known { digest: last.map(|last| last.root), ..Known::default() };
            let (running, asked) = (false, false);
            let reported = last.is_none() && memory::is_pending(&entries, session.wanted_platform());
            Tag { reference, known, last, done, running, waiting: None, trouble: None, refusals: 0, asked, reported }
        };
        Ok(Self {
            session,
            store,
            tags: references.into_iter().map(tag).collect(),
            task,
            once,
            troubles: HashMap::new(),
            ended: unbounded_channel(),
            moved: false,
            error: None,
        })
    }

    /// Watches until a signal, or with `--once` until every tag was polled.
    pub(super) async fn run(&mut self, interval: Duration) -> Result<(), Error> {
        self.session.interrupt().leave();
        let mut stop = Stop::listen().map_err(|error| Error::Start(error.to_string()))?;
        // With --once the next attempt should not wait for the whole interval.
        let interval = if self.once { FIRST_RETRY } else { interval };
        let registries: Vec<_> = self.tags.iter().map(|tag| tag.reference.registry()).collect();
        let mut schedule = Schedule::new(interval, &registries);
        let started = Instant::now();
        let mut looks: JoinSet<Looked> = JoinSet::new();
        loop {
            while looks.len() < AT_ONCE
                && let Some(at) = schedule.begin(started.elapsed())
            {
                let look = self.look(at)?;
                looks.spawn_on(look, self.session.runtime());
            }
            let wake = if looks.len() < AT_ONCE { schedule.wake() } else { None };
            if wake.is_none() && looks.is_empty() && !self.tags.iter().any(|tag| tag.running) {
                break;
            }
            tokio::select! {
                () = stop.asked() => {
                    drop(looks);
                    self.finish(&mut stop).await;
                    break;
                }
                Some(looked) = looks.join_next() => {
                    let (at, looked) = looked.map_err(|error| Error::Start(error.to_string()))?;
                    let (now, random) = (started.elapsed(), self.random()?);
                    let outcome = self.outcome(&looked);
                    let failures = schedule.end(at, outcome, now, random);
                    let again = match looked {
                        Ok(look) => {
                            self.seen(at, look)?;
                            !self.once
                        }
                        Err(missed) => self.missed(at, missed, failures, schedule.pause(at, now))?,
                    };
                    if !again {
                        schedule.retire(at);
                    }
                }
                Some(ended) = self.ended.1.recv() => self.command_ended(ended),
                () = sleep_until((started + wake.unwrap_or_default()).into()), if wake.is_some() => {}
            }
        }
        match self.error.take() {
            Some(error) => Err(error),
            None if self.once && self.moved && self.task.is_none() => Err(Error::Differ),
            None => Ok(()),
        }
    }

    fn random(&self) -> Result<u64, Error> {
        Ok(self.session.connection()?.transport().random())
    }

    fn look(&mut self, at: usize) -> Result<impl Future<Output = Looked> + Send + 'static, Error> {
        let tag = &mut self.tags[at];
        let (reference, known, last) = (tag.reference.clone(), tag.known.clone(), tag.last);
        let platform = self.session.wanted_platform().cloned();
        // Read the credentials again after a refusal, because they may have been renewed since.
        let client: Arc<Client> = if std::mem::replace(&mut tag.asked, true) && tag.refusals == 0 {
            self.session.connection()?
        } else {
            self.session.client(&reference)?
        };
        Ok(async move { (at, look::look(&client, &reference, &known, platform.as_ref(), last).await) })
    }

    fn outcome(&self, looked: &Result<Look, Missed>) -> Polled {
        match looked {
            Ok(look) => Polled::Answer { quota: look.quota, pulled: look.pulled },
            Err(missed) => look::outcome(missed),
        }
    }

    fn seen(&mut self, at: usize, look: Look) -> Result<(), Error> {
        self.well_again(at);
        let tag = &mut self.tags[at];
        let before = tag.last.replace(look.subject);
        (tag.known, tag.refusals) = (look.known, 0);
        let first = !std::mem::replace(&mut tag.reported, true);
        let subject = look.subject;
        match before.map(|before| before.digest()) {
            Some(previous) if previous != subject.digest() => self.has_moved(at, Some(previous), subject)?,
            // The tag appeared since the last poll.
            None if !first => self.has_moved(at, None, subject)?,
            previous => {
                if first {
                    let text = format!("{}: {}", tag.reference, subject.digest());
                    self.session.ui.note(format_args!("watching {}", safe(&text)));
                }
                if previous.is_none() {
                    tag.done = Some(subject.digest());
                }
                if before != Some(subject) || first {
                    self.remember(at, subject, false);
                }
            }
        }
        Ok(())
    }

    fn has_moved(&mut self, at: usize, previous: Option<Digest>, subject: Subject) -> Result<(), Error> {
        self.moved = true;
        self.report(at, previous, subject)?;
        self.remember(at, subject, self.task.is_some());
        if self.task.is_some() {
            self.tags[at].waiting = Some(subject);
            self.start(at);
        }
        Ok(())
    }

    fn report(&self, at: usize, previous: Option<Digest>, subject: Subject) -> Result<(), Error> {
        let (reference, time) = (&self.tags[at].reference, history::now());
        let mut out = self.session.ui.out();
        if self.session.ui.json {
            let mut event = json!({
                "event": "moved",
                "time": time,
                "reference": reference.to_string(),
                "previous": previous.map(|digest| digest.to_string()),
                "digest": subject.digest().to_string(),
            });
            if let Some(platform) = self.session.wanted_platform() {
                event["platform"] = json!(platform.to_string());
                event["index"] = json!(subject.root.to_string());
            }
            print_json(&mut out, &event)?;
        } else {
            let previous = previous.map_or_else(|| "nothing".to_owned(), |digest| digest.to_string());
            let text = format!("{}  {reference}  {previous} -> {}", history::when(&time), subject.digest());
            writeln!(out, "{}", safe(&text))?;
        }
        Ok(out.flush()?)
    }

    fn remember(&self, at: usize, subject: Subject, pending: bool) {
        let platform = self.session.wanted_platform();
        let reference = self.tags[at].reference.to_string();
        let entry = memory::entry(history::now(), reference, subject, platform, pending);
        history::remember(self.session, &self.store, entry);
    }

    /// Runs the command for the waiting subject, unless the command is still running.
    fn start(&mut self, at: usize) {
        let tag = &mut self.tags[at];
        if let Some(task) = self.task.as_ref().filter(|_| !tag.running)
            && let Some(subject) = tag.waiting.take()
        {
            tag.running = true;
            task.start(at, &tag.reference, subject, tag.done, self.ended.0.clone());
        }
    }

    fn command_ended(&mut self, Ended { at, subject, failure }: Ended) {
        self.tags[at].running = false;
        match failure {
            None => {
                self.tags[at].done = Some(subject.digest());
                // If the tag has moved since, the entry stays pending.
                if self.tags[at].waiting.is_none() {
                    self.remember(at, subject, false);
                }
            }
            Some(failure) => {
                let reference = &self.tags[at].reference;
                self.fails(Error::Command(format!("the command for {reference} {failure}")));
            }
        }
        self.start(at);
    }

    /// Handles a poll without a digest. Returns whether to poll again.
    fn missed(&mut self, at: usize, missed: Missed, failures: u32, pause: Duration) -> Result<bool, Error> {
        let trouble = Trouble::of(&missed);
        let tag = &mut self.tags[at];
        tag.refusals = if trouble == Trouble::Refused { tag.refusals + 1 } else { 0 };
        if missed.is_final() || tag.refusals >= REFUSALS {
            return Err(missed.into());
        }
        if self.once {
            let again = trouble == Trouble::Network && failures < ONCE_TRIES;
            if !again {
                self.fails(missed.into());
            }
            return Ok(again);
        }
        // A single failure is not reported.
        if trouble == Trouble::Network && failures == 1 && tag.reported {
            return Ok(true);
        }
        let before = if trouble.is_of_registry() {
            self.troubles.insert(tag.reference.registry().to_owned(), trouble)
        } else {
            tag.reported |= trouble == Trouble::Missing;
            let before = tag.trouble.replace(trouble);
            self.registry_answers(at);
            before
        };
        if before != Some(trouble) {
            let next = match pause.as_secs() {
                0..5 => "trying again".to_owned(),
                seconds => format!("trying again in {seconds} s"),
            };
            self.session.ui.note(safe(&format!("{missed}; {next}")));
        }
        Ok(true)
    }

    /// Reports that a trouble of a reference or its registry has ended.
    fn well_again(&mut self, at: usize) {
        self.registry_answers(at);
        let tag = &mut self.tags[at];
        if tag.trouble.take().is_some() {
            self.session.ui.note(safe(&format!("{}: works again", tag.reference)));
        }
    }

    fn registry_answers(&mut self, at: usize) {
        let registry = self.tags[at].reference.registry();
        if self.troubles.remove(registry).is_some() {
            self.session.ui.note(format_args!("{registry} answers again"));
        }
    }

    /// Reports a failure. With `--once` the first one becomes the result instead.
    fn fails(&mut self, error: Error) {
        if self.once && self.error.is_none() {
            self.error = Some(error);
        } else {
            self.session.ui.note(safe(&error.to_string()));
        }
    }

    /// Waits for running commands, or for the second signal.
    async fn finish(&mut self, stop: &mut Stop) {
        let running: Vec<_> = self.tags.iter().filter(|tag| tag.running).map(|tag| tag.reference.to_string()).collect();
        if !running.is_empty() {
            self.session.ui.note(format_args!("waiting for the command for {}", running.join(", ")));
        }
        self.tags.iter_mut().for_each(|tag| tag.waiting = None);
        while self.tags.iter().any(|tag| tag.running) {
            tokio::select! {
                () = stop.asked() => return,
                Some(ended) = self.ended.1.recv() => self.command_ended(ended),
            }
        }
    }
}

/// The signals that ask a program to end.
struct Stop([tokio::signal::unix::Signal; 3]);

impl Stop {
    fn listen() -> std::io::Result<Self> {
        let [interrupt, terminate, hangup] =
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// Maximum number of concurrent polls.
const AT_ONCE: usize = 4;
/// Number of consecutive refusals of access after which the command ends.
const REFUSALS: u32 = 5;
/// Number of attempts of `--once` if the network fails.
const ONCE_TRIES: u32 = 3;
const FIRST_RETRY: Duration = Duration::from_secs(1);
