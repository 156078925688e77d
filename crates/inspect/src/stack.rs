//! Stacks layers in one tree.

use crate::layer::{LayerJob, Verdict};
use porthole_core::{
    digest::Digest,
    layer::{Finding, NamedLayer},
    tar::Entry,
    tree::{self, FileTree},
};

/// Stacks layers that arrive one after the other, bottom first. A layer that fails its verification adds nothing to the
/// tree.
#[derive(Debug)]
pub struct LayerStack<'t> {
    tree: &'t mut FileTree,
    open: Option<u32>,
    wrong: Vec<WrongLayer>,
}

/// A layer that failed its verification.
#[derive(Clone, Debug)]
pub struct WrongLayer {
    /// Its name in the image.
    pub layer: NamedLayer,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
}

/// The layer is a blob of an artifact, which need not be an archive: there are no files to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFiles;

impl<'t> LayerStack<'t> {
    /// Starts above the layers that `tree` has.
    pub fn new(tree: &'t mut FileTree) -> Self {
        Self { tree, open: None, wrong: Vec::new() }
    }

    /// Adds an entry of a layer, with the digest of its content if that is known.
    pub fn entry(&mut self, job: &LayerJob, entry: &Entry, digest: Option<Digest>) {
        self.begin(job.layer);
        // The tree remembers where a runtime stops, and ignores what comes after it.
        let _ = self.tree.apply_hashed(entry, digest);
    }

    /// Ends a layer that has these findings. Returns those that do not keep the layer from being used.
    ///
    /// # Errors
    ///
    /// [`NoFiles`].
    pub fn end(&mut self, job: &LayerJob, findings: Vec<Finding>) -> Result<Vec<Finding>, NoFiles> {
        self.begin(job.layer);
        self.open = None;
        match job.judge(findings) {
            Verdict::Good(notes) => {
                self.tree.commit();
                Ok(notes)
            }
            Verdict::Wrong(findings) => {
                self.tree.abort();
                self.wrong.push(WrongLayer { layer: job.named(), findings });
                Ok(Vec::new())
            }
            Verdict::NoFiles => {
                self.tree.abort();
                Err(NoFiles)
            }
        }
    }

    /// Ends the stack.
    ///
    /// # Errors
    ///
    /// The layers that failed their verification; the tree lacks them.
    pub fn finish(self) -> Result<(), Vec<WrongLayer>> {
        if self.wrong.is_empty() { Ok(()) } else { Err(self.wrong) }
    }

    fn begin(&mut self, layer: u32) {
        if self.open != Some(layer) {
            self.tree.begin(layer);
            self.open = Some(layer);
        }
    }
}

/// Whether a runtime would unpack these layers of a tree.
///
/// # Errors
///
/// The number of the layer at which it would stop, and why.
pub fn unpackable(tree: &FileTree, jobs: &[LayerJob]) -> Result<(), (NamedLayer, tree::Error)> {
    let stopped = jobs.iter().find_map(|job| Some((job.named(), tree.summary(job.layer).stopped?)));
    stopped.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

    use super::*;
    use porthole_core::{tar::Kind, tree::Mode};

    fn job(layer: u32) -> LayerJob {
        LayerJob { layer, ..LayerJob::bare().remove(0) }
    }

    fn wrong() -> Vec<Finding> {
        vec![Finding::Size { expected: 2, got: 1 }]
    }

    #[test]
    fn a_wrong_layer_leaves_no_trace() {
        let mut tree = FileTree::new(100);
        let mut stack = LayerStack::new(&mut tree);
        stack.entry(&job(0), &Entry::new("a", Kind::File), None);
        assert!(stack.end(&job(0), Vec::new()).unwrap().is_empty());
        stack.entry(&job(1), &Entry::new("b", Kind::File), None);
        assert!(stack.end(&job(1), wrong()).unwrap().is_empty());
        stack.end(&job(2), Vec::new()).unwrap();
        let layers: Vec<u32> = stack.finish().unwrap_err().iter().map(|wrong| wrong.layer.number.get()).collect();
        assert_eq!(layers, [2]);
        let view = tree.view(Mode::Merged);
        assert!(view.find(b"a").is_some() && view.find(b"b").is_none());
        assert_eq!(unpackable(&tree, &[job(0), job(2)]), Ok(()));
    }

    #[test]
    fn where_a_runtime_stops_is_told_with_its_layer() {
        let mut tree = FileTree::new(2);
        let mut stack = LayerStack::new(&mut tree);
        for (layer, path) in [(0, "a"), (1, "b/c/d/e")] {
            stack.entry(&job(layer), &Entry::new(path, Kind::File), None);
            stack.end(&job(layer), Vec::new()).unwrap();
        }
        stack.finish().unwrap();
        assert!(
            matches!(unpackable(&tree, &[job(0), job(1)]), Err((layer, tree::Error::TooManyNodes { .. })) if layer.number.get() == 2)
        );
    }
}
