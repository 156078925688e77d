//! How far the layers are that are read.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use porthole_core::{digest::Digest, layer::LayerReport, seek::Index, toc::Toc};
use serde_json::json;

use super::{EVERY, Look};
use crate::{
    layers::Job,
    ui::{Ui, size},
};

/// Counts bytes and layers, and shows them in one of several ways.
pub(crate) struct Meter<'u> {
    ui: &'u Ui,
    look: Look,
    state: Mutex<State>,
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

/// What is told of a layer in the end.
struct Finished {
    digest: Digest,
    size: u64,
    uncompressed: u64,
    entries: u64,
    findings: usize,
    /// It was read, and not known from before.
    read: bool,
}

impl<'u> Meter<'u> {
    pub(crate) fn new(ui: &'u Ui, jobs: &[Job]) -> Self {
        let look = Look::of(ui);
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
        self.end(
            layer,
            &Finished {
                digest: report.digest,
                size: report.size,
                uncompressed: report.uncompressed,
                entries: report.entries,
                findings: report.findings.len(),
                read: true,
            },
        );
    }

    /// A layer need not be read.
    pub(crate) fn replayed(&self, layer: u32, index: &Index) {
        self.advance(layer, index.size());
        self.end(
            layer,
            &Finished {
                digest: index.digest(),
                size: index.size(),
                uncompressed: index.uncompressed(),
                entries: index.entry_count(),
                findings: 0,
                read: false,
            },
        );
    }

    /// A layer is listed from its table of contents.
    pub(crate) fn listed(&self, job: &Job, toc: &Toc) {
        let descriptor = job.descriptor.as_ref();
        let size = descriptor.map_or(0, |descriptor| descriptor.size);
        self.advance(job.layer, size);
        self.end(
            job.layer,
            &Finished {
                digest: descriptor.map_or_else(|| toc.digest(), |descriptor| descriptor.digest),
                size,
                uncompressed: toc.uncompressed().unwrap_or(0),
                entries: toc.entries(),
                findings: 0,
                read: false,
            },
        );
    }

    fn end(&self, layer: u32, finished: &Finished) {
        let Finished { digest, size: bytes, uncompressed, entries, findings, read } = *finished;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.finished += 1;
        let how = match (read, findings) {
            (false, _) => "known",
            (true, 0) => "read",
            (true, _) => "wrong",
        };
        match self.look {
            Look::None => {}
            Look::Line if state.finished == state.layers => self.ui.draw(""),
            Look::Line => self.ui.draw(&state.to_string()),
            Look::Plain => {
                self.ui.line(&format!("layer {layer}: {}, {}, {entries} entries, {how}", digest.short(), size(bytes)));
            }
            Look::Json => self.ui.line(
                &json!({
                    "event": "layer",
                    "layer": layer,
                    "digest": digest.to_string(),
                    "bytes": bytes,
                    "uncompressed": uncompressed,
                    "entries": entries,
                    "findings": findings,
                    "read": read,
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
