//! One look at one image: what is known of it so far, and what was reported of it.

mod alone;
mod body;
mod contents;
mod kept;
mod turn;
mod view;

use crate::{
    layer::LayerFindings,
    listing::{Expansion, RowList as Rows},
    pace::Pace,
    prepared::TocListing,
    protocol::{
        Chain, Event, FailureNotice, FileView, ImageSummary, LayerProgress, LayerState, OverviewFacts, ProofStep,
        Remedy, Selection,
    },
    session::OfPage,
    stack::Stack,
};
pub use alone::Alone;
pub use body::{Access, LookBody};
pub(crate) use kept::KeptLayer;
use porthole_core::{
    failure::FailureClass, layer::LayerNumber, limits::Limits, manifest, platform, reference::Reference,
};
use porthole_inspect::resolve::{ResolveStep, ResolvedImage};

/// A look, from the reference to the last row.
pub struct Look {
    /// Number that the front end gave it.
    pub number: u32,
    /// The chain of proof.
    pub chain: Chain,
    /// The image, once manifest and config are verified.
    pub body: Option<LookBody>,
    view: FileView,
    expansion: Expansion,
    sifted: Expansion,
    window: std::ops::Range<u64>,
    selected: Option<Vec<u8>>,
    reported: Option<Option<Box<Selection>>>,
    documents: u64,
    /// Bytes fetched to read single files.
    files: u64,
    platforms: Vec<String>,
    listing: Pace,
    progress: Pace,
    limits: Limits,
    stale: bool,
    chain_stale: bool,
    settled: bool,
    /// The overview lacks what the layers tell.
    survey_due: bool,
    /// The waste was asked for and not sent.
    waste_due: bool,
    /// It is not shown, and so not listed.
    hidden: bool,
}

impl Look {
    /// A look that begins at a tag or digest.
    pub fn begin(number: u32, target: &str, view: FileView, selected: Option<&str>, limits: Limits) -> Self {
        let mut look = Self {
            number,
            chain: Chain::begin(target),
            body: None,
            view,
            expansion: Expansion::default(),
            sifted: Expansion::all(),
            window: 0..FIRST_ROWS,
            selected: None,
            reported: None,
            documents: 0,
            files: 0,
            platforms: Vec::new(),
            listing: Pace::default(),
            progress: Pace::default(),
            limits,
            stale: false,
            chain_stale: true,
            settled: false,
            survey_due: false,
            waste_due: false,
            hidden: false,
        };
        look.select(selected);
        look
    }

    /// A step of the client, for the chain of proof.
    pub fn step(&mut self, step: &ResolveStep, out: &mut Vec<Event>) {
        match step {
            ResolveStep::Document(document) => {
                let (digest, media_type) = (document.raw().digest().to_string(), document.media_type().as_str());
                self.documents += document.raw().bytes().len() as u64;
                self.chain.verify(ProofStep::Tag, &digest, "");
                if let manifest::Document::Index(index) = document {
                    self.chain.verify(ProofStep::Index, &digest, media_type);
                    let available = platform::available(&index.value.manifests);
                    self.platforms = available.iter().map(ToString::to_string).collect();
                    out.push(Event::Platforms { look: self.number, available: self.platforms.clone(), chosen: None });
                } else {
                    self.chain.without_index();
                }
            }
            ResolveStep::Chosen(descriptor) => {
                self.chain.expect(ProofStep::Manifest, &descriptor.digest.to_string());
                let chosen = descriptor.platform.as_ref().map(|platform| platform.normalized().to_string());
                out.push(Event::Platforms { look: self.number, available: self.platforms.clone(), chosen });
            }
            ResolveStep::Manifest(document) => {
                if self.chain.links.iter().any(|link| link.step == ProofStep::Index) {
                    self.documents += document.raw().bytes().len() as u64;
                }
                let (digest, media_type) = (document.raw().digest().to_string(), document.media_type().as_str());
                self.chain.verify(ProofStep::Manifest, &digest, media_type);
            }
            ResolveStep::Config(raw) => {
                self.documents += raw.bytes().len() as u64;
                self.chain.verify(ProofStep::Config, &raw.digest().to_string(), "");
            }
            _ => {}
        }
        out.push(self.chain_event());
    }

