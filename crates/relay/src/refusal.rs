//! Answers that are not what was asked for, in the form of the distribution specification ("Error Codes").
//!
//! ```json
//! {"errors": [{"code": "UPSTREAM_UNREACHABLE", "message": "…", "detail": {"registry": "ghcr.io", "step": "manifest"}}]}
//! ```
//!
//! Errors of a registry come through with their own codes. These are the relay's:
//!
//! | status | code | meaning |
//! | --- | --- | --- |
//! | 400 | `REQUEST_INVALID` | not a request that a client of a registry would send |
//! | 400 | `NAMESPACE_REQUIRED` | no `?ns=`, no host in the path, and no default registry |
//! | 400 | `NAMESPACE_INVALID` | not a registry in canonical form: lower-case ASCII `host[:port]` |
//! | 400 | `NAME_INVALID`, `TAG_INVALID`, `DIGEST_INVALID` | the part of the reference breaks its grammar |
//! | 403 | `ORIGIN_DENIED` | the page that asks is none that this relay serves (`--allow-origin`) |
//! | 403 | `DESTINATION_DENIED` | the registry, or its address, is none that this relay goes to (`--allow`, `--allow-private`) |
//! | 403 | `REALM_UNTRUSTED` | the registry signs in at a foreign host: the credentials were not sent (`--trust-realm`) |
//! | 404 | `NOT_FOUND`, `NAME_UNKNOWN`, `MANIFEST_UNKNOWN`, `BLOB_UNKNOWN` | there is no such file, endpoint or content |
//! | 405 | `UNSUPPORTED` | the method is none that this relay allows: `Allow` lists them |
//! | 416 | `RANGE_INVALID` | none of the bytes asked for exist |
//! | 421 | `HOST_DENIED` | the `Host` is not a name of this relay (`--public-url`) |
//! | 429 | `TOOMANYREQUESTS` | the client sends too many requests (`--client-rate`) |
//! | 502 | `UPSTREAM_UNRESOLVED` | the name of the host does not resolve |
//! | 502 | `UPSTREAM_UNREACHABLE` | no connection to the host |
//! | 502 | `UPSTREAM_TLS` | no secure connection to the host |
//! | 502 | `UPSTREAM_INTERRUPTED` | the host ended the exchange too early |
//! | 502 | `UPSTREAM_INVALID` | the answer breaks the protocol |
//! | 502 | `UPSTREAM_REFUSED` | the registry points somewhere that policy forbids: a redirect, a token realm |
//! | 503 | `BUSY` | too many bodies are on their way, to this client or to all (`--client-buffers`, `--buffers`) |
//! | 504 | `UPSTREAM_TIMEOUT` | the host was silent for too long |

use crate::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use porthole_registry::{
    relay_code,
    transport::{Error, ErrorKind},
};
use serde_json::json;

/// Why a request is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) registry: Option<String>,
    pub(crate) step: Option<&'static str>,
}

/// The code of a refusal, in the extensions of its answer until it is counted.
#[derive(Clone, Copy)]
pub(crate) struct Refused(pub(crate) &'static str);

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), registry: None, step: None }
    }

    pub(crate) fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(crate) fn destination(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, relay_code::DESTINATION_DENIED, message)
    }

    pub(crate) fn upstream(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, code, message)
    }

    /// Names the registry and what was wanted of it.
    pub(crate) fn at(mut self, registry: &str, step: &'static str) -> Self {
        self.registry = Some(registry.to_owned());
        self.step = Some(step);
        self
    }

    pub(crate) fn response(&self) -> Response<Body> {
        let mut detail = serde_json::Map::new();
        if let Some(registry) = &self.registry {
            detail.insert("registry".to_owned(), json!(registry));
        }
        if let Some(step) = self.step {
            detail.insert("step".to_owned(), json!(step));
        }
        let mut error = json!({ "code": self.code, "message": self.message });
        if !detail.is_empty() {
            error["detail"] = detail.into();
        }
        let mut response = Response::new(Body::from(json!({ "errors": [error] }).to_string()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let wait = match self.status {
            StatusCode::SERVICE_UNAVAILABLE => Some("5"),
            StatusCode::TOO_MANY_REQUESTS => Some("1"),
            _ => None,
        };
        response.headers_mut().extend(wait.map(|wait| (header::RETRY_AFTER, HeaderValue::from_static(wait))));
        response.extensions_mut().insert(Refused(self.code));
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let code = match error.kind {
            ErrorKind::Forbidden => return Self::destination(error.message),
            ErrorKind::Timeout | ErrorKind::Slow => {
                return Self::new(StatusCode::GATEWAY_TIMEOUT, relay_code::UPSTREAM_TIMEOUT, error.message);
            }
            ErrorKind::Resolve => relay_code::UPSTREAM_UNRESOLVED,
            ErrorKind::Connect => relay_code::UPSTREAM_UNREACHABLE,
            ErrorKind::Tls | ErrorKind::NotTls | ErrorKind::Expired | ErrorKind::WrongName => relay_code::UPSTREAM_TLS,
            ErrorKind::Interrupted => relay_code::UPSTREAM_INTERRUPTED,
            _ => relay_code::UPSTREAM_INVALID,
        };
        Self::upstream(code, error.message)
    }
}
