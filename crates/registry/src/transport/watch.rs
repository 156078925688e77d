//! What a transport can report of its connections, and of the end of an answer.

use super::Error;
use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

/// The connection that an answer came over, in the extensions of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Distinguishes connections of one transport.
    pub id: u64,
    /// Whether another exchange had used it before.
    pub reused: bool,
    /// The other end, which may be a proxy.
    pub peer: Option<SocketAddr>,
    /// Time to resolve the name and to connect.
    pub connect: Duration,
    /// Time of the TLS handshake; `None` without TLS.
    pub tls: Option<Duration>,
}

/// How the body of an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyOutcome {
    /// All of it was received.
    Complete,
    /// The reader dropped the rest.
    Dropped,
    /// The connection broke before the end of the body.
    Failed(Error),
}

/// In the extensions of a request: a function to call when the body of the answer ends.
#[derive(Clone)]
pub struct Ending(Arc<dyn Fn(u64, BodyOutcome) + Send + Sync>);

impl Ending {
    /// Calls `hear` with the number of bytes received.
    pub fn new(hear: impl Fn(u64, BodyOutcome) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    /// Reports the end: once for each answer that had a head.
    pub fn tell(&self, bytes: u64, outcome: BodyOutcome) {
        (self.0)(bytes, outcome);
    }
}

impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ending")
    }
}
