//! The relay, started as users start it.

use crate::{
    Result,
    program::{Running, ours},
};
use std::{ffi::OsStr, process::Command};

/// A relay process, stopped on drop.
pub struct Relay {
    url: String,
    process: Running,
}

impl Relay {
    /// Starts a relay on a free port that may access these local hosts.
    pub fn start(hosts: &[&str]) -> Result<Self> {
        Self::with(hosts.iter().flat_map(|host| ["--allow-private", host]))
    }

    /// Starts a relay on a free port with the given options.
    pub fn with<A: AsRef<OsStr>>(options: impl IntoIterator<Item = A>) -> Result<Self> {
        let process = Running::start(Command::new(ours("relay")?).args(["--listen", "127.0.0.1:0"]).args(options))?;
        let url = process.line(|line| line.strip_prefix("listening on ").map(str::to_owned))?;
        Ok(Self { url, process })
    }

    /// URL of the page.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its address as written in a reference.
    pub fn host(&self) -> &str {
        self.url.trim_start_matches("http://").trim_end_matches('/')
    }

    /// The process id.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Its output.
    pub fn said(&self) -> String {
        self.process.said()
    }
}
