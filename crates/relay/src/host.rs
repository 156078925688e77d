//! Which names this relay answers to.
//!
//! A page whose own host name suddenly resolves to this machine (DNS rebinding) would be of the same origin as the
//! relay. Its `Host` gives it away: here it must be an address, or the name in `--public-url`.

use http::{HeaderMap, header, uri::Authority};
use std::net::{IpAddr, SocketAddr};

/// Whether a request with these headers, that arrived at `local`, means this relay.
pub(crate) fn check<'h>(headers: &'h HeaderMap, local: SocketAddr, public: Option<&str>) -> Option<&'h str> {
    let mut values = headers.get_all(header::HOST).iter();
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
    if value.bytes().any(|b| b.is_ascii_uppercase() || b == b'@' || b == b'"') {
        return None;
    }
    if public == Some(value) {
        return Some(value);
    }
    let authority: Authority = value.parse().ok()?;
    let host = authority.host();
    // The parser takes any text for a port.
    let port = value.strip_prefix(host)?;
    let number = |port: &str| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(number) {
        return None;
    }
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let known = match literal.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback() || ip == local.ip().to_canonical(),
        Err(_) => host == "localhost",
    };
    known.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn names_and_addresses() {
        let rows = [
            ("127.0.0.1:8090", true),
            ("127.0.0.1", true),
            ("127.9.9.9:1", true),
            ("[::1]:8090", true),
            ("localhost:8090", true),
            ("192.168.1.5:8090", true),
            ("relay.example.com", true),
            ("relay.example.com:8090", false),
            ("relay.example.com.", false),
            ("RELAY.example.com", false),
            ("LOCALHOST:8090", false),
            ("localhost.", false),
            ("foo.localhost:8090", false),
            ("192.168.1.6:8090", false),
            ("10.0.0.1", false),
            ("0.0.0.0:8090", false),
            ("evil.example", false),
            ("127.0.0.1.nip.io:8090", false),
            ("127.1:8090", false),
            ("2130706433:8090", false),
            ("[::ffff:127.0.0.1]:8090", false),
            ("[::]:8090", false),
            ("user@127.0.0.1:8090", false),
            ("127.0.0.1:8090, evil.example", false),
            ("127.0.0.1:8090/x", false),
            ("localhost:abc", false),
            ("localhost:", false),
            ("localhost:99999", false),
            ("127.0.0.1:+80", false),
            ("", false),
        ];
        let local = "192.168.1.5:8090".parse().unwrap();
        for (host, expected) in rows {
            let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static(host))]);
            assert_eq!(check(&headers, local, Some("relay.example.com")).is_some(), expected, "{host:?}");
        }
        assert!(check(&HeaderMap::new(), local, None).is_none());
        let mut twice = HeaderMap::new();
        twice.append(header::HOST, HeaderValue::from_static("localhost"));
        twice.append(header::HOST, HeaderValue::from_static("localhost"));
        assert!(check(&twice, local, None).is_none());
    }
}
