//! Resolves names to addresses, once per connection.

use crate::{
    Addresses, LookupCounts, LookupLimits, error,
    lookup::{Lookup, Pool, ask_system},
};
use porthole_registry::{
    policy,
    transport::{Error, ErrorKind},
};
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
};

/// How names become addresses.
#[derive(Clone, Default)]
pub struct Resolver(Method);

#[derive(Clone, Default)]
enum Method {
    /// The system is asked on the runtime's own threads for blocking work.
    #[default]
    System,
    Function(Arc<Lookup>),
    Pool(Arc<Pool>),
}

impl Resolver {
    /// Answers with what `lookup` returns for a name, and never asks the system.
    pub fn from_fn(lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static) -> Self {
        Self(Method::Function(Arc::new(lookup)))
    }

    /// Asks the system on threads of its own and remembers the answers, within limits.
    pub fn pooled(limits: LookupLimits) -> Self {
        Self(Method::Pool(Pool::new(limits, Box::new(ask_system))))
    }

    /// As [`pooled`](Self::pooled), but asks `lookup`, which may block.
    pub fn pooled_fn(
        limits: LookupLimits,
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Method::Pool(Pool::new(limits, Box::new(lookup))))
    }

    /// Returns the counters of the pool; `None` without one.
    pub fn counts(&self) -> Option<LookupCounts> {
        match &self.0 {
            Method::Pool(pool) => Some(pool.counts()),
            Method::System | Method::Function(_) => None,
        }
    }

    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found = match &self.0 {
            Method::System => return Ok(tokio::net::lookup_host((host, port)).await?.collect()),
            Method::Function(lookup) => lookup(host)?,
            Method::Pool(pool) => pool.addresses(host).await?,
        };
        Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect())
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Method::System => "Resolver(system)",
            Method::Function(_) => "Resolver(fn)",
            Method::Pool(_) => "Resolver(pool)",
        })
    }
}

/// The rules that an address must pass.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) addresses: Addresses,
    pub(crate) never: Vec<SocketAddr>,
    pub(crate) resolver: Resolver,
}

impl Rules {
    /// The addresses of `host`, each of them checked. One refused address refuses the name: an answer that mixes
    /// public and private addresses is not an answer of an honest registry.
    pub(crate) async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
        let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        let found = match literal.parse::<IpAddr>() {
            Ok(ip) => vec![SocketAddr::new(ip, port)],
            Err(_) => self
                .resolver
                .addresses(host, port)
                .await
                .map_err(|failure| error(ErrorKind::Resolve, format!("cannot resolve {host}: {failure}")))?,
        };
        if found.is_empty() {
            return Err(error(ErrorKind::Resolve, format!("{host} has no address")));
        }
        for address in &found {
            self.check(host, *address)?;
        }
        Ok(found)
    }

    fn check(&self, host: &str, address: SocketAddr) -> Result<(), Error> {
        if self.never.iter().any(|never| stands_for(never, &address)) {
            return Err(error(ErrorKind::Forbidden, format!("{host} is this relay itself")));
        }
        match &self.addresses {
            Addresses::Any => Ok(()),
            Addresses::Public { allow } if allow.iter().any(|entry| names(entry, host, address.port())) => Ok(()),
            Addresses::Public { .. } => {
                policy::address(address.ip()).map_err(|denied| error(ErrorKind::Forbidden, format!("{host}: {denied}")))
            }
        }
    }
}

/// Whether `entry`, a `host` or a `host:port`, names this destination.
fn names(entry: &str, host: &str, port: u16) -> bool {
    if entry.eq_ignore_ascii_case(host) {
        return true;
    }
    entry.rsplit_once(':').is_some_and(|(name, digits)| name.eq_ignore_ascii_case(host) && digits.parse() == Ok(port))
}

/// Whether connecting to `address` would reach the listener at `never`.
fn stands_for(never: &SocketAddr, address: &SocketAddr) -> bool {
    let canonical = address.ip().to_canonical();
    never.port() == address.port()
        && (never.ip().to_canonical() == canonical
            || canonical.is_unspecified()
            // Only an address of this machine can be bound.
            || never.ip().is_unspecified() && UdpSocket::bind((canonical, 0)).is_ok())
}
