//! Bodies, piece by piece.

use crate::{Timeouts, driven::Driven, failure};
use bytes::{Buf, Bytes};
use hyper::body::{Body as _, Incoming};
use porthole_registry::{
    retry::Pace,
    transport::{Body, BodyOutcome, Ending, Error},
};
use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::time::{Instant, Sleep};

/// Beyond this number of pieces of a body, they must have [`PIECE_BYTES`] on average.
const PIECES: u64 = 32 << 10;
const PIECE_BYTES: u64 = 32;

/// The body of a response. Dropping it before its end closes the connection.
#[derive(Debug)]
pub struct NativeBody {
    incoming: Incoming,
    /// The connection, if no task of its own drives it.
    driven: Option<Driven>,
    /// Bytes that arrived and were not read yet: at most one piece.
    rest: Bytes,
    stall: Duration,
    /// Time within which the first piece must arrive, if the request has a
    /// [`Patience`](porthole_registry::transport::Patience).
    first: Option<Duration>,
    /// Runs while the reader waits.
    alarm: Pin<Box<Sleep>>,
    /// When the reader began to wait.
    waiting: Option<Instant>,
    pace: Pace,
    /// Bytes that have arrived, and the pieces that they came in.
    received: u64,
    pieces: u64,
    /// Gets the outcome when the body ends; `None` afterwards.
    ending: Option<Ending>,
}

impl NativeBody {
    pub(crate) fn new(
        incoming: Incoming,
        driven: Option<Driven>,
        Timeouts { stall, rate, .. }: Timeouts,
        first: Option<Duration>,
        ending: Option<Ending>,
    ) -> Self {
        let alarm = Box::pin(tokio::time::sleep(stall));
        let (rest, pace) = (Bytes::new(), Pace::new(rate));
        Self { incoming, driven, rest, stall, first, alarm, waiting: None, pace, received: 0, pieces: 0, ending }
    }

    fn end(&mut self, outcome: BodyOutcome) {
        if let Some(ending) = self.ending.take() {
            ending.tell(self.received, outcome);
        }
    }

    /// Returns the next piece as it arrived, without a copy; `None` at the end.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`](porthole_registry::transport::ErrorKind::Interrupted) if the connection ends before
    /// the body does, [`ErrorKind::Timeout`](porthole_registry::transport::ErrorKind::Timeout) if nothing arrives for
    /// the time that [`Timeouts::stall`](crate::Timeouts::stall) names, [`ErrorKind::Slow`](porthole_registry::transport::ErrorKind::Slow)
    /// if it comes at a lower rate than [`Timeouts::rate`](crate::Timeouts::rate), or in many pieces of a few bytes.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    /// [`chunk`](Self::chunk), for a caller that implements `poll` itself.
    ///
    /// # Errors
    /// Those of [`chunk`](Self::chunk).
    pub fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Ok(Some(std::mem::take(&mut self.rest))));
        }
        loop {
            let frame = match &mut self.driven {
                Some(driven) => driven.poll_frame(&mut self.incoming, cx),
                None => Pin::new(&mut self.incoming).poll_frame(cx),
            };
            let Poll::Ready(frame) = frame else { break };
            let waited = self.waiting.take().map(|since| since.elapsed());
            match frame {
                None => {
                    self.end(BodyOutcome::Complete);
                    return Poll::Ready(Ok(None));
                }
                Some(Err(error)) => {
                    let error = failure::of_body(&error);
                    self.end(BodyOutcome::Failed(error.clone()));
                    return Poll::Ready(Err(error));
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => {
                        self.first = None;
                        self.received += data.len() as u64;
                        // A piece that had arrived before it was read took no time.
                        let pace = self.pace.moved(waited.unwrap_or_default(), data.len() as u64);
                        let pace = pace.and_then(|()| self.count_piece());
                        if let Err(error) = pace
                            && !self.incoming.is_end_stream()
                        {
                            self.end(BodyOutcome::Failed(error.clone()));
                            return Poll::Ready(Err(error));
                        }
                        return Poll::Ready(Ok(Some(data)));
                    }
                    // Trailers, which no caller needs, or an empty piece.
                    _ => {}
                },
            }
        }
        let limit = self.first.unwrap_or(self.stall);
        if self.waiting.is_none() {
            let now = Instant::now();
            self.waiting = Some(now);
            self.alarm.as_mut().reset(now + limit);
        }
        ready!(self.alarm.as_mut().poll(cx));
        let error = failure::stalled("more of the body", limit);
        self.end(BodyOutcome::Failed(error.clone()));
        Poll::Ready(Err(error))
    }

    /// Each piece costs time, however few bytes it has: a server could keep this machine busy by little traffic.
    fn count_piece(&mut self) -> Result<(), Error> {
        self.pieces += 1;
        if self.pieces > PIECES && self.received / self.pieces < PIECE_BYTES {
            return Err(failure::crumbs(self.pieces, self.received));
        }
        Ok(())
    }

    /// Number of bytes that are still to come, if the server stated the length.
    pub fn remaining(&self) -> Option<u64> {
        self.incoming.size_hint().exact().map(|ahead| ahead + self.rest.len() as u64)
    }
}

impl Drop for NativeBody {
    fn drop(&mut self) {
        let complete = self.incoming.is_end_stream();
        self.end(if complete { BodyOutcome::Complete } else { BodyOutcome::Dropped });
    }
}

impl Body for NativeBody {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let Some(mut chunk) = self.chunk().await? else { return Ok(0) };
        let count = chunk.len().min(buffer.len());
        chunk.copy_to_slice(&mut buffer[..count]);
        self.rest = chunk;
        Ok(count)
    }
}
