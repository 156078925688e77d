//! The part of a look that has layers.

use super::{Alone, KeptLayer};
use crate::{
    index::OpenIndex,
    listing::{self, RowList as Rows},
    protocol::{FileView, LayerProgress, OverviewFacts},
    session::OfPage,
    stack::Stack,
};
use porthole_core::{reference::Reference, toc::Toc};
use porthole_inspect::{artifact::ArtifactFact, resolve::ResolvedImage};
use std::rc::Rc;

/// The part of a look that has layers.
pub struct LookBody {
    /// What was asked for.
    pub reference: Reference,
    /// What it turned out to be.
    pub resolved: ResolvedImage,
    /// Where it is part of the front end.
    pub(crate) page: Option<OfPage>,
    /// Layers, bottom first.
    pub layers: Vec<LayerProgress>,
    pub(super) changed: Vec<bool>,
    /// What lets the files of each layer be read.
    pub(super) access: Vec<Option<Access>>,
    pub(super) access_bytes: u64,
    /// Layers of which something is kept from an earlier look, bottom first.
    pub(super) kept: Vec<Option<Rc<KeptLayer>>>,
    pub(crate) stack: Stack,
    /// Layers that found no room in the tree.
    pub(crate) crowded: Vec<u32>,
    pub(crate) alone: Option<Alone>,
    pub(super) listing: Rows,
    pub(super) overview: OverviewFacts,
    /// The findings of the overview that its documents tell.
    pub(super) stated: usize,
}

/// What is known of a layer that lets its files be read one by one.
#[derive(Clone)]
pub enum Access {
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
    pub fn content(&self, view: &FileView, path: &[u8]) -> Option<porthole_core::tree::Content> {
        let top = self.layers.len().saturating_sub(1) as u32;
        let view = self.tree(view).view(listing::mode(view, top));
        view.content(view.find(path)?)
    }

    /// What lets the files of a layer be read.
    pub fn access(&self, layer: u32) -> Option<&Access> {
        self.access.get(layer as usize)?.as_ref()
    }
}
