//! Progress of transfers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, mpsc::channel},
    thread,
};

use porthole_core::digest::Digest;
use porthole_transfer::{BlobProgress, TransferEvent, TransferObserver};
use serde_json::{Value, json};

use super::{EVERY, LOGGED, Look, Report, Screen, so_far};
use crate::ui::{Ui, safe, size};

/// The direction of a transfer, seen from this machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heading {
    Here,
    There,
}

/// Runs a transfer and shows its progress.
pub(crate) fn watch<T>(ui: &Ui, heading: Heading, work: impl FnOnce(&TransferObserver) -> T) -> T {
    let mut show = Show::new(ui, heading);
    let (sender, events) = channel();
    let line = Arc::new(Mutex::new(Some(sender)));
    let sending = Arc::clone(&line);
    let observer = TransferObserver::new(move |event| {
        if let Some(line) = &*sending.lock().unwrap_or_else(PoisonError::into_inner) {
            // This fails after the transfer has ended, when the receiver is dropped.
            let _ = line.send(event);
        }
    });
    thread::scope(|scope| {
        scope.spawn(move || {
            events.into_iter().for_each(|event| show.event(&event));
            show.end();
        });
        let done = work(&observer);
        // A stuck connection may still hold an observer. Drop the sender here, so that the receiver ends nevertheless.
        line.lock().unwrap_or_else(PoisonError::into_inner).take();
        done
    })
}

/// Shows events in one of several ways.
struct Show<'u> {
    ui: &'u Ui,
    look: Look,
    heading: Heading,
    blobs: HashMap<Digest, Part>,
    /// Bytes transferred since the start.
    moved: u64,
    screen: Option<Screen>,
}

struct Part {
    bytes: u64,
    size: u64,
    over: bool,
    last: Report,
}

impl<'u> Show<'u> {
    fn new(ui: &'u Ui, heading: Heading) -> Self {
        let look = Look::of(ui, Look::Plain);
        let screen = (look == Look::Bars).then(|| Screen::open(ui, true));
        Self { ui, look, heading, blobs: HashMap::new(), moved: 0, screen }
    }

    fn event(&mut self, event: &TransferEvent) {
        match event {
            _ if self.look == Look::None => {}
            TransferEvent::Plan { blobs } => self.plan(blobs),
            TransferEvent::Document { digest, size: bytes, .. } => match self.look {
                Look::Plain => self.ui.line(&format!("{}: {}, manifest", digest.short(), size(*bytes))),
                Look::Json => self.row("document", json!({ "digest": digest.to_string(), "bytes": bytes })),
                _ => {}
            },
            TransferEvent::Put { digest, tag } => {
                let name = tag.as_deref().map(|tag| format!(" as {tag}")).unwrap_or_default();
                match self.look {
                    Look::Plain => self.ui.line(&format!("{}: put{}", digest.short(), safe(&name))),
                    Look::Json => self.row("put", json!({ "digest": digest.to_string(), "tag": tag })),
                    _ => {}
                }
            }
            TransferEvent::Blob { digest, size, state } => {
                let part = self.blobs.entry(*digest).or_insert_with(|| Part::new(*size));
                self.moved += part.note(state);
                match self.look {
                    Look::Bars => self.draw(*digest, *size, state),
                    Look::Plain => self.log(*digest, *size, state),
                    _ => self.report(*digest, *size, state),
                }
            }
            _ => {}
        }
    }

    /// Announces all blobs, so that the total is shown from the start. A blob of several images counts once.
    fn plan(&mut self, blobs: &[(Digest, u64)]) {
        for (digest, size) in blobs {
            self.blobs.entry(*digest).or_insert_with(|| Part::new(*size));
            if let Some(screen) = &mut self.screen {
                screen.expect(name_on_screen(&digest.short()), Some(*size));
            }
        }
        let bytes: u64 = self.blobs.values().map(|part| part.size).sum();
        match self.look {
            Look::Json => self.row("plan", json!({ "blobs": self.blobs.len(), "bytes": bytes })),
            Look::Plain => self.ui.line(&format!("{} blobs of {}", self.blobs.len(), size(bytes))),
            _ => {}
        }
    }

    fn draw(&mut self, digest: Digest, size: u64, state: &BlobProgress) {
        let (word, short) = (self.word(state), digest.short());
        let name = name_on_screen(&short);
        let Some(screen) = &mut self.screen else { return };
        screen.expect(name, Some(size));
        match state {
            BlobProgress::Moved { bytes } => screen.advance(name, *bytes),
            BlobProgress::Started { kept } => screen.start(name, *kept, if *kept == 0 { "" } else { word }),
            BlobProgress::Wrong => screen.start(name, 0, word),
            _ if state.is_over() => screen.end(name, word),
            _ => screen.say(name, word),
        }
    }

