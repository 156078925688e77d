//! The client: short chains of requests over a transport.

mod access;
mod answer;
mod catalog;
mod delete;
mod exchange;
mod foreign;
mod list;
mod met;
mod present;
mod probe;
mod range;
mod raw;
mod read;
mod referrers;
mod source;
mod tag;
mod upload;
mod write;

use crate::{
    auth::{Credentials, Tokens, lock},
    endpoint::Base,
    error::{Error, Subject},
    policy::{self, Authority, Host, Scheme},
    retry,
    scope::Scopes,
    trace::TraceObserver,
    transport::{Environment, Request, Transport},
};
use http::header;
use porthole_core::{descriptor::Descriptor, digest::Digest, limits::Limits, reference::Reference};
use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
    time::Duration,
};

pub use delete::{Deletion, Untagged};
use foreign::AllowedForeign;
pub use foreign::{FOREIGN_URLS, foreign_hosts};
pub use met::Met;
pub use present::Mount;
pub use probe::{Asker, Probed};
use range::Places;
pub use range::{BlobRange, ClientBlob};
pub use referrers::{By, Listed};
pub use source::RemoteImage;
pub use tag::{Known, Seen, Unseen};
pub use upload::{Note, Opened, UploadContent, Uploaded};
pub use write::Destination;

/// How a registry is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Route {
    /// Straight to the registry.
    #[default]
    Direct,
    /// Through a relay at this base URL (`http://127.0.0.1:8090`); `?ns=` names the registry.
    Relay(String),
}

/// What a client may do and how it asks.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `host[:port]`s that are reached without TLS; loopback literals always are.
    pub plain_http: Vec<String>,
    /// Speak plain HTTP to every registry.
    pub plain_http_all: bool,
    /// `host[:port]`s of token realms that the user trusts with credentials of any registry.
    pub trust_realm: Vec<String>,
    /// Ask for manifests in two families, one after the other, so that no preflight is needed (a page).
    pub short_accept: bool,
    /// How large documents and lists may be.
    pub limits: Limits,
    /// Gets each HTTP exchange.
    pub observer: TraceObserver,
    /// An operation is aborted when no byte arrives for this long, retries included. The default is [`retry::PATIENCE`].
    /// New bytes give time back ([`retry::Budget`]).
    pub patience: Option<Duration>,
    /// A transfer is aborted when new bytes arrive more slowly, retries included.
    pub rate: retry::Rate,
    /// How long a registry may take to commit an upload whose bytes it has. The default is [`retry::COMMIT`].
    pub commit: Option<Duration>,
}

/// A client for any number of registries.
///
/// Tokens, credentials and routes are kept in memory, by logical registry ([`Reference::registry`]): through a relay every registry has
/// one origin. All methods take `&self` and may run at once; many that need the same token wait for one fetch.
///
/// Bytes that have a digest are verified before they are parsed or returned; only [`fetch_blob`](Self::fetch_blob) and
/// [`fetch_blob_range`](Self::fetch_blob_range) leave that to their caller.
pub struct Registry<T> {
    transport: T,
    options: Options,
    tokens: Tokens,
    accounts: Mutex<HashMap<String, Account>>,
    places: Places,
    /// Blobs with a coding and without a length that were decoded when they were last opened: next time they are read
    /// as they are.
    decoded: Mutex<HashSet<Digest>>,
    foreign: Mutex<AllowedForeign>,
}

/// How much a client holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientHoldings {
    /// Tokens, valid or not.
    pub tokens: usize,
    /// Blobs whose place behind a redirect is remembered.
    pub places: usize,
    /// Registries of which something is known.
    pub registries: usize,
}

/// What is known about one logical registry.
#[derive(Default)]
struct Account {
    credentials: Option<Credentials>,
    route: Route,
    /// The scheme that was found out, or that the user set for this registry alone.
    scheme: Option<Scheme>,
    /// Authorization that it asked for, other than a token of a token server: it is sent without a challenge.
    unasked: Option<http::HeaderValue>,
    met: Met,
}

impl<T> Registry<T> {
    /// A client without credentials; every route is direct.
    pub fn new(transport: T, options: Options) -> Self {
        let (tokens, places, foreign) = (Tokens::default(), Places::default(), Mutex::default());
        let (accounts, decoded) = (Mutex::default(), Mutex::default());
        Self { transport, options, tokens, accounts, places, decoded, foreign }
    }

    /// The transport that the client sends its requests with.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Counts what the client holds.
    pub fn holdings(&self) -> ClientHoldings {
        let (tokens, places) = (self.tokens.count(), self.places.count());
        ClientHoldings { tokens, places, registries: lock(&self.accounts).len() }
    }

    /// The limits of everything that is read.
    pub fn limits(&self) -> &Limits {
        &self.options.limits
    }

    /// How long no byte may arrive before an operation is aborted.
    pub fn patience(&self) -> Duration {
        self.options.patience.unwrap_or(retry::PATIENCE)
    }

    /// How long a registry may take to commit an upload.
    fn commit_patience(&self) -> Duration {
        self.options.commit.unwrap_or(retry::COMMIT)
    }

