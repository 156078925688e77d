//! The way to stderr: whole lines, and progress that never mixes with them.

use std::{
    fmt::Display,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

/// Shared by all who have something to say.
pub(crate) struct Stderr {
    quiet: bool,
    /// The line that progress has drawn and everything else must first wipe away.
    drawn: Mutex<bool>,
}

impl Stderr {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, drawn: Mutex::new(false) }
    }

    /// A remark for people.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            self.line(&format!("porthole: {text}"));
        }
    }

    /// A line, or several that stay together. That nobody reads them is no reason to fail.
    pub(crate) fn line(&self, text: &str) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let wipe = if std::mem::take(&mut *drawn) { WIPE } else { "" };
        let _ = io::stderr().write_all(format!("{wipe}{text}\n").as_bytes());
    }

    /// Replaces the line of progress.
    pub(crate) fn draw(&self, text: &str) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        *drawn = !text.is_empty();
        let _ = write!(io::stderr(), "{WIPE}{text}").and_then(|()| io::stderr().flush());
    }

    /// Does something with the terminal while nothing is drawn.
    pub(crate) fn free<R>(&self, with: impl FnOnce() -> R) -> R {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if std::mem::take(&mut *drawn) {
            let _ = write!(io::stderr(), "{WIPE}").and_then(|()| io::stderr().flush());
        }
        with()
    }
}

const WIPE: &str = "\r\x1b[2K";
