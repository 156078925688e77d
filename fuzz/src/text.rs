//! Targets for user input and for response headers.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use porthole_core::{digest::Digest, path, reference::Reference};
use porthole_registry::{
    challenge,
    endpoint::{blob, tags},
    link,
    policy::{self, Url},
    range::ContentRange,
    redirect, retry,
    scope::Scopes,
};
use std::{str, time::Duration};

/// Checks that the canonical form of a reference parses to itself.
pub fn reference(data: &[u8]) {
    let Ok(reference) = Reference::parse_bytes(data) else { return };
    let canonical = reference.to_string();
    let again: Reference = canonical.parse().expect("a canonical form is a reference");
    assert_eq!(again.to_string(), canonical);
}

/// Checks that a digest prints as it was parsed, and that unescaping reverses escaping of a path.
pub fn digest(data: &[u8]) {
    let escaped = path::escape(data).into_owned();
    assert_eq!(path::unescape(&escaped).as_deref(), Some(data));
    let clean = path::clean(data);
    assert_eq!(path::clean(&clean), clean, "a clean path stays as it is");
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(digest) = text.parse::<Digest>() else { return };
    assert_eq!(digest.to_string(), text);
}

/// Parses challenges, and checks the policy on their realms.
pub fn challenge(data: &[u8]) {
    let registry = Url::parse("https://registry.example/v2/").expect("a URL");
    for challenge in challenge::parse(data) {
        assert_eq!(challenge.scheme, challenge.scheme.to_ascii_lowercase());
        assert!(!challenge.scheme.is_empty());
        if let Some(realm) = challenge.parameter("realm") {
            let _ = policy::realm(registry.origin(), realm, true, &[]);
        }
        if let Some(scope) = challenge.parameter("scope") {
            let words: Vec<_> = Scopes::parse(scope).iter().collect();
            assert_eq!(Scopes::parse(&words.join(" ")).iter().collect::<Vec<_>>(), words);
        }
    }
}

/// Checks that a `Link` or `Location` never leads to another registry.
pub fn link(data: &[u8]) {
    for link in link::parse(data) {
        assert!(link.parameters.iter().all(|(name, _)| *name == name.to_ascii_lowercase()));
        link.has_relation("next");
    }
    let from = Url::parse("https://registry.example/v2/a/tags/list?n=2").expect("a URL");
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(header::LINK, value.clone());
    headers.insert(header::LOCATION, value);
    let _ = tags::next(&from, &headers);
    if let Some(Ok(to)) = redirect::target(&from, StatusCode::TEMPORARY_REDIRECT, &headers) {
        let again = Url::parse(&to.to_string()).expect("a URL prints as a URL");
        assert_eq!(again.origin(), to.origin());
        let _ = policy::hop(&from, &to.to_string());
    }
    if let Ok(text) = str::from_utf8(data) {
        let _ = retry::retry_after(text, Duration::from_secs(1_700_000_000));
        let _ = policy::destination(text);
    }
}

/// Parses a `Content-Range`, which is accepted only if it is the requested range.
pub fn content_range(data: &[u8]) {
    let parsed = ContentRange::parse(data);
    if let Ok(ContentRange::Part { range, complete }) = &parsed {
        assert!(range.start < range.end && complete.is_none_or(|complete| range.end <= complete));
    }
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_RANGE, value);
    for (asked, size) in [(0..0, 0), (5..10, 10), (1..u64::MAX, u64::MAX), (u64::MAX - 1..u64::MAX, 1)] {
        assert_eq!(blob::read(StatusCode::OK, &headers, &asked, size), Ok(asked.start));
        if blob::read(StatusCode::PARTIAL_CONTENT, &headers, &asked, size).is_ok() {
            assert!(matches!(&parsed, Ok(ContentRange::Part { range, .. }) if *range == asked));
        }
    }
}
