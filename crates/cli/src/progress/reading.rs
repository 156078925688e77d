//! Progress of layers that are read.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    sync::{Mutex, MutexGuard, PoisonError},
};

use porthole_core::{
    digest::Digest,
    layer::{LayerNumber, LayerReport},
    seek::IndexReader,
    toc::Toc,
};
use serde_json::json;

use super::{EVERY, LOGGED, Look, Report, Screen, so_far};
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
    layers: BTreeMap<u32, Layer>,
    screen: Option<Screen>,
}

struct Layer {
    bytes: u64,
    size: Option<u64>,
    digest: Option<Digest>,
    begun: bool,
    last: Report,
    finished: Option<Finished>,
}

/// The final figures of a layer.
#[derive(Clone, Copy)]
struct Finished {
    digest: Digest,
    size: u64,
    uncompressed: u64,
    entries: u64,
    findings: usize,
    /// Whether the layer was read, and not known from an index or another layer.
    read: bool,
}

impl<'u> Meter<'u> {
    pub(crate) fn new(ui: &'u Ui, jobs: &[Job]) -> Self {
        Self::with(ui, Look::of(ui, Look::None), jobs)
    }

    /// As [`new`](Self::new), for a verb that prints lines while it reads. On a terminal these lines show the progress, so there
    /// are no bars.
    pub(crate) fn beside_output(ui: &'u Ui, jobs: &[Job]) -> Self {
        let look = match Look::of(ui, Look::None) {
            Look::Bars if io::stdout().is_terminal() => Look::None,
            look => look,
        };
        Self::with(ui, look, jobs)
    }

    /// As [`new`](Self::new), but without bars, for a verb whose transfer has bars.
    pub(crate) fn beside_transfer(ui: &'u Ui, jobs: &[Job]) -> Self {
        let look = match Look::of(ui, Look::None) {
            Look::Bars => Look::None,
            look => look,
        };
        Self::with(ui, look, jobs)
    }

    fn with(ui: &'u Ui, look: Look, jobs: &[Job]) -> Self {
        let mut screen = (look == Look::Bars).then(|| Screen::open(ui, false));
        let mut layers = BTreeMap::new();
        for job in jobs {
            let (size, digest) = job.descriptor.as_ref().map(|descriptor| (descriptor.size, descriptor.digest)).unzip();
            if let Some(screen) = &mut screen {
                screen.expect(&name(job.layer), size);
            }
            layers.insert(
                job.layer,
                Layer { bytes: 0, size, digest, begun: false, last: Report::now(0), finished: None },
            );
        }
        Self { ui, look, state: Mutex::new(State { layers, screen }) }
    }

    /// Adds bytes of a layer that were read.
    pub(crate) fn advance(&self, layer: u32, bytes: u64) {
        if self.look == Look::None {
            return;
        }
        let mut state = self.state();
        let State { layers, screen } = &mut *state;
        let Some(of_layer) = layers.get_mut(&layer) else { return };
        of_layer.bytes += bytes;
        if let Some(screen) = screen {
            if !std::mem::replace(&mut of_layer.begun, true) {
                screen.start(&name(layer), 0, "");
            }
            screen.advance(&name(layer), bytes);
        }
        let every = if self.look == Look::Json { EVERY } else { LOGGED };
        let (bytes, total, digest) = (of_layer.bytes, of_layer.size, of_layer.digest);
        let Some(rate) = of_layer.last.due(every, bytes) else { return };
        match self.look {
            Look::Plain => self.ui.line(&format!("{}: {}", name(layer), so_far(bytes, total, rate))),
            Look::Json => {
                let mut row = json!({ "layer": LayerNumber::of_index(layer), "bytes": bytes, "total": total });
                if let Some(digest) = digest {
                    row["layer_digest"] = digest.to_string().into();
                }
                self.ui.stderr.row("progress", row);
            }
            _ => {}
        }
    }

    /// Ends a layer that was read.
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

    /// Ends a layer whose entries come from its index.
    pub(crate) fn replayed(&self, layer: u32, index: &IndexReader) {
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

    /// Ends a layer that is listed from its table of contents.
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

    /// Ends a layer that has the same blob as the layer `of`, which was read.
    pub(crate) fn repeated(&self, layer: u32, of: u32) {
        let finished = self.state().layers.get(&of).and_then(|of| of.finished);
        if let Some(finished) = finished {
            self.advance(layer, finished.size);
            self.end(layer, &Finished { read: false, ..finished });
        }
    }

    fn end(&self, layer: u32, finished: &Finished) {
        if let Some(of_layer) = self.state().layers.get_mut(&layer) {
            of_layer.finished = Some(*finished);
        }
        let Finished { digest, size: bytes, uncompressed, entries, findings, read } = *finished;
        let how = match (read, findings) {
            (true, 0) => "read",
            (false, 0) => "known",
            _ => "wrong",
        };
        match self.look {
            Look::None => {}
            Look::Bars => {
                if let Some(screen) = &mut self.state().screen {
                    screen.end(&name(layer), how);
                }
            }
            Look::Plain => {
                self.ui.line(&format!(
                    "{}: {}, {}, {entries} entries, {how}",
                    name(layer),
                    digest.short(),
                    size(bytes)
                ));
            }
            Look::Json => {
                let row = json!({
                                    "layer": LayerNumber::of_index(layer),
                                    "digest": digest.to_string(),
                                    "bytes": bytes,
                                    "uncompressed": uncompressed,
                                    "entries": entries,
                                    "findings": findings,
                                    "read": read,
                });
                self.ui.stderr.row("layer", row);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(layer: u32) -> String {
    format!("layer {}", LayerNumber::of_index(layer))
}
