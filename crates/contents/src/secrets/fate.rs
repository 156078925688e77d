//! Whether a container sees the file in which a secret is.

use super::FileSecrets;
use porthole_core::tree::{Change, FileTree, Mode, NodeId};
use std::collections::HashMap;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretFate {
    /// A container sees it.
    Visible,
    /// The layer with this index deleted or overwrote it. Its bytes are still downloadable.
    Removed(u32),
    /// Its own layer deleted or overwrote it, or no runtime unpacks it. Its bytes are still downloadable.
    Hidden,
}

/// The fates of all files with secrets.
#[derive(Debug)]
pub struct SecretFates<'t> {
    tree: &'t FileTree,
    nodes: HashMap<(u32, u64), NodeId>,
}

impl<'t> SecretFates<'t> {
    /// Finds the files in the tree that has all layers stacked; `layers` is bottom first.
    pub fn of(tree: &'t FileTree, layers: &[FileSecrets]) -> Self {
        let mut nodes = HashMap::new();
        for (layer, _) in (0..).zip(layers).filter(|(_, found)| !found.secrets.is_empty()) {
            let view = tree.view(Mode::Only(layer));
            for row in view.rows().iter().filter(|row| row.change != Change::Removed) {
                if let Some(content) = view.content(row.node).filter(|content| content.layer == layer) {
                    nodes.insert((layer, content.offset), row.node);
                }
            }
        }
        Self { tree, nodes }
    }

    /// The fate of the file whose data starts there in the archive of a layer, given by its index.
    pub fn find(&self, layer: u32, offset: u64) -> SecretFate {
        let Some(&node) = self.nodes.get(&(layer, offset)) else { return SecretFate::Hidden };
        let content = self.tree.content(node);
        if content.is_some_and(|content| (content.layer, content.offset) == (layer, offset)) {
            return SecretFate::Visible;
        }
        let rows = self.tree.view(Mode::Deleted).rows_of(node);
        let removed_by = rows.iter().find(|row| row.layer == layer).and_then(|row| row.removed_by);
        removed_by.map_or(SecretFate::Hidden, SecretFate::Removed)
    }
}