    /// The link in progress does not hold, which ends the look.
    pub fn fail(&mut self, mut failure: FailureNotice, out: &mut Vec<Event>) {
        let step = self.chain.fail(failure.mismatch.clone());
        failure.step = failure.step.or(step);
        out.push(self.chain_event());
        self.tell_failure(failure, out);
    }

    fn tell_failure(&self, mut failure: FailureNotice, out: &mut Vec<Event>) {
        if failure.registry.is_none() {
            failure.registry = self.body.as_ref().map(|body| body.reference.registry().into());
        }
        out.push(Event::Failure { look: self.number, failure: Box::new(failure) });
    }

    /// Manifest and config are verified: the layers begin.
    pub(crate) fn install(
        &mut self,
        reference: Reference,
        resolved: ResolvedImage,
        page: Option<OfPage>,
        summary: ImageSummary,
        overview: OverviewFacts,
        out: &mut Vec<Event>,
    ) {
        if let (None, Some(digest)) = (self.view.layer, self.view.layer_digest.take()) {
            self.view.layer = summary.layers.iter().find(|layer| layer.digest == digest).map(|layer| layer.index);
        }
        let layers: Vec<_> = summary
            .layers
            .iter()
            .map(|layer| LayerProgress {
                index: layer.index,
                state: LayerState::Waiting,
                compressed: 0,
                total: layer.size,
                uncompressed: 0,
                entries: 0,
                added: 0,
                modified: 0,
                removed: 0,
                ambiguous: 0,
                findings: Vec::new(),
                note: None,
                since: None,
            })
            .collect();
        self.chain.layers(layers.iter().map(|layer| layer.state));
        self.body = Some(LookBody {
            reference,
            resolved,
            page,
            changed: vec![true; layers.len()],
            access: vec![None; layers.len()],
            kept: vec![None; layers.len()],
            access_bytes: 0,
            stack: Stack::new(layers.len(), self.limits.tree_nodes),
            crowded: Vec::new(),
            alone: None,
            listing: Rows::default(),
            stated: overview.findings.len(),
            overview: overview.clone(),
            layers,
        });
        self.stale = true;
        self.chain_stale = true;
        out.push(Event::Image { look: self.number, image: Box::new(summary) });
        out.push(Event::Overview { look: self.number, overview: Box::new(overview) });
    }

    /// A look whose files are not listed.
    pub(crate) fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    /// Whether every layer is verified, wrong or failed.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// Bytes of layers that were read so far.
    pub(crate) fn layer_bytes(&self) -> u64 {
        let layers = self.body.as_ref().map_or(&[][..], |body| &body.layers);
        layers.iter().map(|layer| layer.compressed).sum()
    }

    /// A layer whose entries came from the index of another look, where it is verified.
    pub(crate) fn reuse(&mut self, layer: u32, uncompressed: u64, entries: u64, whole: bool) {
        let Some(progress) = self.layer(layer) else { return };
        progress.state = if whole { LayerState::Verified } else { LayerState::Wrong };
        (progress.uncompressed, progress.entries) = (uncompressed, entries);
        self.settle(layer, whole);
    }

    /// A batch of entries of a layer.
    pub fn receive(&mut self, layer: u32, batch: Vec<u8>) {
        let Some(body) = &mut self.body else { return };
        match body.reading_alone(layer) {
            Some(alone) => alone.stack.receive(layer, batch),
            None => body.stack.receive(layer, batch),
        }
    }

    /// Progress of a layer.
    pub fn progress(&mut self, layer: u32, compressed: u64, uncompressed: u64, entries: u64) {
        if self.is_read_again(layer) {
            return;
        }
        if let Some(progress) = self.layer(layer) {
            progress.state = LayerState::Progress;
            (progress.compressed, progress.uncompressed, progress.entries) = (compressed, uncompressed, entries);
        }
    }

