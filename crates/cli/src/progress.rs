//! How far the layers are, on stderr.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use porthole_core::layer::LayerReport;
use serde_json::json;

use crate::{
    args::Progress,
    layers::Job,
    ui::{Ui, size},
};

/// Counts bytes and layers, and shows them in one of several ways.
pub(crate) struct Meter<'u> {
    ui: &'u Ui,
    look: Look,
    state: Mutex<State>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Line,
    Plain,
    Json,
    None,
}

struct State {
    layers: usize,
    finished: usize,
    total: u64,
    bytes: u64,
    /// Bytes of each layer, with what they should be in the end.
    by_layer: BTreeMap<u32, (u64, Option<u64>)>,
    shown: Option<Instant>,
}

/// How often a person, or a program, wants to be told.
const EVERY: Duration = Duration::from_millis(100);

impl<'u> Meter<'u> {
    pub(crate) fn new(ui: &'u Ui, jobs: &[Job]) -> Self {
        let look = match ui.progress {
            Progress::Auto if io::stderr().is_terminal() => Look::Line,
            Progress::Auto | Progress::None => Look::None,
            Progress::Plain => Look::Plain,
            Progress::Json => Look::Json,
        };
        let size_of = |job: &Job| job.descriptor.as_ref().map(|descriptor| descriptor.size);
        let state = State {
            layers: jobs.len(),
            finished: 0,
            total: jobs.iter().filter_map(size_of).fold(0, u64::saturating_add),
            bytes: 0,
            by_layer: jobs.iter().map(|job| (job.layer, (0, size_of(job)))).collect(),
            shown: None,
        };
        Self { ui, look, state: Mutex::new(state) }
    }

    /// As [`new`](Self::new), for a verb that writes while it reads: on a terminal its lines are progress enough.
    pub(crate) fn beside_output(ui: &'u Ui, jobs: &[Job]) -> Self {
        let mut meter = Self::new(ui, jobs);
        if meter.look == Look::Line && io::stdout().is_terminal() {
            meter.look = Look::None;
        }
        meter
    }

    /// More bytes of a layer have come.
    pub(crate) fn advance(&self, layer: u32, bytes: u64) {
        if matches!(self.look, Look::None | Look::Plain) {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.bytes += bytes;
        let of_layer = state.by_layer.entry(layer).or_default();
        of_layer.0 += bytes;
        let (read, total) = *of_layer;
        if state.shown.is_some_and(|shown| shown.elapsed() < EVERY) {
            return;
        }
        state.shown = Some(Instant::now());
        match self.look {
            Look::Line => self.ui.draw(&state.to_string()),
            _ => {
                self.ui.line(&json!({ "event": "progress", "layer": layer, "bytes": read, "total": total }).to_string())
            }
        }
    }

    /// A layer is read to its end.
    pub(crate) fn finish(&self, layer: u32, report: &LayerReport) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.finished += 1;
        let sound = report.findings.is_empty();
        match self.look {
            Look::None => {}
            Look::Line if state.finished == state.layers => self.ui.draw(""),
            Look::Line => self.ui.draw(&state.to_string()),
            Look::Plain => self.ui.line(&format!(
                "layer {layer}: {}, {}, {} entries, {}",
                report.digest.short(),
                size(report.size),
                report.entries,
                if sound { "read" } else { "wrong" },
            )),
            Look::Json => self.ui.line(
                &json!({
                    "event": "layer",
                    "layer": layer,
                    "digest": report.digest.to_string(),
                    "bytes": report.size,
                    "uncompressed": report.uncompressed,
                    "entries": report.entries,
                    "findings": report.findings.len(),
                })
                .to_string(),
            ),
        }
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        if self.look == Look::Line {
            self.ui.draw("");
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "layers {}/{}  {}", self.finished, self.layers, size(self.bytes))?;
        if self.total > 0 { write!(f, " of {}", size(self.total)) } else { Ok(()) }
    }
}
