//! What holds for any input.

use porthole_registry::{
    challenge, link,
    policy::{self, Host, Realm, Url},
    range::ContentRange,
};
use proptest::prelude::*;

/// Hosts of all kinds, and text that is almost one.
fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]{1,2}(\\.[a-c]{1,2}){0,2}\\.(com|co\\.uk|github\\.io|internal|test)",
        "(10|127|169\\.254|8\\.8)\\.0\\.0\\.1|localhost|\\[::1\\]|0x7f\\.1|2130706433",
        "[a-z0-9.%@\\\\\\[\\]:-]{0,12}",
    ]
}

fn url() -> impl Strategy<Value = String> {
    ("(https|http|HTTPS|ftp|)", "(://|:|//|:/|)", host(), "(|:443|:80|:5000|:0|:)", "(|/token|/t?a=b|#f|/\\\\x)")
        .prop_map(|(scheme, slashes, host, port, path)| format!("{scheme}{slashes}{host}{port}{path}"))
}

proptest! {
    /// Any bytes are some list of challenges; what is written by the grammar is read back.
    #[test]
    fn challenges(bytes in prop::collection::vec(any::<u8>(), 0..200), values in prop::collection::vec("[ -~]{0,12}", 0..4)) {
        challenge::parse(&bytes);
        let quoted = |(n, value): (usize, &String)| format!("p{n}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
        let parameters: Vec<String> = values.iter().enumerate().map(quoted).collect();
        let text = format!("Negotiate, Bearer {}, Basic realm=x", parameters.join(", "));
        let challenges = challenge::parse(text.as_bytes());
        prop_assert_eq!(challenges.len(), 3);
        let read: Vec<&String> = challenges[1].parameters.iter().map(|(_, value)| value).collect();
        prop_assert_eq!(read, values.iter().collect::<Vec<_>>());
    }

    /// Any bytes are some list of links; what is written by the grammar is read back.
    #[test]
    fn links(bytes in prop::collection::vec(any::<u8>(), 0..200), links in prop::collection::vec(("[ -;=?-~]{0,12}", "[ -~]{0,12}"), 0..4)) {
        link::parse(&bytes);
        let quoted = |(target, value): &(String, String)| {
            format!("<{target}>; rel=next; title=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
        };
        let read = link::parse(links.iter().map(quoted).collect::<Vec<_>>().join(", ").as_bytes());
        prop_assert!(read.iter().all(|link| link.has_relation("next")));
        let read: Vec<_> = read.into_iter().map(|link| (link.target, link.parameters[1].1.clone())).collect();
        prop_assert_eq!(read, links);
    }

    /// Any bytes are a range or an error; what is written by the grammar is read back, and never a range beyond its whole.
    #[test]
    fn content_ranges(bytes in "(bytes |[a-z]{0,6} )?[0-9*]{0,21}-?[0-9]{0,21}/?[0-9*]{0,21}", first in any::<u64>(), length in 1u64.., rest in any::<u64>()) {
        if let Ok(ContentRange::Part { range, complete }) = ContentRange::parse(bytes.as_bytes()) {
            prop_assert!(!range.is_empty() && complete.is_none_or(|complete| range.end <= complete), "{bytes}");
        }
        let Some(end) = first.checked_add(length) else { return Ok(()) };
        let complete = end.checked_add(rest);
        let size = complete.map_or_else(|| "*".to_owned(), |size| size.to_string());
        let read = ContentRange::parse(format!("bytes {first}-{}/{size}", end - 1).as_bytes());
        prop_assert_eq!(read, Ok(ContentRange::Part { range: first..end, complete }));
    }

    /// What is sent is what was judged: printing and parsing again changes nothing, and the HTTP client sees the same host.
    #[test]
    fn urls(text in url(), reference in url()) {
        let Ok(url) = Url::parse(&text) else { return Ok(()) };
        prop_assert_eq!(Url::parse(&url.to_string()), Ok(url.clone()));
        let uri = url.to_uri().unwrap();
        prop_assert_eq!(uri.host().map(str::to_owned), Some(url.origin().host.to_string()));
        if let Ok(joined) = url.join(&reference) {
            prop_assert_eq!(Url::parse(&joined.to_string()), Ok(joined));
        }
    }

    /// A credential never goes to another site, never to an address that is not the registry's own, and never without TLS unasked.
    #[test]
    fn realms(registry in url(), realm in url()) {
        let Ok(registry) = Url::parse(&registry) else { return Ok(()) };
        let origin = registry.origin();
        let Ok(Realm::Send(url)) = policy::realm(origin, &realm, true, &[]) else { return Ok(()) };
        if url.origin() != origin {
            prop_assert!(url.origin().scheme >= origin.scheme);
            let (Host::Name(a), Host::Name(b)) = (&url.origin().host, &origin.host) else { panic!("{url}") };
            let last = |name: &str| name.rsplit('.').take(2).map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(last(a), last(b));
        }
    }

    /// A destination that is allowed is a public name or address, written canonically.
    #[test]
    fn destinations(text in host()) {
        if let Ok(authority) = policy::destination(&text) {
            prop_assert_eq!(authority.host.to_string(), text.split(':').next().unwrap().to_ascii_lowercase());
            prop_assert!(authority.host.ip().is_none_or(|address| policy::address(address).is_ok()));
        }
    }
}
