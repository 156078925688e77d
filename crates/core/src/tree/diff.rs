//! Compares two trees path by path.

use super::{
    Aspect, Aspects, FileTree, NodeId,
    aspect::Side,
    links::Groups,
    node::{Arena, Found, ROOT},
};
use std::{cmp::Ordering, collections::HashSet};

/// Options of a comparison.
#[derive(Clone, Copy, Debug, Default)]
pub struct Comparison {
    /// Number of lowest layers that both trees have in common. Content at the same position of a shared layer is equal,
    /// even if its digest is unknown.
    pub shared: u32,
    /// Aspects to ignore. A path that differs in nothing else is not reported.
    pub ignored: Aspects,
}

/// A path that differs between two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Full cleaned path, without a leading slash.
    pub path: Vec<u8>,
    /// The path's node in the first tree, if it exists there.
    pub before: Option<NodeId>,
    /// The path's node in the second tree, if it exists there.
    pub after: Option<NodeId>,
    /// How the two differ. Not empty if both exist.
    pub aspects: Aspects,
}

/// Every path that differs when all layers of both trees are stacked: depth first, siblings by the bytes of their
/// names.
///
/// Below a directory that exists in one tree only, every path is reported.
pub fn diff(before: &FileTree, after: &FileTree, comparison: &Comparison) -> Vec<Difference> {
    let mut walk = Walk {
        before: &before.arena,
        after: &after.arena,
        comparison,
        links: HashSet::new(),
        path: Vec::new(),
        found: Vec::new(),
    };
    walk.compare_links();
    walk.run();
    walk.found
}

struct Walk<'t> {
    before: &'t Arena,
    after: &'t Arena,
    comparison: &'t Comparison,
    /// Nodes of the first tree whose set of hard links differs.
    links: HashSet<u32>,
    path: Vec<u8>,
    found: Vec<Difference>,
}

/// A name in one or both trees, and where the path of its directory ends in the buffer.
type NamePair = (Option<u32>, Option<u32>, usize);

impl Walk<'_> {
    fn compare_links(&mut self) {
        let (before, after) = (self.before, self.after);
        let counterpart = |from: &Arena, to: &Arena, node: u32| {
            let path = from.path(node);
            let found = path.split(|&b| b == b'/').try_fold(ROOT, |at, name| to.child(at, name));
            found.filter(|&node| to.is_live(node))
        };
        let groups = (Groups::new(before, u32::MAX), Groups::new(after, u32::MAX));
        self.links = groups.0.differing(
            &groups.1,
            |node| counterpart(before, after, node),
            |node| counterpart(after, before, node),
        );
    }

    fn run(&mut self) {
        let mut pending = self.steps(Some(ROOT), Some(ROOT), 0);
        while let Some((before, after, end)) = pending.pop() {
            self.path.truncate(end);
            if end > 0 {
                self.path.push(b'/');
            }
            let name = match (before, after) {
                (Some(node), _) => self.before.name(node),
                (None, Some(node)) => self.after.name(node),
                (None, None) => continue,
            };
            self.path.extend_from_slice(name);
            let aspects = match (before, after) {
                (Some(before), Some(after)) => self.compare(before, after).without(self.comparison.ignored),
                _ => Aspects::NONE,
            };
            if before.is_none() || after.is_none() || !aspects.is_empty() {
                let (before, after) = (before.map(NodeId), after.map(NodeId));
                self.found.push(Difference { path: self.path.clone(), before, after, aspects });
            }
            pending.extend(self.steps(before, after, self.path.len()));
        }
    }

    /// The children of both nodes in reverse order of their names.
    fn steps(&self, before: Option<u32>, after: Option<u32>, end: usize) -> Vec<NamePair> {
        let sorted = |arena: &Arena, node: Option<u32>| {
            let mut nodes: Vec<u32> = node.map(|node| arena.live_children(node).collect()).unwrap_or_default();
            nodes.sort_unstable_by(|&a, &b| arena.name(b).cmp(arena.name(a)));
            nodes
        };
        let (before, after) = (sorted(self.before, before), sorted(self.after, after));
        let (mut left, mut right) = (before.into_iter().peekable(), after.into_iter().peekable());
        let mut steps = Vec::new();
        loop {
            let order = match (left.peek(), right.peek()) {
                (Some(&a), Some(&b)) => self.after.name(b).cmp(self.before.name(a)),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return steps,
            };
            let before = if order.is_le() { left.next() } else { None };
            let after = if order.is_ge() { right.next() } else { None };
            steps.push((before, after, end));
        }
    }

    fn compare(&self, before: u32, after: u32) -> Aspects {
        let newest = |arena, node| Arena::newest(arena, node).filter(|version: &Found| version.is_alive());
        let (Some(a), Some(b)) = (newest(self.before, before), newest(self.after, after)) else {
            return Aspects::NONE;
        };
        let (a, b) = (Side::new(self.before, a, u32::MAX), Side::new(self.after, b, u32::MAX));
        let aspects = a.compare(&b, self.comparison.shared);
        if self.links.contains(&before) { aspects.with(Aspect::Links) } else { aspects }
    }
}
