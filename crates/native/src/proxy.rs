//! HTTP and SOCKS proxies.

use crate::{error, stream::Stream};
use http::{HeaderValue, Uri};
use hyper::rt::{Read, Write};
use hyper_util::{
    client::{
        legacy::connect::proxy::{SocksV4, SocksV5},
        proxy::matcher::{Intercept, Matcher},
    },
    rt::TokioIo,
};
use porthole_registry::{
    policy::{Authority, Host, is_localhost},
    transport::{Error, ErrorKind},
};
use std::{
    fmt,
    future::{Ready, ready},
    io,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower_service::Service;

/// Which proxies to use; none by default.
#[derive(Clone, Default)]
pub struct Proxies(Option<Arc<Rules>>);

struct Rules {
    matcher: Matcher,
    /// Entries of `no_proxy` with a port.
    direct: Vec<Authority>,
    /// For `http` and `https`, the variable whose value is not the URL of a proxy.
    unusable: [Option<&'static str>; 2],
}

impl Proxies {
    /// The proxies that an environment names, by the rules of curl: `https_proxy`, `http_proxy`, `all_proxy` and
    /// `no_proxy`, in either case; `HTTP_PROXY` alone is not read, because a CGI server sets it from a request's header.
    /// Proxies speak HTTP (`http`, `https`) or SOCKS (`socks4`, `socks4a`, `socks5`, `socks5h`). An entry of `no_proxy`
    /// is `*`, a domain with everything below it (`example.com`, `.example.com`, `*.example.com`), an address or a
    /// network. All but a network may have a port, and are for that port alone then.
    ///
    /// This machine itself is never reached through a proxy.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            let value = |name: &str| variable(name).filter(|value| !value.is_empty());
            value(name).or_else(|| value(&name.to_ascii_uppercase())).unwrap_or_default()
        };
        let (all, https, http) =
            (either("all_proxy"), either("https_proxy"), variable("http_proxy").unwrap_or_default());
        if [&all, &https, &http].into_iter().all(String::is_empty) {
            return Self(None);
        }
        let unusable = |name: &'static str, own: &str| {
            let (name, value) = if own.is_empty() { ("all_proxy", all.as_str()) } else { (name, own) };
            (!value.is_empty() && !is_proxy(value)).then_some(name)
        };
        let unusable = [unusable("http_proxy", &http), unusable("https_proxy", &https)];
        let mut direct = Vec::new();
        let mut no = Vec::new();
        for entry in either("no_proxy").split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()) {
            let domain = entry.strip_prefix("*.").or_else(|| entry.strip_prefix('.')).unwrap_or(entry);
            match Authority::parse(domain) {
                Ok(authority) if authority.port.is_some() => direct.push(authority),
                _ => no.push(domain.to_owned()),
            }
        }
        let matcher = Matcher::builder().all(all).https(https).http(http).no(no.join(",")).build();
        Self(Some(Arc::new(Rules { matcher, direct, unusable })))
    }

    /// The proxy on the way to this URL.
    pub(crate) fn between(&self, uri: &Uri) -> Result<Option<Proxy>, Error> {
        let Some(rules) = &self.0 else { return Ok(None) };
        let secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        if let Some(Ok(host)) = uri.host().map(Host::parse) {
            let local = match &host {
                Host::Name(name) => is_localhost(name),
                literal => literal.is_loopback_literal(),
            };
            if local || rules.direct.iter().any(|direct| direct.port == Some(port) && is_within(&host, &direct.host)) {
                return Ok(None);
            }
        }
        if let Some(variable) = rules.unusable[usize::from(secure)] {
            let message = format!("expected the URL of an HTTP proxy or a SOCKS proxy in {variable}");
            return Err(error(ErrorKind::Proxy, message));
        }
        rules.matcher.intercept(uri).map(|intercept| Proxy::new(&intercept)).transpose()
    }
}

/// Whether a value names a proxy that can be used.
fn is_proxy(value: &str) -> bool {
    value
        .parse::<Uri>()
        .is_ok_and(|uri| uri.authority().is_some() && uri.scheme_str().is_none_or(|scheme| Kind::of(scheme).is_some()))
}

