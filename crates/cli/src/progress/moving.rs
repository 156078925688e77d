//! How far images on the move are.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use porthole_core::digest::Digest;
use porthole_transfer::{Blob, Event};
use serde_json::json;

use super::{EVERY, Look};
use crate::ui::{Ui, safe, size};

/// Shows events in one of several ways.
pub(crate) struct Show<'u> {
    ui: &'u Ui,
    look: Look,
    /// What was there already, in words.
    present: &'static str,
    state: Mutex<State>,
}

struct State {
    /// Blobs by digest: bytes that are there, and all of them.
    blobs: HashMap<Digest, (u64, u64)>,
    finished: usize,
    /// Bytes that came since the start.
    moved: u64,
    started: Instant,
    shown: Option<Instant>,
}

impl<'u> Show<'u> {
    pub(crate) fn new(ui: &'u Ui) -> Self {
        let look = Look::of(ui);
        let state = State { blobs: HashMap::new(), finished: 0, moved: 0, started: Instant::now(), shown: None };
        Self { ui, look, present: "already here", state: Mutex::new(state) }
    }

    /// As [`new`](Self::new), for what leaves this machine.
    pub(crate) fn sending(ui: &'u Ui) -> Self {
        let mut show = Self::new(ui);
        show.present = "already there";
        show
    }

    pub(crate) fn event(&self, event: &Event) {
        if self.look == Look::None {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Document { digest, size: bytes, .. } => match self.look {
                Look::Plain => self.ui.line(&format!("{}: {}, manifest", digest.short(), size(*bytes))),
                Look::Json => self
                    .ui
                    .line(&json!({ "event": "document", "digest": digest.to_string(), "bytes": bytes }).to_string()),
                _ => {}
            },
            Event::Put { digest, tag } => {
                let name = tag.as_deref().map(|tag| format!(" as {tag}")).unwrap_or_default();
                match self.look {
                    Look::Plain => self.ui.line(&format!("{}: put{}", digest.short(), safe(&name))),
                    Look::Json => {
                        self.ui.line(&json!({ "event": "put", "digest": digest.to_string(), "tag": tag }).to_string())
                    }
                    _ => {}
                }
            }
            Event::Blob { digest, size: all, state: blob } => {
                state.note(*digest, *all, blob);
                self.blob(&mut state, *digest, *all, blob);
            }
            _ => {}
        }
    }

    fn blob(&self, state: &mut State, digest: Digest, all: u64, blob: &Blob) {
        let word = match blob {
            Blob::Present => self.present,
            Blob::Mounted { .. } => "mounted",
            Blob::Again { .. } => "interrupted",
            Blob::Waiting => "waiting for another process",
            Blob::Started { kept: 0 } => "started",
            Blob::Started { .. } => "resumed",
            Blob::Wrong => "wrong bytes, once more",
            Blob::Done => "verified",
            Blob::Skipped => "skipped: not in registries",
            _ => "",
        };
        let (there, _) = state.blobs.get(&digest).copied().unwrap_or_default();
        match self.look {
            Look::Plain if let Blob::Again { reason } = blob => {
                self.ui.line(&format!("{}: interrupted: {}", digest.short(), safe(reason)));
            }
            Look::Plain if !word.is_empty() => self.ui.line(&format!("{}: {}, {word}", digest.short(), size(all))),
            Look::Json if !word.is_empty() || state.due() => self.ui.line(
                &json!({
                    "event": "blob",
                    "digest": digest.to_string(),
                    "state": if word.is_empty() { "moving" } else { word },
                    "bytes": there,
                    "total": all,
                })
                .to_string(),
            ),
            Look::Line if state.due() => self.ui.draw(&state.line()),
            _ => {}
        }
    }
}

impl State {
    fn note(&mut self, digest: Digest, all: u64, blob: &Blob) {
        let entry = self.blobs.entry(digest).or_insert((0, all));
        match blob {
            Blob::Started { kept } => entry.0 = *kept,
            Blob::Moved { bytes } => {
                entry.0 += bytes;
                self.moved += bytes;
            }
            Blob::Wrong => entry.0 = 0,
            Blob::Present | Blob::Mounted { .. } | Blob::Done | Blob::Skipped => {
                entry.0 = all;
                self.finished += 1;
            }
            _ => {}
        }
    }

    fn due(&mut self) -> bool {
        let due = self.shown.is_none_or(|shown| shown.elapsed() >= EVERY);
        if due {
            self.shown = Some(Instant::now());
        }
        due
    }

    fn line(&self) -> String {
        let (there, all) = self.blobs.values().fold((0, 0), |(there, all), blob| (there + blob.0, all + blob.1));
        let seconds = self.started.elapsed().as_secs_f64().max(0.1);
        let rate = self.moved as f64 / seconds;
        let left = all.saturating_sub(there) as f64 / rate.max(1.0);
        format!(
            "blobs {}/{}  {} of {}  {}/s  {left:.0} s left",
            self.finished,
            self.blobs.len(),
            size(there),
            size(all),
            size(rate as u64),
        )
    }
}

impl Drop for Show<'_> {
    fn drop(&mut self) {
        if self.look == Look::Line {
            self.ui.draw("");
        }
    }
}
