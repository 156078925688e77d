//! Layers arrive in parallel and are stacked one after the other, from the bottom.

use porthole_core::{
    digest::Digest,
    seek::BatchReader,
    tree::{self, FileTree},
};
use std::collections::VecDeque;

/// The tree, and the batches that wait for their layer's turn.
///
/// Entries of the lowest unfinished layer are applied as they come, provisionally: a layer that turns out wrong is
/// undone whole, and the one above it follows.
pub(crate) struct Stack {
    tree: FileTree,
    layers: Vec<Waiting>,
    /// The layer whose turn it is; all below are finished.
    current: usize,
    reader: Option<BatchReader>,
    open: bool,
}

#[derive(Default)]
struct Waiting {
    batches: VecDeque<Vec<u8>>,
    verdict: Option<bool>,
    stopped: bool,
}

/// The result of a turn of [`Stack::pump`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct StackTurn {
    /// The tree changed.
    pub changed: bool,
    /// There is more to do, and nothing to wait for.
    pub more: bool,
    /// The layer that a container runtime would stop unpacking here, and why; what came before stays.
    pub stopped: Option<(u32, tree::Error)>,
}

impl Stack {
    /// An empty tree for `layers` layers, of at most `max_nodes` nodes.
    pub(crate) fn new(layers: usize, max_nodes: u64) -> Self {
        let layers = (0..layers).map(|_| Waiting::default()).collect();
        Self { tree: FileTree::new(max_nodes), layers, current: 0, reader: None, open: false }
    }

    /// An empty tree for one layer by itself, of at most `max_nodes` nodes. The layer keeps its number.
    pub(crate) fn of_layer(layer: u32, max_nodes: u64) -> Self {
        let current = layer as usize;
        Self { current, ..Self::new(current + 1, max_nodes) }
    }

    /// The current tree, with the layer that is open.
    pub(crate) fn tree(&self) -> &FileTree {
        &self.tree
    }

    /// Takes digests of contents, by layer and by where their data starts in its archive.
    pub(crate) fn learn_contents(&mut self, digest: impl Fn(u32, u64) -> Option<Digest>) {
        self.tree.learn_contents(digest);
    }

    /// Whether every layer is stacked or undone.
    pub(crate) fn complete(&self) -> bool {
        self.current == self.layers.len()
    }

    /// A batch of entries of a layer.
    pub(crate) fn receive(&mut self, layer: u32, batch: Vec<u8>) {
        if let Some(waiting) = self.layers.get_mut(layer as usize)
            && !waiting.stopped
        {
            waiting.batches.push_back(batch);
        }
    }

    /// Forgets the entries of a layer that is not settled: they come once more.
    pub(crate) fn restart(&mut self, layer: u32) {
        let current = self.current == layer as usize;
        let Some(waiting) = self.layers.get_mut(layer as usize) else { return };
        *waiting = Waiting::default();
        if current {
            self.reader = None;
            if std::mem::take(&mut self.open) {
                self.tree.abort();
            }
        }
    }

    /// Ends a layer: it is kept if it is verified, else undone.
    pub(crate) fn settle(&mut self, layer: u32, verified: bool) {
        if let Some(waiting) = self.layers.get_mut(layer as usize) {
            waiting.verdict = Some(verified);
            if !verified {
                waiting.batches.clear();
            }
        }
    }

