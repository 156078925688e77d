//! Which headers go through: lists of what is allowed, in both directions. Everything else ends here.

use crate::refusal::Refusal;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use porthole_registry::range::ContentRange;
use std::ops::Range;

/// What a client's headers become on the way to a registry.
pub(crate) fn forward(client: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in client.get_all(header::ACCEPT) {
        headers.append(header::ACCEPT, value.clone());
    }
    for name in [header::RANGE, header::IF_NONE_MATCH, header::IF_RANGE, header::AUTHORIZATION] {
        if let Some(value) = client.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    if headers.get(header::RANGE).is_some_and(|range| parse_range(range).is_none()) {
        headers.remove(header::RANGE);
        headers.remove(header::IF_RANGE);
    }
    headers
}

/// What the headers of a push become on the way to a registry. The length of the body is that of what is sent.
///
/// # Errors
/// A `Content-Range` that is not one of an upload (OCI distribution specification, "Pushing a blob in chunks").
pub(crate) fn forward_push(client: &HeaderMap) -> Result<HeaderMap, Refusal> {
    let mut headers = HeaderMap::new();
    for name in [header::ACCEPT, header::AUTHORIZATION, header::CONTENT_TYPE, header::IF_MATCH, header::IF_NONE_MATCH] {
        if let Some(value) = client.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    if let Some(range) = client.get(header::CONTENT_RANGE) {
        let is_span = range.to_str().is_ok_and(is_span);
        if !is_span {
            let message = "expected a Content-Range of two offsets, `0-1023`";
            return Err(Refusal::bad_request("REQUEST_INVALID", message));
        }
        headers.insert(header::CONTENT_RANGE, range.clone());
    }
    Ok(headers)
}

/// Adds what a registry says of an upload. Its `Location` is rewritten by who knows what it leads to.
pub(crate) fn add_upload(registry: &HeaderMap, back: &mut HeaderMap) {
    for name in &OF_UPLOADS {
        if let Some(value) = registry.get(name) {
            back.insert(name, value.clone());
        }
    }
    if let Some(range) = registry.get(header::RANGE).filter(|range| range.to_str().is_ok_and(is_span)) {
        back.insert(header::RANGE, range.clone());
    }
}

/// `0-1023`, as uploads write what was sent; some write a unit before it, or `0--1` for nothing.
fn is_span(text: &str) -> bool {
    let text = text.strip_prefix("bytes=").or_else(|| text.strip_prefix("bytes ")).unwrap_or(text);
    let number = |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit());
    text.split_once('-').is_some_and(|(first, last)| number(first) && (number(last) || last == "-1"))
}

/// What a registry's headers become on the way to the client. `Content-Type`, `Link` and `WWW-Authenticate` are not
/// among them: they are rewritten by who knows what was asked for.
pub(crate) fn back(registry: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(AS_MANY);
    for name in &BACK {
        if let Some(value) = registry.get(name) {
            headers.insert(name, value.clone());
        }
    }
    for value in registry.get_all(header::WARNING) {
        headers.append(header::WARNING, value.clone());
    }
    headers
}

/// Forces bytes that came from elsewhere to be nothing but bytes: a blob that is a page must not run as one of ours.
pub(crate) fn defuse(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Renames the challenges of an answer to the relay's own page. That page sends cookies, for a sign-in in front of the relay, and to a request with
/// cookies the browser answers `WWW-Authenticate: Basic` itself, with a window for a password (Fetch standard, "HTTP-network-or-cache fetch", on status 401).
pub(crate) fn rename_challenges(headers: &mut HeaderMap) {
    let challenges: Vec<_> = headers.get_all(header::WWW_AUTHENTICATE).iter().cloned().collect();
    headers.remove(header::WWW_AUTHENTICATE);
    for challenge in challenges {
        headers.append(AUTHENTICATE, challenge);
    }
}

/// How long an answer of a registry may be kept, and by whom. What a digest names never changes, but access to it may; a tag is asked for
/// again each time. Only what was answered without authorization may be kept for other users.
pub(crate) fn set_caching(headers: &mut HeaderMap, by_digest: bool, anonymous: bool) {
    let value = match (by_digest, anonymous) {
        (true, true) => "public, max-age=31536000, immutable",
        (true, false) => "private, max-age=31536000, immutable",
        (false, true) => "no-cache",
        (false, false) => "private, no-cache",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(value));
    headers.insert(header::VARY, HeaderValue::from_static("Authorization"));
}

/// The media type that a document may keep: JSON of any kind or plain text, and nothing that a browser would run.
pub(crate) fn safe_content_type(value: Option<&HeaderValue>) -> HeaderValue {
    let essence = |value: &HeaderValue| {
        let text = value.to_str().ok()?;
        let essence = text.split(';').next()?.trim().to_ascii_lowercase();
        if essence == "text/plain" {
            return Some(HeaderValue::from_static("text/plain"));
        }
        let subtype = essence.strip_prefix("application/")?;
        let token = subtype.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
        let json = subtype == "json" || subtype.ends_with("+json") || subtype.ends_with("+prettyjws");
        (token && json).then(|| HeaderValue::from_str(&essence).ok())?
    };
    value.and_then(essence).unwrap_or(OCTET_STREAM)
}

pub(crate) const OCTET_STREAM: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// A single range, `bytes=a-b`, `bytes=a-` or `bytes=-n`: first and last (RFC 9110, section 14.1.2).
pub(crate) fn parse_range(value: &HeaderValue) -> Option<(Option<u64>, Option<u64>)> {
    let (first, last) = value.to_str().ok()?.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        _ if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok().map(Some),
        _ => None,
    };
    match (number(first)?, number(last)?) {
        (None, None) => None,
        (Some(first), Some(last)) if first > last => None,
        range => Some(range),
    }
}

/// Whether a `Content-Range` is an answer to this range.
pub(crate) fn answers_range(content_range: &HeaderValue, range: (Option<u64>, Option<u64>)) -> bool {
    let Some((part, size)) = content_range_part(content_range) else { return false };
    match range {
        (Some(first), last) => part.start == first && last.is_none_or(|last| part.end - 1 <= last),
        (None, Some(count)) => size.is_none_or(|size| part == (size.saturating_sub(count)..size)),
        (None, None) => false,
    }
}

/// The bytes that an answer holds by its `Content-Range`, and the size of the whole where it says it.
pub(crate) fn content_range_part(value: &HeaderValue) -> Option<(Range<u64>, Option<u64>)> {
    match ContentRange::parse(value.as_bytes()).ok()? {
        ContentRange::Part { range, complete } => Some((range, complete)),
        ContentRange::Unsatisfied { .. } => None,
    }
}

/// What the page sends with a request that may carry cookies.
pub(crate) const PAGE: HeaderName = HeaderName::from_static("porthole-page");
/// `WWW-Authenticate` for the page.
const AUTHENTICATE: HeaderName = HeaderName::from_static("porthole-authenticate");

/// Headers of most answers, with those that the relay adds.
const AS_MANY: usize = 24;

const BACK: [HeaderName; 15] = [
    header::ACCEPT_RANGES,
    header::CONTENT_LENGTH,
    header::CONTENT_RANGE,
    header::ETAG,
    header::LAST_MODIFIED,
    header::RETRY_AFTER,
    HeaderName::from_static("docker-content-digest"),
    HeaderName::from_static("docker-distribution-api-version"),
    HeaderName::from_static("docker-ratelimit-source"),
    HeaderName::from_static("oci-filters-applied"),
    HeaderName::from_static("oci-subject"),
    HeaderName::from_static("oci-tag"),
    HeaderName::from_static("ratelimit-limit"),
    HeaderName::from_static("ratelimit-remaining"),
    HeaderName::from_static("ratelimit-reset"),
];

const OF_UPLOADS: [HeaderName; 2] =
    [HeaderName::from_static("docker-upload-uuid"), HeaderName::from_static("oci-chunk-min-length")];

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, HeaderValue::from_static(value));
        }
        map
    }

    fn names(map: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = map.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn only_listed_headers_reach_a_registry() {
        let client = map(&[
            ("accept", "application/json"),
            ("accept", "application/vnd.oci.image.index.v1+json"),
            ("accept-encoding", "gzip"),
            ("authorization", "Bearer a"),
            ("authorization", "Bearer b"),
            ("connection", "authorization"),
            ("cookie", "a=b"),
            ("forwarded", "for=1.2.3.4"),
            ("host", "127.0.0.1"),
            ("if-none-match", "\"x\""),
            ("if-range", "\"x\""),
            ("origin", "http://127.0.0.1"),
            ("proxy-authorization", "Basic x"),
            ("range", "bytes=1-2"),
            ("referer", "http://127.0.0.1/"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("user-agent", "x"),
            ("x-forwarded-for", "1.2.3.4"),
        ]);
        let sent = forward(&client);
        assert_eq!(names(&sent), ["accept", "authorization", "if-none-match", "if-range", "range"]);
        assert_eq!(sent.get_all("accept").iter().count(), 2);
        assert_eq!(sent.get_all("authorization").iter().count(), 1);
    }

    #[test]
    fn only_listed_headers_of_a_push_reach_a_registry() {
        let client = map(&[
            ("authorization", "Bearer a"),
            ("connection", "content-type"),
            ("content-encoding", "gzip"),
            ("content-length", "3"),
            ("content-range", "0-2"),
            ("content-type", "application/octet-stream"),
            ("cookie", "a=b"),
            ("expect", "100-continue"),
            ("range", "bytes=1-2"),
            ("transfer-encoding", "chunked"),
        ]);
        let sent = forward_push(&client).unwrap();
        assert_eq!(names(&sent), ["authorization", "content-range", "content-type"]);
        for (range, valid) in
            [("0-0", true), ("bytes 5-9", true), ("bytes=0-1", true), ("0-", false), ("-1", false), ("a-b", false)]
        {
            assert_eq!(forward_push(&map(&[("content-range", range)])).is_ok(), valid, "{range}");
        }
    }

    #[test]
    fn what_a_registry_says_of_an_upload_comes_back() {
        let registry = map(&[
            ("docker-upload-uuid", "1"),
            ("location", "http://evil.example/"),
            ("oci-chunk-min-length", "5"),
            ("range", "0-4"),
        ]);
        let mut upload = back(&registry);
        add_upload(&registry, &mut upload);
        assert_eq!(names(&upload), ["docker-upload-uuid", "oci-chunk-min-length", "range"]);
        for (range, valid) in [("0-0", true), ("0--1", true), ("bytes=0-4", true), ("0-x", false), ("0-4,9-9", false)] {
            let mut upload = HeaderMap::new();
            add_upload(&map(&[("range", range)]), &mut upload);
            assert_eq!(upload.contains_key("range"), valid, "{range}");
        }
    }

    #[test]
    fn only_listed_headers_come_back() {
        let registry = map(&[
            ("accept-ranges", "bytes"),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-origin", "*"),
            ("cache-control", "public"),
            ("clear-site-data", "\"*\""),
            ("connection", "keep-alive"),
            ("content-disposition", "inline"),
            ("content-encoding", "gzip"),
            ("content-length", "1"),
            ("content-range", "bytes 0-0/1"),
            ("content-security-policy", "default-src *"),
            ("content-type", "text/html"),
            ("docker-content-digest", "sha256:x"),
            ("docker-distribution-api-version", "registry/2.0"),
            ("docker-ratelimit-source", "1.2.3.4"),
            ("etag", "\"x\""),
            ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("link", "<http://evil.example/>; rel=next"),
            ("location", "http://evil.example/"),
            ("oci-filters-applied", "artifactType"),
            ("oci-subject", "sha256:x"),
            ("ratelimit-limit", "100;w=21600"),
            ("ratelimit-remaining", "99;w=21600"),
            ("refresh", "0; url=http://evil.example/"),
            ("retry-after", "3"),
            ("server", "x"),
            ("set-cookie", "a=b"),
            ("strict-transport-security", "max-age=1"),
            ("trailer", "x"),
            ("transfer-encoding", "chunked"),
            ("warning", "299 - \"old\""),
            ("www-authenticate", "Basic realm=x"),
            ("x-anything", "y"),
        ]);
        assert_eq!(
            names(&back(&registry)),
            [
                "accept-ranges",
                "content-length",
                "content-range",
                "docker-content-digest",
                "docker-distribution-api-version",
                "docker-ratelimit-source",
                "etag",
                "last-modified",
                "oci-filters-applied",
                "oci-subject",
                "ratelimit-limit",
                "ratelimit-remaining",
                "retry-after",
                "warning",
            ]
        );
    }

    #[test]
    fn only_json_keeps_its_type() {
        let safe = |value: &'static str| safe_content_type(Some(&HeaderValue::from_static(value)));
        for (value, expected) in [
            ("application/json; charset=utf-8", "application/json"),
            ("application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.index.v1+json"),
            (
                "Application/Vnd.Docker.Distribution.Manifest.v1+prettyjws",
                "application/vnd.docker.distribution.manifest.v1+prettyjws",
            ),
            ("text/plain; charset=utf-8", "text/plain"),
            ("text/html", "application/octet-stream"),
            ("image/svg+xml", "application/octet-stream"),
            ("application/xhtml+xml", "application/octet-stream"),
            ("application/javascript", "application/octet-stream"),
            ("text/html;application/json", "application/octet-stream"),
            ("application/x json", "application/octet-stream"),
            ("", "application/octet-stream"),
        ] {
            assert_eq!(safe(value), expected, "{value}");
        }
        assert_eq!(safe_content_type(None), OCTET_STREAM);
    }

    #[test]
    fn ranges() {
        let single = |value: &'static str| parse_range(&HeaderValue::from_static(value)).is_some();
        for range in ["bytes=0-", "bytes=0-0", "bytes=5-18446744073709551615", "bytes=-5"] {
            assert!(single(range), "{range}");
        }
        for range in [
            "bytes=0-1,3-4",
            "bytes=-",
            "bytes=2-1",
            "bytes=a-b",
            "lines=0-1",
            "bytes=+1-2",
            "bytes=0-99999999999999999999",
        ] {
            assert!(!single(range), "{range}");
        }
        let answers = |range: &'static str, answer: &'static str| {
            let range = parse_range(&HeaderValue::from_static(range)).unwrap();
            answers_range(&HeaderValue::from_static(answer), range)
        };
        assert!(answers("bytes=2-5", "bytes 2-5/10"));
        assert!(answers("bytes=2-50", "bytes 2-9/10"));
        assert!(answers("bytes=2-", "bytes 2-9/*"));
        assert!(answers("bytes=-3", "bytes 7-9/10"));
        assert!(answers("bytes=-30", "bytes 0-9/10"));
        for (range, answer) in [
            ("bytes=2-5", "bytes 0-5/10"),
            ("bytes=2-5", "bytes 2-6/10"),
            ("bytes=2-5", "bytes 2-5/4"),
            ("bytes=-3", "bytes 0-2/10"),
            ("bytes=2-5", "bytes */10"),
            ("bytes=2-5", "2-5/10"),
        ] {
            assert!(!answers(range, answer), "{range} {answer}");
        }
    }
}
