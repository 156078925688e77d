//! The end of an answer: its log line and its numbers come when the body has ended, or was broken off.

use crate::{
    body::Body,
    clients::Place,
    log::{Answered, Log},
    metrics::Metrics,
};
use bytes::Bytes;
use http::{Method, StatusCode};
use hyper::body::{Body as _, Frame, SizeHint};
use porthole_registry::transport::Error;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

/// A body whose end is counted and logged.
pub(crate) struct Tallied {
    pub(crate) body: Body,
    pub(crate) tally: Tally,
}

/// What is known of an answer when its head is sent.
pub(crate) struct Tally {
    pub(crate) log: Log,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) method: Method,
    pub(crate) route: &'static str,
    pub(crate) target: String,
    pub(crate) status: StatusCode,
    pub(crate) started: Instant,
    pub(crate) bytes: u64,
    /// All of the body was sent.
    pub(crate) complete: bool,
    /// The memory of the body.
    pub(crate) _place: Option<Arc<Place>>,
}

impl hyper::body::Body for Tallied {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.tally.complete = true,
            Some(Ok(frame)) => self.tally.bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Tallied {
    fn drop(&mut self) {
        let Tally { log, metrics, method, route, target, status, started, bytes, complete, .. } = &self.tally;
        let took = started.elapsed();
        metrics.took(route, took);
        // hyper does not ask for the end of a body whose length it knows.
        let sent = *complete || self.body.is_end_stream() || self.body.size_hint().exact() == Some(0);
        let broken = !sent && method != Method::HEAD && *status != StatusCode::NOT_MODIFIED;
        log.answered(&Answered { method, route, target, status: *status, bytes: *bytes, broken, took });
    }
}
