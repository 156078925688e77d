//! What a request carries.

use super::Error;
use bytes::Bytes;
use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

/// The body of a request: in memory, or read from a source while it is sent. Clones share either.
#[derive(Clone)]
pub enum Payload {
    /// Bytes in memory, which can be sent again.
    Bytes(Bytes),
    /// From a source that every try opens again. A page cannot send it.
    Stream(Arc<dyn PayloadSource>),
}

impl Payload {
    /// How many bytes: what `Content-Length` says. `None` if that is not known before the last one.
    pub fn length(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::Stream(source) => source.length(),
        }
    }

    /// All of it, if it is in memory.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Stream(_) => None,
        }
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length() {
            Some(length) => write!(f, "Payload({length} bytes)"),
            None => f.write_str("Payload(of unknown length)"),
        }
    }
}

/// Bytes that are read while they are sent.
pub trait PayloadSource: Send + Sync {
    /// How many bytes there are; `None` if that is not known before the last one. They are then sent in chunked coding (RFC 9112,
    /// section 7.1).
    fn length(&self) -> Option<u64>;

    /// Opens them from the first one.
    fn open(&self) -> Box<dyn Chunks>;
}

/// An opened [`PayloadSource`]. It must give exactly the length that its source names, if it names one.
pub trait Chunks: Send {
    /// The next bytes, not empty; `None` at the end. An error of [`ErrorKind::Source`](super::ErrorKind::Source) ends the request
    /// before its last byte was sent, and is what the request then ends with.
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>>;
}

impl dyn Chunks {
    /// [`poll_chunk`](Chunks::poll_chunk) as a future.
    ///
    /// # Errors
    /// Those of [`poll_chunk`](Chunks::poll_chunk).
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        poll_fn(|context| self.poll_chunk(context)).await
    }
}

/// In the extensions of a request: how long its answer may take after its last byte was sent, where that is not as long as usual. A
/// registry may hash a whole blob before it answers; and who has waited long already will not wait as long again, neither for the
/// head of an answer nor for the first bytes behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience(pub Duration);

/// In the extensions of a request: how long the other side may take nothing of its body, where that is not as long as usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall(pub Duration);
