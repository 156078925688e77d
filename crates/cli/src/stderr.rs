//! The way to stderr: whole lines, and progress that never mixes with them.

use crate::echo::Echo;
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde_json::{Value, json};
use std::{
    fmt::Display,
    io::{self, Write},
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Shared by all who have something to say.
pub(crate) struct Stderr {
    quiet: bool,
    /// Every line is a JSON object.
    json: bool,
    started: Instant,
    /// Bars that stay below everything else.
    bars: Mutex<Option<MultiProgress>>,
    echo: Echo,
}

impl Stderr {
    pub(crate) fn new(quiet: bool, json: bool) -> Self {
        Self { quiet, json, started: Instant::now(), bars: Mutex::default(), echo: Echo::default() }
    }

    /// A remark for people.
    pub(crate) fn note(&self, text: impl Display) {
        match (self.quiet, self.json) {
            (true, _) => {}
            (_, true) => self.row("note", json!({ "text": text.to_string() })),
            _ => self.line(&format!("porthole: {text}")),
        }
    }

    /// Lines that were asked for.
    pub(crate) fn debug(&self, text: &str) {
        if self.json { self.row("debug", json!({ "text": text })) } else { self.line(text) }
    }

    /// Whether every line is a JSON object.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A JSON object on a line.
    pub(crate) fn row(&self, event: &str, mut row: Value) {
        row["event"] = event.into();
        row["elapsed"] = ((self.started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0).into();
        self.line(&row.to_string());
    }

    /// A line, or several that stay together. That nobody reads them is no reason to fail.
    pub(crate) fn line(&self, text: &str) {
        self.free(|| {
            let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
        });
    }

    /// A question, with the answer to come behind it.
    pub(crate) fn ask(&self, text: &str) {
        self.free(|| {
            let _ = io::stderr().write_all(text.as_bytes());
        });
    }

    /// A question and its answer, a line that the terminal does not show.
    pub(crate) fn ask_secret(&self, text: &str) -> io::Result<String> {
        // Before the question is there: whoever answers at once is not to be shown either.
        self.echo.off()?;
        self.ask(text);
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        self.echo.back();
        read?;
        Ok(answer)
    }

    /// The last word: what is drawn goes, nothing is drawn any more, and what is typed is shown again.
    pub(crate) fn close(&self) {
        if self.echo.back() {
            self.ask("\n");
        }
        if let Some(bars) = &*self.bars.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = bars.clear();
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        self.note("interrupted");
    }

    /// Does something with the terminal while nothing is drawn.
    pub(crate) fn free<R>(&self, with: impl FnOnce() -> R) -> R {
        match &*self.bars.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bars) => bars.suspend(with),
            None => with(),
        }
    }

    /// From now on these bars stay below what is written.
    pub(crate) fn below(&self, bars: Option<MultiProgress>) {
        *self.bars.lock().unwrap_or_else(PoisonError::into_inner) = bars;
    }
}
