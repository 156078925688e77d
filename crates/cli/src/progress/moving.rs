//! How far images on the move are.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, mpsc::channel},
    thread,
};

use porthole_core::digest::Digest;
use porthole_transfer::{Blob, Event, Observer};
use serde_json::{Value, json};

use super::{EVERY, LOGGED, Look, Screen, Told, so_far};
use crate::ui::{Ui, safe, size};

/// Which way images move, as this machine sees it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heading {
    Here,
    There,
}

/// Runs a transfer, and shows how far it is.
pub(crate) fn watch<T>(ui: &Ui, heading: Heading, work: impl FnOnce(&Observer) -> T) -> T {
    let mut show = Show::new(ui, heading);
    let (sender, events) = channel();
    let line = Arc::new(Mutex::new(Some(sender)));
    let told = Arc::clone(&line);
    let observer = Observer::new(move |event| {
        if let Some(line) = &*told.lock().unwrap_or_else(PoisonError::into_inner) {
            // Nobody listens any more when the transfer has ended.
            let _ = line.send(event);
        }
    });
    thread::scope(|scope| {
        scope.spawn(move || {
            events.into_iter().for_each(|event| show.event(&event));
            show.end();
        });
        let done = work(&observer);
        // A connection that is stuck may keep an observer: the listener must not wait for that.
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
    /// Bytes that came since the start.
    moved: u64,
    screen: Option<Screen>,
}

struct Part {
    bytes: u64,
    size: u64,
    over: bool,
    told: Told,
}

impl<'u> Show<'u> {
    fn new(ui: &'u Ui, heading: Heading) -> Self {
        let look = Look::of(ui, Look::Plain);
        let screen = (look == Look::Bars).then(|| Screen::open(ui, true));
        Self { ui, look, heading, blobs: HashMap::new(), moved: 0, screen }
    }

    fn event(&mut self, event: &Event) {
        match event {
            _ if self.look == Look::None => {}
            Event::Document { digest, size: bytes, .. } => match self.look {
                Look::Plain => self.ui.line(&format!("{}: {}, manifest", digest.short(), size(*bytes))),
                Look::Json => self.row("document", json!({ "digest": digest.to_string(), "bytes": bytes })),
                _ => {}
            },
            Event::Put { digest, tag } => {
                let name = tag.as_deref().map(|tag| format!(" as {tag}")).unwrap_or_default();
                match self.look {
                    Look::Plain => self.ui.line(&format!("{}: put{}", digest.short(), safe(&name))),
                    Look::Json => self.row("put", json!({ "digest": digest.to_string(), "tag": tag })),
                    _ => {}
                }
            }
            Event::Blob { digest, size, state } => {
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

    fn draw(&mut self, digest: Digest, size: u64, state: &Blob) {
        let (word, short) = (self.word(state), digest.short());
        let name = short.split_once(':').map_or(&*short, |(_, hex)| hex);
        let Some(screen) = &mut self.screen else { return };
        screen.expect(name, Some(size));
        match state {
            Blob::Moved { bytes } => screen.advance(name, *bytes),
            Blob::Started { kept } => screen.start(name, *kept, if *kept == 0 { "" } else { word }),
            Blob::Wrong => screen.start(name, 0, word),
            _ if state.is_over() => screen.end(name, word),
            _ => screen.say(name, word),
        }
    }

    /// For a log: a line for what is over or odd, and one now and then for what takes long.
    fn log(&mut self, digest: Digest, all: u64, state: &Blob) {
        let word = self.word(state);
        let short = digest.short();
        match state {
            Blob::Moved { .. } => {
                let Some(part) = self.blobs.get_mut(&digest) else { return };
                if let Some(rate) = part.told.due(LOGGED, part.bytes) {
                    self.ui.line(&format!("{short}: {}", so_far(part.bytes, Some(all), rate)));
                }
            }
            Blob::Started { kept: 0 } => {}
            Blob::Started { kept } => self.ui.line(&format!("{short}: {word} at {} of {}", size(*kept), size(all))),
            Blob::Again { reason } => self.ui.line(&format!("{short}: {word}: {}", safe(reason))),
            _ => self.ui.line(&format!("{short}: {}, {word}", size(all))),
        }
    }

    fn report(&mut self, digest: Digest, size: u64, state: &Blob) {
        let Some(part) = self.blobs.get_mut(&digest) else { return };
        if matches!(state, Blob::Moved { .. }) && part.told.due(EVERY, part.bytes).is_none() {
            return;
        }
        let mut row =
            json!({ "digest": digest.to_string(), "state": name_of(state), "bytes": part.bytes, "total": size });
        match state {
            Blob::Again { reason } => row["reason"] = reason.as_str().into(),
            Blob::Mounted { from } => row["from"] = from.as_str().into(),
            _ => {}
        }
        self.row("blob", row);
    }

    /// The last word on all of it.
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

    fn word(&self, state: &Blob) -> &'static str {
        match state {
            Blob::Present if self.heading == Heading::Here => "already here",
            Blob::Present => "already there",
            Blob::Mounted { .. } => "mounted",
            Blob::Again { .. } => "interrupted",
            Blob::Waiting => "waiting for another process",
            Blob::Started { kept: 0 } => "started",
            Blob::Started { .. } => "resumed",
            Blob::Wrong => "wrong bytes, once more",
            Blob::Done => "verified",
            Blob::Skipped => "skipped: not in registries",
            _ => "moving",
        }
    }
}

/// For programs, which rely on it.
fn name_of(state: &Blob) -> &'static str {
    match state {
        Blob::Present => "exists",
        Blob::Mounted { .. } => "mounted",
        Blob::Again { .. } => "interrupted",
        Blob::Waiting => "waiting",
        Blob::Started { kept: 0 } => "started",
        Blob::Started { .. } => "resumed",
        Blob::Wrong => "wrong",
        Blob::Done => "done",
        Blob::Skipped => "skipped",
        _ => "moving",
    }
}

impl Part {
    fn new(size: u64) -> Self {
        Self { bytes: 0, size, over: false, told: Told::now(0) }
    }

    /// Bytes that moved.
    fn note(&mut self, state: &Blob) -> u64 {
        match state {
            Blob::Moved { bytes } => {
                self.bytes += bytes;
                return *bytes;
            }
            Blob::Started { kept } => {
                self.bytes = *kept;
                self.told = Told::now(*kept);
            }
            Blob::Wrong => self.bytes = 0,
            state if state.is_over() => {
                self.over = true;
                self.bytes = self.size;
            }
            _ => {}
        }
        0
    }
}
