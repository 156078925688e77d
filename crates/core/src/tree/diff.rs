//! Two trees, path by path.

use super::{
    Aspect, Aspects, FileTree, NodeId,
    aspect::Side,
    links::Groups,
    node::{Arena, Found},
};
use std::{cmp::Ordering, collections::HashSet};

/// What counts as a difference.
#[derive(Clone, Copy, Debug, Default)]
pub struct Comparison {
    /// How many of the lowest layers both trees have alike, entry by entry: what comes from the same place in one of them
    /// is the same, whether its digest is known or not.
    pub shared: u32,
    /// Aspects that do not count. A path that differs in nothing else is not told.
    pub ignored: Aspects,
}

/// A path that is not the same in two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Full cleaned path, no leading slash.
    pub path: Vec<u8>,
    /// What is there in the first tree.
    pub before: Option<NodeId>,
    /// What is there in the second tree.
    pub after: Option<NodeId>,
    /// In what the two differ, if there are two: never empty then.
    pub aspects: Aspects,
}

/// Every path that differs when all layers of both trees are stacked, depth first, siblings by the bytes of their names.
///
/// Below a directory that only one of them has, every path is told.
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
    /// Nodes of the first tree whose companions differ.
    links: HashSet<u32>,
    path: Vec<u8>,
    found: Vec<Difference>,
}

/// A name that is in one tree or in both, and where its directory's path ends.
type Step = (Option<u32>, Option<u32>, usize);

const ROOT: u32 = NodeId::ROOT.0;

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

    /// The names below, the last first.
    fn steps(&self, before: Option<u32>, after: Option<u32>, end: usize) -> Vec<Step> {
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
        let newest = |arena, node| Arena::newest(arena, node).filter(|version: &Found<'_>| version.is_alive());
        let (Some(a), Some(b)) = (newest(self.before, before), newest(self.after, after)) else {
            return Aspects::NONE;
        };
        let (a, b) = (Side::new(self.before, a, u32::MAX), Side::new(self.after, b, u32::MAX));
        let aspects = a.compare(&b, self.comparison.shared);
        if self.links.contains(&before) { aspects.with(Aspect::Links) } else { aspects }
    }
}