/// Whether `host` is `direct`, or a name below it.
fn is_within(host: &Host, direct: &Host) -> bool {
    match (host, direct) {
        (Host::Name(name), Host::Name(domain)) => {
            name.strip_suffix(domain.as_str()).is_some_and(|above| above.is_empty() || above.ends_with('.'))
        }
        _ => host == direct,
    }
}

impl fmt::Debug for Proxies {
    /// Says only whether there are any: their URLs may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Proxies(***)" } else { "Proxies(none)" })
    }
}

/// The protocol of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Http,
    Https,
    Socks4,
    /// `socks5` and `socks5h`: the proxy resolves the host's name, so that no look-up leaves this machine.
    Socks5,
}

impl Kind {
    fn of(scheme: &str) -> Option<Self> {
        match scheme {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            "socks4" | "socks4a" => Some(Self::Socks4),
            "socks5" | "socks5h" => Some(Self::Socks5),
            _ => None,
        }
    }
}

/// A proxy. It is displayed as errors name it: without user and password.
pub(crate) struct Proxy {
    pub(crate) host: String,
    pub(crate) port: u16,
    kind: Kind,
    authorization: Option<HeaderValue>,
    /// User and password of a SOCKS proxy.
    login: Option<(String, String)>,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Http => "",
            Kind::Https => "HTTPS ",
            Kind::Socks4 | Kind::Socks5 => "SOCKS ",
        };
        write!(f, "the {kind}proxy {}:{}", self.host, self.port)
    }
}

impl Proxy {
    fn new(intercept: &Intercept) -> Result<Self, Error> {
        let uri = intercept.uri();
        let (Some(kind), Some(host)) = (Kind::of(uri.scheme_str().unwrap_or("http")), uri.host()) else {
            return Err(error(ErrorKind::Proxy, "expected the URL of an HTTP proxy or a SOCKS proxy"));
        };
        let port = match kind {
            Kind::Http => 80,
            Kind::Https => 443,
            Kind::Socks4 | Kind::Socks5 => 1080,
        };
        Ok(Self {
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(port),
            kind,
            authorization: intercept.basic_auth().cloned(),
            login: intercept.raw_auth().map(|(user, password)| (user.to_owned(), password.to_owned())),
        })
    }

    /// Value of `Proxy-Authorization` for a request without TLS through the proxy.
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Whether the proxy itself is reached through TLS.
    pub(crate) fn has_tls(&self) -> bool {
        self.kind == Kind::Https
    }

    /// Whether the proxy takes requests with whole `http` URLs. A SOCKS proxy only connects.
    pub(crate) fn takes_whole_urls(&self) -> bool {
        matches!(self.kind, Kind::Http | Kind::Https)
    }

    /// Asks the proxy to connect to `host`. Returns the stream to that host.
    pub(crate) async fn open_tunnel(&self, mut stream: Stream, host: &str, port: u16) -> Result<Stream, Error> {
        if self.takes_whole_urls() {
            self.ask_for_tunnel(&mut stream, host, port).await?;
            return Ok(stream);
        }
        let failed =
            |reason: &dyn fmt::Debug| error(ErrorKind::Proxy, format!("{self} does not connect to {host}: {reason:?}"));
        let uri = |scheme: &str, host: &str, port: u16| format!("{scheme}://{host}:{port}/").parse::<Uri>();
        let (Ok(proxy), Ok(to)) = (uri("socks", &self.host, self.port), uri("tcp", host, port)) else {
            return Err(failed(&"expected a host"));
        };
        let connected = Connected(Some(TokioIo::new(stream)));
        let tunnel = if self.kind == Kind::Socks4 {
            SocksV4::new(proxy, connected).call(to).await.map_err(|failure| failed(&failure))?
        } else {
            let mut socks = SocksV5::new(proxy, connected);
            if let Some((user, password)) = &self.login {
                socks = socks.with_auth(user.clone(), password.clone());
            }
            socks.call(to).await.map_err(|failure| failed(&failure))?
        };
        Ok(tunnel.into_inner())
    }

