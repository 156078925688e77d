//! `…/v2/<name>/blobs/uploads/…`: uploads of blobs (OCI distribution specification 1.1, "Pushing blobs").

use super::Base;
use crate::{
    policy::{self, RefusedUrl, UploadPlace, Url, UrlError},
    transport::{Patience, Payload, Request},
};
use http::{HeaderMap, HeaderValue, Method, header};
use porthole_core::digest::Digest;
use std::{ops::Range, time::Duration};

/// Opens a session.
///
/// # Errors
/// A URL too long for an HTTP client.
pub fn start(base: &Base, repository: &str) -> Result<Request, UrlError> {
    let mut request = Request::default();
    *request.method_mut() = Method::POST;
    *request.uri_mut() = base.api(&format!("{repository}/blobs/uploads/")).to_uri()?;
    Ok(request)
}

/// Sends bytes `range` of the blob to a session.
///
/// # Errors
/// As [`start`].
pub fn patch(location: &Url, range: &Range<u64>, payload: Payload) -> Result<Request, UrlError> {
    let mut request = Request::new(payload);
    *request.method_mut() = Method::PATCH;
    *request.uri_mut() = location.to_uri()?;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(OCTETS));
    if let Ok(value) = HeaderValue::try_from(format!("{}-{}", range.start, range.end.saturating_sub(1))) {
        headers.insert(header::CONTENT_RANGE, value);
    }
    Ok(request)
}

/// Ends a session: its bytes, followed by those of the payload, are the blob. The whole blob may be the payload.
///
/// # Errors
/// As [`start`].
pub fn commit(location: &Url, digest: &Digest, payload: Payload) -> Result<Request, UrlError> {
    let mut request = Request::new(payload);
    *request.method_mut() = Method::PUT;
    *request.uri_mut() = location.with_query([("digest", digest.to_string().as_str())]).to_uri()?;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(OCTETS));
    request.extensions_mut().insert(Patience(COMMIT));
    Ok(request)
}

/// Asks what a session holds.
///
/// # Errors
/// As [`start`].
pub fn status(location: &Url) -> Result<Request, UrlError> {
    let mut request = Request::default();
    *request.uri_mut() = location.to_uri()?;
    Ok(request)
}

/// Cancels a session.
///
/// # Errors
/// As [`start`].
pub fn cancel(location: &Url) -> Result<Request, UrlError> {
    let mut request = status(location)?;
    *request.method_mut() = Method::DELETE;
    Ok(request)
}

/// What the head of an answer says of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadSession {
    /// Where the next request goes; `None` = to the same place as the one before.
    pub location: Option<UploadPlace>,
    /// How many bytes the registry says that it holds, from the first one; `None` = it says nothing that could be read.
    pub held: Option<u64>,
    /// `OCI-Chunk-Min-Length`: the fewest bytes of a chunk before the last.
    pub least: Option<u64>,
    /// `Docker-Content-Digest`: digest of what the registry holds now, as it says.
    pub digest: Option<Digest>,
}

/// Reads the head of an answer to a request to `from`. `base` is the registry's: a session may move to another origin
/// and back.
///
/// # Errors
/// The `Location` is refused.
pub fn read(base: &Base, from: &Url, headers: &HeaderMap) -> Result<UploadSession, RefusedUrl> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let location = headers.get(header::LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
    Ok(UploadSession {
        location: location.map(|location| policy::upload(base.origin(), from, &location)).transpose()?,
        held: text(header::RANGE.as_str()).and_then(held),
        least: text("oci-chunk-min-length").and_then(|value| value.trim().parse().ok()).filter(|least| *least > 0),
        digest: text("docker-content-digest").and_then(|value| value.trim().parse().ok()),
    })
}

/// Reads `Range: 0-<last>`; some registries write `bytes=` before it. `0-0` is one byte, or to some registries an empty
/// session: it counts as empty, because to send a byte again is safer than to leave it out.
fn held(value: &str) -> Option<u64> {
    let value = value.trim();
    let value = value.strip_prefix("bytes=").or_else(|| value.strip_prefix("bytes ")).unwrap_or(value);
    let (first, last) = value.split_once('-')?;
    match (first, last) {
        ("0", "0" | "-1") => Some(0),
        ("0", last) if last.bytes().all(|byte| byte.is_ascii_digit()) => last.parse::<u64>().ok()?.checked_add(1),
        _ => None,
    }
}

const OCTETS: &str = "application/octet-stream";
/// Patience for a commit: some registries hash the whole blob, or move it, before they answer.
const COMMIT: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Base {
        Base::direct("r.example.com", false).unwrap()
    }

    #[test]
    fn requests() {
        let digest = Digest::sha256(b"");
        let request = start(&base(), "a/b").unwrap();
        assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/v2/a/b/blobs/uploads/"));
        let location = Url::parse("https://r.example.com/v2/a/b/blobs/uploads/1?_state=x%3D").unwrap();
        let request = patch(&location, &(10..20), Payload::default()).unwrap();
        assert_eq!(request.uri(), "https://r.example.com/v2/a/b/blobs/uploads/1?_state=x%3D");
        assert_eq!(request.headers()[header::CONTENT_RANGE], "10-19");
        let request = commit(&location, &digest, Payload::default()).unwrap();
        let expected = format!("https://r.example.com/v2/a/b/blobs/uploads/1?_state=x%3D&digest={digest}");
        assert_eq!(request.uri(), expected.as_str());
        assert_eq!(request.extensions().get(), Some(&Patience(Duration::from_secs(600))));
        assert_eq!(cancel(&location).unwrap().method(), Method::DELETE);
    }

    #[test]
    fn what_a_session_holds() {
        for (value, expected) in [
            ("0-0", Some(0)),
            ("0--1", Some(0)),
            ("0-1", Some(2)),
            ("bytes=0-9", Some(10)),
            ("bytes 0-9", Some(10)),
            (" 0-9 ", Some(10)),
            ("5-9", None),
            ("0-", None),
            ("0-x", None),
            ("0-18446744073709551615", None),
            ("", None),
            ("nonsense", None),
        ] {
            assert_eq!(held(value), expected, "{value}");
        }
    }

    #[test]
    fn heads() {
        let from = Url::parse("https://r.example.com/v2/a/b/blobs/uploads/").unwrap();
        let mut headers = HeaderMap::new();
        assert_eq!(read(&base(), &from, &headers), Ok(UploadSession::default()));
        headers.insert("location", "/v2/a/b/blobs/uploads/7?_state=s".parse().unwrap());
        headers.insert("range", "0-4".parse().unwrap());
        headers.insert("oci-chunk-min-length", "65536".parse().unwrap());
        let session = read(&base(), &from, &headers).unwrap();
        let place = session.location.unwrap();
        assert_eq!(place.url.to_string(), "https://r.example.com/v2/a/b/blobs/uploads/7?_state=s");
        assert!(place.ours);
        assert_eq!((session.held, session.least), (Some(5), Some(65536)));
        headers.insert("oci-chunk-min-length", "0".parse().unwrap());
        assert_eq!(read(&base(), &from, &headers).unwrap().least, None);
        headers.insert("location", "http://r.example.com/v2/a/b/blobs/uploads/7".parse().unwrap());
        assert_eq!(read(&base(), &from, &headers), Err(RefusedUrl::SameHost("http://r.example.com".into())));
        headers.insert("location", "http://other.example.com/uploads/7".parse().unwrap());
        assert_eq!(read(&base(), &from, &headers), Err(RefusedUrl::Downgrade));
    }
}
