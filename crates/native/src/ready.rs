//! Connections opened before they are needed, and connections not opened because another one becomes free.

use http::{Uri, uri::Scheme};
use porthole_registry::transport::Error;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// A connection that waited longer than this may be closed by the other end.
const FRESH: Duration = Duration::from_secs(10);
/// Connections to one origin that are opened as soon as a request finds none free.
const AT_ONCE: usize = 3;
/// Round trips that a further request waits for a connection to become free, as a fraction: a short answer takes one, a
/// new connection two or more.
const PATIENCE: (u32, u32) = (5, 2);
/// The longest such wait.
const MOST: Duration = Duration::from_millis(250);
/// Round trips shorter than this are not worth a wait.
const CLOSE: Duration = Duration::from_millis(2);
/// Origins that are remembered.
const ORIGINS: usize = 256;

tokio::task_local! {
    /// State of the request that the task sends.
    pub(crate) static REQUEST: Arc<Wanted>;
}

/// Whether a request still waits for its answer, and so perhaps for a connection.
#[derive(Debug)]
pub(crate) struct Wanted {
    waits: AtomicBool,
    /// Whether its answer is short: then a free connection is worth waiting for.
    brief: bool,
}

impl Wanted {
    pub(crate) fn new(brief: bool) -> Arc<Self> {
        Arc::new(Self { waits: AtomicBool::new(true), brief })
    }

    pub(crate) fn is_brief(&self) -> bool {
        self.brief
    }

    pub(crate) fn answered(&self) {
        self.waits.store(false, Ordering::Relaxed);
    }

    pub(crate) fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }
}

/// The origins that were connected to, by connections of this type.
#[derive(Debug)]
pub(crate) struct Origins<C>(Mutex<HashMap<Origin, Line<C>>>);

impl<C> Default for Origins<C> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

type Origin = (Scheme, String);

#[derive(Debug)]
struct Line<C> {
    /// Each open connection holds a clone, so the count of clones is the number of connections.
    live: Arc<()>,
    round_trip: Option<Duration>,
    early: Vec<Early<C>>,
}

impl<C> Default for Line<C> {
    fn default() -> Self {
        Self { live: Arc::default(), round_trip: None, early: Vec::new() }
    }
}

/// A connection that no request has asked for yet.
#[derive(Debug)]
struct Early<C> {
    since: Instant,
    task: JoinHandle<Result<C, Error>>,
}

impl<C> Drop for Early<C> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn origin(uri: &Uri) -> Option<Origin> {
    Some((uri.scheme()?.clone(), uri.authority()?.as_str().to_ascii_lowercase()))
}

impl<C> Origins<C> {
    /// Keeps a connection that is being opened for the next request to its origin.
    pub(crate) fn keep(&self, uri: &Uri, task: JoinHandle<Result<C, Error>>) {
        let early = Early { since: Instant::now(), task };
        if let Some(origin) = origin(uri) {
            self.line(origin, |line| line.early.push(early));
        }
    }

    /// Takes the first of the connections that were opened early.
    pub(crate) async fn take(&self, uri: &Uri) -> Option<C> {
        loop {
            let early = self.line(origin(uri)?, |line| (!line.early.is_empty()).then(|| line.early.remove(0)))?;
            if early.since.elapsed() > FRESH {
                continue;
            }
            let mut early = early;
            // If an early connection failed, the request opens one again, and reports why that fails.
            if let Ok(Ok(wire)) = (&mut early.task).await {
                return Some(wire);
            }
        }
    }

    /// How long a request waits for a connection to become free before it opens one.
    pub(crate) fn wait(&self, uri: &Uri, brief: bool) -> Option<Duration> {
        self.line(origin(uri)?, |line| wait(Arc::strong_count(&line.live) - 1, brief, line.round_trip?))
    }

    /// Counts a connection until the returned value is dropped. `round_trip` = the time that it took to connect.
    pub(crate) fn opened(&self, uri: &Uri, round_trip: Duration) -> Option<Arc<()>> {
        Some(self.line(origin(uri)?, |line| {
            line.round_trip = Some(line.round_trip.map_or(round_trip, |known| known.min(round_trip)));
            Arc::clone(&line.live)
        }))
    }

    /// Whether the first early connection is open or has failed.
    #[cfg(test)]
    pub(crate) fn early(&self, uri: &Uri) -> Option<bool> {
        self.line(origin(uri)?, |line| Some(line.early.first()?.task.is_finished()))
    }

    fn line<T>(&self, origin: Origin, with: impl FnOnce(&mut Line<C>) -> T) -> T {
        let mut lines: MutexGuard<'_, HashMap<_, _>> = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= ORIGINS && !lines.contains_key(&origin) {
            lines.retain(|_, line| Arc::strong_count(&line.live) > 1);
        }
        with(lines.entry(origin).or_default())
    }
}

fn wait(live: usize, brief: bool, round_trip: Duration) -> Option<Duration> {
    let waits = round_trip >= CLOSE && (live >= AT_ONCE || brief && live > 0);
    waits.then(|| (round_trip * PATIENCE.0 / PATIENCE.1).min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_connections_are_opened_at_once_and_further_ones_wait() {
        let far = Duration::from_millis(40);
        assert_eq!(wait(0, true, far), None);
        assert_eq!(wait(1, false, far), None);
        assert_eq!(wait(1, true, far), Some(Duration::from_millis(100)));
        assert_eq!(wait(3, false, far), Some(Duration::from_millis(100)));
        assert_eq!(wait(3, true, far * 10), Some(MOST));
        assert_eq!(wait(3, true, Duration::from_micros(200)), None, "a connection costs nothing there");
    }
}
