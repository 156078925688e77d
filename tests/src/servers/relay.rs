//! The relay, as a person would start it.

use crate::{
    Result,
    program::{Running, ours},
};
use std::{ffi::OsStr, process::Command};

/// A relay that runs as long as this value lives.
pub struct Relay {
    url: String,
    process: Running,
}

impl Relay {
    /// Starts a relay on a free port that may reach these hosts of this machine.
    pub fn start(hosts: &[&str]) -> Result<Self> {
        Self::with(hosts.iter().flat_map(|host| ["--allow-private", host]))
    }

    /// Starts a relay on a free port with any options.
    pub fn with<A: AsRef<OsStr>>(options: impl IntoIterator<Item = A>) -> Result<Self> {
        let process = Running::start(Command::new(ours("relay")?).args(["--listen", "127.0.0.1:0"]).args(options))?;
        let url = process.line(|line| line.strip_prefix("listening on ").map(str::to_owned))?;
        Ok(Self { url, process })
    }

    /// Where the page is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its address as a reference has it.
    pub fn host(&self) -> &str {
        self.url.trim_start_matches("http://").trim_end_matches('/')
    }

    /// The process's number.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// What it printed.
    pub fn said(&self) -> String {
        self.process.said()
    }
}
