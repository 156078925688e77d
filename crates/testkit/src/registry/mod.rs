//! Registries in memory, behind a transport: correct by default, wrong on request.
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

mod discovery;
mod serve;
mod socket;
mod transport;
mod upload;

pub use discovery::Deletes;
pub use serve::{Auth, Negotiation, Site, bearer};
pub use socket::Socket;
pub use transport::MemoryBody;
pub use upload::Uploads;

use http::{HeaderMap, Method};
use porthole_registry::transport::{ErrorKind, Redirects};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// All hosts that a client can reach, their faults, and a log of what was asked. Clones are the same internet.
///
/// It is a [`Transport`](porthole_registry::transport::Transport) and an environment: time stands still but for sleeps, which end at
/// once and move it.
#[derive(Clone, Default)]
pub struct Internet {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    sites: HashMap<String, Site>,
    /// Other hosts that stand for a site, and ask for no authorization.
    aliases: HashMap<String, String>,
    rules: Vec<Rule>,
    log: Vec<Asked>,
    slept: Vec<Duration>,
    platform: bool,
    /// Longest piece that a body gives at once.
    piece: Option<usize>,
    /// Polls that every exchange takes.
    latency: u32,
    tokens: u64,
}

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The answer has this status and no body.
    Status(u16),
    /// The answer is this.
    Answer {
        /// Status.
        status: u16,
        /// Headers.
        headers: Vec<(&'static str, String)>,
        /// Body.
        body: Vec<u8>,
    },
    /// A redirect to this place.
    Redirect(String),
    /// No answer, for this reason.
    NoAnswer(ErrorKind),
    /// The right answer, until the connection breaks after so many bytes of the body.
    ResetAfter(usize),
    /// The right answer, which ends early but in order after so many bytes of the body.
    EndAfter(usize),
    /// The right answer with one header set.
    Header(&'static str, String),
    /// The right answer without one header.
    NoHeader(&'static str),
    /// The whole body, whatever `Range` asks for.
    IgnoreRange,
    /// The right head with another body.
    Body(Vec<u8>),
    /// The request is carried out, but the connection breaks before its answer.
    Lost,
    /// The connection breaks after so many bytes of the request's body; the registry keeps them. Shorter bodies do not count.
    CutAfter(usize),
    /// The right answer, but the client's task is polled so many times in between.
    Slow(u32),
}

struct Rule {
    part: String,
    left: u32,
    fault: Fault,
}

/// A request that was made.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method.
    pub method: Method,
    /// Absolute URL.
    pub url: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Vec<u8>,
}

impl Asked {
    /// `Authorization` in clear.
    pub fn authorization(&self) -> Option<&str> {
        self.headers.get(http::header::AUTHORIZATION)?.to_str().ok()
    }
}

impl Internet {
    /// Without any host.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a registry at `host[:port]`, for `http` and `https` alike.
    pub fn site(&self, authority: &str, site: Site) -> &Self {
        self.lock().sites.insert(authority.to_owned(), site);
        self
    }

    /// Lets another host stand for a registry, as its storage: it asks for no authorization.
    pub fn alias(&self, other: &str, authority: &str) -> &Self {
        self.lock().aliases.insert(other.to_owned(), authority.to_owned());
        self
    }

    /// Looks at a registry.
    pub fn look<R>(&self, authority: &str, look: impl FnOnce(&Site) -> R) -> Option<R> {
        self.lock().sites.get(authority).map(look)
    }

    /// Changes a registry.
    pub fn change(&self, authority: &str, change: impl FnOnce(&mut Site)) {
        self.lock().sites.get_mut(authority).map(change);
    }

    /// The next `times` requests whose method and URL (`GET https://…`) contain `part` meet a fault. Faults for one URL come in the order in which they were given.
    pub fn fault(&self, part: &str, times: u32, fault: Fault) -> &Self {
        self.lock().rules.push(Rule { part: part.to_owned(), left: times, fault });
        self
    }

    /// Answers as in a page: the platform follows redirects.
    pub fn as_platform(&self) -> &Self {
        self.lock().platform = true;
        self
    }

    /// Bodies come in pieces of at most so many bytes.
    pub fn pieces(&self, most: usize) -> &Self {
        self.lock().piece = Some(most);
        self
    }

    /// Every exchange lets other tasks run so many times before it ends.
    pub fn latency(&self, polls: u32) -> &Self {
        self.lock().latency = polls;
        self
    }

    /// Every request so far, in order.
    pub fn log(&self) -> Vec<Asked> {
        self.lock().log.clone()
    }

    /// How many requests so far had this in their method and URL (`GET https://…`).
    pub fn count(&self, part: &str) -> usize {
        self.lock().log.iter().filter(|asked| format!("{} {}", asked.method, asked.url).contains(part)).count()
    }

    /// Every sleep so far.
    pub fn slept(&self) -> Vec<Duration> {
        self.lock().slept.clone()
    }

    /// Lets time go by.
    pub fn pass(&self, time: Duration) {
        self.lock().slept.push(time);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The first fault that fits; it is used up.
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
