//! Layers of one image that are the same blob: it is fetched once, and the others take its entries from the index.

use super::{Errand, Front, Session, Work, compare::KnownLayer};
use crate::{
    layer::LayerFindings,
    look::{Access, LookBody},
    pool::Pool,
    protocol::{FailureNotice, LayerState},
};
use porthole_core::{image::Layer, layer::LayerNumber};
use porthole_inspect::layer::BlobIdentity;
use porthole_registry::transport::{Environment, Transport};
use std::{collections::HashSet, rc::Rc};

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Leaves out the layers whose blob is that of another layer to be read.
    pub(super) fn without_twins(&self, number: u32, layers: Vec<u32>) -> Vec<u32> {
        let desk = self.desk.borrow();
        let Some(body) = desk.body_of(number) else { return layers };
        let mut known = HashSet::new();
        let is_first = |index: &u32| {
            let layer = body.resolved.image.layers.get(*index as usize);
            layer.is_none_or(|layer| known.insert(BlobIdentity::of(layer)))
        };
        layers.into_iter().filter(is_first).collect()
    }

    /// A layer was read: so were its twins, if they have no files or are wrong; else they take its entries.
    pub(super) fn end_twins(&self, number: u32, layer: u32, findings: &LayerFindings) {
        let twins = self.waiting_twins(number, layer);
        if twins.is_empty() {
            return;
        }
        if !findings.verified || findings.no_files {
            for twin in twins {
                self.of_look(number, |look, out| look.done(twin, findings.clone(), out));
            }
        } else if self.known_layer(number, layer).is_some() {
            self.errands.begin(Errand::Twins(layer), Work::CopyToTwins { look: number, layer });
        } else {
            // There is no index, because the layer is too large for one to be kept.
            self.enqueue(number, twins.into_iter().take(1));
        }
    }

    /// A layer could not be read, so its twins cannot be read either.
    pub(super) fn lose_twins(&self, number: u32, layer: u32, failure: &FailureNotice) {
        for twin in self.waiting_twins(number, layer) {
            self.of_look(number, |look, out| look.lost(twin, failure.clone(), out));
        }
    }

    /// Gives the entries of a layer to the layers that are the same blob.
    pub(super) async fn copy_to_twins(&self, number: u32, layer: u32) {
        let Some(known) = self.known_layer(number, layer) else { return };
        for twin in self.waiting_twins(number, layer) {
            self.of_look(number, |look, _| {
                look.keep(twin, Access::Index(Rc::clone(&known.index)), 0);
                look.note(twin, format!("the same blob as layer {}", LayerNumber::of_index(layer)));
            });
            self.replay(number, twin, &known).await;
            self.turn_soon();
        }
    }

    fn known_layer(&self, number: u32, layer: u32) -> Option<KnownLayer> {
        let desk = self.desk.borrow();
        KnownLayer::of(desk.body_of(number)?, layer)
    }

    /// Layers that are the same blob as this one, and that nothing is known of yet.
    fn waiting_twins(&self, number: u32, layer: u32) -> Vec<u32> {
        let desk = self.desk.borrow();
        let Some(body) = desk.body_of(number) else { return Vec::new() };
        let layers = &body.resolved.image.layers;
        let Some(own) = layers.get(layer as usize) else { return Vec::new() };
        let own = BlobIdentity::of(own);
        let is_twin = |other: &Layer| other.index > layer && BlobIdentity::of(other) == own;
        let waiting = |other: &&Layer| is_twin(other) && is_waiting(body, other.index);
        layers.iter().filter(waiting).map(|layer| layer.index).collect()
    }
}

fn is_waiting(body: &LookBody, layer: u32) -> bool {
    body.layers.get(layer as usize).is_some_and(|layer| layer.state == LayerState::Waiting)
}
