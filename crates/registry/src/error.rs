//! Errors between this client and a registry. Their texts name the registry, the step and the remedy.

use crate::{html, policy, transport};
use http::StatusCode;
use porthole_core::{
    digest,
    failure::{Blame, Classify, Failure, FailureClass},
    hint::Hint,
    manifest,
};
use std::fmt;
use transport::ErrorKind;

/// The request that failed.
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
    /// The registry part of a reference is not a host that could be reached; nothing was sent.
    #[error("invalid registry `{registry}`: {error}")]
    Registry {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The rule it breaks.
        error: policy::HostError,
    },
    /// 401 or 403, after every way to authenticate was tried.
    #[error("{registry} refused access to {what}{}: {message}", match (*credentials, *status) { (false, _) => " without credentials", (true, 403) => " with these credentials", (true, _) => "" })]
    Unauthorized {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The step that failed, and of what.
        what: Subject,
        /// Whether credentials were sent.
        credentials: bool,
        /// 401: they are not accepted. 403: they do not suffice, or the registry refuses this client.
        status: u16,
        /// The registry's own words.
        message: String,
    },
    /// The registry asks for the credentials at another site, and they were not sent there.
    #[error("{registry} refused access without credentials, and wants them sent to another site: `{realm}`")]
    Withheld {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// `host[:port]` of its token realm.
        realm: String,
    },
    /// In a page: a 401 whose challenge the registry does not let the page read.
    #[error("{registry} asks for authentication for {what}, but does not let this page read how")]
    UnreadableChallenge {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The step that failed, and of what.
        what: Subject,
    },
    /// 401 with challenges that name no scheme of this client.
    #[error("{registry} refused access to {what}: {message}; it asks for {schemes}, expected Basic or Bearer")]
    UnknownScheme {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The step that failed, and of what.
        what: Subject,
        /// The schemes that it names, quoted, with commas.
        schemes: String,
        /// The registry's own words.
        message: String,
    },
    /// The registry answered 404, or the host to which it redirected the request.
    #[error("{} not found: `{}`{}", what.step, what.name, host.as_ref().map(|host| format!(": {host}, to which {registry} redirects, answered 404")).unwrap_or_default())]
    NotFound {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The step that failed, and of what.
        what: Subject,
        /// `host[:port]` that answered, if it is not the registry.
        host: Option<String>,
    },
    /// 404 for a foreign layer. The manifest names other hosts for it, which the user has not allowed.
    #[error("{} not in the registry: `{}`: the image says that it is on {hosts}", what.step, what.name)]
    Foreign {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The step that failed, and of what.
        what: Subject,
        /// `host[:port]`s of the URLs, with commas.
        hosts: String,
    },
    /// 429 after all tries, or a `Retry-After` that is too long to wait for.
    #[error("{registry} limits the rate of requests: {message}")]
    RateLimited {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// Seconds that the registry asks to wait.
        retry_after: Option<u64>,
        /// The registry's own words.
        message: String,
    },
    /// Any other status that is not a success.
    #[error("{registry} answered {status} to the request for {what}: {message}")]
    Status {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The step that failed, and of what.
        what: Subject,
        /// HTTP status code.
        status: u16,
        /// The registry's own words.
        message: String,
    },
    /// A host that is not the registry refused: a token server, or the target of a redirect.
    #[error("{host} answered {status} to the request for {what} of {registry}: {message}")]
    Elsewhere {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The step that failed, and of what.
        what: Subject,
        /// `host[:port]` that answered.
        host: String,
        /// HTTP status code.
        status: u16,
        /// The host's own words.
        message: String,
    },
    /// An answer that the protocol does not allow.
    #[error("{registry} sent an invalid answer to the request for {what}: {message}")]
    Protocol {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The step that failed, and of what.
        what: Subject,
        /// Expected and got.
        message: String,
    },
    /// An HTML page where the protocol asks for something else: a captive portal, a login page or a proxy answers in the registry's place.
    #[error("{host} answered the request for {what} with {page} instead of what a registry sends")]
    Page {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The step that failed, and of what.
        what: Subject,
        /// `host[:port]` that sent the page, after every redirect.
        host: String,
        /// What is known of the page.
        page: html::Page,
    },
    /// 416 for a range within the descriptor's size: the registry's blob is shorter.
    #[error("{registry} does not have bytes {} to {} of {what}, which should have {size}", range.start, range.end.saturating_sub(1))]
    OutOfRange {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The step that failed, and of what.
        what: Subject,
        /// The bytes asked for.
        range: std::ops::Range<u64>,
        /// Bytes that the descriptor promises.
        size: u64,
    },
    /// Bytes that are not what their descriptor says.
    #[error("{what} does not match its descriptor: {mismatch}")]
    Mismatch {
        /// The step that failed, and of what.
        what: Subject,
        /// Expected and got.
        mismatch: digest::Mismatch,
    },
    /// `Docker-Content-Digest` names other bytes than those that came with it, twice.
    #[error("{registry} sent {what} with a contradicting Docker-Content-Digest: expected {expected}, got {got}")]
    Contradiction {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The step that failed, and of what.
        what: Subject,
        /// Digest in the header.
        expected: digest::Digest,
        /// Digest of the body.
        got: digest::Digest,
    },
    /// A tag that was put stands for something else afterwards.
    #[error("{registry} took the manifest, but the {what} stands for another one: expected {expected}, got {got}")]
    Moved {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The step that failed, and of what.
        what: Subject,
        /// Digest that was put.
        expected: digest::Digest,
        /// Digest that the tag stands for.
        got: digest::Digest,
    },
    /// A manifest or an index that is refused.
    #[error("{what} is refused: {error}")]
    Document {
        /// The step that failed, and of what.
        what: Subject,
        /// The rule that the document breaks.
        error: manifest::Error,
    },
    /// No answer arrived, or not all of it.
    #[error("{what} {} {registry}: {error}", what.direction())]
    Transport {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The step that failed, and of what.
        what: Subject,
        /// What the transport reported.
        error: transport::Error,
    },
    /// A URL that the server named is refused.
    #[error("{registry} names a {role} that is refused: {error}")]
    Policy {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// `token realm`, `redirect`, `next page`, `place for an upload`
        role: &'static str,
        /// The rule that the URL breaks.
        error: policy::RefusedUrl,
    },
    /// A password or token would go to another machine unencrypted.
    #[error("credentials for {registry} are not sent over plain HTTP to the relay `{relay}`")]
    PlainRelay {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The relay's origin.
        relay: String,
    },
    /// The base URL of a relay is invalid.
    #[error("invalid relay address: {0}")]
    Relay(policy::UrlError),
    /// More redirects than are followed.
    #[error("{registry} redirects the request for {what} more than {limit} times")]
    RedirectLoop {
        /// The registry as its references name it, also where a relay was asked.
        registry: String,
        /// The step that failed, and of what.
        what: Subject,
        /// Redirects that are followed: [`porthole_core::limits::REDIRECTS`].
        limit: u32,
    },
    /// A registry does not support the request.
    #[error(transparent)]
    Unsupported(#[from] porthole_source::Unsupported),
    /// A body exceeds its limit.
    #[error("{what} is larger than {limit} bytes (limit {name})")]
    TooLarge {
        /// The step that failed, and of what.
        what: Subject,
        /// Bytes that the limit allows.
        limit: u64,
        /// Name of the limit.
        name: &'static str,
    },
    /// The pages of a list together exceed their limit.
    #[error("{what} is larger than {limit} bytes on all its pages (fixed limit list_bytes)")]
    ListTooLarge {
        /// The step that failed, and of what.
        what: Subject,
        /// Bytes that the pages may have together.
        limit: u64,
    },
    /// A list has more pages than the limit allows.
    #[error("{what} has more than {limit} pages (limit pages)")]
    TooManyPages {
        /// The step that failed, and of what.
        what: Subject,
        /// Pages that the limit allows.
        limit: u64,
    },
}

