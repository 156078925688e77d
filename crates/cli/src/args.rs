//! The options of every verb. Help texts are the doc comments.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use clap::{Args, ValueEnum};
use porthole_core::{platform::Platform, quantity::parse_bytes};
use porthole_native::Certificates;
use porthole_registry::{
    policy::{Authority, HostError},
    retry::Rate,
};

use crate::{limits::Setting, quantity::duration_within};

/// Options of every verb.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Choose this platform in an index [default: linux and this machine's architecture]
    #[arg(long, global = true, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) platform: Option<Platform>,
    /// Print JSON: one document, or one object a line for lists; an error is an object on stderr; `porthole help json` describes them
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// How to show progress on stderr
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) progress: Progress,
    /// Print each HTTP exchange on stderr, without secrets
    #[arg(long, global = true)]
    pub(crate) debug: bool,
    /// Write every HTTP exchange to this file, without secrets, as an HTTP Archive (HAR 1.2), which a browser's network panel opens
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Use plain HTTP for this registry, or, without a value, for every registry that does not answer in TLS, but then without
    /// credentials; may be repeated [loopback addresses need no option]
    #[arg(long, global = true, value_name = "HOST[:PORT]", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) plain_http: Vec<ForHost>,
    /// Skip TLS certificate verification for this registry, or, without a value, for every registry; may be repeated
    #[arg(long, global = true, value_name = "HOST[:PORT]", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) insecure: Vec<ForHost>,
    /// Trust the certificates in this PEM file, for one registry or for every registry, besides the system's; may be repeated
    #[arg(long, global = true, value_name = "[HOST[:PORT]=]FILE", value_parser = certificates)]
    pub(crate) ca: Vec<Certificates>,
    /// Send credentials to this host if a registry names it as its token server; may be repeated
    #[arg(long, global = true, value_name = "HOST[:PORT]")]
    pub(crate) trust_realm: Vec<String>,
    /// Abort if no new byte arrives for this long, retries included [default: 38s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = |text: &str| duration_within(text, ["1s", "1h"]))]
    pub(crate) stall: Option<Duration>,
    /// Abort if fewer bytes a second arrive, on average over this time, retries included; 0 for no limit [default: 1kB/30s]
    #[arg(long, global = true, value_name = "SIZE[/DURATION]", value_parser = rate)]
    pub(crate) min_rate: Option<Rate>,
    /// Wait this long for a registry to store an upload after its last byte was sent [default: 10m]
    #[arg(long, global = true, value_name = "DURATION", value_parser = |text: &str| duration_within(text, ["1s", "24h"]))]
    pub(crate) commit_wait: Option<Duration>,
    /// Download foreign layers that the registry lacks from the hosts that the image names, without credentials
    #[arg(long, global = true)]
    pub(crate) foreign: bool,
    /// Read credentials from this file [default: $REGISTRY_AUTH_FILE, else those of podman and Docker]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) authfile: Option<PathBuf>,
    /// Send no stored credentials
    #[arg(long, global = true, conflicts_with = "authfile")]
    pub(crate) anonymous: bool,
    /// Directory of the store [default: $XDG_DATA_HOME/porthole/store, else ~/.local/share/porthole/store]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Directory of the cache of layer indexes [default: $XDG_CACHE_HOME/porthole, else ~/.cache/porthole]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Neither read nor write the cache
    #[arg(long, global = true, conflicts_with = "cache")]
    pub(crate) no_cache: bool,
    /// Set a limit on the resources that an image may use, as in window_bytes=256MiB; `porthole help limits` lists them; may be repeated
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    pub(crate) limit: Vec<Setting>,
    /// Print no progress and no notes on stderr, only errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// When to colour text for people
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// The value of an option that applies to one host or, without a value, to every host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForHost(pub(crate) Option<Authority>);

impl FromStr for ForHost {
    type Err = HostError;

    fn from_str(text: &str) -> Result<Self, HostError> {
        if text.is_empty() { Ok(Self(None)) } else { Authority::parse(text).map(|host| Self(Some(host))) }
    }
}

/// Parses the value of `--min-rate`, `SIZE[/DURATION]`.
fn rate(text: &str) -> Result<Rate, String> {
    let (bytes, window) = text.split_once('/').map_or((text, None), |(bytes, window)| (bytes, Some(window)));
    let bytes = parse_bytes(bytes).map_err(|error| format!("{error}, got `{text}`"))?;
    let window = window.map(|window| duration_within(window, ["1s", "1h"])).transpose()?;
    Ok(Rate { bytes, window: window.unwrap_or_else(|| Rate::default().window) })
}

/// Parses `[HOST[:PORT]=]FILE`. If a file exists whose name contains `=`, the whole value is taken for its path.
fn certificates(text: &str) -> Result<Certificates, String> {
    match text.split_once('=') {
        Some((host, path)) if !Path::new(text).exists() && !host.contains('/') => {
            let host = Authority::parse(host).map_err(|error| format!("expected HOST[:PORT] before `=`: {error}"))?;
            Ok(Certificates { host: Some(host), path: path.into() })
        }
        _ => Ok(PathBuf::from(text).into()),
    }
}

/// How progress is shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// Bars if stderr is a terminal; else as `plain` for transfers, and nothing for reads
    Auto,
    /// A line for each finished part, and one every ten seconds for a part that takes long
    Plain,
    /// Only JSON on stderr, one object a line, each with `event` and `elapsed` seconds: plan (blobs, bytes, of the whole transfer); document and put (digest); blob (digest, state, bytes, total; state is exists, mounted, waiting, started, resumed, moving, committing, interrupted, wrong, done or skipped); progress and layer (layer, bytes, total); retry (registry, step, name, attempt, delay, reason); note (text); end (blobs, complete, bytes, moved); error (text, kind, blame, layer, hints, exit_code)
    Json,
    /// No progress on stderr
    None,
}

/// When text is coloured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// Where the output is a terminal and NO_COLOR is not set
    Auto,
    /// To files and pipes too
    Always,
    /// Not even to a terminal
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_a_window() {
        let of = |bytes, seconds| Ok(Rate { bytes, window: Duration::from_secs(seconds) });
        assert_eq!(rate("1kB"), of(1000, 30));
        assert_eq!(rate("0"), of(0, 30));
        assert_eq!(rate("10KiB/2m"), of(10240, 120));
        for wrong in ["", "1kB/", "1kB/0", "/30s", "fast"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn files_of_certificates_may_be_for_one_host() {
        let parse = |text: &str| {
            let Certificates { host, path } = certificates(text)?;
            Ok::<_, String>((host.map(|host| host.host.to_string()), path.display().to_string()))
        };
        assert_eq!(parse("ca.pem"), Ok((None, "ca.pem".into())));
        assert_eq!(parse("r.example:5000=ca.pem"), Ok((Some("r.example".into()), "ca.pem".into())));
        assert_eq!(parse("localhost=/a/b=c.pem"), Ok((Some("localhost".into()), "/a/b=c.pem".into())));
        assert_eq!(parse("./a=b.pem"), Ok((None, "./a=b.pem".into())));
        assert!(parse("r.example:x=ca.pem").is_err());
    }
}
