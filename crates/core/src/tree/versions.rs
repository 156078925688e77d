//! The versions of one path: the writes and removals of each layer.

use super::{
    Aspects, Content, FileTree, Row,
    aspect::Side,
    content::Stored,
    node::{Found, ROOT},
    row::{Change, Shown},
    version::NONE,
};
use crate::{digest::Digest, tar::Kind};

/// What one layer did to a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathVersion {
    /// The layer that wrote or removed the path.
    pub layer: u32,
    /// The path as that layer left it, or, if the layer removed it, as it was before. `change` is the change by this layer.
    pub row: Row,
    /// Position of the file's bytes. For a removed path, those of the version before.
    pub content: Option<Content>,
    /// The digest of those bytes, if it is known.
    pub digest: Option<Digest>,
}

impl FileTree {
    /// The versions of a cleaned path, bottom first. Empty if no layer has the path.
    pub fn versions(&self, path: &[u8]) -> Vec<PathVersion> {
        let arena = &self.arena;
        let node = path.split(|&byte| byte == b'/').try_fold(ROOT, |at, name| arena.child(at, name));
        let Some(node) = node.filter(|_| !path.is_empty()) else { return Vec::new() };
        let mut versions: Vec<_> = arena.versions(node).map(|version| self.version(node, path, version)).collect();
        versions.reverse();
        versions
    }

    fn version(&self, node: u32, path: &[u8], version: Found) -> PathVersion {
        let arena = &self.arena;
        let layer = version.layer;
        let before = (version.previous != NONE).then(|| arena.found(version.previous));
        let (mut change, mut aspects) = (Change::Added, Aspects::NONE);
        if !version.is_alive() {
            change = Change::Removed;
        } else if version.flags.unchanged {
            change = Change::Unchanged;
        } else if let Some(before) = before.filter(|before| before.is_alive()) {
            change = Change::Modified;
            let before = Side::new(arena, before, layer.saturating_sub(1));
            aspects = before.compare(&Side::new(arena, version, layer), 0);
        }
        let removed_by = (change == Change::Removed).then_some(layer);
        let shown = Shown { version, until: layer, change, aspects, removed_by };
        let total = if version.kind == Kind::Directory { 0 } else { version.size };
        let stored = arena.stored(version.id);
        PathVersion {
            layer,
            row: Row::new(arena, node, shown, path.to_vec(), arena.depth(node), total),
            content: stored.map(|Stored { layer, offset, size, .. }| Content { layer, offset, size }),
            digest: stored.and_then(|stored| arena.digest(&stored)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        tar::Entry,
        tree::{Aspect, Mode},
    };

    fn file(path: &str, size: u64, offset: u64, mode: i64) -> Entry {
        Entry { size, offset, mode, ..Entry::new(path, Kind::File) }
    }

    fn tree(layers: &[&[Entry]]) -> FileTree {
        let mut tree = FileTree::new(100);
        for (layer, entries) in (0..).zip(layers) {
            tree.begin(layer);
            entries.iter().for_each(|entry| tree.apply(entry).unwrap());
            tree.commit();
        }
        tree
    }

    #[test]
    fn each_layer_has_its_say() {
        let tree = tree(&[
            &[file("a/b", 3, 512, 0o644)],
            &[file("other", 1, 512, 0o644)],
            &[file("a/b", 3, 1024, 0o600)],
            &[file("a/.wh.b", 0, 0, 0)],
            &[file("a/b", 5, 2048, 0o644)],
        ]);
        let versions = tree.versions(b"a/b");
        let seen: Vec<_> = versions.iter().map(|of| (of.layer, of.row.change, of.row.size, of.row.mode)).collect();
        assert_eq!(
            seen,
            [
                (0, Change::Added, 3, 0o644),
                (2, Change::Modified, 3, 0o600),
                (3, Change::Removed, 3, 0o600),
                (4, Change::Added, 5, 0o644),
            ]
        );
        assert!(versions[1].row.aspects.contains(Aspect::Mode));
        assert_eq!((versions[2].row.removed_by, versions[2].row.layer), (Some(3), 2));
        let places: Vec<_> = versions.iter().filter_map(|of| of.content).map(|of| (of.layer, of.offset)).collect();
        assert_eq!(places, [(0, 512), (2, 1024), (2, 1024), (4, 2048)], "what was removed can still be read");
        assert_eq!(tree.view(Mode::Merged).row(versions[3].row.node).unwrap().path, b"a/b");
    }

    #[test]
    fn a_hard_link_has_the_content_of_its_target() {
        let mut link = Entry::new("link", Kind::Hardlink);
        link.link = b"file".to_vec();
        let tree = tree(&[&[file("file", 7, 512, 0o644)], &[link]]);
        let versions = tree.versions(b"link");
        assert_eq!(versions.len(), 1);
        assert_eq!((versions[0].layer, versions[0].row.kind), (1, Kind::Hardlink));
        assert_eq!(versions[0].content, Some(Content { layer: 0, offset: 512, size: 7 }));
    }

    #[test]
    fn directories_are_repeated_and_nothing_is_nothing() {
        let directory = Entry { mode: 0o755, ..Entry::new("d", Kind::Directory) };
        let tree = tree(&[std::slice::from_ref(&directory), std::slice::from_ref(&directory)]);
        let changes: Vec<_> = tree.versions(b"d").iter().map(|of| of.row.change).collect();
        assert_eq!(changes, [Change::Added, Change::Unchanged]);
        assert!(tree.versions(b"").is_empty() && tree.versions(b"d/x").is_empty() && tree.versions(b"x").is_empty());
    }
}
