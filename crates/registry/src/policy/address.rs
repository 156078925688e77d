//! Addresses and authorities that a relay without an allow-list reaches for any client.

use super::host::{Authority, Error as HostError, Host};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Judges an address, literal or resolved: only global unicast addresses are allowed.
///
/// Refused are the ranges of the IANA special-purpose address registries, and with them every range that carries an IPv4 address inside
/// (mapped, compatible, NAT64, 6to4, Teredo).
///
/// # Errors
/// [`Denied::Address`].
pub fn address(address: IpAddr) -> Result<(), Denied> {
    let special = match address {
        IpAddr::V4(address) => is_special_v4(address),
        IpAddr::V6(address) => is_special_v6(address),
    };
    if special { Err(Denied::Address(address)) } else { Ok(()) }
}

/// Judges `host[:port]` by its text. A name that passes must be resolved, every answer judged by [`address`], and the connection made to
/// the judged address.
///
/// # Errors
/// [`Denied`]: not canonical, a local name, a special address, or a port where no registry is expected.
pub fn destination(authority: &str) -> Result<Authority, Denied> {
    let parsed = Authority::parse(authority)?;
    if authority.ends_with('.') || authority.contains(".:") {
        return Err(HostError::TrailingDot.into());
    }
    match &parsed.host {
        Host::Name(name) if is_local_name(name) => return Err(Denied::LocalName(name.clone())),
        Host::Name(_) => {}
        Host::V4(v4) => address((*v4).into())?,
        Host::V6(v6) => address((*v6).into())?,
    }
    match parsed.port {
        Some(port) if !PORTS.contains(&port) => Err(Denied::Port(port)),
        _ => Ok(parsed),
    }
}

/// Whether a name never leads to the public internet: one label, or a domain reserved for local use, tests or examples.
pub fn is_local_name(name: &str) -> bool {
    let Some((_, last)) = name.rsplit_once('.') else { return true };
    LOCAL_DOMAINS.contains(&last) || name.ends_with(".home.arpa")
}

/// Whether a name means this machine (RFC 6761 section 6.3, and what hosts files add).
pub fn is_localhost(name: &str) -> bool {
    matches!(name, "localhost" | "localhost.localdomain" | "ip6-localhost" | "ip6-loopback")
        || name.ends_with(".localhost")
}

fn is_special_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    match a {
        0 | 10 | 127 | 224.. => true,
        100 => (64..=127).contains(&b),
        168 => address == AZURE_WIRE_SERVER,
        169 => b == 254,
        172 => (16..=31).contains(&b),
        192 => b == 168 || matches!((b, c), (0, 0 | 2) | (31, 196) | (52, 193) | (88, 99) | (175, 48)),
        198 => matches!(b, 18 | 19) || (b, c) == (51, 100),
        203 => (b, c) == (0, 113),
        _ => false,
    }
}

fn is_special_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, ..] = address.segments();
    match a {
        // Unspecified, loopback, IPv4-mapped, -compatible and -translated.
        0 => true,
        // NAT64 (RFC 6052) and its local-use prefix (RFC 8215).
        0x64 => b == 0xff9b && (c <= 1),
        // Discard-only and dummy prefixes (RFC 6666, RFC 9780).
        0x100 => b == 0 && c == 0,
        // IETF protocol assignments: Teredo, ORCHID, benchmarking; documentation.
        0x2001 => b < 0x200 || b == 0xdb8,
        // 6to4.
        0x2002 => true,
        // AS112 (RFC 7534).
        0x2620 => b == 0x4f && c == 0x8000,
        // Documentation (RFC 9637), segment routing (RFC 9602).
        0x3fff => b < 0x1000,
        0x5f00 => true,
        // Unique local, link-local, the former site-local, multicast.
        _ => a & 0xfe00 == 0xfc00 || a & 0xff80 == 0xfe80 || a & 0xff00 == 0xff00,
    }
}

/// Why a destination is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// Not a `host[:port]` in its canonical form.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A name without public meaning.
    #[error("expected a public host, got the local name `{0}`")]
    LocalName(String),
    /// An address that is not global unicast.
    #[error("expected a public address, got `{0}`")]
    Address(IpAddr),
    /// A port where no registry is expected.
    #[error("expected a registry's port (443, 5000 …), got {0}")]
    Port(u16),
}

/// Ports on which registries are found: TLS, the reference implementation's, and those that GitLab, Nexus and proxies use.
const PORTS: [u16; 8] = [443, 5000, 5001, 5005, 5050, 5443, 8443, 9443];

/// Special-use top-level domains (RFC 6761, RFC 6762, RFC 7686, RFC 9476, ICANN's `internal`), and the private ones of networks and
/// clusters.
#[rustfmt::skip]
const LOCAL_DOMAINS: [&str; 19] = [
    "alt", "arpa", "cluster", "consul", "corp", "example", "home", "internal", "intranet", "invalid", "lan", "local", "localdomain",
    "localhost", "mail", "onion", "private", "svc", "test",
];

/// Serves secrets to the virtual machines of a cloud, from an address that looks public.
const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
