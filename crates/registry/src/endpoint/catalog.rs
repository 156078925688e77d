//! `GET /v2/_catalog`: the repositories of a registry. An extension that many registries leave out (it was part of Docker's API, and is
//! reserved in the OCI distribution specification).

use super::Base;
use crate::{policy::UrlError, transport::Request};
use serde::Deserialize;

/// Asks for a page of repositories. `query` is that of the `Link` before, or empty for the first page; see
/// [`tags::next`](super::tags::next).
///
/// # Errors
/// A URL too long for an HTTP client, or a malformed query.
pub fn request(base: &Base, query: &str) -> Result<Request, UrlError> {
    let mut request = Request::default();
    *request.uri_mut() = super::page(&base.api("_catalog"), query)?.to_uri()?;
    Ok(request)
}

/// Reads a page. `"repositories": null` is an empty list.
///
/// # Errors
/// Not JSON, or not of this form.
pub fn read(body: &[u8]) -> Result<Vec<String>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Page {
        repositories: Option<Vec<String>>,
    }
    Ok(serde_json::from_slice::<Page>(body)?.repositories.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_keep_their_registry() {
        let direct = Base::direct("r.example.com", false).unwrap();
        assert_eq!(request(&direct, "").unwrap().uri(), "https://r.example.com/v2/_catalog");
        assert_eq!(request(&direct, "n=2&last=a/b").unwrap().uri(), "https://r.example.com/v2/_catalog?n=2&last=a/b");
        let relay = Base::relay("http://127.0.0.1:1", "quay.io").unwrap();
        let next = request(&relay, "ns=evil.example&last=a").unwrap();
        assert_eq!(next.uri(), "http://127.0.0.1:1/v2/_catalog?ns=quay.io&last=a");
    }

    #[test]
    fn pages() {
        assert_eq!(read(br#"{"repositories":["a","b/c"]}"#).unwrap(), ["a", "b/c"]);
        assert_eq!(read(br#"{"repositories":null}"#).unwrap().len(), 0);
        assert_eq!(read(b"{}").unwrap().len(), 0);
        for body in ["", "[]", r#"{"repositories":[1]}"#, r#"{"repositories":{}}"#, "<html>"] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
