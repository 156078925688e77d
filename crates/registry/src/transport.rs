//! The HTTP client that this crate needs, as traits.
//!
//! The traits name neither `Send` nor a runtime. A transport's own types decide: where its futures are `Send`, those of
//! [`Registry`](crate::Registry) are too.

mod payload;
mod watch;

pub use payload::{Chunks, Patience, Payload, PayloadSource, Stall};
pub use watch::{BodyOutcome, Connection, Ending};

use std::{future::Future, time::Duration};

/// A request that is ready to send: absolute URL, headers set but `Content-Length`, which is the [`Payload`]'s.
pub type Request = http::Request<Payload>;

/// Sends one HTTP request at a time and returns its answer, without retries.
pub trait Transport {
    /// The body of an answer.
    type Body: Body;

    /// Sends once, without retries. Any status is an answer, not an error. Redirects are treated as [`Transport::redirects`] says; a
    /// transport that follows them itself should leave a [`FinalUrl`] in the extensions of the answer. One that knows its
    /// connections may leave a [`Connection`] there, and call the [`Ending`] that it finds in the extensions of the request.
    fn send(&self, request: Request) -> impl Future<Output = Result<http::Response<Self::Body>, Error>>;

    /// The party that follows redirects.
    fn redirects(&self) -> Redirects;
}

/// A body, read into the caller's buffer. Dropping it ends the transfer.
pub trait Body {
    /// Reads up to `buffer.len()` bytes and returns how many; 0 is the end.
    fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = Result<usize, Error>>;
}

/// Clock, timer and randomness, which the caller supplies.
pub trait Environment {
    /// Time since the Unix epoch.
    fn now(&self) -> Duration;

    /// Completes after this time.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()>;

    /// 64 random bits, for jitter; never for secrets.
    fn random(&self) -> u64;
}

/// The party that follows redirects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// This crate, hop by hop, each judged by [`policy::hop`](crate::policy::hop).
    Ours,
    /// The platform: a page cannot see the hops, so it cannot judge them. It relies on the browser to drop
    /// `Authorization` when the origin changes, and never to leave `https` for `http`. It cannot limit where the hops
    /// lead.
    Platform,
}

/// In the extensions of a request: its answer is expected to be short, so that a connection that is in use is soon free for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brief;

/// The URL that finally answered, left in a response's extensions by a transport that followed redirects by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalUrl(pub String);

/// Why no answer, or not all of it, arrived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Error {
    /// Kind of failure.
    pub kind: ErrorKind,
    /// The cause in words, without secrets.
    pub message: String,
}

/// Kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The host's name does not resolve.
    Resolve,
    /// The name of the host resolves, but no connection was made.
    Connect,
    /// The proxy does not answer or refuses, or its URL is unusable.
    Proxy,
    /// The TLS handshake failed, or the certificate is not trusted.
    Tls,
    /// The answer to a TLS handshake is not TLS.
    NotTls,
    /// The certificate is not valid now: expired, or not valid yet.
    Expired,
    /// The certificate is for other names.
    WrongName,
    /// The connection broke while sending or reading.
    Interrupted,
    /// No byte was received or taken for too long.
    Timeout,
    /// Too few bytes were received for too long.
    Slow,
    /// The answer is not HTTP, or breaks its rules.
    Malformed,
    /// The address is refused by policy.
    Forbidden,
    /// The bytes to send cannot be read, or are not those that their descriptor promises.
    Source,
    /// This machine has no network.
    Offline,
    /// In a page: blocked by CORS, or the host is dead; the platform does not say which.
    Opaque,
    /// In a page: the host is alive, but does not allow this page to read it.
    Cors,
    /// In a page: the challenge could be read, the authorised request could not be sent; the registry refuses preflights.
    Preflight,
    /// A failure that none of the others names.
    Other,
}

impl ErrorKind {
    /// Whether another try may help.
    pub fn retryable(self) -> bool {
        matches!(self, Self::Connect | Self::Proxy | Self::Interrupted | Self::Timeout)
    }
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Resolve => "host not found",
            Self::Connect => "no connection",
            Self::Proxy => "no way through the proxy",
            Self::Tls => "no trusted TLS connection",
            Self::NotTls => "no TLS",
            Self::Expired => "certificate out of date",
            Self::WrongName => "certificate for another name",
            Self::Interrupted => "connection broken",
            Self::Timeout => "timed out",
            Self::Slow => "too slow",
            Self::Malformed => "no valid HTTP",
            Self::Forbidden => "address refused",
            Self::Source => "source broken",
            Self::Offline => "no network",
            Self::Opaque => "host not reachable from this page",
            Self::Cors => "registry does not allow this page to read it",
            Self::Preflight => "registry refuses this page's signed-in requests",
            Self::Other => "request failed",
        })
    }
}
