//! A turn of a look: stacks the entries that arrived, lists them, and reports what changed.

use super::Look;
use crate::protocol::{Event, FileRow, Selection, Sizes};
use porthole_core::tree::Mode;
use std::time::Duration;

impl Look {
    /// Stacks, lists and reports, each at its own pace. Returns the time until there is more to do; `None`: until an
    /// order or a report arrives.
    pub(crate) fn turn(&mut self, clock: impl Fn() -> Duration, out: &mut Vec<Event>) -> Option<Duration> {
        let more = self.pump(&clock);
        if self.body.is_none() {
            self.tell_chain(out);
            return None;
        }
        self.report(out);
        let Some(body) = &mut self.body else { return None };
        let complete = body.complete(&self.view);
        let now = clock();
        if self.stale && !self.hidden && (self.listing.is_due(now) || complete) {
            let expansion =
                if self.view.filter.is_empty() && self.view.changes.all() { &self.expansion } else { &self.sifted };
            let top = body.layers.len().saturating_sub(1) as u32;
            let mut listing = std::mem::take(&mut body.listing);
            listing.flatten(body.tree(&self.view), &self.view, top, expansion);
            body.listing = listing;
            self.stale = false;
            let cost = clock().saturating_sub(now);
            let first = body.listing.is_empty() && !complete;
            self.listing.rest(now, if first { Duration::ZERO } else { (cost * 5).max(PULSE) });
            self.show(out);
        }
        if self.progress.is_due(now) || (complete && !self.settled) {
            let begun = clock();
            self.tell_progress(complete, out);
            // In a large tree the size of what is visible takes a pass over all of it.
            self.progress.rest(now, (clock().saturating_sub(begun) * 5).max(PULSE));
        }
        self.tell_chain(out);
        if complete && !self.settled {
            self.settled = true;
            if !self.hidden {
                self.show(out);
            }
            out.push(Event::Settled { look: self.number });
            // In a turn of its own: it takes a pass over the tree, and the last rows must not wait for it.
            self.survey_due = !self.hidden;
            return Some(Duration::ZERO);
        }
        let body = self.body.as_ref()?;
        let reported = !body.changed.contains(&true);
        match (more, self.stale, reported) {
            (true, ..) => Some(Duration::ZERO),
            (_, true, true) => Some(self.listing.left(now)),
            (_, true, false) => Some(self.listing.left(now).min(self.progress.left(now))),
            (_, false, false) => Some(self.progress.left(now)),
            (_, false, true) => None,
        }
    }

    fn pump(&mut self, clock: &impl Fn() -> Duration) -> bool {
        let begun = clock();
        loop {
            let Some(body) = &mut self.body else { return false };
            let turn = body.pump(ENTRIES);
            self.stale |= turn.changed;
            if turn.changed {
                body.changed.iter_mut().zip(&body.layers).for_each(|(changed, layer)| *changed |= layer.entries > 0);
            }
            if let Some((layer, error)) = turn.stopped {
                let text = body.explain(layer, &error);
                if let Some(progress) = self.layer(layer) {
                    progress.findings.push(text);
                }
            }
            if !turn.more || clock().saturating_sub(begun) >= SLICE {
                return turn.more;
            }
        }
    }

    fn tell_progress(&mut self, complete: bool, out: &mut Vec<Event>) {
        let Some(body) = &mut self.body else { return };
        let mut layers = Vec::new();
        for (layer, changed) in body.layers.iter_mut().zip(&mut body.changed) {
            if std::mem::take(changed) {
                let summary = body.stack.tree().summary(layer.index);
                (layer.added, layer.modified, layer.removed) = (summary.added, summary.modified, summary.removed);
                layers.push(layer.clone());
            }
        }
        if layers.is_empty() && !complete {
            return;
        }
        let sizes = Sizes {
            download: body.resolved.image.download_size(),
            unpacked: body.layers.iter().map(|layer| layer.uncompressed).sum(),
            visible: body.stack.tree().view(Mode::Merged).total_size(),
            complete,
        };
        let blobs = || body.layers.iter().map(|layer| layer.compressed).sum::<u64>();
        let fetched = if body.page.is_some() { 0 } else { self.documents + self.files + blobs() };
        out.push(Event::Layers { look: self.number, layers, sizes, fetched });
    }

    fn tell_chain(&mut self, out: &mut Vec<Event>) {
        if std::mem::take(&mut self.chain_stale) {
            out.push(self.chain_event());
        }
    }

    pub(super) fn chain_event(&mut self) -> Event {
        self.chain_stale = false;
        Event::Chain { look: self.number, chain: self.chain.clone() }
    }

    /// Sends the window and the selection as they are now.
    pub(super) fn show(&mut self, out: &mut Vec<Event>) {
        let Some(body) = &self.body else { return };
        let top = body.layers.len().saturating_sub(1) as u32;
        let tree = body.tree(&self.view);
        let window =
            body.listing.window(tree, &self.view, top, self.window.clone(), self.settled && body.complete(&self.view));
        out.push(Event::Rows { look: self.number, window });
        let found: Option<(FileRow, Option<u64>)> =
            self.selected.as_deref().and_then(|path| body.listing.find(tree, &self.view, top, path));
        let selection = found.map(|(row, index)| Box::new(Selection { row, index }));
        if self.reported.as_ref() != Some(&selection) {
            self.reported = Some(selection.clone());
            out.push(Event::Selected { look: self.number, selection });
        }
    }
}

/// Time between two lists, and between two reports of progress. Each is drawn, on a core that the layers need too.
const PULSE: Duration = Duration::from_millis(200);
/// Time of stacking at a stretch, so that queries are answered in between.
const SLICE: Duration = Duration::from_millis(24);
/// Entries between two looks at the clock.
const ENTRIES: usize = 2_000;
