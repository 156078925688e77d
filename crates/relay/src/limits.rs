//! What one client, all clients and a registry may take. Every bound has a name, and its counter in `/metrics` says how often it was hit.

use porthole_core::quantity::{parse_bytes, parse_duration};
use porthole_native::Timeouts;
use porthole_registry::retry::Rate;
use std::{net::IpAddr, time::Duration};

/// Bounds on time and memory.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Connections at once; the system's limit of open files may lower it
    #[arg(long, value_name = "COUNT", default_value_t = 4096)]
    pub(crate) max_connections: u32,
    /// Connections at once from one address (an IPv6 /64), 0 for no limit; without this option 512, and no limit on a loopback address
    #[arg(long, value_name = "COUNT")]
    pub(crate) client_connections: Option<u32>,
    /// Requests a second from one address, with bursts of five seconds' worth, 0 for no limit; without this option 200, and no limit on a
    /// loopback address
    #[arg(long, value_name = "COUNT")]
    pub(crate) client_rate: Option<u32>,
    /// Memory for all bodies on their way
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = bytes)]
    pub(crate) buffers: u64,
    /// Memory for bodies on their way to one address; without this option a quarter of --buffers, and all of it on a loopback address
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub(crate) client_buffers: Option<u64>,
    /// For the head of a request to arrive, so also for an idle connection
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) header_time: Duration,
    /// Longest head of a request
    #[arg(long, value_name = "SIZE", default_value = "16KiB", value_parser = bytes)]
    pub(crate) header_size: u64,
    /// Abort a transfer if its client takes nothing for this long
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) client_idle: Duration,
    /// Abort a transfer if its client takes fewer bytes a second, 0 for no limit
    #[arg(long, value_name = "SIZE", default_value = "1kB", value_parser = parse_bytes)]
    pub(crate) client_min_rate: u64,
    /// The time over which --client-min-rate is measured
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) client_rate_window: Duration,
    /// For a connection to a registry, with its look-up; the same again for TLS
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) upstream_connect: Duration,
    /// For a registry to begin its answer
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) upstream_first_byte: Duration,
    /// For a registry to send more of a body
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) upstream_idle: Duration,
    /// Abort a transfer if its registry sends fewer bytes a second while it is waited for, 0 for no limit
    #[arg(long, value_name = "SIZE", default_value = "1kB", value_parser = parse_bytes)]
    pub(crate) upstream_min_rate: u64,
    /// The time over which --upstream-min-rate is measured
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) upstream_rate_window: Duration,
    /// Longest manifest, list of tags or other document
    #[arg(long, value_name = "SIZE", default_value = "4MiB", value_parser = bytes)]
    pub(crate) document_size: u64,
    /// Longest body of one request of an upload, 0 for no limit
    #[arg(long, value_name = "SIZE", default_value = "0", value_parser = parse_bytes)]
    pub(crate) upload_size: u64,
    /// For a registry to answer the last request of an upload: some hash or move the whole blob first
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub(crate) upstream_commit: Duration,
    /// Look-ups of names at once that have not resolved before
    #[arg(long, value_name = "COUNT", default_value_t = 48)]
    pub(crate) lookups: u32,
    /// For a name to resolve
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(crate) lookup_time: Duration,
    /// After SIGTERM, for which `/readyz` answers 503 and new connections are still served
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    pub(crate) drain: Duration,
    /// After that, for running transfers to end
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub(crate) grace: Duration,
}

/// The bounds for each client, which depend on where the relay listens: on a loopback address, all clients are this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PerClient {
    pub(crate) connections: u32,
    pub(crate) rate: u32,
    /// Bodies at once.
    pub(crate) streams: u64,
}

impl Limits {
    pub(crate) fn per_client(&self, listen: IpAddr) -> PerClient {
        let local = listen.is_loopback();
        let bound = |given: Option<u32>, exposed: u32| match given {
            Some(0) => u32::MAX,
            None if local => u32::MAX,
            given => given.unwrap_or(exposed),
        };
        let buffers = self.client_buffers.unwrap_or(if local { self.buffers } else { self.buffers / 4 });
        PerClient {
            connections: bound(self.client_connections, 512),
            rate: bound(self.client_rate, 200),
            streams: (buffers / STREAM_BYTES).max(1),
        }
    }

    /// Bodies at once.
    pub(crate) fn streams(&self) -> u64 {
        (self.buffers / STREAM_BYTES).max(1)
    }

    /// Bodies at once that are read in large pieces, which cost less time and more memory.
    pub(crate) fn fast_streams(&self) -> u64 {
        self.buffers / 8 / FAST_STREAM_BYTES
    }

    pub(crate) fn timeouts(&self) -> Timeouts {
        let rate = Rate { bytes: self.upstream_min_rate, window: self.upstream_rate_window };
        Timeouts { connect: self.upstream_connect, stall: self.upstream_idle, rate }
    }
}

/// What a body costs in small pieces: three of them, and the state of two connections.
const STREAM_BYTES: u64 = 48 << 10;
/// What a body costs in large pieces: two of them.
const FAST_STREAM_BYTES: u64 = 256 << 10;
/// A small piece: a byte less than what the library allocates at first, for it takes a full buffer as a sign that larger ones are needed.
pub(crate) const PIECE: usize = (8 << 10) - 1;

fn bytes(text: &str) -> Result<u64, String> {
    match parse_bytes(text) {
        Ok(0) => Err("expected more than 0 bytes".to_owned()),
        other => other.map_err(|error| error.to_string()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => Err("expected more than 0 s".to_owned()),
        other => other.map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use clap::{FromArgMatches, Parser};

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        limits: Limits,
    }

    /// The limits of a relay without options.
    pub(crate) fn limits() -> Limits {
        Only::parse_from(["relay"]).limits
    }

    #[test]
    fn clients_of_this_machine_have_no_limits_of_their_own() {
        let limits = limits();
        let here = limits.per_client([127, 0, 0, 1].into());
        assert_eq!((here.connections, here.rate, here.streams), (u32::MAX, u32::MAX, limits.streams()));
        let exposed = limits.per_client([0, 0, 0, 0].into());
        assert_eq!((exposed.connections, exposed.rate), (512, 200));
        assert!(exposed.streams < limits.streams());
        let matches = <Only as clap::CommandFactory>::command().try_get_matches_from(["relay", "--header-time", "0"]);
        assert!(matches.and_then(|matches| Only::from_arg_matches(&matches)).is_err());
    }
}
