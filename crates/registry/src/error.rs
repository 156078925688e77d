//! What can go wrong between us and a registry, in words that name the registry, the step and the remedy.

use crate::{html, policy, transport};
use porthole_core::{digest, hint::Hint, image, manifest, path, platform};
use std::fmt;
use transport::ErrorKind;

/// What was asked for when it went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The failing step: `manifest`, `config`, `blob`, `tags`, `token`; or `upload`, `upload of manifest`.
    pub step: &'static str,
    /// The reference, repository or scope it was for.
    pub name: String,
}

impl Subject {
    /// A step and what it was for.
    pub fn new(step: &'static str, name: impl Into<String>) -> Self {
        Self { step, name: name.into() }
    }

    /// Which way its bytes go, in words.
    fn direction(&self) -> &'static str {
        if self.step.starts_with("upload") { "cannot be sent to" } else { "cannot be read from" }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.step, self.name)
    }
}

/// Error of the client's operations. No variant ever holds a password, a token or a signed URL.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The registry part of a reference is no host that could be reached; nothing was sent.
    #[error("invalid registry `{registry}`: {error}")]
    Registry {
        /// Logical registry.
        registry: String,
        /// The rule it breaks.
        error: policy::HostError,
    },
    /// 401 or 403, after what could be tried.
    #[error("{registry} refused access to {what}{}: {message}", if *credentials { "" } else { " without credentials" })]
    Unauthorized {
        /// Logical registry.
        registry: String,
        /// Step.
        what: Subject,
        /// Whether credentials were sent.
        credentials: bool,
        /// The registry's own words.
        message: String,
    },
    /// The registry wants the credentials at another site, and they were not sent there.
    #[error("{registry} refused access without credentials, and wants them sent to another site: `{realm}`")]
    Withheld {
        /// Logical registry.
        registry: String,
        /// `host[:port]` of its token realm.
        realm: String,
    },
    /// In a page: a 401 whose challenge the registry does not let the page read.
    #[error("{registry} asks for authentication for {what}, but does not let this page read how")]
    UnreadableChallenge {
        /// Logical registry.
        registry: String,
        /// Step.
        what: Subject,
    },
    /// 404.
    #[error("{} not found: `{}`", what.step, what.name)]
    NotFound {
        /// Logical registry.
        registry: String,
        /// Step.
        what: Subject,
    },
    /// 429 after all tries, or a `Retry-After` that is too long to wait for.
    #[error("{registry} limits the rate of requests: {message}")]
    RateLimited {
        /// Logical registry.
        registry: String,
        /// Seconds that the registry asks to wait.
        retry_after: Option<u64>,
        /// The registry's own words.
        message: String,
    },
    /// Any other status that is no success.
    #[error("{registry} answered {status} to the request for {what}: {message}")]
    Status {
        /// Logical registry.
        registry: String,
        /// Step.
        what: Subject,
        /// HTTP status code.
        status: u16,
        /// The registry's own words.
        message: String,
    },
    /// An answer that the protocol does not allow.
    #[error("{registry} sent an invalid answer to the request for {what}: {message}")]
    Protocol {
        /// Logical registry.
        registry: String,
        /// Step.
        what: Subject,
        /// Expected and got.
        message: String,
    },
    /// An HTML page where the protocol asks for something else: a captive portal, a login page or a proxy answers in the registry's place.
    #[error("{host} answered the request for {what} with {page} instead of what a registry sends")]
    Page {
        /// Logical registry.
        registry: String,
        /// Step.
        what: Subject,
        /// `host[:port]` that sent the page, after every redirect.
        host: String,
        /// The page.
        page: html::Page,
    },
    /// 416 for a range within the descriptor's size: the registry's blob is shorter.
    #[error("{registry} does not have bytes {} to {} of {what}, which should have {size}", range.start, range.end.saturating_sub(1))]
    OutOfRange {
        /// Logical registry.
        registry: String,
        /// Step.
        what: Subject,
        /// The bytes asked for.
        range: std::ops::Range<u64>,
        /// Bytes that the descriptor promises.
        size: u64,
    },
    /// Bytes that are not what their descriptor says.
    #[error("{what} does not match its descriptor: {mismatch}")]
    Mismatch {
        /// Step.
        what: Subject,
        /// Expected and got.
        mismatch: digest::Mismatch,
    },
    /// `Docker-Content-Digest` names other bytes than those that came with it, twice.
    #[error("{registry} sent {what} with a contradicting Docker-Content-Digest: expected {expected}, got {got}")]
    Contradiction {
        /// Logical registry.
        registry: String,
        /// Step.
        what: Subject,
        /// Digest in the header.
        expected: digest::Digest,
        /// Digest of the body.
        got: digest::Digest,
    },
    /// A manifest or an index that is refused.
    #[error("{what} is refused: {error}")]
    Document {
        /// Step.
        what: Subject,
        /// Why.
        error: manifest::Error,
    },
    /// Manifest and config do not make an image.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// The index has no image for the wanted platform.
    #[error(transparent)]
    Platform(#[from] platform::NoMatch),
    /// An index that leads to itself, or too deep.
    #[error("{what} leads to indexes within indexes: expected at most {limit}, each listed once")]
    Nesting {
        /// Step.
        what: Subject,
        /// [`Limits::index_depth`](porthole_core::limits::Limits::index_depth)
        limit: u64,
    },
    /// Nothing came back, or not all of it.
    #[error("{what} {} {registry}: {error}", what.direction())]
    Transport {
        /// Logical registry.
        registry: String,
        /// Step.
        what: Subject,
        /// Why.
        error: transport::Error,
    },
    /// A URL that the server named is refused.
    #[error("{registry} names a {role} that is refused: {error}")]
    Policy {
        /// Logical registry.
        registry: String,
        /// `token realm`, `redirect`, `next page`, `place for an upload`
        role: &'static str,
        /// Why.
        error: policy::Refused,
    },
    /// A password or token would go to another machine unencrypted.
    #[error("credentials for {registry} are not sent over plain HTTP to the relay `{relay}`")]
    PlainRelay {
        /// Logical registry.
        registry: String,
        /// The relay's origin.
        relay: String,
    },
    /// The base URL of a relay.
    #[error("invalid relay address: {0}")]
    Relay(policy::UrlError),
    /// More redirects than are followed.
    #[error("{registry} redirects the request for {what} more than {limit} times")]
    RedirectLoop {
        /// Logical registry.
        registry: String,
        /// Step.
        what: Subject,
        /// [`porthole_core::limits::REDIRECTS`]
        limit: u32,
    },
    /// A registry has no such thing.
    #[error(transparent)]
    Unsupported(#[from] porthole_source::Unsupported),
    /// A body over its limit.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// Step.
        what: Subject,
        /// Bytes.
        limit: u64,
        /// The limit, if it may be raised.
        name: Option<&'static str>,
    },
    /// A list of more pages than the limit.
    #[error("{what} has more than {limit} pages")]
    TooManyPages {
        /// Step.
        what: Subject,
        /// Pages.
        limit: u64,
    },
}

