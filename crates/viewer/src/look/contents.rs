//! What the layers of a look tell together, once all of them are settled.

use super::{Access, Look, LookBody};
use crate::{
    overview,
    protocol::{Event, LayerState, Sizes},
};
use porthole_core::seek::{IndexReader, Offsets};
use porthole_inspect::{
    findings,
    waste::{LayerBlob, WasteReport},
};

impl Look {
    /// Sends the overview with what the layers tell.
    pub(super) fn survey(&mut self, out: &mut Vec<Event>) {
        let Some(body) = &mut self.body else { return };
        let report = body.waste();
        let tree = body.stack.tree();
        let missing = |layer: &&crate::protocol::LayerProgress| layer.state == LayerState::Wrong;
        let facts = &mut body.overview;
        facts.findings.extend(findings::of_layers(tree, &report).iter().map(overview::finding));
        facts.missing = body.layers.iter().filter(missing).map(|layer| layer.index).collect();
        facts.sizes = Sizes {
            download: report.download,
            unpacked: report.unpacked,
            visible: report.waste.visible,
            complete: facts.missing.is_empty(),
        };
        facts.settled = true;
        out.push(Event::Overview { look: self.number, overview: Box::new(facts.clone()) });
    }
}

impl LookBody {
    /// The waste of the layers as they are stacked.
    pub(crate) fn waste(&self) -> WasteReport {
        WasteReport::of(self.stack.tree(), Some(&self.resolved.image), &self.blobs())
    }

    fn blobs(&self) -> Vec<LayerBlob> {
        let blob = |(number, layer): (usize, &porthole_core::image::Layer)| {
            let progress = self.layers.get(number);
            let uncompressed = progress.map_or(0, |progress| progress.uncompressed);
            LayerBlob {
                digest: Some(layer.descriptor.digest),
                size: layer.descriptor.size,
                uncompressed,
                entries: progress.map_or(0, |progress| progress.entries),
                offsets: self.offsets(number).unwrap_or_else(|| Offsets::even(layer.descriptor.size, uncompressed)),
            }
        };
        self.resolved.image.layers.iter().enumerate().map(blob).collect()
    }

    /// Where in the blob of a layer its bytes are, if an index knows it.
    fn offsets(&self, layer: usize) -> Option<Offsets> {
        match self.access.get(layer)?.as_ref()? {
            Access::Index(index) => index.borrow_mut().ask(IndexReader::offsets).ok(),
            Access::Toc(_) => None,
        }
    }
}
