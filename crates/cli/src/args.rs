//! The options of every verb. Help texts are the doc comments.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use porthole_core::platform::Platform;

use crate::{argument::duration_within, limits::Setting};

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
    /// Use plain HTTP for registries [loopback addresses always use it]
    #[arg(long, global = true)]
    pub(crate) plain_http: bool,
    /// Skip TLS certificate verification
    #[arg(long, global = true)]
    pub(crate) insecure: bool,
    /// Trust the certificate authorities in this PEM file, besides the system's; may be repeated
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Vec<PathBuf>,
    /// Send credentials to this host if a registry names it as its token server; may be repeated
    #[arg(long, global = true, value_name = "HOST[:PORT]")]
    pub(crate) trust_realm: Vec<String>,
    /// Abort if no new byte arrives for this long, retries included [default: 38s]
    #[arg(long, global = true, value_name = "DURATION", value_parser = |text: &str| duration_within(text, ["1s", "1h"]))]
    pub(crate) stall: Option<Duration>,
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
    /// Set a limit on what an image may ask of this machine, as in window_bytes=256MiB; `porthole help limits` lists them; may be repeated
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    pub(crate) limit: Vec<Setting>,
    /// Print no progress and no notes on stderr, only errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// When to colour text for people
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// How progress is shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// Bars if stderr is a terminal; else as `plain` for transfers, and nothing for reads
    Auto,
    /// A line for each finished part, and one every ten seconds for a part that takes long
    Plain,
    /// Only JSON on stderr, one object a line, each with `event` and `elapsed` seconds: plan (blobs, bytes, of the whole transfer); document and put (digest); blob (digest, state, bytes, total; state is exists, mounted, waiting, started, resumed, moving, interrupted, wrong, done or skipped); progress and layer (layer, bytes, total); retry (registry, step, name, attempt, delay, reason); note (text); end (blobs, complete, bytes, moved); error (text, kind, blame, layer, hints, exit_code)
    Json,
    /// Nothing
    None,
}

/// When text is coloured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// Where the output is a terminal and NO_COLOR is not set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