impl Error {
    /// The logical registry that it is about, where one is named.
    pub fn registry(&self) -> Option<&str> {
        match self {
            Self::Registry { registry, .. }
            | Self::Unauthorized { registry, .. }
            | Self::Withheld { registry, .. }
            | Self::UnreadableChallenge { registry, .. }
            | Self::UnknownScheme { registry, .. }
            | Self::NotFound { registry, .. }
            | Self::Foreign { registry, .. }
            | Self::RateLimited { registry, .. }
            | Self::Status { registry, .. }
            | Self::Elsewhere { registry, .. }
            | Self::Protocol { registry, .. }
            | Self::Page { registry, .. }
            | Self::OutOfRange { registry, .. }
            | Self::Contradiction { registry, .. }
            | Self::Moved { registry, .. }
            | Self::Transport { registry, .. }
            | Self::Policy { registry, .. }
            | Self::PlainRelay { registry, .. }
            | Self::RedirectLoop { registry, .. } => Some(registry),
            _ => None,
        }
    }
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Registry { .. } | Self::Relay(_) => Failure::input(),
            Self::Unsupported(error) => error.failure(),
            Self::Unauthorized { registry, credentials, status, .. } => {
                let registry = registry.clone();
                let missing = (*status == 403 && *credentials).then(|| {
                    Hint::Text("the account may lack the permission: the owner of the repository grants it".to_owned())
                });
                Failure::new(FailureClass::Authentication, Blame::Input).hints(missing).hint(match credentials {
                    false => Hint::SignIn { registry },
                    true => Hint::CheckCredentials { registry },
                })
            }
            Self::Withheld { realm, .. } => {
                Failure::new(FailureClass::Authentication, Blame::Registry).hint(Hint::TrustRealm { realm: realm.clone() })
            }
            Self::UnreadableChallenge { registry, .. } => {
                Failure::new(FailureClass::Authentication, Blame::Registry).hint(Hint::UseRelay { registry: registry.clone() })
            }
            Self::PlainRelay { .. } => Failure::new(FailureClass::Authentication, Blame::Relay),
            Self::UnknownScheme { registry, .. } => {
                Failure::new(FailureClass::Authentication, Blame::Registry).hint(Hint::Text(format!(
                    "no user name or password helps: the operator of {registry} has to allow Basic or Bearer for this client"
                )))
            }
            Self::NotFound { host: Some(_), .. } => Failure::new(FailureClass::NotFound, Blame::Registry),
            Self::NotFound { host: None, .. } => Failure::new(FailureClass::NotFound, Blame::Input),
            Self::Foreign { hosts, .. } => {
                Failure::new(FailureClass::NotFound, Blame::Input).hint(Hint::Foreign { hosts: hosts.clone() })
            }
            Self::RateLimited { registry, retry_after, .. } => Failure::new(FailureClass::RateLimit, Blame::Registry)
                .hints(retry_after.filter(|seconds| (1..=WEEK).contains(seconds)).map(|seconds| Hint::RetryAfter { seconds }))
                .hint(Hint::SignIn { registry: registry.clone() }),
            Self::Elsewhere { host, status: 403, .. } => Failure::new(FailureClass::Protocol, Blame::Registry).hint(Hint::Text(
                format!("the registry's link to {host} may have expired, or {host} refuses this network: try again"),
            )),
            Self::Status { status: 404, what, .. } if what.step.starts_with("upload") => Failure::new(FailureClass::NotFound, Blame::Input),
            Self::Status { .. } | Self::Elsewhere { .. } | Self::Protocol { .. } | Self::RedirectLoop { .. } => {
                Failure::new(FailureClass::Protocol, Blame::Registry)
            }
            Self::Page { host, .. } => Failure::new(FailureClass::Protocol, Blame::Network).hint(Hint::Text(format!(
                "a captive portal, a login page or a proxy may answer in the registry's place: open {host} in a browser, and check the registry's name"
            ))),
            Self::Policy { role: "token realm", error: policy::RefusedUrl::Local(realm), .. } => {
                Failure::new(FailureClass::Protocol, Blame::Registry).hint(Hint::TrustRealm { realm: realm.clone() })
            }
            Self::Policy { registry, error: policy::RefusedUrl::SameHost(_), .. } => {
                Failure::new(FailureClass::Protocol, Blame::Registry).hint(Hint::Text(format!(
                    "for the operator of {registry}: the proxy that terminates TLS must send `X-Forwarded-Proto: https`, so that the registry names https URLs"
                )))
            }
            Self::Policy { .. } => Failure::new(FailureClass::Protocol, Blame::Registry),
            Self::Moved { .. } => Failure::new(FailureClass::Malformed, Blame::Registry)
                .hint(Hint::Text("another push may have moved the tag meanwhile".to_owned())),
            Self::OutOfRange { .. } | Self::Contradiction { .. } => Failure::new(FailureClass::Malformed, Blame::Registry),
            Self::Mismatch { mismatch, .. } => mismatch.failure(),
            Self::Document { error, .. } => error.failure(),
            Self::Transport { registry, error, .. } => of_transport(registry, error.kind),
            Self::TooLarge { limit, name, .. } => Failure::named_limit(name, *limit, 0),
            Self::ListTooLarge { .. } => Failure::limit(),
            Self::TooManyPages { limit, .. } => Failure::named_limit("pages", *limit, 0),
        }
    }
}

