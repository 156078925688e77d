//! One look at one image: the data so far, and what of it was reported.

mod alone;
mod contents;
mod kept;
mod layers;
mod turn;
mod view;

use crate::{
    index::OpenIndex,
    listing::{self, Expansion, RowList as Rows},
    pace::Pace,
    protocol::{
        Chain, Event, FailureNotice, FileView, ImageSummary, LayerProgress, LayerState, OverviewFacts, ProofStep,
        Selection,
    },
    session::OfPage,
    stack::Stack,
};
pub(crate) use alone::Alone;
pub(crate) use kept::KeptLayer;
use porthole_core::{limits::Limits, manifest, platform, reference::Reference, toc::Toc};
use porthole_inspect::{
    artifact::ArtifactFact,
    resolve::{ResolveStep, ResolvedImage},
};
use std::rc::Rc;

/// A look, from the reference to the last row.
pub(crate) struct Look {
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
    /// The overview still lacks facts from the layers.
    survey_due: bool,
    /// The waste was asked for and not sent.
    waste_due: bool,
    /// The look is not shown, so its files are not listed.
    hidden: bool,
}

/// The part of a look that has layers.
pub(crate) struct LookBody {
    /// The requested reference.
    pub reference: Reference,
    /// The resolved image.
    pub resolved: ResolvedImage,
    /// Where it is part of the front end.
    pub(crate) page: Option<OfPage>,
    /// Layers, bottom first.
    pub layers: Vec<LayerProgress>,
    changed: Vec<bool>,
    /// For each layer, the index or table by which its files are read.
    access: Vec<Option<Access>>,
    access_bytes: u64,
    /// Layers of which something is kept from an earlier look, bottom first.
    kept: Vec<Option<Rc<KeptLayer>>>,
    pub(crate) stack: Stack,
    /// Layers that exceed the limit of the tree.
    pub(crate) crowded: Vec<u32>,
    pub(crate) alone: Option<Alone>,
    listing: Rows,
    overview: OverviewFacts,
    /// The findings from the documents of the image.
    stated: usize,
}

/// How single files of a layer are read.
#[derive(Clone)]
pub(crate) enum Access {
    /// It was read to its end, and this is its index.
    Index(Rc<OpenIndex>),
    /// It was listed from this table of contents.
    Toc(Rc<Toc>),
}

impl LookBody {
    /// What the blobs of an artifact say of themselves, one for each layer, as far as they are verified.
    pub(crate) fn artifact_facts(&self) -> Vec<Vec<ArtifactFact>> {
        let blobs = self.overview.artifact.as_ref().map_or(&[][..], |artifact| &artifact.blobs);
        let facts = |facts: &[(String, String)]| {
            facts.iter().map(|(name, value)| ArtifactFact::new(name.as_str(), value.as_str())).collect()
        };
        blobs.iter().map(|blob| facts(&blob.facts)).collect()
    }

    /// Bytes of the seek indexes of its layers.
    pub(crate) fn access_bytes(&self) -> u64 {
        self.access_bytes
    }

    /// Where the content of the file at a path is, as a view shows it.
    pub(crate) fn content(&self, view: &FileView, path: &[u8]) -> Option<porthole_core::tree::Content> {
        let top = self.layers.len().saturating_sub(1) as u32;
        let view = self.tree(view).view(listing::mode(view, top));
        view.content(view.find(path)?)
    }

    /// How files of a layer are read, if that is known.
    pub(crate) fn access(&self, layer: u32) -> Option<&Access> {
        self.access.get(layer as usize)?.as_ref()
    }
}

impl Look {
    /// A look that begins at a tag or digest.
    pub(crate) fn begin(number: u32, target: &str, view: FileView, selected: Option<&str>, limits: Limits) -> Self {
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
    pub(crate) fn step(&mut self, step: &ResolveStep, out: &mut Vec<Event>) {
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

    /// Ends the look because the link in progress does not hold.
    pub(crate) fn fail(&mut self, mut failure: FailureNotice, out: &mut Vec<Event>) {
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

    /// The view that is shown.
    pub(crate) fn view(&self) -> &FileView {
        &self.view
    }

    /// The tag beside the digest that was asked for stands for this digest.
    pub(crate) fn compare_tag(&mut self, asked: &str, tagged: &str, out: &mut Vec<Event>) {
        self.chain.compare_tag(asked, tagged);
        out.push(self.chain_event());
    }

    fn layer(&mut self, layer: u32) -> Option<&mut LayerProgress> {
        let body = self.body.as_mut()?;
        *body.changed.get_mut(layer as usize)? = true;
        body.layers.get_mut(layer as usize)
    }
}

impl LayerState {
    pub(crate) fn settled(self) -> bool {
        matches!(self, Self::Verified | Self::Listed | Self::Stopped | Self::Lost | Self::Wrong)
    }
}

/// Rows sent before the page has said how many it can show.
const FIRST_ROWS: u64 = 100;