    /// A layer is listed from its table of contents.
    pub fn listed(&mut self, layer: u32, listing: TocListing) {
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
    pub fn keep(&mut self, layer: u32, access: Access, bytes: u64) {
        let Some(body) = &mut self.body else { return };
        let total = body.access_bytes + bytes;
        let slot = body.access.get_mut(layer as usize).filter(|slot| slot.is_none() && total <= ACCESS);
        if let Some(slot) = slot {
            *slot = Some(access);
            body.access_bytes = total;
        }
    }

    /// The view that is shown.
    pub fn view(&self) -> &FileView {
        &self.view
    }

    /// Something to know of a layer.
    pub fn note(&mut self, layer: u32, note: String) {
        if let Some(progress) = self.layer(layer) {
            progress.note = Some(note);
        }
    }

    /// Bytes were fetched to read a file.
    pub fn fetched(&mut self, bytes: u64) {
        self.files += bytes;
        if let Some(changed) = self.body.as_mut().and_then(|body| body.changed.first_mut()).filter(|_| bytes > 0) {
            *changed = true;
        }
    }

    /// Nothing more is fetched: layers that are not read to their end have no files.
    pub fn stop(&mut self) {
        let layers = self.body.as_ref().map_or(&[][..], |body| &body.layers);
        let open: Vec<u32> = layers.iter().filter(|layer| !layer.state.settled()).map(|layer| layer.index).collect();
        for layer in open {
            if let Some(progress) = self.layer(layer) {
                progress.state = LayerState::Stopped;
            }
            self.settle(layer, false);
        }
    }

    /// The tag beside the digest that was asked for stands for this digest.
    pub fn compare_tag(&mut self, asked: &str, tagged: &str, out: &mut Vec<Event>) {
        self.chain.compare_tag(asked, tagged);
        out.push(self.chain_event());
    }

    /// A layer was read to its end.
    pub fn done(&mut self, layer: u32, mut findings: LayerFindings, out: &mut Vec<Event>) {
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
        progress.state = if findings.verified && !refused { LayerState::Verified } else { LayerState::Wrong };
        if !findings.verified {
            let kind = findings.failure.unwrap_or(FailureClass::Malformed);
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

    /// What a blob of an artifact says of itself, for the overview.
    fn describe(&mut self, layer: u32, facts: Vec<(String, String)>, out: &mut Vec<Event>) {
        let Some(body) = self.body.as_mut().filter(|_| !facts.is_empty()) else { return };
        let artifact = body.overview.artifact.as_mut();
        if let Some(blob) = artifact.and_then(|artifact| artifact.blobs.get_mut(layer as usize)) {
            blob.facts = facts;
            out.push(Event::Overview { look: self.number, overview: Box::new(body.overview.clone()) });
        }
    }

    /// A layer could not be read.
    pub fn lost(&mut self, layer: u32, mut failure: FailureNotice, out: &mut Vec<Event>) {
        let Some(progress) = self.layer(layer) else { return };
        progress.state = LayerState::Wrong;
        progress.findings.push(failure.text.clone());
        failure.text = of_layer(layer, &failure.text);
        failure.layer = Some(layer);
        failure.step = Some(ProofStep::Layers);
        self.tell_failure(failure, out);
        self.settle(layer, false);
    }

    fn settle(&mut self, layer: u32, verified: bool) {
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

    fn layer(&mut self, layer: u32) -> Option<&mut LayerProgress> {
        let body = self.body.as_mut()?;
        *body.changed.get_mut(layer as usize)? = true;
        body.layers.get_mut(layer as usize)
    }
}

impl LayerState {
    pub(crate) fn settled(self) -> bool {
        matches!(self, Self::Verified | Self::Listed | Self::Stopped | Self::Wrong)
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
/// Rows sent before the page has said how many it can show.
const FIRST_ROWS: u64 = 100;

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
