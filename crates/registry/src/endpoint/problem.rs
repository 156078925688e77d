//! Error bodies: `{"errors": [{"code": …, "message": …}]}`, or whatever a proxy in between wrote.

use crate::{
    error::{Error, Subject},
    html::Page,
    quote::quote,
    relay_code,
};
use http::StatusCode;
use serde::Deserialize;

/// What a failed request's body says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Code of the first error, if the body follows the specification.
    pub code: Option<String>,
    /// One printable line.
    pub message: String,
}

impl Problem {
    /// Returns what a status says without its body: its name (RFC 9110, section 15).
    pub fn of_status(status: StatusCode) -> Self {
        Self { code: None, message: status.canonical_reason().unwrap_or("no reason given").to_lowercase() }
    }

    /// Returns the error of a registry's answer with this status. `credentials` says whether the request had any. `retry_after` is the
    /// time in seconds that the answer asks to wait.
    pub fn error(
        &self,
        status: StatusCode,
        registry: &str,
        what: &Subject,
        credentials: bool,
        retry_after: Option<u64>,
    ) -> Error {
        let Self { code, message } = self;
        let (registry, what, message) = (registry.to_owned(), what.clone(), message.clone());
        let status = status.as_u16();
        match (status, code.as_deref()) {
            (429, _) | (_, Some("TOOMANYREQUESTS")) => Error::RateLimited { registry, retry_after, message },
            // The relay does not connect to the registry: no password would change that.
            (403, Some(relay_code::DESTINATION_DENIED | relay_code::ORIGIN_DENIED)) => {
                Error::Status { registry, what, status, message }
            }
            // The code decides, whatever the status.
            (_, Some("UNAVAILABLE")) => Error::Status { registry, what, status, message },
            (401 | 403, _) => Error::Unauthorized { registry, what, credentials, status, message },
            (404, _) => Error::NotFound { registry, what, host: None },
            _ => Error::Status { registry, what, status, message },
        }
    }
}

/// Reads the body of an answer that is not a success. Never fails: a body without a message gives the status in words.
pub fn read(status: StatusCode, body: &[u8]) -> Problem {
    let first = serde_json::from_slice::<Errors>(body).ok().and_then(|body| body.errors.into_iter().next());
    let Some(first) = first else {
        let Problem { mut message, .. } = Problem::of_status(status);
        if let Some(words) = of_storage(body).or_else(|| of_service(body)) {
            return Problem { code: None, message: words };
        }
        if let Some(page @ Page { title: Some(_) }) = Page::find(body) {
            message += &format!(", with {page}");
        }
        return Problem { code: None, message };
    };
    let message = match (first.code.trim(), first.message.trim()) {
        ("", "") => Problem::of_status(status).message,
        ("", message) => quote(message),
        (code, "") => quote(code),
        (code, message) => format!("{}: {}", quote(code), quote(message)),
    };
    Problem { code: Some(first.code), message }
}

/// Reads the error of an object store (S3, Google Cloud Storage, Azure): `<Error><Code>…</Code><Message>…</Message>`.
fn of_storage(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let error = text.split_once("<Error>")?.1;
    let inside = |name: &str| {
        let (_, behind) = error.split_once(&format!("<{name}>"))?;
        let words = behind.split_once("</").map_or(behind, |(words, _)| words).trim();
        (!words.is_empty()).then(|| quote(words))
    };
    match (inside("Code"), inside("Message")) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (one, other) => one.or(other),
    }
}

/// Reads the error of a token server (RFC 6749 §5.2; Docker Hub has `details`), or of a gateway before the registry.
fn of_service(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let said = |key: &&str| body.get(key)?.as_str().map(str::trim).filter(|words| !words.is_empty()).map(quote);
    ["error_description", "details", "message", "error"].iter().find_map(said)
}

#[derive(Deserialize)]
struct Errors {
    errors: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_all_kinds() {
        let message = |body: &str| read(StatusCode::NOT_FOUND, body.as_bytes()).message;
        assert_eq!(
            message(r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such name","detail":{}}]}"#),
            "NAME_UNKNOWN: no such name"
        );
        assert_eq!(message(r#"{"errors":[{"code":"DENIED"}]}"#), "DENIED");
        assert_eq!(message(r#"{"errors":[]}"#), "not found");
        assert_eq!(message(r#"{"details":"incorrect username or password"}"#), "incorrect username or password");
        assert_eq!(message(r#"{"error":"invalid_scope","error_description":"no such scope"}"#), "no such scope");
        assert_eq!(message(r#"{"error":"invalid_grant"}"#), "invalid_grant");
        assert_eq!(message(r#"{"message":"Forbid\u001bden","error":7}"#), r"Forbid\x1bden");
        assert_eq!(message(r#"{"error":{"code":5}}"#), "not found");
        assert_eq!(message("<html>"), "not found");
        assert_eq!(message(""), "not found");
        let page = "<!DOCTYPE html><title>502 of the proxy</title>";
        assert_eq!(message(page), "not found, with an HTML page with the title `502 of the proxy`");
        let stored =
            "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
        assert_eq!(message(stored), "AccessDenied: Request has expired");
        assert_eq!(message("<Error><Code>NoSuchKey</Code></Error>"), "NoSuchKey");
        assert_eq!(message("<Error><Message>\u{1b}"), r"\x1b");
        assert_eq!(message(r#"{"errors":[{"message":"a\u001b]0;b\u0007"}]}"#), r"a\x1b]0;b\x07");
    }
}
