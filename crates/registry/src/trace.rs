//! Each HTTP exchange, told to whoever wants to know.

use std::{fmt, sync::Arc, time::Duration};

/// One exchange, up to the head of the answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Exchange {
    /// Logical registry.
    pub registry: String,
    /// `GET`, `POST` …
    pub method: http::Method,
    /// URL, without query values that may be secret.
    pub url: String,
    /// Its `Range`: `bytes=5-9`.
    pub range: Option<String>,
    /// Whether an `Authorization` went along.
    pub authorized: bool,
    /// Status of the answer, or the transport's error in words.
    pub outcome: Result<u16, String>,
    /// Its `Content-Length`.
    pub length: Option<u64>,
    /// When it was sent, since the Unix epoch.
    pub started: Duration,
    /// Until the head of the answer.
    pub elapsed: Duration,
    /// Why it was sent once more; `None` for a first try.
    pub reason: Option<Reason>,
}

/// Why a request is not the first of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The try before failed.
    Retry {
        /// 2 for the second try.
        attempt: u32,
    },
    /// The answer before was a redirect.
    Redirect {
        /// 1 for the first hop.
        hop: u32,
    },
}

/// A callback for exchanges; by default there is none.
#[derive(Clone, Default)]
pub struct Observer(Option<Arc<Observe>>);

type Observe = dyn Fn(&Exchange) + Send + Sync;

impl Observer {
    /// Calls `observe` after each exchange. It must not call back into the client.
    pub fn new(observe: impl Fn(&Exchange) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(observe)))
    }

    pub(crate) fn tell(&self, exchange: impl FnOnce() -> Exchange) {
        if let Some(observe) = &self.0 {
            observe(&exchange());
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}
