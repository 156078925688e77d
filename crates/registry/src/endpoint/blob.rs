//! `GET /v2/<name>/blobs/<digest>`

use super::Base;
use crate::{policy::UrlError, transport::Request};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use porthole_core::digest::Digest;

/// Asks for a blob from `offset` to its end.
///
/// # Errors
/// A URL too long for an HTTP client.
pub fn request(base: &Base, repository: &str, digest: &Digest, offset: u64) -> Result<Request, UrlError> {
    let mut request = Request::default();
    *request.uri_mut() = base.api(&format!("{repository}/blobs/{digest}")).to_uri()?;
    if offset > 0 {
        let range = HeaderValue::try_from(format!("bytes={offset}-")).map_err(|_| UrlError::TooLong)?;
        request.headers_mut().insert(header::RANGE, range);
    }
    Ok(request)
}

/// Reads the head of a successful answer to a request from `offset`: how many bytes of the body must be skipped to get there.
///
/// `size` is the blob's. A page may not see `Content-Range`; then a 206 is taken at its word, and the digest decides.
///
/// # Errors
/// A 206 for another range than the one that was asked for, in words.
pub fn read(status: StatusCode, headers: &HeaderMap, offset: u64, size: u64) -> Result<u64, String> {
    if status != StatusCode::PARTIAL_CONTENT {
        return Ok(offset);
    }
    let Some(value) = headers.get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok()) else { return Ok(0) };
    let expected = format!("bytes {offset}-{}", size.saturating_sub(1));
    let (range, total) = value.rsplit_once('/').unwrap_or((value, ""));
    let total_fits = total == "*" || total.parse() == Ok(size);
    if range == expected && total_fits {
        Ok(0)
    } else {
        Err(format!("expected the range `{expected}/{size}`, got `{}`", crate::error::quote(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(read(status, &headers, 5, 10).ok(), expected, "{status} {range:?}");
        }
    }
}
