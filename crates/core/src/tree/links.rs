//! Sets of hard links, and how they differ between two sides.

use super::{
    node::{Arena, as_of},
    version::NONE,
};
use std::collections::{HashMap, HashSet};

/// Nodes that share an inode as of a layer, by inode. Costs nothing for a tree without hard links.
#[derive(Default)]
pub(super) struct Groups {
    nodes: HashMap<u32, Vec<u32>>,
    inodes: HashMap<u32, u32>,
}

impl Groups {
    pub(super) fn new(arena: &Arena, until: u32) -> Self {
        let mut groups = Self::default();
        if arena.inodes.is_empty() {
            return groups;
        }
        for node in 1..arena.nodes.len() as u32 {
            if let Some(inode) = as_of(arena, node, until).map(|version| version.inode).filter(|inode| *inode != NONE) {
                groups.nodes.entry(inode).or_default().push(node);
                groups.inodes.insert(node, inode);
            }
        }
        groups
    }

    /// Nodes whose set of hard links differs from the other side, counting only paths that exist on both. `there` and
    /// `back` map a node to the node with the same path on the other side.
    pub(super) fn differing(
        &self,
        other: &Self,
        there: impl Fn(u32) -> Option<u32>,
        back: impl Fn(u32) -> Option<u32>,
    ) -> HashSet<u32> {
        let mut differing = HashSet::new();
        self.compare(other, &there, &back, |node, _| _ = differing.insert(node));
        other.compare(self, &back, &there, |_, node| _ = differing.insert(node));
        differing
    }

    /// Calls back for each node whose set differs on the other side, and for its counterpart.
    fn compare(
        &self,
        other: &Self,
        there: impl Fn(u32) -> Option<u32>,
        back: impl Fn(u32) -> Option<u32>,
        mut differs: impl FnMut(u32, u32),
    ) {
        for nodes in self.nodes.values() {
            let pairs: Vec<(u32, u32)> =
                nodes.iter().filter_map(|&node| there(node).map(|counterpart| (node, counterpart))).collect();
            let Some(&(_, first)) = pairs.first() else { continue };
            let inode = other.inodes.get(&first);
            let together = match inode {
                Some(inode) => {
                    pairs.iter().all(|(_, counterpart)| other.inodes.get(counterpart) == Some(inode))
                        && other.nodes[inode].iter().filter(|node| back(**node).is_some()).count() == pairs.len()
                }
                None => pairs.len() == 1,
            };
            if !together {
                pairs.into_iter().for_each(|(node, counterpart)| differs(node, counterpart));
            }
        }
    }
}
