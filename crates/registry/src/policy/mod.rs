//! One policy for every URL that a server names, and for every host that a client of a relay asks for. Pure functions:
//! text and addresses in, verdicts out.
//!
//! - [`realm`]: may a token be asked for there, and may a credential go along?
//! - [`hop`]: may a redirect be followed there?
//! - [`upload`]: may the bytes of an upload go there, and may a credential go along?
//! - [`destination`] and [`address`]: may a relay connect there for any client?

mod address;
mod host;
mod suffix;
mod url;

pub use address::{Denied, address, destination, is_local_name, is_localhost};
pub use host::{Authority, Error as HostError, Host, Origin, Scheme};
pub use url::{Error as UrlError, Url, redact};

/// What may be done with the `realm` of a Bearer challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Realm {
    /// Ask there, with the stored credential.
    Send(Url),
    /// Ask there; there is no credential to send.
    Anonymous(Url),
    /// Ask there without the stored credential: it is another site, and the user has not named it as trusted.
    Untrusted(Url),
}

/// Judges a realm. `credential` says whether one is stored; `trusted` lists the `host[:port]`s to which the user lets
/// it be sent.
///
/// A realm of the registry's own origin or registrable domain (Public Suffix List, private part included) gets the credential. Any other
/// public name is asked anonymously. An address, a local name or a step down from TLS is refused, unless it is the registry's own host
/// and port.
///
/// # Errors
/// [`RefusedUrl`]: no request may be made at all.
pub fn realm(registry: &Origin, realm: &str, credential: bool, trusted: &[String]) -> Result<Realm, RefusedUrl> {
    let url = Url::parse(realm)?;
    let origin = url.origin();
    if registry.scheme == Scheme::Https && origin.scheme == Scheme::Http {
        return Err(downgrade(registry, origin));
    }
    let listed = is_listed(origin, trusted);
    if origin != registry && !listed {
        match &origin.host {
            Host::Name(name) if is_local_name(name) && !same_site(&registry.host, &origin.host) => {
                return Err(RefusedUrl::Local(origin.authority()));
            }
            Host::Name(name) if is_localhost(name) || !name.contains('.') => {
                return Err(RefusedUrl::Local(origin.authority()));
            }
            Host::Name(_) => {}
            Host::V4(_) | Host::V6(_) => return Err(RefusedUrl::Local(origin.authority())),
        }
    }
    Ok(if !credential {
        Realm::Anonymous(url)
    } else if listed || origin == registry || same_site(&registry.host, &origin.host) {
        Realm::Send(url)
    } else {
        Realm::Untrusted(url)
    })
}

/// Judges one step from a URL to the next: a redirect.
///
/// Another port or host is allowed on the public internet; credentials must not be sent there (compare
/// [`Url::origin`]). A public host may not lead into a private network, nor a private one to this machine, nor `https`
/// to `http`.
///
/// # Errors
/// [`RefusedUrl`].
pub fn hop(from: &Url, location: &str) -> Result<Url, RefusedUrl> {
    let to = from.join(location)?;
    let (a, b) = (from.origin(), to.origin());
    if a.scheme == Scheme::Https && b.scheme == Scheme::Http {
        return Err(downgrade(a, b));
    }
    if a.host != b.host && reach(&b.host) > reach(&a.host) {
        return Err(RefusedUrl::Local(b.authority()));
    }
    Ok(to)
}

fn downgrade(from: &Origin, to: &Origin) -> RefusedUrl {
    if from.is_same_host(to) { RefusedUrl::SameHost(to.to_string()) } else { RefusedUrl::Downgrade }
}

/// A place that the bytes of an upload may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadPlace {
    /// Where the next request of the upload goes.
    pub url: Url,
    /// Whether it has the registry's own origin: only then may `Authorization` go along.
    pub ours: bool,
}

/// Judges the `Location` of an upload session that `from` answered, for a registry at `origin`. It may be absolute or relative, carry a
/// query, and name its host without a scheme.
///
/// What [`hop`] refuses is refused here; another origin than the registry's must have TLS as well.
///
/// # Errors
/// [`RefusedUrl`].
pub fn upload(origin: &Origin, from: &Url, location: &str) -> Result<UploadPlace, RefusedUrl> {
    let bare = location.split(['/', '?']).next().unwrap_or_default();
    // `host/v2/…` would be a relative path to RFC 3986; some registries mean their own host by it.
    let own_host = Authority::parse(bare).is_ok_and(|authority| {
        bare.contains(['.', ':']) && Origin::new(from.origin().scheme, authority) == *from.origin()
    });
    let slashes = if own_host { "//" } else { "" };
    let url = hop(from, &format!("{slashes}{location}"))?;
    let ours = url.origin() == origin;
    if !ours && url.origin().scheme != Scheme::Https {
        return Err(RefusedUrl::OtherOrigin(url.origin().to_string()));
    }
    Ok(UploadPlace { url, ours })
}

