//! The options of every verb. Help texts are the doc comments.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use porthole_core::platform::Platform;

use crate::limits::Setting;

/// Options of every verb.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Platform to choose in an index [default: linux and this machine's architecture]
    #[arg(long, global = true, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) platform: Option<Platform>,
    /// Print JSON: one document, or one object a line for lists
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// How to show progress on stderr
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) progress: Progress,
    /// Show each HTTP exchange on stderr, without secrets
    #[arg(long, global = true)]
    pub(crate) debug: bool,
    /// Write every HTTP exchange to this file, without secrets, as an HTTP Archive (HAR 1.2): a browser's network panel opens it
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Speak plain HTTP to registries [loopback addresses always do]
    #[arg(long, global = true)]
    pub(crate) plain_http: bool,
    /// Accept any TLS certificate
    #[arg(long, global = true)]
    pub(crate) insecure: bool,
    /// PEM file of certificate authorities to trust beside the system's; may be repeated
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca: Vec<PathBuf>,
    /// Host that may be sent credentials as a registry's token server; may be repeated
    #[arg(long, global = true, value_name = "HOST[:PORT]")]
    pub(crate) trust_realm: Vec<String>,
    /// Give up what nothing has come of for so long, tries included [default: 38]
    #[arg(long, global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) stall: Option<u64>,
    /// File of credentials [default: $REGISTRY_AUTH_FILE, then Docker's config.json]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) authfile: Option<PathBuf>,
    /// Send no stored credentials
    #[arg(long, global = true, conflicts_with = "authfile")]
    pub(crate) anonymous: bool,
    /// Directory of the store [default: $XDG_DATA_HOME/porthole/store, else ~/.local/share/porthole/store]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Directory of what is kept of verified layers [default: $XDG_CACHE_HOME/porthole, else ~/.cache/porthole]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Keep nothing, and use nothing that was kept
    #[arg(long, global = true, conflicts_with = "cache")]
    pub(crate) no_cache: bool,
    /// Set a limit on what images may ask of this machine, as in window_bytes=256MiB; `porthole --help` lists them; may be repeated
    #[arg(long, global = true, value_name = "NAME=VALUE")]
    pub(crate) limit: Vec<Setting>,
    /// No progress and no notes on stderr, only errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// When to colour text for people
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// How progress is shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// Bars where stderr is a terminal; elsewhere as `plain` for what is moved, and nothing for what is only read
    Auto,
    /// A line for each finished part, one every ten seconds for a part that takes long, one for what is odd
    Plain,
    /// Only JSON on stderr, one object a line, each with `event` and `elapsed` seconds: document and put (digest); blob (digest, state, bytes, total; state is exists, mounted, waiting, started, resumed, moving, interrupted, wrong, done or skipped); progress and layer (layer, bytes, total); retry (registry, step, name, attempt, delay, reason); note (text); end (blobs, complete, bytes, moved); error (text, hints, exit_code)
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
