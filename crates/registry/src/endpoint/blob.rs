//! `GET /v2/<name>/blobs/<digest>`

use super::Base;
use crate::{
    policy::UrlError,
    range::{self, ContentRange},
    transport::Request,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use porthole_core::digest::Digest;
use std::ops::{Bound, Range, RangeBounds};

/// Asks for these bytes of a blob: all of it (`..`, `0..`), from an offset to its end (`a..`), or a range (`a..b`) that is
/// not empty.
///
/// # Errors
/// A URL too long for an HTTP client.
pub fn request(
    base: &Base,
    repository: &str,
    digest: &Digest,
    bytes: impl RangeBounds<u64>,
) -> Result<Request, UrlError> {
    let mut request = Request::default();
    *request.uri_mut() = base.api(&format!("{repository}/blobs/{digest}")).to_uri()?;
    if let Some(range) = range_header(bytes) {
        let range = HeaderValue::try_from(range).map_err(|_| UrlError::TooLong)?;
        request.headers_mut().insert(header::RANGE, range);
    }
    Ok(request)
}

/// The `Range` header of a request for these bytes (RFC 9110 section 14.2). `None` = all of the blob.
pub fn range_header(bytes: impl RangeBounds<u64>) -> Option<String> {
    let first = match bytes.start_bound() {
        Bound::Included(first) => *first,
        Bound::Excluded(before) => before.saturating_add(1),
        Bound::Unbounded => 0,
    };
    let last = match bytes.end_bound() {
        Bound::Included(last) => Some(*last),
        Bound::Excluded(end) => Some(end.saturating_sub(1)),
        Bound::Unbounded => None,
    };
    match (first, last) {
        (0, None) => None,
        (first, None) => Some(format!("bytes={first}-")),
        (first, Some(last)) => Some(format!("bytes={first}-{last}")),
    }
}

/// Reads the head of a successful answer to a request for `range`. Returns how many bytes of the body to skip until the
/// range starts.
///
/// `size` is that of the blob. A page may be unable to read `Content-Range`: a 206 is then accepted, and the digest
/// decides.
///
/// # Errors
/// A 206 for another range than the one that was asked for.
pub fn read(status: StatusCode, headers: &HeaderMap, range: &Range<u64>, size: u64) -> Result<u64, RefusedRange> {
    if status != StatusCode::PARTIAL_CONTENT {
        return Ok(range.start);
    }
    let Some(value) = headers.get(header::CONTENT_RANGE) else { return Ok(0) };
    match ContentRange::parse(value.as_bytes())? {
        ContentRange::Part { range: got, complete } if got == *range && complete.is_none_or(|got| got == size) => Ok(0),
        _ => Err(RefusedRange::Other {
            expected: format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1)),
            got: crate::quote::quote(&String::from_utf8_lossy(value.as_bytes())),
        }),
    }
}

/// Why a 206 is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedRange {
    /// Its `Content-Range` is malformed.
    #[error(transparent)]
    Malformed(#[from] range::Error),
    /// Other bytes, or of a blob of another size.
    #[error("expected the range `{expected}`, got `{got}`")]
    Other {
        /// The range that was requested.
        expected: String,
        /// The header's value, cut and escaped.
        got: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_asked_for() {
        let base = Base::direct("r.example.com", false).unwrap();
        let digest = Digest::sha256(b"");
        let range =
            |request: Request| request.headers().get(header::RANGE).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(range(request(&base, "a", &digest, ..).unwrap()), None);
        assert_eq!(range(request(&base, "a", &digest, 0..).unwrap()), None);
        assert_eq!(range(request(&base, "a", &digest, 5..).unwrap()).as_deref(), Some("bytes=5-"));
        assert_eq!(range(request(&base, "a", &digest, 0..10).unwrap()).as_deref(), Some("bytes=0-9"));
        assert_eq!(range(request(&base, "a", &digest, 5..=10).unwrap()).as_deref(), Some("bytes=5-10"));
    }

    #[test]
    fn ranges_are_checked() {
        for (status, range, expected) in [
            (200, None, Some(5)),
            (206, None, Some(0)),
            (206, Some("bytes 5-9/10"), Some(0)),
            (206, Some("bytes 5-9/*"), Some(0)),
            (206, Some("bytes 0-9/10"), None),
            (206, Some("bytes 5-8/10"), None),
            (206, Some("bytes 5-9/11"), None),
            (206, Some("bytes 6-9/10"), None),
            (206, Some("nonsense"), None),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(range) = range {
                headers.insert(header::CONTENT_RANGE, range.parse().unwrap());
            }
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(read(status, &headers, &(5..10), 10).ok(), expected, "{status} {range:?}");
        }
    }
}
