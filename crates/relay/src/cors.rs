//! Which pages may read what the relay answers (Fetch standard, "CORS protocol").
//!
//! Origins are compared whole, never by prefix or suffix; credentials of the browser are never allowed, so a page
//! sees nothing that it does not bring the authorization for.

use crate::body::Body;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

/// The origins of pages that may use this relay.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    /// Of this relay's own page.
    pub(crate) own: Vec<String>,
    /// Those of `--allow-origin`.
    pub(crate) listed: Vec<String>,
    /// Whether only this machine can reach the relay.
    pub(crate) loopback: bool,
}

/// The page that a request comes from, as far as its headers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// No page, or a page of the very origin that it asks.
    Direct,
    /// A page of this origin, which may read the answer.
    Page(HeaderValue),
    /// A page that may not.
    Stranger,
}

impl Origins {
    /// Who sent a request with these headers to the origin `base`.
    pub(crate) fn judge(&self, headers: &HeaderMap, base: &str) -> Asker {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            // Pages also ask without an `Origin`, for images and scripts. They cannot read the answer, but it costs.
            let foreign = headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site");
            return if foreign { Asker::Stranger } else { Asker::Direct };
        };
        let Ok(text) = origin.to_str() else { return Asker::Stranger };
        let known = text == base || self.own.iter().chain(&self.listed).any(|o| o == text);
        if known && origins.next().is_none() { Asker::Page(origin.clone()) } else { Asker::Stranger }
    }

    /// The answer to a preflight of a page that may ask; `methods` are those of the route.
    pub(crate) fn preflight(&self, origin: &HeaderValue, headers: &HeaderMap, methods: HeaderValue) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answer = response.headers_mut();
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ALLOWED));
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
        // A page of a public origin reaches into this machine only where its origin was listed by hand.
        let listed = origin.to_str().is_ok_and(|origin| self.listed.iter().any(|o| o == origin));
        if self.loopback && listed && headers.get(PRIVATE_REQUEST).is_some_and(|value| value == "true") {
            answer.insert(PRIVATE_ALLOW, HeaderValue::from_static("true"));
        }
        response
    }
}

/// Whether a request is a preflight.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Lets this page read the answer.
pub(crate) fn expose(origin: HeaderValue, answer: &mut HeaderMap) {
    answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
}

/// An origin as browsers serialise it (RFC 6454, section 6.2): scheme, host, and the port unless it is the default.
pub(crate) fn parse_origin(text: &str) -> Option<String> {
    let (scheme, authority) = text.split_once("://")?;
    let default = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    (crate::route::is_canonical(authority) && !authority.ends_with(default)).then(|| text.to_owned())
}

const ALLOWED: &str = "Accept, Authorization, Content-Range, Content-Type, If-Match, If-None-Match, If-Range, Range";
const EXPOSED: &str = "Accept-Ranges, Content-Length, Content-Range, Docker-Content-Digest, Docker-RateLimit-Source, \
    ETag, Link, Location, OCI-Chunk-Min-Length, OCI-Filters-Applied, OCI-Namespace, OCI-Subject, OCI-Tag, Porthole-Upstream-Type, Range, \
    RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, Warning, WWW-Authenticate";
const PRIVATE_REQUEST: &str = "access-control-request-private-network";
const PRIVATE_ALLOW: &str = "access-control-allow-private-network";

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(origin: &[u8]) -> Asker {
        let origins = Origins {
            own: vec!["http://127.0.0.1:8090".into(), "http://localhost:8090".into()],
            listed: vec!["https://page.example.com".into()],
            loopback: true,
        };
        let value = HeaderValue::from_bytes(origin).unwrap();
        origins.judge(&HeaderMap::from_iter([(header::ORIGIN, value)]), "http://127.0.0.1:8090")
    }

    #[test]
    fn origins_are_compared_whole() {
        for origin in ["http://127.0.0.1:8090", "http://localhost:8090", "https://page.example.com"] {
            assert_eq!(judge(origin.as_bytes()), Asker::Page(HeaderValue::from_static(origin)), "{origin}");
        }
        let strangers: [&[u8]; 22] = [
            b"null",
            b"",
            b"*",
            b"https://page.example.com:443",
            b"https://page.example.com:8443",
            b"https://page.example.com/",
            b"https://page.example.com.",
            b"https://page.example.com.evil.example",
            b"https://evilpage.example.com",
            b"https://a.page.example.com",
            b"https://example.com",
            b"http://page.example.com",
            b"HTTPS://page.example.com",
            b"https://PAGE.example.com",
            b"https://page.example.com, https://evil.example",
            b"https://user@page.example.com",
            b"https://xn--pge-ula.example.com",
            b"https://p\xc3\xa4ge.example.com",
            b"http://127.0.0.1",
            b"http://127.0.0.1:80900",
            b"https://127.0.0.1:8090",
            b"file://",
        ];
        for origin in strangers {
            assert_eq!(judge(origin), Asker::Stranger, "{origin:?}");
        }
    }

    #[test]
    fn two_origins_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(header::ORIGIN, HeaderValue::from_static("http://127.0.0.1:8090"));
        headers.append(header::ORIGIN, HeaderValue::from_static("http://127.0.0.1:8090"));
        assert_eq!(Origins::default().judge(&headers, "http://127.0.0.1:8090"), Asker::Stranger);
    }

    #[test]
    fn requests_without_an_origin_tell_by_their_site() {
        let origins = Origins::default();
        let with = |site: &'static str| {
            HeaderMap::from_iter([("sec-fetch-site".parse().unwrap(), HeaderValue::from_static(site))])
        };
        assert_eq!(origins.judge(&HeaderMap::new(), "http://localhost"), Asker::Direct);
        assert_eq!(origins.judge(&with("same-origin"), "http://localhost"), Asker::Direct);
        assert_eq!(origins.judge(&with("none"), "http://localhost"), Asker::Direct);
        assert_eq!(origins.judge(&with("cross-site"), "http://localhost"), Asker::Stranger);
        assert_eq!(origins.judge(&with("same-site"), "http://localhost"), Asker::Stranger);
    }

    #[test]
    fn private_networks_are_for_listed_origins() {
        let mut origins = Origins { listed: vec!["https://a.example".into()], loopback: true, ..Origins::default() };
        let asks = HeaderMap::from_iter([(PRIVATE_REQUEST.parse().unwrap(), HeaderValue::from_static("true"))]);
        let allows = |origins: &Origins, origin| {
            origins
                .preflight(&HeaderValue::from_static(origin), &asks, HeaderValue::from_static("GET"))
                .headers()
                .contains_key(PRIVATE_ALLOW)
        };
        assert!(allows(&origins, "https://a.example"));
        assert!(!allows(&origins, "http://127.0.0.1:8090"));
        origins.loopback = false;
        assert!(!allows(&origins, "https://a.example"));
    }

    #[test]
    fn origins_on_the_command_line() {
        for valid in ["https://page.example.com", "http://localhost:8080", "http://[::1]:8080"] {
            assert_eq!(parse_origin(valid).as_deref(), Some(valid));
        }
        for bad in [
            "*",
            "null",
            "https://a.example/",
            "https://A.example",
            "a.example",
            "ftp://a.example",
            "http://a.example:80",
        ] {
            assert_eq!(parse_origin(bad), None, "{bad}");
        }
    }
}
