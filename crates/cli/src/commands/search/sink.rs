//! Searches a layer while it is read.

use porthole_core::tar::{Entry, EntrySink, Flow};
use porthole_inspect::search::{ContentHit, ContentSearch, LayerHits};

use crate::layers::Findings;

/// A message from the sink of a layer.
#[derive(Clone)]
pub(super) enum Found {
    Hits(Vec<ContentHit>),
    /// The end of the layer: its entries and the totals.
    Layer(Vec<Entry>, LayerHits),
}

pub(super) struct Sink {
    /// `None` after the layer has ended.
    search: Option<ContentSearch>,
    entries: Vec<Entry>,
    findings: Findings<Found>,
}

impl Sink {
    pub(super) fn new(search: ContentSearch, findings: Findings<Found>) -> Self {
        Self { search: Some(search), entries: Vec::new(), findings }
    }

    fn search(&mut self, step: impl FnOnce(&mut ContentSearch)) {
        let Some(search) = &mut self.search else { return };
        step(search);
        let hits = search.take_hits();
        if !hits.is_empty() {
            self.findings.send(Found::Hits(hits));
        }
    }
}

impl EntrySink for Sink {
    fn entry(&mut self, entry: Entry) -> Flow {
        let wanted = self.search.as_mut().is_some_and(|search| search.begin(&entry));
        self.entries.push(entry);
        if wanted { Flow::WantData } else { Flow::Continue }
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.search(|search| search.push(bytes));
        Flow::Continue
    }

    fn end_of_data(&mut self) {
        self.search(ContentSearch::end);
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(search) = self.search.take() {
            self.findings.send(Found::Layer(std::mem::take(&mut self.entries), search.finish()));
        }
    }
}