/// Classifies a status that is not a success.
pub fn kind_of_status(status: StatusCode) -> FailureClass {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => FailureClass::Authentication,
        StatusCode::NOT_FOUND => FailureClass::NotFound,
        StatusCode::TOO_MANY_REQUESTS => FailureClass::RateLimit,
        _ => FailureClass::Protocol,
    }
}

fn of_transport(registry: &str, kind: ErrorKind) -> Failure {
    let registry = registry.to_owned();
    let of = |blame| Failure::new(FailureClass::Network, blame);
    match kind {
        ErrorKind::Cors | ErrorKind::Opaque | ErrorKind::Preflight => {
            of(Blame::Registry).hint(Hint::UseRelay { registry })
        }
        ErrorKind::Proxy => of(Blame::Proxy).hint(Hint::CheckProxy { registry }),
        ErrorKind::Tls => of(Blame::Registry).hint(Hint::TrustAuthority { registry }),
        ErrorKind::NotTls => of(Blame::Registry).hint(Hint::PlainHttp { registry }),
        ErrorKind::Expired => of(Blame::Registry).hint(Hint::CheckClock { registry }),
        ErrorKind::WrongName => of(Blame::Registry).hint(Hint::Text(format!(
            "check the registry's name; if it is right, the operator of {registry} has to add it to the certificate"
        ))),
        ErrorKind::Forbidden | ErrorKind::Source => of(Blame::Machine),
        ErrorKind::Malformed => Failure::new(FailureClass::Protocol, Blame::Registry).hint(Hint::Text(format!(
            "something other than a registry may listen at {registry}, or a proxy in between breaks HTTP: check the name and the port"
        ))),
        ErrorKind::Resolve => {
            let hint = taken_for_a_host(&registry);
            of(Blame::Network).hints(hint)
        }
        ErrorKind::Connect
        | ErrorKind::Interrupted
        | ErrorKind::Timeout
        | ErrorKind::Slow
        | ErrorKind::Offline
        | ErrorKind::Other => of(Blame::Network),
    }
}

