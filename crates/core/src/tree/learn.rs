//! Digests of contents that become known after their layers were applied.

use super::{FileTree, version::NONE};
use crate::{digest::Digest, tar::Kind};

impl FileTree {
    /// Adds the digests of contents that have none. `digest` takes the index of a layer, and the offset of the data in the
    /// archive of that layer. Does nothing while a layer is open, because aborting that layer would discard the digests.
    pub fn learn_contents(&mut self, digest: impl Fn(u32, u64) -> Option<Digest>) {
        if self.open.is_some() {
            return;
        }
        let arena = &mut self.arena;
        for id in 0..arena.versions.len() as u32 {
            let version = arena.version(id);
            let own = version.kind == Kind::File && version.is_alive() && version.inode == NONE && version.size > 0;
            if own
                && arena.digests.place(id) == NONE
                && let Some(digest) = digest(version.layer, version.offset)
            {
                arena.digests.set(id, digest);
            }
        }
        for inode in &mut arena.inodes {
            if inode.kind == Kind::File
                && inode.size > 0
                && inode.digest == NONE
                && let Some(digest) = digest(inode.layer, inode.offset)
            {
                inode.digest = arena.digests.add(digest);
            }
        }
        for lost in &mut arena.lost {
            let stored = &mut lost.stored;
            if stored.size > 0
                && stored.digest == NONE
                && let Some(digest) = digest(stored.layer, stored.offset)
            {
                stored.digest = arena.digests.add(digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        tar::Entry,
        tree::{Cause, Mode},
    };

    const CONTENTS: [&str; 5] = ["same", "same", "none", "link", "twice"];

    /// Two layers: one file is written again, one is moved, one has two names, and one is written twice by its own layer.
    fn tree(hashed: bool) -> FileTree {
        let mut tree = FileTree::new(100);
        let file = |path: &str, content: usize| Entry {
            offset: content as u64,
            size: CONTENTS[content].len() as u64,
            ..Entry::new(path, Kind::File)
        };
        let digest = |content: usize| hashed.then(|| Digest::sha256(CONTENTS[content].as_bytes()));
        let link = Entry { link: b"b".to_vec(), ..Entry::new("b2", Kind::Hardlink) };
        tree.begin(0);
        for (path, content) in [("a", 0), ("b", 3), ("c", 4), ("c", 2)] {
            tree.apply_hashed(&file(path, content), digest(content)).unwrap();
        }
        tree.apply(&link).unwrap();
        tree.commit();
        tree.begin(1);
        tree.apply_hashed(&file("a", 1), digest(1)).unwrap();
        tree.apply_hashed(&file("d", 4), digest(4)).unwrap();
        tree.commit();
        tree
    }

    #[test]
    fn what_is_learnt_later_is_as_if_it_had_been_known() {
        let (known, mut learnt) = (tree(true), tree(false));
        assert!(!learnt.knows_contents());
        learnt.learn_contents(|_, offset| Some(Digest::sha256(CONTENTS[offset as usize].as_bytes())));
        let waste = |tree: &FileTree| tree.waste(&|_, range: std::ops::Range<u64>| range.end - range.start);
        assert_eq!(waste(&learnt), waste(&known));
        assert_eq!(waste(&learnt).items.iter().filter(|item| item.cause == Cause::Duplicated).count(), 1);
        assert!(
            waste(&learnt).items.iter().any(|item| item.elsewhere.is_some()),
            "the content that its own layer lost"
        );
        for tree in [&known, &learnt] {
            let view = tree.view(Mode::Merged);
            let digest = |path: &[u8]| view.digest(view.find(path).unwrap());
            assert_eq!(digest(b"b2"), Some(Digest::sha256(b"link")));
        }
    }

    #[test]
    fn an_open_layer_learns_nothing() {
        let mut tree = tree(false);
        tree.begin(2);
        tree.learn_contents(|_, _| Some(Digest::sha256(b"x")));
        assert!(!tree.knows_contents());
    }
}
