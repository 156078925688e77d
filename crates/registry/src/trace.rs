//! Reports each HTTP exchange to an observer, without secrets.

mod curl;
mod har;
mod header;
mod meaning;
mod record;
mod recorder;

use har::har_document;
pub use har::{HAR_TAIL, HarEntry, har_head};
pub use header::{TraceField, warnings};
pub use record::{RecordedAnswer, RecordedEnd, RecordedExchange};
pub use recorder::{Recorded, RecordedNote, RecordedTotals, Recorder};

use crate::transport;
use http::{Method, Version};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// A part of an exchange. It is sent, then answered. If it was answered and the transport can report that, it ends. Events carry
/// no time: the observer reads its own clock.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TraceEvent {
    /// A request goes out.
    Sent(Sent),
    /// The head of its answer has arrived, or none will arrive.
    Answered(Answered),
    /// Nothing more of its answer will be read.
    Ended(Ended),
    /// A request failed, and is tried again after a pause.
    Paused(Paused),
}

/// A request that is about to be sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sent {
    /// Counts exchanges from 1, in the order in which they were begun.
    pub number: u64,
    /// The registry as its references name it, also where a relay was asked.
    pub registry: String,
    /// The operation that it is a step of: `manifest`, `blob`, `token` …
    pub step: &'static str,
    /// The reference, digest or scope that it is for.
    pub name: String,
    /// Method of the request, such as `GET`.
    pub method: Method,
    /// URL, without query values that may be secret.
    pub url: String,
    /// Fields, as they may be shown, without those that the transport adds by itself.
    pub fields: Vec<TraceField>,
    /// Bytes of its body.
    pub length: u64,
    /// Whether it has an `Authorization`.
    pub authorized: bool,
    /// Why it is sent once more; `None` for a first try.
    pub reason: Option<Reason>,
}

/// The outcome of a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answered {
    /// As in [`Sent`].
    pub number: u64,
    /// The registry as its references name it, also where a relay was asked.
    pub registry: String,
    /// The head of the answer, or in words why there is none.
    pub outcome: Result<TraceHead, String>,
}

/// The head of an answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TraceHead {
    /// HTTP status code.
    pub status: u16,
    /// HTTP version; `None` where a platform that follows redirects by itself does not say.
    pub version: Option<Version>,
    /// Fields, as they may be shown.
    pub fields: Vec<TraceField>,
    /// The connection that it used, where the transport knows.
    pub connection: Option<transport::Connection>,
}

/// The end of an answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ended {
    /// As in [`Sent`].
    pub number: u64,
    /// Bytes of its body that were received.
    pub bytes: u64,
    /// How it ended.
    pub outcome: transport::BodyOutcome,
}

/// A wait before another try.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Paused {
    /// The registry as its references name it, also where a relay was asked.
    pub registry: String,
    /// The step that is tried again: `manifest`, `blob`, `token` …
    pub step: &'static str,
    /// The reference, digest or scope that it is for.
    pub name: String,
    /// Number of the coming try: 2 for the second.
    pub attempt: u32,
    /// How long it waits.
    pub delay: Duration,
    /// Whether the registry asked for the wait (`Retry-After`).
    pub asked: bool,
    /// The failure in words.
    pub because: String,
}

/// Why a request is sent once more. In the extensions of a request: the reason for that request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The try before failed.
    Retry {
        /// 2 for the second try.
        attempt: u32,
        /// The failure in words.
        because: String,
    },
    /// The answer before was a redirect.
    Redirect {
        /// 1 for the first hop.
        hop: u32,
    },
    /// The answer before was a challenge, which this request answers.
    Challenge,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry { attempt, because } => write!(f, "try {attempt}, after {because}"),
            Self::Redirect { hop } => write!(f, "redirect {hop}"),
            Self::Challenge => f.write_str("with what the challenge asks for"),
        }
    }
}

/// A callback; by default there is none.
#[derive(Clone, Default)]
pub struct TraceObserver(Option<Arc<Shared>>);

struct Shared {
    observe: Box<dyn Fn(&TraceEvent) + Send + Sync>,
    last: AtomicU64,
}

impl TraceObserver {
    /// Calls `observe` for each event, from any thread. It must not call back into the client.
    pub fn new(observe: impl Fn(&TraceEvent) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Shared { observe: Box::new(observe), last: AtomicU64::new(0) })))
    }

    pub(crate) fn paused(&self, paused: impl FnOnce() -> Paused) {
        if let Some(shared) = &self.0 {
            (shared.observe)(&TraceEvent::Paused(paused()));
        }
    }

    /// Reports a request. The returned exchange reports its answer and its end.
    pub(crate) fn begin(&self, registry: &str, sent: impl FnOnce(u64) -> Sent) -> Option<Exchange> {
        let shared = self.0.as_ref()?;
        let number = shared.last.fetch_add(1, Ordering::Relaxed) + 1;
        (shared.observe)(&TraceEvent::Sent(sent(number)));
        let registry = registry.to_owned();
        Some(Exchange { shared: Arc::clone(shared), number, registry, answered: AtomicBool::new(false) })
    }
}

impl fmt::Debug for TraceObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}

/// A request that was reported. Dropped without an answer, it reports that it was abandoned.
pub(crate) struct Exchange {
    shared: Arc<Shared>,
    number: u64,
    registry: String,
    answered: AtomicBool,
}

impl Exchange {
    /// Returns the callback for the transport at the end of the answer's body.
    pub(crate) fn ending(&self) -> transport::Ending {
        let (shared, number) = (Arc::clone(&self.shared), self.number);
        transport::Ending::new(move |bytes, outcome| {
            (shared.observe)(&TraceEvent::Ended(Ended { number, bytes, outcome }))
        })
    }

    pub(crate) fn answered(&self, outcome: Result<TraceHead, String>) {
        self.answered.store(true, Ordering::Relaxed);
        let (number, registry) = (self.number, self.registry.clone());
        (self.shared.observe)(&TraceEvent::Answered(Answered { number, registry, outcome }));
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.answered.load(Ordering::Relaxed) {
            self.answered(Err("given up".to_owned()));
        }
    }
}

impl TraceHead {
    pub(crate) fn of<B>(response: &http::Response<B>) -> Self {
        Self {
            status: response.status().as_u16(),
            version: response.extensions().get::<transport::FinalUrl>().is_none().then(|| response.version()),
            fields: header::fields(response.headers()),
            connection: response.extensions().get().cloned(),
        }
    }
}

impl Sent {
    pub(crate) fn fields_of(request: &transport::Request) -> Vec<TraceField> {
        header::fields(request.headers())
    }
}
