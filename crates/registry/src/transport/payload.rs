//! Bodies of requests.

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
    /// Number of bytes, as in `Content-Length`. `None` if it is not known before the last one.
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
    /// Returns the next bytes, not empty; `None` at the end. An error of
    /// [`ErrorKind::Source`](super::ErrorKind::Source) ends the request before its last byte is sent, and is the error
    /// of the request.
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

/// In the extensions of a request: how long its answer may take after its last byte was sent, if that differs from the
/// usual time. It is longer where a registry may hash a whole blob before it answers, and shorter where the caller has
/// waited long already. It is for the head of the answer and for the first bytes of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience(pub Duration);

/// In the extensions of a request: how long the receiver may take no byte of its body, if that differs from the usual
/// time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall(pub Duration);