    /// Sets or forgets the credentials of a logical registry. Tokens are forgotten when that changes them.
    pub fn set_credentials(&self, registry: &str, credentials: Option<Credentials>) {
        let mut accounts = lock(&self.accounts);
        let account = accounts.entry(registry.to_owned()).or_default();
        if account.credentials != credentials {
            account.credentials = credentials;
            account.unasked = None;
            self.tokens.forget(registry);
        }
    }

    /// Whether there are credentials for a logical registry.
    pub fn has_credentials(&self, registry: &str) -> bool {
        self.credentials(registry).is_some()
    }

    /// Chooses how a logical registry is reached. Tokens are forgotten when that changes.
    pub fn set_route(&self, registry: &str, route: Route) {
        let mut accounts = lock(&self.accounts);
        let account = accounts.entry(registry.to_owned()).or_default();
        if account.route != route {
            account.route = route;
            self.tokens.forget(registry);
        }
    }

    /// Sets the scheme of a logical registry that is reached directly. It overrides [`Options::plain_http`] and the
    /// default for the host.
    pub fn set_scheme(&self, registry: &str, scheme: Scheme) {
        lock(&self.accounts).entry(registry.to_owned()).or_default().scheme = Some(scheme);
    }

    /// How a logical registry is reached.
    pub fn route(&self, registry: &str) -> Route {
        lock(&self.accounts).get(registry).map_or(Route::Direct, |account| account.route.clone())
    }

    fn credentials(&self, registry: &str) -> Option<Credentials> {
        lock(&self.accounts).get(registry)?.credentials.clone()
    }

    fn base(&self, reference: &Reference) -> Result<Base, Error> {
        let registry = reference.registry();
        // The host is checked even if a relay is asked, so that no server is sent an invalid host.
        let host = reference.api_host();
        let invalid = |error| Error::Registry { registry: registry.to_owned(), error };
        let authority = Authority::parse(host).map_err(invalid)?;
        match self.route(registry) {
            Route::Relay(relay) => Base::relay(&relay, registry).map_err(Error::Relay),
            Route::Direct => {
                let scheme = lock(&self.accounts).get(registry).and_then(|account| account.scheme);
                let base = match scheme {
                    Some(scheme) => Base::with_scheme(host, scheme),
                    None => Base::direct(host, self.is_plain(&authority)),
                };
                base.map_err(invalid)
            }
        }
    }

    fn is_plain(&self, authority: &Authority) -> bool {
        let listed = self.options.plain_http.iter().filter_map(|entry| Authority::parse(entry).ok());
        self.options.plain_http_all
            || listed
                .into_iter()
                .any(|entry| entry.host == authority.host && (entry.port.is_none() || entry.port == authority.port))
    }

    fn call(&self, reference: &Reference, step: &'static str, name: String) -> Result<Call, Error> {
        Ok(Call {
            registry: reference.registry().to_owned(),
            base: self.base(reference)?,
            scopes: Scopes::pull(reference.repository()),
            what: Subject::new(step, name),
        })
    }
}

impl<T: Transport + Environment> Registry<T> {
    /// Returns the request that [`fetch_blob`](Self::fetch_blob) would send now, with authorization if it is held: for
    /// a worker that has no client. Challenges, retries and redirects are left to the worker.
    ///
    /// # Errors
    /// [`Error::Registry`] or [`Error::Relay`] if there is no valid URL for it; [`Error::PlainRelay`].
    pub fn blob_request(&self, reference: &Reference, descriptor: &Descriptor) -> Result<Request, Error> {
        let call = self.call(reference, "blob", descriptor.digest.to_string())?;
        let request = crate::endpoint::blob::request(&call.base, reference.repository(), &descriptor.digest, ..);
        let mut request = request.map_err(Error::Relay)?;
        if let Some(authorization) = self.authorization(&call)? {
            request.headers_mut().insert(header::AUTHORIZATION, authorization);
        }
        Ok(request)
    }

    /// Returns the authorization that is sent without a challenge: a token that is held, or credentials that the
    /// registry has asked for before.
    fn authorization(&self, call: &Call) -> Result<Option<http::HeaderValue>, Error> {
        if let Some(token) = self.tokens.held(&call.registry, &call.scopes, self.transport.now()) {
            return Ok(Some(token));
        }
        let authorization = lock(&self.accounts).get(&call.registry).and_then(|account| account.unasked.clone());
        if authorization.is_some() {
            call.allow_secrets()?;
        }
        Ok(authorization)
    }
}

/// One operation: for which registry, where, and what it is about.
struct Call {
    registry: String,
    base: Base,
    scopes: Scopes,
    what: Subject,
}

impl Call {
    /// Refuses to send a password to a relay on another machine without TLS.
    fn allow_secrets(&self) -> Result<(), Error> {
        let origin = self.base.origin();
        let local = match &origin.host {
            Host::Name(name) => policy::is_localhost(name),
            host => host.is_loopback_literal(),
        };
        if self.base.is_relay() && origin.scheme == Scheme::Http && !local {
            return Err(Error::PlainRelay { registry: self.registry.clone(), relay: origin.to_string() });
        }
        Ok(())
    }
}
