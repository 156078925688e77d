//! Whether a container sees the bytes that a layer stores.

use super::{Change, FileTree, Mode, NodeId};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Whether a container sees the content that a layer stores for a file, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentFate {
    /// A container sees it, at its own path or at a hard link.
    Visible,
    /// The layer with this index deleted it. Its bytes are still downloadable.
    Deleted(u32),
    /// The layer with this index wrote something else to its path. Its bytes are still downloadable.
    Replaced(u32),
    /// Its own layer deleted or overwrote it, or no runtime unpacks it. Its bytes are still downloadable.
    Hidden,
}

impl ContentFate {
    /// The index of the layer that deleted or replaced it.
    pub fn removed_by(self) -> Option<u32> {
        match self {
            Self::Deleted(layer) | Self::Replaced(layer) => Some(layer),
            Self::Visible | Self::Hidden => None,
        }
    }
}

/// The fates of contents.
#[derive(Clone, Debug, Default)]
pub struct ContentFates(HashMap<(u32, u64), ContentFate>);

impl ContentFates {
    /// Finds the fates of contents in a tree with all layers stacked. Each content is the index of a layer, and the offset
    /// at which the content starts in the archive of that layer.
    pub fn of(tree: &FileTree, contents: impl IntoIterator<Item = (u32, u64)>) -> Self {
        let mut wanted: HashSet<_> = contents.into_iter().collect();
        let mut fates = HashMap::with_capacity(wanted.len());
        if wanted.is_empty() {
            return Self(fates);
        }
        let merged = tree.view(Mode::Merged);
        for row in merged.walk(NodeId::ROOT) {
            if let Some(content) = merged.content(row.node)
                && wanted.remove(&(content.layer, content.offset))
            {
                fates.insert((content.layer, content.offset), ContentFate::Visible);
            }
        }
        let deleted = tree.view(Mode::Deleted);
        let layers: BTreeSet<u32> = wanted.iter().map(|(layer, _)| *layer).collect();
        for layer in layers {
            let view = tree.view(Mode::Only(layer));
            for row in view.walk(NodeId::ROOT).filter(|row| row.change != Change::Removed) {
                let Some(content) = view.content(row.node).filter(|content| content.layer == layer) else { continue };
                let place = (layer, content.offset);
                if !wanted.contains(&place) {
                    continue;
                }
                let rows = deleted.rows_of(row.node);
                let Some(gone) = rows.iter().find(|row| row.layer == layer) else { continue };
                if let Some(by) = gone.removed_by {
                    let replaced = gone.change == Change::Modified;
                    fates.insert(place, if replaced { ContentFate::Replaced(by) } else { ContentFate::Deleted(by) });
                }
            }
        }
        Self(fates)
    }

    /// Returns the fate of the content that starts at `offset` in the archive of the layer with this index.
    pub fn find(&self, layer: u32, offset: u64) -> ContentFate {
        self.0.get(&(layer, offset)).copied().unwrap_or(ContentFate::Hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar::{Entry, Kind};

    #[test]
    fn what_is_deleted_replaced_and_linked() {
        let file = |path: &str, offset| Entry { size: 1, offset, ..Entry::new(path, Kind::File) };
        let link = Entry { link: b"linked".to_vec(), ..Entry::new("name", Kind::Hardlink) };
        let mut tree = FileTree::new(100);
        let bottom =
            [file("deleted", 1), file("replaced", 2), file("linked", 3), file("twice", 4), file("twice", 5), link];
        let top = [file(".wh.deleted", 0), file("replaced", 2), file(".wh.linked", 0)];
        for (layer, entries) in [(0, &bottom[..]), (1, &top[..])] {
            tree.begin(layer);
            entries.iter().for_each(|entry| tree.apply(entry).unwrap());
            tree.commit();
        }
        let places = [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (1, 2)];
        let fates = ContentFates::of(&tree, places);
        assert_eq!(
            places.map(|(layer, offset)| fates.find(layer, offset)),
            [
                ContentFate::Deleted(1),
                ContentFate::Replaced(1),
                ContentFate::Visible,
                ContentFate::Hidden,
                ContentFate::Visible,
                ContentFate::Visible,
            ]
        );
    }
}