/// Whether `host[:port]` of an origin is in a list that a user wrote. An entry without a port means every port.
pub fn is_listed(origin: &Origin, list: &[String]) -> bool {
    list.iter()
        .filter_map(|entry| Authority::parse(entry).ok())
        .any(|entry| entry.host == origin.host && entry.port.is_none_or(|port| port == origin.port))
}

fn same_site(a: &Host, b: &Host) -> bool {
    match (a, b) {
        (Host::Name(a), Host::Name(b)) => match (suffix::registrable(a), suffix::registrable(b)) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        },
        _ => false,
    }
}

/// The network in which a host lies, the most private last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Public,
    Private,
    ThisMachine,
}

fn reach(host: &Host) -> Reach {
    match host {
        Host::Name(name) if is_localhost(name) => Reach::ThisMachine,
        Host::Name(name) if is_local_name(name) => Reach::Private,
        Host::Name(_) => Reach::Public,
        Host::V4(_) | Host::V6(_) if host.is_loopback_literal() => Reach::ThisMachine,
        Host::V4(v4) if v4.is_unspecified() || v4.is_link_local() => Reach::ThisMachine,
        Host::V4(v4) => address((*v4).into()).map_or(Reach::Private, |()| Reach::Public),
        Host::V6(v6) if v6.segments()[0] == 0 => Reach::ThisMachine,
        Host::V6(v6) => address((*v6).into()).map_or(Reach::Private, |()| Reach::Public),
    }
}

