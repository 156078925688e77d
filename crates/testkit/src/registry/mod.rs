//! Registries in memory, behind a transport. They are correct unless a test scripts a fault.
//!
//! ```
//! use porthole_testkit::{executor::block_on, image::{Image, Layer}, registry::{Fault, Internet, Site}};
//! use porthole_registry::{Options, Registry};
//!
//! let content = Image::new().layer(Layer::new("COPY a /").file("a", "b")).build().into_content("1");
//! let internet = Internet::new();
//! internet.site("r.example.com", Site::new().repository("a/b", content));
//! internet.fault("/manifests/", 1, Fault::Status(503));
//! let registry = Registry::new(internet.clone(), Options::default());
//! let document = block_on(registry.fetch_document(&"r.example.com/a/b:1".parse().unwrap())).unwrap();
//! assert_eq!(document.media_type().as_str(), "application/vnd.oci.image.manifest.v1+json");
//! assert_eq!(internet.log().len(), 2);
//! ```

mod serve;
mod socket;
mod transport;

pub use serve::{Auth, Deletes, Negotiation, Site, Uploads, bearer};
pub use socket::Socket;
pub use transport::MemoryBody;

use http::{HeaderMap, Method};
use porthole_registry::transport::{ErrorKind, Redirects};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// All hosts that a client can reach, their faults, and a log of requests. Clones share the state.
///
/// It implements [`Transport`](porthole_registry::transport::Transport) and the environment: a sleep ends at once and
/// advances the clock, which otherwise stands still.
#[derive(Clone, Default)]
pub struct Internet {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    sites: HashMap<String, Site>,
    /// Other hosts that serve a site without authorization.
    aliases: HashMap<String, String>,
    rules: Vec<Rule>,
    log: Vec<Asked>,
    slept: Vec<Duration>,
    platform: bool,
    /// Maximum length of a body chunk.
    piece: Option<usize>,
    /// Number of polls that every exchange takes.
    latency: u32,
    tokens: u64,
}

/// A fault in the exchange of a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Respond with this status and no body.
    Status(u16),
    /// Respond with this status, these headers and this body.
    Answer {
        /// Status code.
        status: u16,
        /// Response headers.
        headers: Vec<(&'static str, String)>,
        /// Response body.
        body: Vec<u8>,
    },
    /// Redirect to this URL.
    Redirect(String),
    /// Fail without a response, with this error.
    NoAnswer(ErrorKind),
    /// Respond correctly, but reset the connection after this many body bytes.
    ResetAfter(usize),
    /// Respond correctly, but end the body cleanly after this many bytes.
    EndAfter(usize),
    /// Respond correctly, with one header replaced.
    Header(&'static str, String),
    /// Respond correctly, without one header.
    NoHeader(&'static str),
    /// Ignore `Range` and send the whole body.
    IgnoreRange,
    /// Respond with the correct status and headers, and this body.
    Body(Vec<u8>),
    /// Execute the request, but reset the connection before the response.
    Lost,
    /// Reset the connection after this many bytes of the request body, which the registry keeps. Does not apply to
    /// shorter bodies.
    CutAfter(usize),
    /// Respond correctly after this many polls.
    Slow(u32),
}

struct Rule {
    part: String,
    left: u32,
    fault: Fault,
}

/// A logged request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Request method.
    pub method: Method,
    /// Absolute URL of the request.
    pub url: String,
    /// Request headers.
    pub headers: HeaderMap,
    /// Request body.
    pub body: Vec<u8>,
}

impl Asked {
    /// Value of the `Authorization` header, unredacted.
    pub fn authorization(&self) -> Option<&str> {
        self.headers.get(http::header::AUTHORIZATION)?.to_str().ok()
    }
}

impl Internet {
    /// An internet without hosts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a registry at `host[:port]`, for both `http` and `https`.
    pub fn site(&self, authority: &str, site: Site) -> &Self {
        self.lock().sites.insert(authority.to_owned(), site);
        self
    }

    /// Lets the host `other` serve the content of a registry without authorization, as a registry's storage host does.
    pub fn alias(&self, other: &str, authority: &str) -> &Self {
        self.lock().aliases.insert(other.to_owned(), authority.to_owned());
        self
    }

    /// Calls `look` with a registry.
    pub fn look<R>(&self, authority: &str, look: impl FnOnce(&Site) -> R) -> Option<R> {
        self.lock().sites.get(authority).map(look)
    }

    /// Calls `change` with a registry.
    pub fn change(&self, authority: &str, change: impl FnOnce(&mut Site)) {
        self.lock().sites.get_mut(authority).map(change);
    }

    /// Applies a fault to the next `times` requests whose method and URL (`GET https://…`) contain `part`. Several
    /// faults for one URL apply in the order of the calls.
    pub fn fault(&self, part: &str, times: u32, fault: Fault) -> &Self {
        self.lock().rules.push(Rule { part: part.to_owned(), left: times, fault });
        self
    }

    /// Follows redirects in the transport, as a browser does for a page.
    pub fn as_platform(&self) -> &Self {
        self.lock().platform = true;
        self
    }

    /// Limits the length of body chunks.
    pub fn pieces(&self, most: usize) -> &Self {
        self.lock().piece = Some(most);
        self
    }

    /// Makes every exchange take this many polls, in which other tasks run.
    pub fn latency(&self, polls: u32) -> &Self {
        self.lock().latency = polls;
        self
    }

    /// All requests so far, in order.
    pub fn log(&self) -> Vec<Asked> {
        self.lock().log.clone()
    }

    /// Number of requests whose method and URL (`GET https://…`) contain `part`.
    pub fn count(&self, part: &str) -> usize {
        self.lock().log.iter().filter(|asked| format!("{} {}", asked.method, asked.url).contains(part)).count()
    }

    /// All sleeps so far, with the times that [`pass`](Self::pass) added.
    pub fn slept(&self) -> Vec<Duration> {
        self.lock().slept.clone()
    }

    /// Advances the clock.
    pub fn pass(&self, time: Duration) {
        self.lock().slept.push(time);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the first fault that applies to a request.
    fn fault_for(&mut self, method: &Method, url: &str, length: usize) -> Option<Fault> {
        let asked = format!("{method} {url}");
        let happens = |rule: &Rule| !matches!(rule.fault, Fault::CutAfter(bytes) if bytes > length);
        let rule = self.rules.iter_mut().find(|rule| rule.left > 0 && asked.contains(&rule.part) && happens(rule))?;
        rule.left -= 1;
        Some(rule.fault.clone())
    }

    fn redirects(&self) -> Redirects {
        if self.platform { Redirects::Platform } else { Redirects::Ours }
    }
}
