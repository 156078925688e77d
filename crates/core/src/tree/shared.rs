//! Properties that the names of one inode share.

use super::{FileTree, NodeId, entry::read_xattrs};
use crate::tar::Kind;

/// Properties that all hard links to one inode share, even after its first name is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Number of the inode: equal for all its names, unique in the tree.
    pub number: u32,
    /// Type of the inode; never [`Kind::Hardlink`].
    pub kind: Kind,
    /// Target of a symbolic link as stored.
    pub link: Vec<u8>,
    /// Major device number.
    pub major: i64,
    /// Minor device number.
    pub minor: i64,
    /// Extended attributes of the first name. Later links may have added more.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl FileTree {
    /// Returns the inode at a node when all layers are stacked. `None` if the file never had a hard link.
    /// [`content`](Self::content) returns its content.
    pub fn shared(&self, node: NodeId) -> Option<Shared> {
        if !self.contains(node) {
            return None;
        }
        let number = self.arena.alive(node.0)?.inode;
        let inode = self.arena.inodes.get(number as usize)?;
        let extra = self.arena.extras.get(inode.extra as usize).copied().unwrap_or_default();
        let link = if inode.kind == Kind::Symlink { self.arena.text(extra.link).to_vec() } else { Vec::new() };
        Some(Shared {
            number,
            kind: inode.kind,
            link,
            major: extra.major,
            minor: extra.minor,
            xattrs: read_xattrs(self.arena.text(extra.xattrs)),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        tar::{Entry, Kind},
        tree::{FileTree, Mode},
    };

    fn linked(path: &str, link: &str) -> Entry {
        Entry { link: link.into(), ..Entry::new(path, Kind::Hardlink) }
    }

    #[test]
    fn links_share_what_they_are_when_the_first_name_is_gone() {
        let mut tree = FileTree::new(100);
        tree.begin(0);
        let capable = Entry { xattrs: vec![(b"user.a".to_vec(), b"1".to_vec())], ..Entry::new("first", Kind::File) };
        let device = Entry { major: 1, minor: 3, ..Entry::new("null", Kind::Char) };
        let symlink = Entry { link: b"somewhere".to_vec(), ..Entry::new("s", Kind::Symlink) };
        for entry in [capable, linked("second", "first"), linked("third", "second"), Entry::new("alone", Kind::File)] {
            tree.apply(&entry).expect("it can be applied");
        }
        for entry in [device, linked("null2", "null"), symlink, linked("s2", "s")] {
            tree.apply(&entry).expect("it can be applied");
        }
        tree.commit();
        tree.begin(1);
        for gone in [".wh.first", ".wh.null", ".wh.s"] {
            tree.apply(&Entry::new(gone, Kind::File)).expect("it can be applied");
        }
        tree.commit();
        let view = tree.view(Mode::Merged);
        let inode = |path: &str| tree.shared(view.find(path.as_bytes()).expect("it is there"));
        assert_eq!(inode("alone"), None);
        let second = inode("second").expect("it is a link");
        assert_eq!(second, inode("third").expect("it is a link"));
        assert_eq!((second.kind, second.xattrs.len()), (Kind::File, 1));
        let null = inode("null2").expect("it is a link");
        assert_eq!((null.kind, null.major, null.minor), (Kind::Char, 1, 3));
        let symlink = inode("s2").expect("it is a link");
        assert_eq!((symlink.kind, &symlink.link[..]), (Kind::Symlink, &b"somewhere"[..]));
    }
}
