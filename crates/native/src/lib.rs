//! HTTP over sockets, for the command line and the relay.
//!
//! Every name is resolved once, every address it resolves to is checked, and only a checked address is connected to:
//! there is no second look-up between the check and the connection. Redirects are never followed here, bodies are
//! never decoded, and a proxy is used only where the options name it.

mod body;
mod connect;
mod driven;
mod failure;
mod hosts;
mod lookup;
mod outgoing;
mod proxy;
mod ready;
mod resolve;
mod scheme;
mod sip;
mod stream;
mod tls;
mod verify;

pub use body::NativeBody;
pub use hosts::{Certificates, Hosts};
pub use lookup::{LookupCounts, LookupLimits};
pub use proxy::Proxies;
pub use resolve::Resolver;
pub use sip::PieceSize;

use connect::Connector;
use driven::Pool;
use http::{HeaderValue, Method, Response, StatusCode, Uri, header, uri::Scheme};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use outgoing::Outgoing;
use porthole_registry::{
    retry::Rate,
    transport::{Brief, Ending, Environment, Error, ErrorKind, Patience, Redirects, Request, Stall, Transport},
};
use proxy::Proxy;
use ready::{REQUEST, Wanted};
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Which addresses may be connected to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Addresses {
    /// Every address: the user of a command line named the registry, and may reach what the machine reaches.
    #[default]
    Any,
    /// Global unicast addresses only.
    Public {
        /// `host` or `host:port` that may have any address, in lower case; a bare host stands for all its ports.
        allow: Vec<String>,
    },
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Longest time to resolve a name and connect; the same again for TLS.
    pub connect: Duration,
    /// Longest wait for the head of a response, and between two pieces of a body of a response or a request.
    pub stall: Duration,
    /// Lowest rate of a response's body, measured while the reader waits.
    pub rate: Rate,
}

impl Timeouts {
    /// Timeouts for a caller that waits no longer than `patience`, retries included: a first try ends after 4/5 of it,
    /// so that there is time for a second.
    pub fn within(patience: Duration) -> Self {
        let Self { connect, stall, rate } = Self::default();
        let first = patience - patience / 5;
        Self { connect: connect.min(first), stall: stall.min(first), rate }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        // A client that retries has a rate of its own, for all tries together.
        let rate = Rate { bytes: 0, ..Rate::default() };
        Self { connect: Duration::from_secs(10), stall: Duration::from_secs(30), rate }
    }
}

/// What a [`Native`] may reach, and whom it trusts.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which addresses may be connected to.
    pub addresses: Addresses,
    /// Addresses never connected to: a relay's own. An unspecified address stands for all addresses of this machine.
    pub never: Vec<SocketAddr>,
    /// Certificates trusted beside those of the system. Those of a host replace those of every host.
    pub ca: Vec<Certificates>,
    /// Directories in the form of Docker's `certs.d`: `HOST[:PORT]/*.crt` are trusted for the host, `*.cert` with `*.key` are shown to it.
    pub certs_d: Vec<PathBuf>,
    /// Hosts whose certificates are not verified.
    pub insecure: Hosts,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// How names become addresses.
    pub resolver: Resolver,
    /// How many bytes are read at a time.
    pub piece: PieceSize,
    /// Whether a request that finds no free connection opens one at once. If not, and several are open, it waits a few
    /// round trips for one of them: right for the requests of one transfer, wrong for those of many clients. With it, requests
    /// drive their connections themselves, and a connection is used only on the runtime that opened it.
    pub connects_at_once: bool,
    /// How many unused connections to one host are kept; 16 if `None`.
    pub idle_per_host: Option<usize>,
    /// Proxies to use. A proxy resolves the names of the hosts behind it: `addresses` then limits only the address of
    /// the proxy.
    pub proxies: Proxies,
}

/// HTTP/1.1 over sockets, with a pool of idle connections that clones share.
///
/// HTTP/2 is not offered: one connection per transfer is faster for blobs than many streams on one connection.
#[derive(Clone, Debug)]
pub struct Native {
    client: Client,
    connector: Connector,
    timeouts: Timeouts,
    proxies: Proxies,
}

#[derive(Clone, Debug)]
enum Client {
    /// Requests wait for connections of others, and each connection has a task.
    Shared(legacy::Client<Connector, Outgoing>),
    /// Requests drive their connections.
    Driven(Pool),
}

