//! Bodies of requests, and the wait for their answers.

use crate::failure;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use porthole_registry::transport::{Chunks, Error, Patience, Payload};
use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

/// A body that notifies its [`Watch`] whenever the connection takes more of it.
pub(crate) struct Outgoing {
    content: Content,
    /// Bytes that the source gave and the connection has not taken yet.
    rest: Bytes,
    /// Bytes that are still to send; `None` if the source does not know its length.
    left: Option<u64>,
    pulse: Arc<Mutex<Pulse>>,
}

enum Content {
    Bytes(Bytes),
    /// Never locked: what holds a connection is shared by reference, and sources are not.
    Stream(Mutex<Box<dyn Chunks>>),
}

/// When the body last moved, and whose turn it is.
#[derive(Clone, Copy)]
struct Pulse {
    moved: Instant,
    turn: Turn,
}

#[derive(Clone, Copy)]
enum Turn {
    /// The source must give bytes.
    Source,
    /// The receiver must take bytes.
    Receiver,
    /// All is sent: the receiver must answer.
    Answer,
}

impl Outgoing {
    /// Opens a payload. The wait for its answer ends when the receiver takes nothing for `stall`, when the source gives
    /// nothing for ten times as long, or when no answer comes within `patience` (by default `stall`) after all is sent.
    pub(crate) fn open(payload: &Payload, stall: Duration, patience: Option<Patience>) -> (Self, Watch) {
        let left = payload.length();
        let content = match payload {
            Payload::Bytes(bytes) => Content::Bytes(bytes.clone()),
            Payload::Stream(source) => Content::Stream(Mutex::new(source.open())),
        };
        let sending = matches!(content, Content::Stream(_)) && left != Some(0);
        let turn = if sending { Turn::Receiver } else { Turn::Answer };
        let pulse = Arc::new(Mutex::new(Pulse { moved: Instant::now(), turn }));
        let patience = patience.map_or(stall, |Patience(longer)| longer);
        (Self { content, rest: Bytes::new(), left, pulse: Arc::clone(&pulse) }, Watch { pulse, stall, patience })
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let chunk = match &mut this.content {
            _ if !this.rest.is_empty() => Some(std::mem::take(&mut this.rest)),
            Content::Bytes(bytes) if bytes.is_empty() => None,
            Content::Bytes(bytes) => Some(std::mem::take(bytes)),
            // Bytes beyond the announced length are not sent: to report them is up to the source. The HTTP library
            // reports missing ones.
            Content::Stream(_) if this.left == Some(0) => None,
            Content::Stream(chunks) => match chunks.get_mut().unwrap_or_else(PoisonError::into_inner).poll_chunk(cx) {
                Poll::Ready(Ok(chunk)) => chunk,
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                Poll::Pending => {
                    let mut pulse = this.pulse.lock().unwrap_or_else(PoisonError::into_inner);
                    if !matches!(pulse.turn, Turn::Source) {
                        *pulse = Pulse { moved: Instant::now(), turn: Turn::Source };
                    }
                    return Poll::Pending;
                }
            },
        };
        let chunk = chunk.map(|mut chunk| {
            this.rest = chunk.split_off(chunk.len().min(FRAME));
            chunk
        });
        let taken = chunk.as_ref().map_or(0, Bytes::len) as u64;
        this.left = this.left.map(|left| left.saturating_sub(taken));
        let turn = if this.left != Some(0) && chunk.is_some() { Turn::Receiver } else { Turn::Answer };
        *this.pulse.lock().unwrap_or_else(PoisonError::into_inner) = Pulse { moved: Instant::now(), turn };
        Poll::Ready(chunk.map(|chunk| Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
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
            let (deadline, _) = self.deadline();
            if let Ok(answer) = timeout_at(deadline, answer.as_mut()).await {
                return Ok(answer);
            }
            let (moved, turn) = self.deadline();
            if moved <= deadline {
                return Err(match turn {
                    Turn::Source => failure::stalled("more of the body to send", self.stall * SOURCE),
                    Turn::Receiver => failure::stalled("the other side to take more of the body", self.stall),
                    Turn::Answer => failure::stalled("an answer", self.patience),
                });
            }
        }
    }

    /// Returns the time since the body last moved.
    pub(crate) fn waited(&self) -> Duration {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner).moved.elapsed()
    }

    fn deadline(&self) -> (Instant, Turn) {
        let Pulse { moved, turn } = *self.pulse.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = match turn {
            Turn::Source => self.stall * SOURCE,
            Turn::Receiver => self.stall,
            Turn::Answer => self.patience,
        };
        (moved + limit, turn)
    }
}

/// Bytes that a connection takes at once: few enough that the slowest line that is allowed sends them within one stall.
const FRAME: usize = 16 << 10;
/// How many times `stall` a source may take: if it reads from a registry, it ends its own stalls and retries within
/// that time.
const SOURCE: u32 = 10;