impl Error {
    /// What a person can do about it.
    pub fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Unauthorized { registry, credentials: false, .. } => {
                vec![Hint::SignIn { registry: registry.clone() }]
            }
            Self::Unauthorized { registry, .. } => vec![Hint::CheckCredentials { registry: registry.clone() }],
            Self::UnreadableChallenge { registry, .. } => vec![Hint::UseRelay { registry: registry.clone() }],
            Self::RateLimited { registry, retry_after, .. } => {
                let wait = retry_after.map(|seconds| Hint::RetryAfter { seconds });
                wait.into_iter().chain([Hint::SignIn { registry: registry.clone() }]).collect()
            }
            Self::Platform(error) => {
                vec![Hint::ChoosePlatform { available: error.available.iter().map(ToString::to_string).collect() }]
            }
            Self::Transport { registry, error, .. } => transport_hints(registry, error.kind),
            Self::Withheld { realm, .. }
            | Self::Policy { role: "token realm", error: policy::Refused::Local(realm), .. } => {
                vec![Hint::Text(format!("if you trust it with your credentials, pass --trust-realm {realm}"))]
            }
            Self::Page { host, .. } => vec![Hint::Text(format!(
                "a captive portal, a login page or a proxy may answer in the registry's place: open {host} in a browser, and check the registry's name"
            ))],
            Self::Document { error, .. } => error.hint().into_iter().collect(),
            Self::Image(error) => error.hint().into_iter().collect(),
            Self::Nesting { limit, .. } => vec![Hint::raise("index_depth", *limit, 0)],
            Self::TooLarge { limit, name: Some(name), .. } => vec![Hint::raise(name, *limit, 0)],
            Self::TooManyPages { limit, .. } => vec![Hint::raise("pages", *limit, 0)],
            _ => Vec::new(),
        }
    }

    /// The exit code of a command that fails with it: 2 reference, 3 authentication, 4 not found, 5 platform, 6 rate limit,
    /// 7 verification, 8 network, 9 anything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Registry { .. } | Self::Relay(_) | Self::Unsupported(_) => 2,
            Self::Unauthorized { .. }
            | Self::Withheld { .. }
            | Self::UnreadableChallenge { .. }
            | Self::PlainRelay { .. } => 3,
            Self::NotFound { .. } => 4,
            Self::Platform(_) => 5,
            Self::RateLimited { .. } => 6,
            Self::Mismatch { .. }
            | Self::OutOfRange { .. }
            | Self::Contradiction { .. }
            | Self::Document { .. }
            | Self::Image(_)
            | Self::Nesting { .. }
            | Self::TooLarge { .. }
            | Self::TooManyPages { .. } => 7,
            Self::Transport { .. } => 8,
            Self::Status { .. }
            | Self::Protocol { .. }
            | Self::Page { .. }
            | Self::Policy { .. }
            | Self::RedirectLoop { .. } => 9,
        }
    }

    /// The logical registry that it is about, where one is named.
    pub fn registry(&self) -> Option<&str> {
        match self {
            Self::Registry { registry, .. }
            | Self::Unauthorized { registry, .. }
            | Self::Withheld { registry, .. }
            | Self::UnreadableChallenge { registry, .. }
            | Self::NotFound { registry, .. }
            | Self::RateLimited { registry, .. }
            | Self::Status { registry, .. }
            | Self::Protocol { registry, .. }
            | Self::Page { registry, .. }
            | Self::OutOfRange { registry, .. }
            | Self::Contradiction { registry, .. }
            | Self::Transport { registry, .. }
            | Self::Policy { registry, .. }
            | Self::PlainRelay { registry, .. }
            | Self::RedirectLoop { registry, .. } => Some(registry),
            _ => None,
        }
    }
}

