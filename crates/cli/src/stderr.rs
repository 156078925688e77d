//! Output to stderr: whole lines, which never mix with progress.

use crate::{echo::Echo, json::json_line, printable::Printable};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde_json::{Value, json};
use std::{
    fmt::Display,
    io::{self, Write},
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// The one writer to stderr.
pub(crate) struct Stderr {
    quiet: bool,
    /// Whether every line is a JSON object.
    json: bool,
    started: Instant,
    /// Bars that stay below everything else.
    bars: Mutex<Option<MultiProgress>>,
    echo: Echo,
    /// Text of the last line after an interruption: what is kept, and how to resume.
    kept: Mutex<Option<&'static str>>,
}

impl Stderr {
    pub(crate) fn new(quiet: bool, json: bool) -> Self {
        Self {
            quiet,
            json,
            started: Instant::now(),
            bars: Mutex::default(),
            echo: Echo::default(),
            kept: Mutex::default(),
        }
    }

    /// Sets the last line after an interruption: what is kept, and how to resume.
    pub(crate) fn keeps(&self, kept: &'static str) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }

    /// Writes a note.
    pub(crate) fn note(&self, text: impl Display) {
        match (self.quiet, self.json) {
            (true, _) => {}
            (_, true) => self.row("note", json!({ "text": text.to_string() })),
            _ => self.write(&Printable::line(text).behind("porthole:", None)),
        }
    }

    /// Writes a text of `--debug`.
    pub(crate) fn debug(&self, text: &str) {
        if self.json { self.row("debug", json!({ "text": text })) } else { self.write(&Printable::lines(text)) }
    }

    /// Whether every line is a JSON object.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Writes an event as a JSON object on a line.
    pub(crate) fn row(&self, event: &str, mut row: Value) {
        row["event"] = event.into();
        row["elapsed"] = ((self.started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0).into();
        self.write(&json_line(&row));
    }

    /// Writes a line, or several that stay together. A closed stderr is not an error.
    pub(crate) fn write(&self, text: &Printable) {
        self.free(|| {
            let _ = io::stderr().write_all(format!("{}\n", text.as_str()).as_bytes());
        });
    }

    /// Writes a question without a line break.
    pub(crate) fn ask(&self, text: &str) {
        let text = Printable::lines(text);
        self.free(|| {
            let _ = io::stderr().write_all(text.as_str().as_bytes());
        });
    }

    /// Writes a question and reads its answer without echo.
    pub(crate) fn ask_secret(&self, text: &str) -> io::Result<String> {
        // Turn the echo off before the question appears, so that an answer typed at once is hidden too.
        self.echo.off()?;
        self.ask(text);
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer);
        self.echo.back();
        read?;
        Ok(answer)
    }

    /// Ends output after a signal: removes the bars, restores the echo, and writes the last line.
    pub(crate) fn close(&self) {
        if self.echo.back() {
            self.ask("\n");
        }
        if let Some(bars) = &*self.bars.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = bars.clear();
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        match *self.kept.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(kept) => self.note(format_args!("interrupted; {kept}")),
            None => self.note("interrupted"),
        }
    }

    /// Runs `with` while the bars are hidden.
    pub(crate) fn free<R>(&self, with: impl FnOnce() -> R) -> R {
        match &*self.bars.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bars) => bars.suspend(with),
            None => with(),
        }
    }

    /// Keeps these bars below every later line.
    pub(crate) fn below(&self, bars: Option<MultiProgress>) {
        *self.bars.lock().unwrap_or_else(PoisonError::into_inner) = bars;
    }
}