/// Why no request is made to a URL that a server named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedUrl {
    /// It is not a URL that this client reads.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// From `https` to `http`.
    #[error("it leads from https to http")]
    Downgrade,
    /// From `https` to `http` on the same host: a server behind a TLS proxy does not know that it is reached by `https`.
    #[error("it leads from https to http on the same host: `{0}`")]
    SameHost(String),
    /// An address or a local name.
    #[error("it leads to an address or a local name that is not the registry's own: `{0}`")]
    Local(String),
    /// Another scheme, host or port than the one that named it, where it must be the same.
    #[error("it leads to another origin: `{0}`")]
    OtherOrigin(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    /// The realm vectors, row by row.
    #[test]
    fn realm_vectors() {
        let mut rows = 0;
        for line in include_str!("../../tests/realm.tsv").lines().skip(2) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [registry, text, credential, expected, why] = fields[..] else { panic!("{line}") };
            let registry = Url::parse(registry).unwrap();
            let got = match realm(registry.origin(), text, credential == "yes", &[]) {
                Ok(Realm::Send(_)) => "SEND",
                Ok(Realm::Anonymous(_)) => "SEND-ANON",
                Ok(Realm::Untrusted(_)) => "ANON-OR-ASK",
                Err(_) => "REJECT",
            };
            assert_eq!(got, expected, "{text}: {why}");
            rows += 1;
        }
        assert_eq!(rows, 32);
    }

    #[test]
    fn realms_beyond_the_vectors() {
        let verdict = |registry: &str, text: &str, trusted: &[&str]| {
            let trusted: Vec<String> = trusted.iter().map(|entry| (*entry).to_owned()).collect();
            match realm(Url::parse(registry).unwrap().origin(), text, true, &trusted) {
                Ok(Realm::Send(_)) => "send",
                Ok(Realm::Anonymous(_)) => "anonymous",
                Ok(Realm::Untrusted(_)) => "untrusted",
                Err(_) => "refused",
            }
        };
        for (registry, text, trusted, expected) in [
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000/token", &[][..], "send"),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", &[], "refused"),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", &["127.0.0.1:5001"], "send"),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", &["127.0.0.1:5002"], "refused"),
            ("https://registry", "https://registry/token", &[], "send"),
            ("https://registry.corp.internal", "https://auth.corp.internal/token", &[], "send"),
            ("https://a.example.com", "https://evil.example.net/token", &["evil.example.net"], "send"),
            ("https://a.example.com", "http://b.example.com/token", &["b.example.com"], "refused"),
            ("https://a.example.com", "https://8.8.8.8/token", &[], "refused"),
            ("https://a.co.uk", "https://b.co.uk/token", &[], "untrusted"),
            ("https://a.github.io", "https://b.github.io/token", &[], "untrusted"),
            ("https://r.example.co.uk", "https://auth.example.co.uk/token", &[], "send"),
            ("https://r.example.com", "https://user:pw@auth.example.com/token", &[], "refused"),
            ("https://r.example.com", "https://auth%2eexample.com/token", &[], "refused"),
            ("https://localhost:5000", "https://localhost:5001/token", &[], "refused"),
        ] {
            assert_eq!(verdict(registry, text, trusted), expected, "{registry} {text}");
        }
    }

    /// The destination vectors, row by row. Rows that describe a DNS answer are judged by that answer.
    #[test]
    fn destination_vectors() {
        let mut rows = 0;
        for line in include_str!("../../tests/destinations.tsv").lines().skip(2) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [text, expected, why] = fields[..] else { panic!("{line}") };
            let text = text.replace("\\t", "\t").replace("\\n", "\n");
            let answers: &[&str] = match text.as_str() {
                "127.0.0.1.nip.io" => &["127.0.0.1"],
                "multi.example (A 1.1.1.1 + A 10.0.0.1)" => &["1.1.1.1", "10.0.0.1"],
                _ => &[],
            };
            let name = text.split(" (").next().unwrap_or(&text);
            let resolved = answers.iter().map(|answer| answer.parse::<IpAddr>().unwrap());
            let allowed = destination(name).is_ok() && resolved.map(address).all(|verdict| verdict.is_ok());
            assert_eq!(if allowed { "ALLOW" } else { "DENY" }, expected, "{text}: {why}");
            rows += 1;
        }
        assert_eq!(rows, 67);
    }

    #[test]
    fn destinations_beyond_the_vectors() {
        for text in [
            "example.com.",
            "example.com.:443",
            "168.63.129.16",
            "192.31.196.1",
            "8.8.8.8.",
            "kubernetes.default.svc",
            "a.localhost:443",
            "x.home.arpa",
            "[::ffff:8.8.8.8]",
            "[fec0::1]",
        ] {
            assert!(destination(text).is_err(), "{text}");
        }
        for text in ["1.1.1.1", "[2606:4700:4700::1111]:443", "xn--bcher-kva.de"] {
            assert!(destination(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn places_of_uploads() {
        let from = "https://r.example.com/v2/a/blobs/uploads/";
        let local = "http://127.0.0.1:5000/v2/a/blobs/uploads/";
        for (from, location, expected) in [
            (
                from,
                "/v2/a/blobs/uploads/1?_state=x",
                Some(("https://r.example.com/v2/a/blobs/uploads/1?_state=x", true)),
            ),
            (from, "1?q", Some(("https://r.example.com/v2/a/blobs/uploads/1?q", true))),
            (from, "https://r.example.com:443/u/1", Some(("https://r.example.com/u/1", true))),
            (from, "//r.example.com/u/1", Some(("https://r.example.com/u/1", true))),
            (from, "r.example.com/u/1", Some(("https://r.example.com/u/1", true))),
            (from, "r.example.com:443/u/1", Some(("https://r.example.com/u/1", true))),
            (from, "https://storage.example.net/u?sig=1", Some(("https://storage.example.net/u?sig=1", false))),
            (from, "https://r.example.com:8443/u/1", Some(("https://r.example.com:8443/u/1", false))),
            (from, "http://r.example.com/u/1", None),
            (from, "http://storage.example.net/u", None),
            (from, "https://10.0.0.1/u", None),
            (from, "https://169.254.169.254/u", None),
            (from, "https://localhost/u", None),
            (from, "https://user:password@r.example.com/u", None),
            (from, "file:///etc/passwd", None),
            (from, "/u\\1", None),
            (local, "/u/1", Some(("http://127.0.0.1:5000/u/1", true))),
            (local, "127.0.0.1:5000/u/1", Some(("http://127.0.0.1:5000/u/1", true))),
            (local, "http://127.0.0.1:5001/u/1", None),
            (local, "https://storage.example.net/u", Some(("https://storage.example.net/u", false))),
        ] {
            let from = Url::parse(from).unwrap();
            let place = upload(from.origin(), &from, location).ok();
            let expected = expected.map(|(url, ours)| UploadPlace { url: Url::parse(url).unwrap(), ours });
            assert_eq!(place, expected, "{location}");
        }
        // From a place elsewhere the way back is known by the registry's origin, not by that of the step before.
        let registry = Url::parse(from).unwrap();
        let elsewhere = Url::parse("https://storage.example.net/u").unwrap();
        assert!(upload(registry.origin(), &elsewhere, from).unwrap().ours);
        assert!(!upload(registry.origin(), &elsewhere, "/v").unwrap().ours);
    }

    #[test]
    fn hops() {
        for (from, location, allowed) in [
            ("https://ghcr.io/v2/", "https://cdn.example.com/x?sig=1", true),
            ("https://ghcr.io/v2/", "http://ghcr.io/v2/", false),
            ("https://ghcr.io/v2/", "https://10.0.0.1/", false),
            ("https://ghcr.io/v2/", "https://169.254.169.254/latest/meta-data", false),
            ("https://ghcr.io/v2/", "https://[::1]/", false),
            ("https://ghcr.io/v2/", "https://localhost/", false),
            ("https://ghcr.io/v2/", "file:///etc/passwd", false),
            ("https://10.0.0.1/v2/", "https://10.0.0.2/blob", true),
            ("https://10.0.0.1/v2/", "https://127.0.0.1/blob", false),
            ("https://10.0.0.1/v2/", "https://169.254.169.254/blob", false),
            ("http://127.0.0.1:5000/v2/", "http://127.0.0.1:9000/blob", true),
            ("http://127.0.0.1:5000/v2/", "https://cdn.example.com/blob", true),
            ("https://registry/v2/", "/blob", true),
        ] {
            assert_eq!(hop(&Url::parse(from).unwrap(), location).is_ok(), allowed, "{from} {location}");
        }
    }
}
