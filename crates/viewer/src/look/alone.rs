//! A layer that does not fit into the tree with the others: read once more, and listed by itself.

use super::LookBody;
use crate::{
    protocol::{FileView, LayerState, ViewMode},
    stack::{Stack, StackTurn},
};
use porthole_core::{
    layer::LayerNumber,
    tree::{self, FileTree},
};

/// One layer in a tree of its own.
pub(crate) struct Alone {
    /// Index of the layer, counted from 0 at the bottom.
    pub layer: u32,
    /// The tree that its entries are applied to.
    pub stack: Stack,
    /// It is being read.
    pub reading: bool,
}

impl Alone {
    fn new(layer: u32, max_nodes: u64) -> Self {
        Self { layer, stack: Stack::of_layer(layer, max_nodes), reading: true }
    }
}

impl LookBody {
    /// Applies up to `budget` entries to the tree of all layers, and as many to that of the layer by itself.
    pub(crate) fn pump(&mut self, budget: usize) -> StackTurn {
        let mut turn = self.stack.pump(budget);
        match (&turn.stopped, &mut self.alone) {
            (Some((layer, error)), _) if error.is_limit() => self.crowded.push(*layer),
            (None, Some(alone)) => {
                let apart = alone.stack.pump(budget);
                turn = StackTurn {
                    changed: turn.changed || apart.changed,
                    more: turn.more || apart.more,
                    stopped: apart.stopped,
                };
            }
            _ => {}
        }
        turn
    }

    /// The reason of a stop, in words.
    pub(crate) fn explain(&self, layer: u32, error: &tree::Error) -> String {
        let number = LayerNumber::of_index(layer);
        if !error.is_limit() {
            return format!("a container runtime stops unpacking here, and so does this list: {error}");
        }
        match &self.alone {
            Some(alone) if alone.layer == layer => {
                format!("even by itself this layer does not fit into a list: {error}")
            }
            _ => format!(
                "the list of all layers can hold no more, and lacks a part of this one; “Only {number}” lists it by itself: {error}"
            ),
        }
    }

    /// The tree that a view shows.
    pub(crate) fn tree(&self, view: &FileView) -> &FileTree {
        let layer = self.only(view);
        match &self.alone {
            Some(alone) if layer == Some(alone.layer) => alone.stack.tree(),
            _ => self.stack.tree(),
        }
    }

    /// Whether the view is complete.
    pub(crate) fn complete(&self, view: &FileView) -> bool {
        let settled = self.stack.complete() && self.layers.iter().all(|layer| layer.state.settled());
        let alone = self.only(view).filter(|&layer| self.is_crowded(layer));
        settled && alone.is_none_or(|layer| self.alone.as_ref().is_some_and(|it| it.layer == layer && !it.reading))
    }

    /// The layer that must be read again, and listed by itself, for a view; it counts as asked for.
    pub(crate) fn ask_alone(&mut self, view: &FileView, max_nodes: u64) -> Option<u32> {
        let layer = self.only(view).filter(|&layer| self.is_crowded(layer))?;
        let there = matches!(self.layers.get(layer as usize)?.state, LayerState::Verified | LayerState::Listed);
        // One after the other: a batch does not say which reading of the layer it belongs to.
        let free = self.alone.as_ref().is_none_or(|alone| !alone.reading && alone.layer != layer);
        (there && free).then(|| {
            self.alone = Some(Alone::new(layer, max_nodes));
            layer
        })
    }

    /// The layer that is being read by itself, if it is this one.
    pub(crate) fn reading_alone(&mut self, layer: u32) -> Option<&mut Alone> {
        self.alone.as_mut().filter(|alone| alone.layer == layer && alone.reading)
    }

    /// The layer that a view is about, and nothing else.
    fn only(&self, view: &FileView) -> Option<u32> {
        let top = self.layers.len().saturating_sub(1) as u32;
        (view.mode == ViewMode::Only).then(|| view.layer.unwrap_or(top))
    }

    fn is_crowded(&self, layer: u32) -> bool {
        self.crowded.contains(&layer)
    }
}
