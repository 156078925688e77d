//! Applies the reports of layers to the look.

use super::{Access, Look};
use crate::{
    layer::LayerFindings,
    prepared::TocListing,
    protocol::{Event, FailureNotice, LayerState, ProofStep, Remedy},
};
use porthole_core::{failure::FailureClass, layer::LayerNumber};

impl Look {
    /// A layer whose entries came from the index of another look, where it is verified.
    pub(crate) fn reuse(&mut self, layer: u32, uncompressed: u64, entries: u64, whole: bool) {
        let Some(progress) = self.layer(layer) else { return };
        progress.state = if whole { LayerState::Verified } else { LayerState::Wrong };
        (progress.uncompressed, progress.entries) = (uncompressed, entries);
        self.settle(layer, whole);
    }

    /// A batch of entries of a layer.
    pub(crate) fn receive(&mut self, layer: u32, batch: Vec<u8>) {
        let Some(body) = &mut self.body else { return };
        match body.reading_alone(layer) {
            Some(alone) => alone.stack.receive(layer, batch),
            None => body.stack.receive(layer, batch),
        }
    }

    /// Progress of a layer.
    pub(crate) fn progress(&mut self, layer: u32, compressed: u64, uncompressed: u64, entries: u64) {
        if self.is_read_again(layer) {
            return;
        }
        if let Some(progress) = self.layer(layer) {
            progress.state = LayerState::Progress;
            (progress.compressed, progress.uncompressed, progress.entries) = (compressed, uncompressed, entries);
        }
    }

    /// A layer is listed from its table of contents.
    pub(crate) fn listed(&mut self, layer: u32, listing: TocListing) {
        let Some(progress) = self.layer(layer) else { return };
        progress.state = LayerState::Listed;
        (progress.compressed, progress.uncompressed) = (listing.fetched, listing.uncompressed);
        progress.entries = listing.entries;
        progress.note = Some(listing.note);
        self.keep(layer, Access::Toc(listing.toc), listing.fetched);
        for batch in listing.batches {
            self.receive(layer, batch);
        }
        self.settle(layer, true);
    }

    /// Keeps what lets the files of a layer be read, and takes `bytes` of memory, while there is room.
    pub(crate) fn keep(&mut self, layer: u32, access: Access, bytes: u64) {
        let Some(body) = &mut self.body else { return };
        let total = body.access_bytes + bytes;
        let slot = body.access.get_mut(layer as usize).filter(|slot| slot.is_none() && total <= ACCESS);
        if let Some(slot) = slot {
            *slot = Some(access);
            body.access_bytes = total;
        }
    }

    /// Sets the note of a layer.
    pub(crate) fn note(&mut self, layer: u32, note: String) {
        if let Some(progress) = self.layer(layer) {
            progress.note = Some(note);
        }
    }

    /// Counts bytes that were fetched to read a file.
    pub(crate) fn fetched(&mut self, bytes: u64) {
        self.files += bytes;
        if let Some(changed) = self.body.as_mut().and_then(|body| body.changed.first_mut()).filter(|_| bytes > 0) {
            *changed = true;
        }
    }

    /// Stops reading. Layers that were not read to their end get no files.
    pub(crate) fn stop(&mut self) {
        let layers = self.body.as_ref().map_or(&[][..], |body| &body.layers);
        let open: Vec<u32> = layers.iter().filter(|layer| !layer.state.settled()).map(|layer| layer.index).collect();
        for layer in open {
            if let Some(progress) = self.layer(layer) {
                progress.state = LayerState::Stopped;
            }
            self.settle(layer, false);
        }
    }

    /// A layer was read to its end.
    pub(crate) fn done(&mut self, layer: u32, mut findings: LayerFindings, out: &mut Vec<Event>) {
        if findings.verified && self.is_read_again(layer) {
            return self.settle(layer, true);
        }
        self.remember(layer, &mut findings);
        self.describe(layer, std::mem::take(&mut findings.facts), out);
        let Some(progress) = self.layer(layer) else { return };
        let refused = progress.state == LayerState::Wrong;
        progress.compressed = findings.compressed;
        progress.uncompressed = findings.uncompressed;
        progress.entries = findings.entries;
        progress.ambiguous = findings.ambiguous;
        progress.findings.extend(findings.texts.iter().cloned());
        progress.note = findings.note.or_else(|| progress.note.take());
        let kind = findings.failure.unwrap_or(FailureClass::Malformed);
        progress.state = match (findings.verified, refused) {
            (true, false) => LayerState::Verified,
            (true, true) => LayerState::Wrong,
            (false, _) => LayerState::of_failure(kind),
        };
        if !findings.verified {
            let worst = findings.texts.first().map_or("what came is not what was promised", String::as_str);
            let failure = FailureNotice {
                layer: Some(layer),
                step: Some(ProofStep::Layers),
                mismatch: findings.mismatch,
                remedies: vec![Remedy::Retry { after: None }],
                ..FailureNotice::plain(kind, of_layer(layer, worst))
            };
            self.tell_failure(failure, out);
        }
        self.settle(layer, findings.verified && !findings.no_files);
    }

    /// Adds the facts of an artifact's blob to the overview.
    fn describe(&mut self, layer: u32, facts: Vec<(String, String)>, out: &mut Vec<Event>) {
        let Some(body) = self.body.as_mut().filter(|_| !facts.is_empty()) else { return };
        let artifact = body.overview.artifact.as_mut();
        if let Some(blob) = artifact.and_then(|artifact| artifact.blobs.get_mut(layer as usize)) {
            blob.facts = facts;
            out.push(Event::Overview { look: self.number, overview: Box::new(body.overview.clone()) });
        }
    }

    /// A layer could not be read.
    pub(crate) fn lost(&mut self, layer: u32, mut failure: FailureNotice, out: &mut Vec<Event>) {
        let Some(progress) = self.layer(layer) else { return };
        progress.state = LayerState::of_failure(failure.kind);
        progress.findings.push(failure.text.clone());
        failure.text = of_layer(layer, &failure.text);
        failure.layer = Some(layer);
        failure.step = Some(ProofStep::Layers);
        self.tell_failure(failure, out);
        self.settle(layer, false);
    }

    pub(super) fn settle(&mut self, layer: u32, verified: bool) {
        let Some(body) = &mut self.body else { return };
        match body.reading_alone(layer) {
            Some(alone) => {
                alone.stack.settle(layer, verified);
                alone.reading = false;
                self.relist();
                return;
            }
            None => body.stack.settle(layer, verified),
        }
        self.chain.layers(body.layers.iter().map(|layer| layer.state));
        self.chain.recalled(body.layers.iter().filter(|layer| layer.since.is_some()).count());
        self.chain_stale = true;
    }
}

/// People count layers from one: `layer does not …` becomes `layer 3 does not …`.
fn of_layer(layer: u32, text: &str) -> String {
    let number = LayerNumber::of_index(layer);
    match text.split_once("layer ") {
        Some((before, after)) if before.is_empty() || before == "unpacked " => {
            format!("{before}layer {number} {after}")
        }
        _ => format!("layer {number}: {text}"),
    }
}

/// Bytes of indexes and tables of contents that are kept.
const ACCESS: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_counted_from_one() {
        assert_eq!(of_layer(2, "layer does not have its size"), "layer 3 does not have its size");
        assert_eq!(of_layer(0, "unpacked layer does not match"), "unpacked layer 1 does not match");
        assert_eq!(of_layer(1, "no connection"), "layer 2: no connection");
    }
}
