//! Which hosts a setting is for.

use porthole_registry::policy::{Authority, Host};
use std::path::PathBuf;

/// Hosts that a setting is for: all, those that are named, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    all: bool,
    named: Vec<Authority>,
}

impl Hosts {
    /// A setting for every host.
    pub fn all() -> Self {
        Self { all: true, named: Vec::new() }
    }

    /// Adds a host; without a port it stands for all its ports. `None` adds every host.
    pub fn add(&mut self, host: Option<Authority>) {
        match host {
            Some(host) => self.named.push(host),
            None => self.all = true,
        }
    }

    /// Whether the setting is for every host.
    pub fn is_all(&self) -> bool {
        self.all
    }

    /// Whether this host and port are named, alone or as a host with all its ports.
    pub fn names(&self, host: &Host, port: u16) -> bool {
        self.named.iter().any(|named| is_for(named, host, port))
    }

    /// Whether the setting is for this host and port.
    pub fn include(&self, host: &Host, port: u16) -> bool {
        self.all || self.names(host, port)
    }
}

impl FromIterator<Option<Authority>> for Hosts {
    fn from_iter<I: IntoIterator<Item = Option<Authority>>>(entries: I) -> Self {
        let mut hosts = Self::default();
        entries.into_iter().for_each(|entry| hosts.add(entry));
        hosts
    }
}

/// A PEM file of certificates to trust, as authorities or as the certificate of the server itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The host that they are for; without a port, all its ports. `None` = every host without certificates of its own.
    pub host: Option<Authority>,
    /// PEM file with the certificates.
    pub path: PathBuf,
}

impl From<PathBuf> for Certificates {
    fn from(path: PathBuf) -> Self {
        Self { host: None, path }
    }
}

/// Whether a setting for `host[:port]` is for this host and port.
pub(crate) fn is_for(named: &Authority, host: &Host, port: u16) -> bool {
    named.host == *host && named.port.is_none_or(|named| named == port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_host_stands_for_all_its_ports() {
        let host = |text| Host::parse(text).unwrap();
        let named = |text| Some(Authority::parse(text).unwrap());
        let hosts: Hosts = [named("R.example:5000"), named("s.example"), named("[::1]:1")].into_iter().collect();
        for (text, port, expected) in [
            ("r.example", 5000, true),
            ("r.example", 443, false),
            ("s.example", 443, true),
            ("s.example", 1, true),
            ("a.s.example", 1, false),
            ("[::1]", 1, true),
            ("[::1]", 2, false),
        ] {
            assert_eq!(hosts.names(&host(text), port), expected, "{text}:{port}");
            assert_eq!(hosts.include(&host(text), port), expected, "{text}:{port}");
            assert!(Hosts::all().include(&host(text), port) && !Hosts::all().names(&host(text), port));
        }
    }
}