    /// Prints a log line for a part that ended or failed, and one every [`LOGGED`] for a slow part.
    fn log(&mut self, digest: Digest, all: u64, state: &BlobProgress) {
        let word = self.word(state);
        let short = digest.short();
        match state {
            BlobProgress::Moved { .. } => {
                let Some(part) = self.blobs.get_mut(&digest) else { return };
                if let Some(rate) = part.last.due(LOGGED, part.bytes) {
                    self.ui.line(&format!("{short}: {}", so_far(part.bytes, Some(all), rate)));
                }
            }
            BlobProgress::Started { kept: 0 } | BlobProgress::Committing => {}
            BlobProgress::Started { kept } => {
                self.ui.line(&format!("{short}: {word} at {} of {}", size(*kept), size(all)))
            }
            BlobProgress::Again { reason } => self.ui.line(&format!("{short}: {word}: {}", safe(reason))),
            _ => self.ui.line(&format!("{short}: {}, {word}", size(all))),
        }
    }

    fn report(&mut self, digest: Digest, size: u64, state: &BlobProgress) {
        let Some(part) = self.blobs.get_mut(&digest) else { return };
        if matches!(state, BlobProgress::Moved { .. }) && part.last.due(EVERY, part.bytes).is_none() {
            return;
        }
        let mut row =
            json!({ "digest": digest.to_string(), "state": name_of(state), "bytes": part.bytes, "total": size });
        match state {
            BlobProgress::Again { reason } => row["reason"] = reason.as_str().into(),
            BlobProgress::Mounted { from } => row["from"] = from.as_str().into(),
            _ => {}
        }
        self.row("blob", row);
    }

    /// Prints the totals.
    fn end(mut self) {
        self.screen.take();
        if self.look == Look::Json {
            let over = self.blobs.values().filter(|part| part.over);
            let row = json!({
                "blobs": self.blobs.len(),
                "complete": over.clone().count(),
                "bytes": over.map(|part| part.bytes).sum::<u64>(),
                "moved": self.moved,
            });
            self.row("end", row);
        }
    }

    fn row(&self, event: &str, row: Value) {
        self.ui.stderr.row(event, row);
    }

    fn word(&self, state: &BlobProgress) -> &'static str {
        match state {
            BlobProgress::Present if self.heading == Heading::Here => "already here",
            BlobProgress::Present => "already there",
            BlobProgress::Mounted { .. } => "mounted",
            BlobProgress::Again { .. } => "interrupted",
            BlobProgress::Waiting => "waiting for another process",
            BlobProgress::Committing => "waiting for the registry",
            BlobProgress::Started { kept: 0 } => "started",
            BlobProgress::Started { .. } => "resumed",
            BlobProgress::Wrong => "wrong bytes, trying again",
            BlobProgress::Done => "verified",
            BlobProgress::Skipped if self.heading == Heading::Here => "skipped: not in the registry (--foreign)",
            BlobProgress::Skipped => "skipped: not in registries",
            _ => "moving",
        }
    }
}

/// The digest without its algorithm, to save columns.
fn name_on_screen(short: &str) -> &str {
    short.split_once(':').map_or(short, |(_, hex)| hex)
}

/// The name of a state in JSON. Programs depend on these names.
fn name_of(state: &BlobProgress) -> &'static str {
    match state {
        BlobProgress::Present => "exists",
        BlobProgress::Mounted { .. } => "mounted",
        BlobProgress::Again { .. } => "interrupted",
        BlobProgress::Waiting => "waiting",
        BlobProgress::Committing => "committing",
        BlobProgress::Started { kept: 0 } => "started",
        BlobProgress::Started { .. } => "resumed",
        BlobProgress::Wrong => "wrong",
        BlobProgress::Done => "done",
        BlobProgress::Skipped => "skipped",
        _ => "moving",
    }
}

impl Part {
    fn new(size: u64) -> Self {
        Self { bytes: 0, size, over: false, last: Report::now(0) }
    }

    /// Applies a state. Returns the bytes that moved.
    fn note(&mut self, state: &BlobProgress) -> u64 {
        match state {
            BlobProgress::Moved { bytes } => {
                self.bytes += bytes;
                return *bytes;
            }
            BlobProgress::Started { kept } => {
                self.bytes = *kept;
                self.last = Report::now(*kept);
            }
            BlobProgress::Wrong => self.bytes = 0,
            state if state.is_over() => {
                self.over = true;
                self.bytes = self.size;
            }
            _ => {}
        }
        0
    }
}