    /// Applies up to `budget` entries.
    pub(crate) fn pump(&mut self, budget: usize) -> StackTurn {
        let mut turn = StackTurn::default();
        let mut left = budget;
        while let Some(waiting) = self.layers.get_mut(self.current) {
            if waiting.verdict == Some(false) {
                self.reader = None;
                if self.open {
                    self.tree.abort();
                    turn.changed = true;
                }
                self.open = false;
                self.current += 1;
                continue;
            }
            if self.reader.is_none() {
                self.reader = waiting.batches.pop_front().map(BatchReader::new);
            }
            if !self.open && (self.reader.is_some() || waiting.verdict.is_some()) {
                self.tree.begin(self.current as u32);
                self.open = true;
            }
            let Some(reader) = &mut self.reader else {
                if waiting.verdict.is_some() {
                    self.tree.commit();
                    turn.changed = true;
                    self.open = false;
                    self.current += 1;
                    continue;
                }
                return turn;
            };
            if left == 0 {
                turn.more = true;
                return turn;
            }
            let Some(entry) = reader.next() else {
                self.reader = None;
                continue;
            };
            left -= 1;
            turn.changed = true;
            if let Err(error) = self.tree.apply(&entry) {
                self.reader = None;
                waiting.stopped = true;
                waiting.batches.clear();
                turn.stopped = Some((self.current as u32, error));
                turn.more = true;
                return turn;
            }
        }
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::{
        seek::BatchWriter,
        tar::{Entry, Kind},
        tree::Mode,
    };

    fn entry(path: &str) -> Entry {
        Entry { size: 1, ..Entry::new(path, Kind::File) }
    }

    fn batch(paths: &[&str]) -> Vec<u8> {
        let mut writer = BatchWriter::default();
        paths.iter().for_each(|path| writer.push(&entry(path)));
        writer.take(1).unwrap_or_default()
    }

    fn paths(stack: &Stack) -> Vec<String> {
        let rows = stack.tree().view(Mode::Merged).rows();
        rows.iter().map(|row| String::from_utf8_lossy(&row.path).into_owned()).collect()
    }

    fn settle(stack: &mut Stack) {
        while stack.pump(usize::MAX).more {}
    }

    #[test]
    fn upper_layers_wait_for_their_turn() {
        let mut stack = Stack::new(2, 100);
        stack.receive(1, batch(&["b"]));
        stack.settle(1, true);
        settle(&mut stack);
        assert_eq!(paths(&stack), [""; 0]);
        stack.receive(0, batch(&["a"]));
        settle(&mut stack);
        assert_eq!(paths(&stack), ["a"]);
        assert!(!stack.complete());
        stack.settle(0, true);
        settle(&mut stack);
        assert_eq!(paths(&stack), ["a", "b"]);
        assert!(stack.complete());
    }

    #[test]
    fn a_wrong_layer_leaves_nothing() {
        let mut stack = Stack::new(3, 100);
        stack.receive(0, batch(&["a"]));
        stack.settle(0, true);
        stack.receive(1, batch(&["b", ".wh.a"]));
        settle(&mut stack);
        assert_eq!(paths(&stack), ["b"]);
        stack.receive(2, batch(&["c"]));
        stack.settle(2, true);
        stack.settle(1, false);
        settle(&mut stack);
        assert_eq!(paths(&stack), ["a", "c"]);
        assert!(stack.complete());
    }

    #[test]
    fn a_layer_that_comes_once_more_leaves_nothing_of_the_first_time() {
        let mut stack = Stack::new(2, 100);
        stack.receive(0, batch(&["a", "b"]));
        stack.receive(1, batch(&["x"]));
        settle(&mut stack);
        assert_eq!(paths(&stack), ["a", "b"]);
        stack.restart(0);
        stack.restart(1);
        assert_eq!(paths(&stack), [""; 0]);
        for layer in [0, 1] {
            stack.receive(layer, batch(&[["c", "d"][layer as usize]]));
            stack.settle(layer, true);
        }
        settle(&mut stack);
        assert_eq!(paths(&stack), ["c", "d"]);
        assert!(stack.complete());
    }

    #[test]
    fn a_layer_by_itself_needs_none_below() {
        let mut stack = Stack::of_layer(2, 100);
        assert!(!stack.complete());
        stack.receive(2, batch(&["a", ".wh.b"]));
        stack.settle(2, true);
        settle(&mut stack);
        assert!(stack.complete());
        let rows = stack.tree().view(Mode::Only(2)).rows();
        assert!(rows.iter().any(|row| row.path == b"a" && row.layer == 2), "{rows:?}");
    }

    #[test]
    fn a_budget_cuts_anywhere() {
        for budget in 1..5 {
            let mut stack = Stack::new(2, 100);
            stack.receive(0, batch(&["a", "b", "c"]));
            stack.receive(0, batch(&["d"]));
            stack.receive(1, batch(&[".wh.b"]));
            stack.settle(1, true);
            stack.settle(0, true);
            let mut turns = 0;
            while stack.pump(budget).more {
                turns += 1;
            }
            assert!(turns <= 5, "{budget}");
            assert_eq!(paths(&stack), ["a", "c", "d"], "{budget}");
            assert!(stack.complete());
        }
    }

    #[test]
    fn empty_layers_count() {
        let mut stack = Stack::new(2, 100);
        stack.settle(0, true);
        stack.settle(1, false);
        settle(&mut stack);
        assert!(stack.complete());
        assert!(Stack::new(0, 100).complete());
    }

    #[test]
    fn what_came_before_a_stop_stays() {
        let mut stack = Stack::new(2, 3);
        stack.receive(0, batch(&["a"]));
        stack.settle(0, true);
        stack.receive(1, batch(&["b", "c", "d"]));
        let mut stopped = None;
        loop {
            let turn = stack.pump(usize::MAX);
            stopped = turn.stopped.or(stopped);
            if !turn.more {
                break;
            }
        }
        assert_eq!(stopped, Some((1, tree::Error::TooManyNodes { limit: 3 })));
        assert_eq!(paths(&stack), ["a", "b"]);
        assert!(!stack.complete(), "its verdict is still to come");
        stack.receive(1, batch(&["e"]));
        stack.settle(1, true);
        settle(&mut stack);
        assert_eq!(paths(&stack), ["a", "b"]);
        assert!(stack.complete());
    }
}
