//! Bodies of pushes, on their way to a registry: one piece at a time is held, and none is sent twice.

use crate::{
    limits::Limits,
    metrics::{Limit, Metrics},
    refusal::Refusal,
};
use bytes::Bytes;
use http::StatusCode;
use hyper::body::{Body as _, Incoming};
use porthole_registry::{
    retry::{Pace, Rate},
    transport::{Chunks, Error, ErrorKind, Payload, PayloadSource},
};
use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// The body that a client sends, and what it may be.
pub(crate) struct Intake {
    body: Mutex<Option<Incoming>>,
    length: Option<u64>,
    rules: Rules,
    why: Why,
}

/// Why a body did not reach its registry, when that is the client's doing.
#[derive(Clone, Default)]
pub(crate) struct Why(Arc<OnceLock<Refusal>>);

impl Why {
    /// The reason, once there is one.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.0.get().cloned()
    }
}

#[derive(Clone)]
struct Rules {
    /// Most bytes; the limit that is hit otherwise.
    most: Option<(u64, Limit)>,
    idle: Duration,
    rate: Rate,
    metrics: Arc<Metrics>,
}

impl Intake {
    /// The payload of a request with this body, which may have at most `most` bytes.
    ///
    /// # Errors
    /// It announces more.
    pub(crate) fn payload(
        body: Incoming,
        most: Option<(u64, Limit)>,
        limits: &Limits,
        metrics: &Arc<Metrics>,
    ) -> Result<(Payload, Why), Refusal> {
        let (length, why) = (body.size_hint().exact(), Why::default());
        if length == Some(0) {
            return Ok((Payload::default(), why));
        }
        let rate = Rate { bytes: limits.client_min_rate, window: limits.client_rate_window };
        let rules = Rules { most, idle: limits.client_idle, rate, metrics: Arc::clone(metrics) };
        if let (Some(length), Some((most, limit))) = (length, most)
            && length > most
        {
            return Err(rules.too_long(most, limit));
        }
        let intake = Self { body: Mutex::new(Some(body)), length, rules, why: why.clone() };
        Ok((Payload::Stream(Arc::new(intake)), why))
    }
}

impl Rules {
    fn too_long(&self, most: u64, limit: Limit) -> Refusal {
        self.metrics.limited(limit);
        let message = format!("this relay passes on at most {most} bytes of it (--{})", limit.name());
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "SIZE_INVALID", message)
    }
}

impl PayloadSource for Intake {
    fn length(&self) -> Option<u64> {
        self.length
    }

    fn open(&self) -> Box<dyn Chunks> {
        let incoming = self.body.lock().unwrap_or_else(PoisonError::into_inner).take();
        let rules = self.rules.clone();
        Box::new(Opened {
            incoming,
            alarm: Box::pin(tokio::time::sleep(rules.idle)),
            waiting: None,
            pace: Pace::new(rules.rate),
            taken: 0,
            rules,
            why: self.why.clone(),
        })
    }
}

struct Opened {
    /// `None` when it was sent before.
    incoming: Option<Incoming>,
    /// Runs while the client is waited for.
    alarm: Pin<Box<Sleep>>,
    waiting: Option<Instant>,
    pace: Pace,
    taken: u64,
    rules: Rules,
    why: Why,
}

impl Chunks for Opened {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            let Some(incoming) = &mut self.incoming else {
                return Poll::Ready(Err(source("the body of a client cannot be sent a second time".to_owned())));
            };
            let Poll::Ready(frame) = Pin::new(incoming).poll_frame(cx) else { break };
            let waited = self.waiting.take().map(|since| since.elapsed()).unwrap_or_default();
            let data = match frame {
                None => return Poll::Ready(Ok(None)),
                Some(Err(error)) => {
                    let message = format!("the client broke the body off: {error}");
                    return self.fail(Refusal::bad_request("REQUEST_INVALID", message));
                }
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            // Trailers, or an empty piece.
            if data.is_empty() {
                continue;
            }
            self.taken += data.len() as u64;
            if let Some((most, limit)) = self.rules.most
                && self.taken > most
            {
                let refusal = self.rules.too_long(most, limit);
                return self.fail(refusal);
            }
            if let Err(error) = self.pace.moved(waited, data.len() as u64) {
                self.rules.metrics.limited(Limit::ClientMinRate);
                return self.fail(late(format!("the client is too slow: {}", error.message)));
            }
            self.rules.metrics.taken(data.len());
            return Poll::Ready(Ok(Some(data)));
        }
        if self.waiting.is_none() {
            let now = Instant::now();
            self.waiting = Some(now);
            self.alarm.as_mut().reset(now + self.rules.idle);
        }
        match self.alarm.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.rules.metrics.limited(Limit::ClientIdle);
                let idle = self.rules.idle.as_secs_f64();
                self.fail(late(format!("the client sent nothing for {idle} s (--client-idle)")))
            }
        }
    }
}

impl Opened {
    fn fail<T>(&self, refusal: Refusal) -> Poll<Result<T, Error>> {
        let message = refusal.message.clone();
        let _ = self.why.0.set(refusal);
        Poll::Ready(Err(source(message)))
    }
}

fn late(message: String) -> Refusal {
    Refusal::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_INVALID", message)
}

fn source(message: String) -> Error {
    Error { kind: ErrorKind::Source, message }
}
