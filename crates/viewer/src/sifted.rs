//! Which nodes of a view are shown for their own sake, and which because they lead there: found in two passes over the tree,
//! before anything is sorted.

use crate::sieve::{Descent, PathFilter};
use porthole_core::tree::{FileTree, NodeId, View};
use std::collections::HashMap;

/// Marks of the nodes of a tree.
pub(crate) struct Sifted {
    marks: Vec<u8>,
    matches: u64,
}

/// The view shows it because it is what is looked for, or because something below it is.
const KEPT: u8 = 1;

impl Sifted {
    /// The nodes that a view shows, that a filter names, and that `fits` accepts.
    pub(crate) fn new(tree: &FileTree, view: &View<'_>, filter: &PathFilter, fits: impl Fn(NodeId) -> bool) -> Self {
        let (mut marks, mut matches) = (vec![0_u8; tree.len()], 0);
        let mut descent = Descent::new(filter, tree.names());
        let mut places = HashMap::from([(NodeId::ROOT, descent.root())]);
        // Most children of a directory follow each other.
        let mut latest = None;
        for node in tree.nodes() {
            let parent = tree.parent_of(node);
            let known = latest.filter(|(directory, _)| *directory == parent).map(|(_, place)| place);
            let Some(above) = known.or_else(|| places.get(&parent).copied()) else { continue };
            latest = Some((parent, above));
            let name = (tree.name_number(node), tree.name(node));
            let place = descent.enter(above, parent == NodeId::ROOT, name, || tree.path(node));
            if tree.is_parent(node) {
                places.insert(node, place);
            }
            if place.fits() && view.has_row(node) && fits(node) {
                matches += 1;
                if let Some(own) = marks.get_mut(node.0 as usize) {
                    *own = KEPT;
                }
            }
        }
        for node in tree.nodes().rev() {
            let kept = marks.get(node.0 as usize).is_some_and(|marks| marks & KEPT != 0);
            if let Some(parent) = marks.get_mut(tree.parent_of(node).0 as usize).filter(|_| kept) {
                *parent |= KEPT;
            }
        }
        Self { marks, matches }
    }

    /// How many nodes fit.
    pub(crate) fn matches(&self) -> u64 {
        self.matches
    }

    /// Whether a node fits, or leads to one that does.
    pub(crate) fn keeps(&self, node: NodeId) -> bool {
        self.marks.get(node.0 as usize).is_some_and(|marks| marks & KEPT != 0)
    }
}
