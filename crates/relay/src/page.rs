//! The web app, embedded when the relay was built.

use crate::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

struct File {
    name: &'static str,
    hash: &'static str,
    plain: &'static [u8],
    /// Compressed forms by their content coding, the smallest first.
    packed: &'static [(&'static str, &'static [u8])],
}

static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The file at this path of the web app; `None` if it has no such file. `frames` is the policy of a document: who may frame it.
pub(crate) fn answer(path: &str, request: &HeaderMap, frames: &HeaderValue) -> Option<Response<Body>> {
    let name = path.strip_prefix('/')?;
    let name = if name.is_empty() { "index.html" } else { name };
    match FILES.iter().find(|file| file.name == name) {
        Some(file) => Some(file.answer(request, frames)),
        None if name == "index.html" => Some(absent()),
        None => None,
    }
}

impl File {
    fn answer(&self, request: &HeaderMap, frames: &HeaderValue) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        let packed = self.packed.iter().find(|(coding, _)| accepts(request, coding));
        // Each form has a tag of its own, since caches keep them beside each other (RFC 9110, section 8.8.3.3).
        let etag = match packed {
            Some((coding, _)) => format!("\"{}-{coding}\"", self.hash),
            None => format!("\"{}\"", self.hash),
        };
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            headers.insert(header::ETAG, etag);
        }
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        let cache = if is_hashed(self.name) { "public, max-age=31536000, immutable" } else { "no-cache" };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(self.name)));
        if self.name.ends_with(".js") {
            // The policy of a worker is that of its own script; the page's is in the page.
            headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(WORKER_POLICY));
        } else {
            headers.insert(header::CONTENT_SECURITY_POLICY, frames.clone());
        }
        if request.get(header::IF_NONE_MATCH).is_some_and(|tags| lists(tags, &etag)) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        let bytes = match packed {
            Some((coding, packed)) => {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
                packed
            }
            None => self.plain,
        };
        *response.body_mut() = Bytes::from_static(bytes).into();
        response
    }
}

/// What a relay says that was built without the page.
fn absent() -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from_static(ABSENT.as_bytes())));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

const ABSENT: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Porthole relay</title>\n\
    <h1>Porthole relay</h1>\n<p>The relay works, but it was built without the web app. To have both, run \
    <code>cargo xtask run</code>, or <code>trunk build --release</code> before the relay is built.</p>\n</html>\n";

const WORKER_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; \
    connect-src 'self' blob: https: http://127.0.0.1:* http://localhost:*";

/// Whether the name holds a hash of the content (`app-0123456789abcdef.js`), so that it never changes.
fn is_hashed(name: &str) -> bool {
    let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
    let stem = stem.strip_suffix("_bg").unwrap_or(stem);
    stem.rsplit_once('-').is_some_and(|(_, hash)| hash.len() >= 8 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Whether a client takes a content coding (RFC 9110, section 12.5.3).
fn accepts(request: &HeaderMap, wanted: &str) -> bool {
    request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|coding| {
            let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
            let refused = quality.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
            name.trim().eq_ignore_ascii_case(wanted) && !refused
        })
    })
}

/// Whether an `If-None-Match` lists this tag (RFC 9110, section 13.1.2: weak comparison).
pub(crate) fn lists(value: &HeaderValue, etag: &str) -> bool {
    let Ok(value) = value.to_str() else { return false };
    value.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;
    use hyper::body as http_body;

    const FRAMES: HeaderValue = HeaderValue::from_static("frame-ancestors 'none'");

    #[test]
    fn only_names_with_a_hash_are_immutable() {
        for name in ["app-0123456789abcdef.js", "app-0123456789abcdef_bg.wasm", "style-89abcdef01234567.css"] {
            assert!(is_hashed(name), "{name}");
        }
        for name in ["index.html", "session.js", "session_bg.wasm", "sha-short1.js", "app-0123.js", "well-known.txt"] {
            assert!(!is_hashed(name), "{name}");
        }
    }

    fn asking(name: HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn each_client_gets_the_smallest_form_that_it_accepts() {
        static PACKED: &[(&str, &[u8])] = &[("br", b"b"), ("gzip", b"gz")];
        let file = File { name: "app-0123456789abcdef_bg.wasm", hash: "0f", plain: b"plain", packed: PACKED };
        for (accepted, coding, etag, length) in [
            ("gzip, deflate, br, zstd", Some("br"), "\"0f-br\"", 1),
            ("br;q=0, GZIP;q=0.8", Some("gzip"), "\"0f-gzip\"", 2),
            ("gzip;q=0", None, "\"0f\"", 5),
            ("identity", None, "\"0f\"", 5),
        ] {
            let answer = file.answer(&asking(header::ACCEPT_ENCODING, accepted), &FRAMES);
            let headers = answer.headers();
            let sent = headers.get(header::CONTENT_ENCODING).map(|coding| coding.to_str().unwrap());
            assert_eq!((sent, headers[header::ETAG].to_str().unwrap()), (coding, etag), "{accepted}");
            assert_eq!(http_body::Body::size_hint(answer.body()).exact(), Some(length), "{accepted}");
            assert_eq!(headers[header::VARY], "Accept-Encoding");
            assert_eq!(headers[header::CONTENT_TYPE], "application/wasm");
            let mut again = asking(header::ACCEPT_ENCODING, accepted);
            again.insert(header::IF_NONE_MATCH, HeaderValue::from_str(etag).unwrap());
            assert_eq!(file.answer(&again, &FRAMES).status(), StatusCode::NOT_MODIFIED);
        }
    }

    #[test]
    fn the_page_is_there_with_and_without_a_bundle() {
        let response = answer("/", &HeaderMap::new(), &FRAMES).unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
        assert!(answer("/absent.js", &HeaderMap::new(), &FRAMES).is_none());
    }
}
