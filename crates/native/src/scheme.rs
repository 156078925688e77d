//! Finds out whether a host speaks TLS, before anything is sent to it.

use crate::{Native, error};
use porthole_registry::{
    policy::{Authority, Host, Scheme, is_localhost},
    transport::{Error, ErrorKind},
};
use std::time::Duration;
use tokio::time::timeout;

impl Native {
    /// Finds out the scheme of a registry on this machine: `localhost` and names below it, if all their addresses are
    /// loopback addresses, and loopback literals. `None` for other hosts, and if the host's answer decides nothing.
    ///
    /// The host gets a TLS handshake and nothing else: neither a request nor credentials. A server that answers in TLS
    /// has `https`, whatever is wrong with its certificate.
    pub async fn settle_local(&self, authority: &Authority) -> Option<Scheme> {
        let is_local = match &authority.host {
            Host::Name(name) => is_localhost(name),
            host => host.is_loopback_literal(),
        };
        if !is_local {
            return None;
        }
        let (host, port) = (authority.host.to_string(), authority.port.unwrap_or_else(|| Scheme::Https.port()));
        let addresses = self.connector.resolve(&host, port).await.ok()?;
        if !addresses.iter().all(|address| address.ip().is_loopback()) {
            return None;
        }
        self.shake(&host, port).await
    }

    /// Finds out the scheme of a host that the user allows to be without TLS: `https` if it answers in TLS. A host
    /// without a port that does not answer at port 443 has `http`.
    pub async fn settle(&self, authority: &Authority) -> Option<Scheme> {
        let (host, port) = (authority.host.to_string(), authority.port.unwrap_or_else(|| Scheme::Https.port()));
        let scheme = self.shake(&host, port).await;
        if authority.port.is_none() && scheme.is_none() { Some(Scheme::Http) } else { scheme }
    }

    async fn shake(&self, host: &str, port: u16) -> Option<Scheme> {
        let silent = error(ErrorKind::Timeout, "no answer");
        let outcome = timeout(LONGEST, self.connector.shake(host, port)).await.unwrap_or(Err(silent));
        match outcome {
            Ok(()) => Some(Scheme::Https),
            Err(Error { kind: ErrorKind::NotTls, .. }) => Some(Scheme::Http),
            Err(Error { kind: ErrorKind::Tls | ErrorKind::Expired | ErrorKind::WrongName, .. }) => Some(Scheme::Https),
            Err(_) => None,
        }
    }
}

/// Longest wait for the answer to a handshake. A server that waits for more bytes instead shows nothing.
const LONGEST: Duration = Duration::from_secs(2);
