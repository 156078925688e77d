//! Hosts and origins, in the one spelling that every URL parser reads alike.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A host: a DNS name in lower-case ASCII, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// `ghcr.io`; lower case, no trailing dot.
    Name(String),
    /// An IPv4 address, such as `127.0.0.1`.
    V4(Ipv4Addr),
    /// `::1`; printed in brackets.
    V6(Ipv6Addr),
}

impl Host {
    /// Reads a host as it stands in a URL: a name, a dotted IPv4 address or an IPv6 address in brackets.
    ///
    /// Letter case is folded and one trailing dot is dropped. Every other spelling that a URL parser would turn into something else is
    /// refused: percent-encoding, non-ASCII names, `127.1`, `0x7f.0.0.1`, `[0:0:0:0:0:0:0:1]`.
    ///
    /// # Errors
    /// [`Error`] names the rule that was broken.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(Error::Ipv6)?;
            let address: Ipv6Addr = inner.parse().map_err(|_| Error::Ipv6)?;
            let canonical = address.to_string() == inner.to_ascii_lowercase();
            return if canonical { Ok(Self::V6(address)) } else { Err(Error::Ipv6) };
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        if name.is_empty() {
            return Err(Error::Empty);
        }
        if name.len() > 253 {
            return Err(Error::TooLong);
        }
        if let Some(bad) = name.split('.').find(|label| !is_label(label)) {
            return Err(Error::Label(crate::quote::quote(bad)));
        }
        if ends_in_number(&name) {
            return name.parse().map(Self::V4).map_err(|_| Error::Ipv4);
        }
        Ok(Self::Name(name))
    }

    /// The address, if the host is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(address) => Some((*address).into()),
            Self::V6(address) => Some((*address).into()),
        }
    }

    /// Whether this is a literal of 127.0.0.0/8 or `::1`: the only hosts that are reached without TLS by default.
    pub fn is_loopback_literal(&self) -> bool {
        self.ip().is_some_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => address.fmt(f),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// A host and the port that was written beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Authority {
    /// The name or address, without the port.
    pub host: Host,
    /// Port, 1 to 65535.
    pub port: Option<u16>,
}

impl Authority {
    /// Reads `host[:port]`, without user information.
    ///
    /// # Errors
    /// [`Error`] names the rule that was broken.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (host, port) = match text.rfind(']') {
            Some(end) if text.starts_with('[') => {
                let (host, rest) = text.split_at(end + 1);
                let port = if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(Error::Ipv6)?) };
                (host, port)
            }
            _ => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
        };
        Ok(Self { host: Host::parse(host)?, port: port.map(parse_port).transpose()? })
    }
}

/// Scheme, host and port: what a credential belongs to. Ports that a scheme implies are filled in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// `http` or `https`; other schemes have no origin here.
    pub scheme: Scheme,
    /// The name or address, in lower case.
    pub host: Host,
    /// The port, also where it is the default of the scheme.
    pub port: u16,
}

impl Origin {
    /// The origin of a scheme and `host[:port]`.
    pub fn new(scheme: Scheme, authority: Authority) -> Self {
        let port = authority.port.unwrap_or_else(|| scheme.port());
        Self { scheme, host: authority.host, port }
    }

    /// Whether both have the same host and port, whatever their schemes. Default ports count as the same port: a server behind a TLS
    /// proxy does not know that it is reached by `https`.
    pub fn is_same_host(&self, other: &Self) -> bool {
        let port = |origin: &Self| (origin.port != origin.scheme.port()).then_some(origin.port);
        self.host == other.host && (self.port == other.port || port(self) == port(other))
    }

    /// `host[:port]`, the port only where the scheme does not imply it.
    pub fn authority(&self) -> String {
        if self.port == self.scheme.port() { self.host.to_string() } else { format!("{}:{}", self.host, self.port) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port == self.scheme.port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// The two schemes a registry can be reached by, the safer one last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// HTTP without TLS.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// As written in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port it implies.
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(inner)
        && !matches!(bytes.first(), Some(b'-'))
        && !matches!(bytes.last(), Some(b'-'))
}

/// Whether URL parsers would take the name for an IPv4 address (URL Standard, "ends in a number checker").
fn ends_in_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let hex = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hex || last.bytes().all(|byte| byte.is_ascii_digit())
}

fn parse_port(text: &str) -> Result<u16, Error> {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(Error::Port(crate::quote::quote(text))),
    }
}

/// Why text is not a host, or not a `host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text has no host.
    #[error("expected a host, got nothing")]
    Empty,
    /// Over 253 characters.
    #[error("expected a host of at most 253 characters")]
    TooLong,
    /// A dot at the end, where the canonical form is wanted.
    #[error("expected a host without a dot at its end")]
    TrailingDot,
    /// A part between dots is no DNS label.
    #[error("expected a host name of letters, digits and hyphens, got the part `{0}`")]
    Label(String),
    /// It ends in a number but is not four decimal numbers.
    #[error("expected an IPv4 address as four numbers from 0 to 255")]
    Ipv4,
    /// Not an IPv6 address in brackets, in its canonical spelling.
    #[error("expected an IPv6 address in brackets, in its shortest form")]
    Ipv6,
    /// What follows the `:` is not a port.
    #[error("expected a port from 1 to 65535, got `{0}`")]
    Port(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_for_each_host() {
        for (text, canonical) in [
            ("ghcr.io", "ghcr.io"),
            ("GHCR.io.", "ghcr.io"),
            ("localhost", "localhost"),
            ("my_bucket.s3.amazonaws.com", "my_bucket.s3.amazonaws.com"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[2A00:1450::1]", "[2a00:1450::1]"),
        ] {
            assert_eq!(Host::parse(text).map(|host| host.to_string()), Ok(canonical.to_owned()), "{text}");
        }
        for text in [
            "",
            ".",
            "..",
            "a..b",
            "-a.b",
            "a-.b",
            "a b",
            "a\tb",
            "%31",
            "é.fr",
            "a@b",
            "a/b",
            "a\\b",
            "1",
            "127.1",
            "0x7f.1",
            "0177.0.0.1",
            "127.0.0.01",
            "999.999.999.999",
            "1.2.3.4.5",
            "a.1",
            "[::1",
            "::1",
            "[::1]x",
            "[v1.x]",
            "[fe80::1%25eth0]",
            "[0:0:0:0:0:0:0:1]",
            "[:::::]",
        ] {
            assert!(Host::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ports() {
        assert_eq!(Authority::parse("[::1]:5000").map(|a| a.port), Ok(Some(5000)));
        assert_eq!(Authority::parse("a.b").map(|a| a.port), Ok(None));
        for text in ["a.b:", "a.b:0", "a.b:99999", "a.b:-1", "a.b:+1", "a.b:1:2", "[::1]:", "[::1]5000", "u@a.b"] {
            assert!(Authority::parse(text).is_err(), "{text}");
        }
    }
}