fn transport_hints(registry: &str, kind: ErrorKind) -> Vec<Hint> {
    let registry = registry.to_owned();
    match kind {
        ErrorKind::Cors | ErrorKind::Opaque | ErrorKind::Preflight => vec![Hint::UseRelay { registry }],
        ErrorKind::Tls => {
            vec![Hint::Text("for a registry with its own certificate authority, pass its certificate with --ca".into())]
        }
        ErrorKind::NotTls => vec![Hint::PlainHttp { registry }],
        ErrorKind::Expired => vec![Hint::Text(format!(
            "check the clock of this machine; if it is right, the operator of {registry} has to renew the certificate"
        ))],
        ErrorKind::WrongName => vec![Hint::Text(format!(
            "check the registry's name; if it is right, the operator of {registry} has to add it to the certificate"
        ))],
        _ => Vec::new(),
    }
}

/// A stranger's text, safe to print: escaped, on one line, at most 200 characters.
pub(crate) fn quote(text: &str) -> String {
    let escaped = path::escape(text.as_bytes());
    match escaped.char_indices().nth(LONGEST_QUOTE) {
        Some((end, _)) => format!("{}…", escaped.get(..end).unwrap_or_default()),
        None => escaped.into_owned(),
    }
}

const LONGEST_QUOTE: usize = 200;
