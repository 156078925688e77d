//! Bodies of requests, and how long their answers are waited for.

use crate::failure;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use porthole_registry::transport::{Chunks, Error, Patience, Payload};
use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

/// A body that tells its [`Watch`] whenever the connection takes more of it.
pub(crate) struct Outgoing {
    content: Content,
    left: u64,
    pulse: Arc<Mutex<Pulse>>,
}

enum Content {
    Bytes(Bytes),
    Stream(Box<dyn Chunks>),
}

/// When the body last moved, and whether anything of it is left.
#[derive(Clone, Copy)]
struct Pulse {
    moved: Instant,
    sending: bool,
}

impl Outgoing {
    /// Opens a payload. Its answer is waited for while the body moves at least once in `stall`, and for `patience` more (`stall`, if
    /// there is none) when all of it is sent.
    pub(crate) fn open(payload: &Payload, stall: Duration, patience: Option<Patience>) -> (Self, Watch) {
        let left = payload.length();
        let content = match payload {
            Payload::Bytes(bytes) => Content::Bytes(bytes.clone()),
            Payload::Stream(source) => Content::Stream(source.open()),
        };
        let sending = matches!(content, Content::Stream(_)) && left > 0;
        let pulse = Arc::new(Mutex::new(Pulse { moved: Instant::now(), sending }));
        let patience = patience.map_or(stall, |Patience(longer)| longer);
        (Self { content, left, pulse: Arc::clone(&pulse) }, Watch { pulse, stall, patience })
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let chunk = match &mut this.content {
            Content::Bytes(bytes) if bytes.is_empty() => None,
            Content::Bytes(bytes) => Some(std::mem::take(bytes)),
            // More than was announced is left for the source to answer for; less, for the HTTP library.
            Content::Stream(_) if this.left == 0 => None,
            Content::Stream(chunks) => match ready!(chunks.poll_chunk(cx)) {
                Ok(chunk) => chunk,
                Err(error) => return Poll::Ready(Some(Err(error))),
            },
        };
        let taken = chunk.as_ref().map_or(0, Bytes::len) as u64;
        this.left = this.left.saturating_sub(taken);
        *this.pulse.lock().unwrap_or_else(PoisonError::into_inner) =
            Pulse { moved: Instant::now(), sending: this.left > 0 && chunk.is_some() };
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Waits for an answer as long as the body of its request moves.
pub(crate) struct Watch {
    pulse: Arc<Mutex<Pulse>>,
    stall: Duration,
    patience: Duration,
}

impl Watch {
    pub(crate) async fn answer<T>(&self, answer: impl Future<Output = T>) -> Result<T, Error> {
        let mut answer = pin!(answer);
        loop {
            let (deadline, waiting) = self.deadline();
            if let Ok(answer) = timeout_at(deadline, answer.as_mut()).await {
                return Ok(answer);
            }
            if self.deadline().0 <= deadline {
                return Err(match waiting {
                    Waiting::ForAnswer(limit) => failure::stalled("an answer", limit),
                    Waiting::ToSend => failure::stalled("the other side to take more of the body", self.stall),
                });
            }
        }
    }

    /// Since the body last moved.
    pub(crate) fn waited(&self) -> Duration {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner).moved.elapsed()
    }

    fn deadline(&self) -> (Instant, Waiting) {
        let pulse = *self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        if pulse.sending {
            (pulse.moved + self.stall, Waiting::ToSend)
        } else {
            (pulse.moved + self.patience, Waiting::ForAnswer(self.patience))
        }
    }
}

enum Waiting {
    ToSend,
    ForAnswer(Duration),
}
