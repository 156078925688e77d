//! A fuzz target: what a hostile client, or a hostile registry, can make of routes and headers.

use crate::{headers, host, policy::Policy, proxy, route::Route};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use porthole_registry::{
    challenge,
    policy::{Authority, Url},
};
use std::str;

/// Reads a request, or an answer, in the form of HTTP/1.1, and checks that the result is safe.
///
/// # Panics
/// It is not.
pub fn relay(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next().unwrap_or_default();
    let mut fields = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii())) {
            fields.append(name, value);
        }
    }
    if let Some((method, uri)) = read_request(first) {
        for (default, pushes) in [(None, false), (Some("docker.io"), false), (None, true)] {
            if let Ok(route) = Route::parse(&method, &uri, default, pushes) {
                check_route(&method, &route, pushes);
            }
        }
    }
    check_host(&fields);
    check_request(&fields);
    check_answer(&fields);
}

fn read_request(line: &[u8]) -> Option<(Method, Uri)> {
    let mut words = line.split(|byte| *byte == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    Some((method, Uri::try_from(words.next()?).ok()?))
}

/// What reaches a registry is a path of the API at the host that the request names.
fn check_route(method: &Method, route: &Route, pushes: bool) {
    let Route::Registry(call) = route else {
        assert!(matches!(*method, Method::GET | Method::HEAD | Method::POST));
        return;
    };
    assert!(pushes || !call.endpoint.is_write(method), "nothing is written");
    assert!(pushes || matches!(*method, Method::GET | Method::HEAD));
    let path = call.upstream_path();
    assert!(path.starts_with("/v2/") && !path.contains("//"), "{path}");
    assert!(path.bytes().all(|b| b.is_ascii_graphic() && !b"%?#\\\"<>".contains(&b)), "{path}");
    assert!(path.split('/').all(|part| part != "." && part != ".."), "{path}");
    let authority = Authority::parse(&call.host).expect("a host that was accepted");
    if let Ok(url) = Policy::default().registry(&call.registry, &call.host) {
        let there = url.join(&path).expect("a path that was accepted");
        assert_eq!(there.origin(), url.origin(), "{path}");
        assert_eq!(there.origin().authority(), Policy::authority(&authority), "{path}");
    }
}

/// A `Host` that is neither an address nor a public name of the relay must be refused.
fn check_host(fields: &HeaderMap) {
    let local = "192.0.2.1:8090".parse().expect("an address");
    if let Some(name) = host::check(fields, local, Some("relay.example.com")) {
        let is_known = name == "relay.example.com"
            || ["localhost", "127.", "[::1]", "[0:", "[::", "192.0.2.1"].iter().any(|start| name.starts_with(start));
        assert!(is_known, "{name}");
    }
}

/// No header of a client goes through that is not on the list.
fn check_request(fields: &HeaderMap) {
    let sent = headers::forward(fields);
    let listed = [header::ACCEPT, header::RANGE, header::IF_NONE_MATCH, header::IF_RANGE, header::AUTHORIZATION];
    assert!(sent.keys().all(|name| listed.contains(name)));
    assert!(sent.get_all(header::AUTHORIZATION).iter().count() <= 1);
    assert!(sent.get(header::RANGE).is_none_or(|range| headers::parse_range(range).is_some()));
}

/// A registry's headers run nothing, set nothing, and lead nowhere else.
fn check_answer(fields: &HeaderMap) {
    let back = headers::back(fields);
    for name in [
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::LOCATION,
        header::LINK,
        header::REFRESH,
        header::SET_COOKIE,
        header::TRANSFER_ENCODING,
        header::WWW_AUTHENTICATE,
    ] {
        assert!(!back.contains_key(name));
    }
    assert!(back.keys().all(|name| !name.as_str().starts_with("access-control-")));
    let kind = headers::safe_content_type(fields.get(header::CONTENT_TYPE));
    let kind = kind.to_str().expect("text");
    let is_json = kind.starts_with("application/") && (kind.ends_with("json") || kind.ends_with("+prettyjws"));
    assert!(is_json || matches!(kind, "text/plain" | "application/octet-stream"), "{kind}");

    let base = "https://relay.example.com";
    for challenge in challenge::parse_headers(fields) {
        let Some(value) = proxy::rewrite(&challenge, "docker.io", base) else { continue };
        let again = challenge::parse(value.as_bytes());
        assert_eq!(again.len(), 1, "{value:?}");
        let realm = again[0].parameter("realm").expect("a realm");
        assert!(realm == "docker.io" || realm == "https://relay.example.com/token?ns=docker.io", "{value:?}");
        for name in ["service", "scope"] {
            assert!(again[0].parameter(name).is_none_or(|value| challenge.parameter(name) == Some(value)), "{value:?}");
        }
    }
    let from = Url::parse("https://registry.example/v2/a/tags/list?n=2").expect("a URL");
    if let Some(Ok(query)) = porthole_registry::endpoint::tags::next(&from, fields) {
        for by_query in [true, false] {
            let Ok(link) = proxy::link_here(&query, "r.example.com", "/v2/a/tags/list", by_query) else { continue };
            let link = str::from_utf8(link.as_bytes()).expect("text");
            assert!(link.starts_with("</v2/a/tags/list?") && link.ends_with(">; rel=\"next\""), "{link}");
            assert_eq!(link.matches(['<', '>']).count(), 2, "{link}");
        }
    }
}