/// Returns a hint for `Name/image`: by Docker's rule its first part is a host, because of the capital letter.
fn taken_for_a_host(registry: &str) -> Option<Hint> {
    let only_capitals = !registry.contains(['.', ':']) && registry.contains(|letter: char| letter.is_ascii_uppercase());
    only_capitals.then(|| {
        Hint::Text(format!(
            "`{registry}` is taken for a registry because of its capital letters: write an image of Docker Hub in lower case, as in `{}/…`",
            registry.to_ascii_lowercase()
        ))
    })
}

/// Longest wait in seconds that a hint names: a longer one is of no help to a person.
const WEEK: u64 = 7 * 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_limit_is_named_without_a_hint() {
        let error = Error::ListTooLarge { what: Subject::new("tags", "a/b"), limit: 9 };
        assert!(
            error.to_string().ends_with("larger than 9 bytes on all its pages (fixed limit list_bytes)"),
            "{error}"
        );
        assert_eq!(error.failure(), Failure::limit());
    }

    #[test]
    fn a_wait_of_ages_or_none_is_no_hint() {
        let hints = |seconds| {
            let error = Error::RateLimited { registry: "r".into(), retry_after: Some(seconds), message: String::new() };
            error.failure().hints.iter().filter(|hint| matches!(hint, Hint::RetryAfter { .. })).count()
        };
        assert_eq!([0, 1, WEEK, WEEK + 1, u64::MAX].map(hints), [0, 1, 1, 0, 0]);
    }

    #[test]
    fn what_speaks_no_http_is_no_registry_and_no_broken_network() {
        let failure = of_transport("r.example:22", ErrorKind::Malformed);
        assert_eq!((failure.kind, failure.blame), (FailureClass::Protocol, Blame::Registry));
        assert!(failure.hints[0].to_string().contains("listen at r.example:22"), "{:?}", failure.hints);
    }

    #[test]
    fn a_first_part_with_capitals_that_is_no_host_may_be_a_name_of_docker_hub() {
        let hints = |registry| of_transport(registry, ErrorKind::Resolve).hints;
        let [Hint::Text(text)] = &hints("Grafana")[..] else { panic!("there is a hint") };
        assert!(text.contains("`grafana/…`"), "{text}");
        for host in ["grafana.example", "localhost", "Host.example", "Host:5000"] {
            assert!(hints(host).is_empty(), "{host}");
        }
    }
}