impl Native {
    /// A transport with these options.
    ///
    /// # Errors
    /// [`ErrorKind::Tls`] if a file of `ca` cannot be read or holds no certificate.
    pub fn new(options: Options) -> Result<Self, Error> {
        let (timeouts, proxies) = (options.timeouts, options.proxies.clone());
        let (idle_per_host, at_once) = (options.idle_per_host.unwrap_or(IDLE_PER_HOST), options.connects_at_once);
        let connector = Connector::new(options)?;
        let client = if at_once {
            Client::Driven(Pool::new(idle_per_host, IDLE))
        } else {
            let mut builder = legacy::Client::builder(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(idle_per_host)
                .http1_max_buf_size(BUFFER);
            Client::Shared(builder.build(connector.clone()))
        };
        Ok(Self { client, connector, timeouts, proxies })
    }

    /// Opens connections to an origin (`https://registry.example.com`) for the next requests. One that stays unused for
    /// ten seconds is dropped.
    ///
    /// Must be called within a tokio runtime. If a connection fails, the request that needs it opens it again.
    pub fn prepare(&self, origin: &str, connections: usize) {
        let Ok(uri) = origin.parse::<Uri>() else { return };
        self.connector.prepare(&uri, connections);
    }
}

impl Transport for Native {
    type Body = NativeBody;

    async fn send(&self, mut request: Request) -> Result<Response<NativeBody>, Error> {
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
        let proxy = match request.uri().scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => self.proxies.between(request.uri())?,
            _ => None,
        };
        if let Some(authorization) = proxy.as_ref().and_then(Proxy::authorization) {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization.clone());
        }
        if let (false, Some(length)) =
            (matches!(*request.method(), Method::GET | Method::HEAD), request.body().length())
        {
            // The library sends no length of an empty body, and some registries then wait for a body.
            request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        let patience = request.extensions().get::<Patience>().copied();
        let ending = request.extensions().get::<Ending>().cloned();
        let stall = request.extensions().get::<Stall>().map_or(self.timeouts.stall, |Stall(stall)| *stall);
        let (body, watch) = Outgoing::open(request.body(), stall.min(self.timeouts.stall), patience);
        let request = request.map(|_| body);
        let (mut response, driven) = match &self.client {
            Client::Shared(client) => {
                let host = request.uri().host().unwrap_or_default().to_owned();
                let wanted = Wanted::new(request.extensions().get::<Brief>().is_some());
                let answer = REQUEST.scope(Arc::clone(&wanted), client.request(request));
                let answer = watch.answer(answer).await;
                wanted.answered();
                (answer?.map_err(|error| failure::of_request(&host, &error))?, None)
            }
            Client::Driven(pool) => {
                let (response, driven) = watch.answer(pool.request(&self.connector, request)).await??;
                (response, Some(driven))
            }
        };
        if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
            let proxy = proxy.map_or_else(|| "a proxy".to_owned(), |proxy| proxy.to_string());
            return Err(error(ErrorKind::Proxy, format!("{proxy} wants other credentials")));
        }
        if let Some(made) = response.extensions().get::<connect::Made>() {
            let connection = made.used();
            response.extensions_mut().insert(connection);
        }
        // The patience of a request is for the head of the answer and for the first bytes of its body.
        let first = patience.map(|Patience(patience)| patience.saturating_sub(watch.waited()).min(self.timeouts.stall));
        Ok(response.map(|incoming| NativeBody::new(incoming, driven, self.timeouts, first, ending)))
    }

    fn redirects(&self) -> Redirects {
        Redirects::Ours
    }
}

impl Environment for Native {
    fn now(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn random(&self) -> u64 {
        // The standard library seeds every map differently: enough for jitter, and no dependency.
        RandomState::new().build_hasher().finish()
    }
}

fn error(kind: ErrorKind, message: impl Into<String>) -> Error {
    Error { kind, message: message.into() }
}

const USER_AGENT: &str = concat!("porthole/", env!("CARGO_PKG_VERSION"));
/// Read buffer of a connection in bytes, and so the longest head of a response.
const BUFFER: usize = 128 << 10;
const IDLE: Duration = Duration::from_secs(60);
const IDLE_PER_HOST: usize = 16;

#[cfg(test)]
mod tests;
