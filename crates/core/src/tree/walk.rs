//! Iterates over the rows of a view.

use std::vec;

use super::{
    NodeId, Row,
    node::ROOT,
    view::{Sort, View},
};

impl<'t> View<'t> {
    /// All rows of the view, depth first, siblings by the bytes of their names. The root has no row.
    pub fn rows(&self) -> Vec<Row> {
        self.walk(NodeId::ROOT).collect()
    }

    /// Iterates over the rows at and below a node that the view shows, in the order of [`rows`](Self::rows). A collected
    /// list of a large tree takes more memory than the tree.
    pub fn walk(&self, from: NodeId) -> Walk<'_, 't> {
        Walk::new(self, from)
    }
}

/// Rows of a view, depth first, siblings by the bytes of their names: see [`View::walk`]. It holds the rows of one path, and four
/// bytes for each sibling of the directories on the way to it.
pub struct Walk<'v, 't> {
    view: &'v View<'t>,
    /// Nodes to visit, the next one last.
    pending: Vec<u32>,
    /// The path of the last directory, followed by the name of the last node.
    path: Vec<u8>,
    /// The directories that the walk is in, each with the length of its path.
    open: Vec<(u32, usize)>,
    /// Depth of the children of the first of them.
    depth: u32,
    /// Rows of the last node that were not returned yet.
    rows: vec::IntoIter<Row>,
}

impl<'v, 't> Walk<'v, 't> {
    pub(super) fn new(view: &'v View<'t>, from: NodeId) -> Self {
        let arena = &view.tree.arena;
        let mut walk = Self {
            view,
            pending: Vec::new(),
            path: Vec::new(),
            open: Vec::new(),
            depth: 0,
            rows: Vec::new().into_iter(),
        };
        if from.0 == ROOT {
            walk.open.push((ROOT, 0));
            walk.enter(ROOT);
        } else if view.shows(from.0) {
            let parent = arena.node(from.0).parent;
            walk.path = arena.path(parent);
            walk.open.push((parent, walk.path.len()));
            walk.depth = arena.depth(from.0);
            walk.pending.push(from.0);
        }
        walk
    }

    fn enter(&mut self, directory: u32) {
        let before = self.pending.len();
        self.pending.extend(self.view.sorted_children(directory, Sort::Name));
        self.pending[before..].reverse();
    }
}

impl Iterator for Walk<'_, '_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        loop {
            if let Some(row) = self.rows.next() {
                return Some(row);
            }
            let node = self.pending.pop()?;
            let arena = &self.view.tree.arena;
            let parent = arena.node(node).parent;
            while self.open.last().is_some_and(|(directory, _)| *directory != parent) {
                self.open.pop();
            }
            self.path.truncate(self.open.last().map_or(0, |(_, end)| *end));
            if !self.path.is_empty() {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(arena.name(node));
            let depth = self.depth + self.open.len() as u32 - 1;
            self.rows = self.view.rows_at(node, self.path.clone(), depth).into_iter();
            if self.view.has_children(NodeId(node)) {
                self.open.push((node, self.path.len()));
                self.enter(node);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        tar::{Entry, Kind},
        tree::{FileTree, Mode},
    };

    #[test]
    fn a_walk_from_a_node_gives_the_rows_at_and_below_it() {
        let mut tree = FileTree::new(100);
        for (layer, paths) in
            [["a/b/c/d", "a/b/e", "a/bc", "f"], ["a/b/.wh.c", "a/b/e", "a/b/g/h", ".wh.f"]].iter().enumerate()
        {
            tree.begin(layer as u32);
            for path in paths {
                tree.apply(&Entry::new(*path, Kind::File)).unwrap();
            }
            tree.commit();
        }
        for mode in [Mode::Merged, Mode::UpTo(0), Mode::Only(1), Mode::Deleted] {
            let view = tree.view(mode);
            let all = view.rows();
            assert!(view.walk(NodeId::ROOT).eq(all.iter().cloned()), "{mode:?}");
            for node in (1..tree.len() as u32).map(NodeId) {
                let path = tree.path(node);
                let below = |row: &&Row| {
                    let rest = row.path.strip_prefix(&path[..]);
                    rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
                };
                let below: Vec<_> = all.iter().filter(below).cloned().collect();
                assert_eq!(view.walk(node).collect::<Vec<_>>(), below, "{mode:?} {}", path.escape_ascii());
            }
        }
    }
}