    /// `CONNECT` (RFC 9110, section 9.3.6).
    async fn ask_for_tunnel(&self, stream: &mut Stream, host: &str, port: u16) -> Result<(), Error> {
        let broken = |failure: io::Error| error(ErrorKind::Proxy, format!("{self} ended the connection: {failure}"));
        let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
        if let Some(authorization) = &self.authorization {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        stream.write_all(&request).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        // Byte by byte: the bytes after the head come from the host behind the proxy.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() == HEAD_BYTES {
                return Err(error(ErrorKind::Proxy, format!("{self} does not answer in HTTP")));
            }
            head.push(stream.read_u8().await.map_err(broken)?);
        }
        match head.get(9..12) {
            Some([b'2', _, _]) => Ok(()),
            Some(b"407") => Err(error(ErrorKind::Proxy, format!("{self} wants other credentials"))),
            status => {
                let status = String::from_utf8_lossy(status.unwrap_or_default()).into_owned();
                let message = format!("{self} does not connect to {host} ({})", status.escape_debug());
                Err(error(ErrorKind::Proxy, message))
            }
        }
    }
}

/// A connection that is open already, for a library that would open its own.
struct Connected<S>(Option<TokioIo<S>>);

impl<S> Service<Uri> for Connected<S>
where
    TokioIo<S>: Read + Write + Unpin,
{
    type Response = TokioIo<S>;
    type Error = Gone;
    type Future = Ready<Result<TokioIo<S>, Gone>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.0.take().ok_or(Gone))
    }
}

/// The connection was taken before.
#[derive(Debug)]
struct Gone;

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
        let socks = proxies(&[("all_proxy", "socks5://user:secret@p.example.com")]);
        assert_eq!(between(&socks, "https://ghcr.io/").as_deref(), Some("p.example.com:1080 false"));
        let named = socks.between(&"https://ghcr.io/".parse().unwrap()).unwrap().unwrap().to_string();
        assert_eq!(named, "the SOCKS proxy p.example.com:1080");
        let secure = proxies(&[("https_proxy", "https://p.example.com")]);
        assert_eq!(between(&secure, "https://ghcr.io/").as_deref(), Some("p.example.com:443 false"));
        for value in ["ftp://p.example.com", "http://", "http://a b"] {
            let broken = Proxies::from_environment(|name| (name == "https_proxy").then(|| value.to_owned()));
            let error = broken.between(&"https://ghcr.io/".parse().unwrap()).err().unwrap();
            assert!(error.message.contains("https_proxy") && !error.message.contains("p.example"), "{error}");
            assert!(broken.between(&"http://ghcr.io/".parse().unwrap()).unwrap().is_none(), "only for https");
        }
    }

    #[test]
    fn no_proxy_with_ports_and_stars() {
        for (no, url, direct) in [
            ("registry.example.com:443", "https://registry.example.com/", true),
            ("registry.example.com:443", "https://registry.example.com:5000/", false),
            ("example.com:443", "https://registry.example.com/", true),
            ("example.com:80", "http://registry.example.com/", true),
            ("192.0.2.1:5000", "https://192.0.2.1:5000/", true),
            ("192.0.2.1:5000", "https://192.0.2.1/", false),
            ("[2001:db8::1]:5000", "https://[2001:db8::1]:5000/", true),
            ("*.example.com", "https://registry.example.com/", true),
            ("*.example.com:5000", "https://registry.example.com:5000/", true),
            (".example.com", "https://registry.example.com/", true),
            ("example.com", "https://notexample.com/", false),
            ("ample.com:443", "https://example.com/", false),
            ("a.example, 192.0.2.0/24", "https://192.0.2.9/", true),
            ("*", "https://registry.example.com/", true),
            ("", "https://registry.example.com/", false),
        ] {
            let proxies = Proxies::from_environment(|name| match name {
                "all_proxy" => Some("http://p.example.net:3128".to_owned()),
                "NO_PROXY" => Some(no.to_owned()),
                _ => None,
            });
            let proxy = proxies.between(&url.parse().unwrap()).unwrap();
            assert_eq!(proxy.is_none(), direct, "{no} {url}");
        }
    }
}
