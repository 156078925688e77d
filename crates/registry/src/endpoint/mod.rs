//! The endpoints of the distribution API: for each, pure functions that build a request and read an answer.

pub mod blob;
pub mod catalog;
pub mod delete;
pub mod manifest;
pub mod mount;
pub mod problem;
pub mod quota;
pub mod referrers;
pub mod tags;
pub mod upload;

use crate::policy::{Authority, HostError, Origin, Scheme, Url, UrlError};

/// Where the API of one registry is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    url: Url,
    /// The registry that a relay is to ask; `None` without a relay (OCI distribution specification, "Registry
    /// Proxying").
    ns: Option<String>,
}

impl Base {
    /// The registry itself at `host[:port]`: over TLS, except for a loopback literal or if `plain_http` says so.
    ///
    /// # Errors
    /// A host that a reference may name but no URL can: `999.999.999.999`, `localhost:99999`, `[:::::]`.
    pub fn direct(host: &str, plain_http: bool) -> Result<Self, HostError> {
        let authority = Authority::parse(host)?;
        let plain = plain_http || authority.host.is_loopback_literal();
        let scheme = if plain { Scheme::Http } else { Scheme::Https };
        Ok(Self { url: Url::from_parts(Origin::new(scheme, authority), "/"), ns: None })
    }

    /// The registry itself at `host[:port]`, reached by this scheme whatever its host is.
    ///
    /// # Errors
    /// As [`direct`](Self::direct).
    pub fn with_scheme(host: &str, scheme: Scheme) -> Result<Self, HostError> {
        Ok(Self { url: Url::from_parts(Origin::new(scheme, Authority::parse(host)?), "/"), ns: None })
    }

    /// A relay at a base URL, for one logical registry.
    ///
    /// # Errors
    /// The base is no `http` or `https` URL.
    pub fn relay(base: &str, registry: &str) -> Result<Self, UrlError> {
        let url = Url::parse(base)?;
        let (path, _) = url.split_target();
        let path = format!("{}/", path.trim_end_matches('/'));
        Ok(Self { url: Url::from_parts(url.origin().clone(), &path), ns: Some(registry.to_owned()) })
    }

    /// Scheme, host and port that requests go to.
    pub fn origin(&self) -> &Origin {
        self.url.origin()
    }

    /// Whether requests go through a relay.
    pub fn is_relay(&self) -> bool {
        self.ns.is_some()
    }

    /// `{base}/v2/{path}`, and the registry in `ns` through a relay.
    pub fn api(&self, path: &str) -> Url {
        self.below("v2/", path)
    }

    /// Where a relay issues tokens; `None` without a relay.
    pub fn token(&self) -> Option<Url> {
        self.is_relay().then(|| self.below("token", ""))
    }

    fn below(&self, prefix: &str, path: &str) -> Url {
        let (base, _) = self.url.split_target();
        let url = Url::from_parts(self.url.origin().clone(), &format!("{base}{prefix}{path}"));
        url.with_query(self.ns.as_deref().map(|ns| ("ns", ns)))
    }
}

/// Adds the query of a link to the URL of a list. A `ns` in it is dropped, so that a relay still asks the same
/// registry.
fn page(url: &Url, query: &str) -> Result<Url, UrlError> {
    let pairs: Vec<&str> =
        query.split('&').filter(|pair| !pair.is_empty() && *pair != "ns" && !pair.starts_with("ns=")).collect();
    if pairs.is_empty() {
        return Ok(url.clone());
    }
    let separator = if url.split_target().1.is_some() { "&" } else { "?" };
    Url::parse(&format!("{url}{separator}{}", pairs.join("&")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases() {
        let direct = |host, plain| Base::direct(host, plain).map(|base| base.api("a/manifests/1").to_string());
        assert_eq!(direct("ghcr.io", false), Ok("https://ghcr.io/v2/a/manifests/1".into()));
        assert_eq!(direct("GHCR.io:5000", true), Ok("http://ghcr.io:5000/v2/a/manifests/1".into()));
        assert_eq!(direct("127.0.0.1:5000", false), Ok("http://127.0.0.1:5000/v2/a/manifests/1".into()));
        assert_eq!(direct("[::1]:5000", false), Ok("http://[::1]:5000/v2/a/manifests/1".into()));
        assert_eq!(direct("localhost:5000", false), Ok("https://localhost:5000/v2/a/manifests/1".into()));
        for host in [
            "999.999.999.999",
            "localhost:99999",
            "[:::::]",
            "256.1.1.1:80",
            "a:0",
            "[::1]:99999",
            "1.2.3.4.5",
            "0x7f.1",
        ] {
            assert!(direct(host, false).is_err(), "{host}");
        }
        let relay = Base::relay("http://127.0.0.1:8090/", "quay.io").unwrap();
        assert_eq!(relay.api("a/b/tags/list").to_string(), "http://127.0.0.1:8090/v2/a/b/tags/list?ns=quay.io");
        assert_eq!(relay.token().map(|url| url.to_string()), Some("http://127.0.0.1:8090/token?ns=quay.io".into()));
        let relay = Base::relay("https://example.com/relay", "[::1]:5000").unwrap();
        assert_eq!(relay.api("a/blobs/x").to_string(), "https://example.com/relay/v2/a/blobs/x?ns=%5B::1%5D:5000");
    }
}
