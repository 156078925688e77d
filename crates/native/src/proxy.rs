//! Proxies between this machine and the others.

use crate::error;
use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use porthole_registry::{
    policy::{Host, is_localhost},
    transport::{Error, ErrorKind},
};
use std::{fmt, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Which proxies to use; none by default.
#[derive(Clone, Default)]
pub struct Proxies(Option<Arc<Matcher>>);

impl Proxies {
    /// The proxies that an environment names, by the rules of curl: `https_proxy`, `http_proxy`, `all_proxy` and
    /// `no_proxy`, in either case; `HTTP_PROXY` alone is not read, because a CGI server sets it from a request's header.
    ///
    /// This machine itself is never reached through a proxy.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| variable(name).or_else(|| variable(&name.to_ascii_uppercase())).unwrap_or_default();
        let (all, https, http) =
            (either("all_proxy"), either("https_proxy"), variable("http_proxy").unwrap_or_default());
        if [&all, &https, &http].into_iter().all(String::is_empty) {
            return Self(None);
        }
        let matcher = Matcher::builder().all(all).https(https).http(http).no(either("no_proxy")).build();
        Self(Some(Arc::new(matcher)))
    }

    /// The proxy on the way to this URL.
    pub(crate) fn between(&self, uri: &Uri) -> Result<Option<Proxy>, Error> {
        let local = match uri.host().map(Host::parse) {
            Some(Ok(Host::Name(name))) => is_localhost(&name),
            Some(Ok(host)) => host.is_loopback_literal(),
            _ => false,
        };
        match self.0.as_ref().filter(|_| !local).and_then(|matcher| matcher.intercept(uri)) {
            Some(intercept) => Proxy::new(&intercept).map(Some),
            None => Ok(None),
        }
    }
}

impl fmt::Debug for Proxies {
    /// Says only whether there are any: their URLs may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Proxies(***)" } else { "Proxies(none)" })
    }
}

/// An HTTP proxy.
pub(crate) struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    authorization: Option<HeaderValue>,
}

impl Proxy {
    fn new(intercept: &Intercept) -> Result<Self, Error> {
        let uri = intercept.uri();
        match (uri.scheme_str(), uri.host()) {
            (Some("http") | None, Some(host)) => Ok(Self {
                host: host.to_owned(),
                port: uri.port_u16().unwrap_or(80),
                authorization: intercept.basic_auth().cloned(),
            }),
            _ => {
                Err(error(ErrorKind::Connect, "expected the URL of an HTTP proxy, like http://proxy.example.com:3128"))
            }
        }
    }

    /// What a plain request through the proxy must carry.
    pub(crate) fn into_authorization(self) -> Option<HeaderValue> {
        self.authorization
    }

    /// Has the proxy connect to `host` (RFC 9110, section 9.3.6). What is sent afterwards arrives there.
    pub(crate) async fn open_tunnel(&self, tcp: &mut TcpStream, host: &str, port: u16) -> Result<(), Error> {
        let broken = |failure: std::io::Error| {
            error(ErrorKind::Connect, format!("the proxy {} ended the connection: {failure}", self.host))
        };
        let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
        if let Some(authorization) = &self.authorization {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        tcp.write_all(&request).await.map_err(broken)?;
        // Byte by byte: what follows the head belongs to the other end.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() == HEAD_BYTES {
                return Err(error(ErrorKind::Connect, format!("the proxy {} answers no HTTP", self.host)));
            }
            head.push(tcp.read_u8().await.map_err(broken)?);
        }
        match head.get(9..12) {
            Some([b'2', _, _]) => Ok(()),
            Some(b"407") => Err(error(ErrorKind::Connect, format!("the proxy {} wants other credentials", self.host))),
            status => {
                let status = String::from_utf8_lossy(status.unwrap_or_default()).into_owned();
                let message = format!("the proxy {} does not connect to {host} ({})", self.host, status.escape_debug());
                Err(error(ErrorKind::Connect, message))
            }
        }
    }
}

const HEAD_BYTES: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments() {
        let proxies = |pairs: &'static [(&str, &str)]| {
            Proxies::from_environment(|name| Some(pairs.iter().find(|(key, _)| *key == name)?.1.to_owned()))
        };
        let between = |proxies: &Proxies, url: &str| {
            let proxy = proxies.between(&url.parse().unwrap()).unwrap()?;
            Some(format!("{}:{} {}", proxy.host, proxy.port, proxy.authorization.is_some()))
        };
        assert_eq!(between(&proxies(&[]), "https://ghcr.io/"), None);
        assert_eq!(between(&proxies(&[("HTTP_PROXY", "http://p:1")]), "http://ghcr.io/"), None);
        let both = proxies(&[
            ("HTTPS_PROXY", "http://user:secret@p.example.com:3128"),
            ("http_proxy", "q.example.com:80"),
            ("NO_PROXY", "internal.example.com,10.0.0.0/8"),
        ]);
        assert_eq!(between(&both, "https://ghcr.io/").as_deref(), Some("p.example.com:3128 true"));
        assert_eq!(between(&both, "http://ghcr.io/").as_deref(), Some("q.example.com:80 false"));
        for url in [
            "https://a.internal.example.com/",
            "https://10.1.2.3/",
            "http://127.0.0.1:5000/",
            "https://localhost/",
            "http://[::1]/",
        ] {
            assert_eq!(between(&both, url), None, "{url}");
        }
        assert_eq!(format!("{both:?}"), "Proxies(***)");
        let socks = proxies(&[("all_proxy", "socks5://p.example.com")]);
        assert!(socks.between(&"https://ghcr.io/".parse().unwrap()).is_err());
    }
}
