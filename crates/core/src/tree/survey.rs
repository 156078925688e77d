//! A survey: the paths of an image that deserve attention, found in one pass over the tree.

use super::{
    FileTree, NodeId, Sort,
    aspect::Side,
    entry::read_xattrs,
    node::{Arena, Found},
};
use crate::tar::Kind;
use std::{cmp::Reverse, collections::BinaryHeap};

/// Result of a survey with all layers stacked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Survey {
    /// Files that run with the rights of their owner.
    pub set_uid: Marked,
    /// Files that run with the rights of their group.
    pub set_gid: Marked,
    /// Files with the extended attribute `security.capability`.
    pub capabilities: Marked,
    /// Files that every user can write, and directories without the sticky bit.
    pub world_writable: Marked,
    /// Paths that widely used tools interpret differently, in any layer.
    pub ambiguous: Marked,
}

/// Paths with one property.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marked {
    /// Number of paths, including those that are not listed.
    pub count: u64,
    /// The first of them, at most [`Survey::LISTED`], in the order in which the layers first wrote them.
    pub nodes: Vec<NodeId>,
}

impl Survey {
    /// Maximum number of paths that are listed for each property.
    pub const LISTED: usize = 1000;
}

impl Marked {
    fn add(&mut self, node: u32) {
        self.count += 1;
        if self.nodes.len() < Survey::LISTED {
            self.nodes.push(NodeId(node));
        }
    }
}

impl FileTree {
    /// Surveys the tree: one pass that makes no rows.
    pub fn survey(&self) -> Survey {
        let arena = &self.arena;
        let mut survey = Survey::default();
        for node in 1..arena.nodes.len() as u32 {
            if arena.versions(node).any(|version| version.ambiguous.is_some()) {
                survey.ambiguous.add(node);
            }
            if let Some(version) = arena.newest(node).filter(|version| version.is_alive()) {
                survey.inspect(arena, node, version);
            }
        }
        survey
    }

    /// Returns the first `count` regular files of the final tree in an order. Among equal files, the one that was first
    /// written comes first. Hard links to a file are left out. [`Sort::Name`] stands here for the order in which the files
    /// were first written, because names are not compared.
    pub fn top_files(&self, sort: Sort, count: usize) -> Vec<NodeId> {
        let arena = &self.arena;
        let mut top = BinaryHeap::new();
        for node in 1..arena.nodes.len() as u32 {
            let Some(version) = arena.newest(node).filter(|version| version.is_alive()) else { continue };
            if version.kind != Kind::File {
                continue;
            }
            let key = match sort {
                Sort::Name => 0,
                Sort::Size => version.size,
                Sort::Time => arena.attributes(&version, u32::MAX).mtime,
                Sort::Layer => arena.version(arena.told(version.id)).layer.into(),
            };
            top.push((Reverse(key), node));
            if top.len() > count {
                top.pop();
            }
        }
        top.into_sorted_vec().into_iter().map(|(_, node)| NodeId(node)).collect()
    }

    /// Whether the tree knows digests of contents. Without any, contents of equal size cannot be distinguished.
    pub fn knows_contents(&self) -> bool {
        self.arena.digests.end() > 0
    }
}

impl Survey {
    fn inspect(&mut self, arena: &Arena, node: u32, version: Found) {
        let mode = arena.attributes(&version, u32::MAX).mode;
        let side = Side::new(arena, version, u32::MAX);
        match side.kind() {
            Kind::Directory if mode & STICKY == 0 => {}
            Kind::File => {
                if mode & SET_UID != 0 {
                    self.set_uid.add(node);
                }
                if mode & SET_GID != 0 {
                    self.set_gid.add(node);
                }
                let extra = arena.extras.get(side.extra() as usize);
                let attributes = extra.map(|extra| read_xattrs(arena.text(extra.xattrs))).unwrap_or_default();
                if attributes.iter().any(|(name, _)| name == CAPABILITY) {
                    self.capabilities.add(node);
                }
            }
            _ => return,
        }
        if mode & WRITABLE_BY_OTHERS != 0 {
            self.world_writable.add(node);
        }
    }
}

const SET_UID: u16 = 0o4000;
const SET_GID: u16 = 0o2000;
const STICKY: u16 = 0o1000;
const WRITABLE_BY_OTHERS: u16 = 0o002;
/// Where the kernel keeps the capabilities of a file (capabilities(7)).
const CAPABILITY: &[u8] = b"security.capability";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar::{self, Entry};

    fn entry(path: &str, kind: Kind, mode: i64) -> Entry {
        Entry { mode, ..Entry::new(path, kind) }
    }

    fn paths(tree: &FileTree, marked: &Marked) -> Vec<String> {
        assert_eq!(marked.count, marked.nodes.len() as u64);
        marked.nodes.iter().map(|node| String::from_utf8_lossy(&tree.path(*node)).into_owned()).collect()
    }

    #[test]
    fn each_property_is_found_in_what_is_left_at_the_end() {
        let mut tree = FileTree::new(100);
        tree.begin(0);
        let mut capable = entry("ping", Kind::File, 0o755);
        capable.xattrs = vec![(b"user.a".to_vec(), b"b".to_vec()), (CAPABILITY.to_vec(), vec![1])];
        let mut odd = entry("odd", Kind::File, 0o644);
        odd.ambiguous = Some(tar::EntryAmbiguity::TrailingSlash);
        let mut link = entry("also-su", Kind::Hardlink, 0o4755);
        link.link = b"su".to_vec();
        let mut symlink = entry("symlink", Kind::Symlink, 0o777);
        symlink.link = b"su".to_vec();
        for entry in [
            entry("su", Kind::File, 0o4755),
            link,
            entry("gone", Kind::File, 0o4755),
            entry("wall", Kind::File, 0o2755),
            entry("shared", Kind::Directory, 0o2775),
            capable,
            entry("null", Kind::Char, 0o666),
            entry("tmp", Kind::Directory, 0o1777),
            entry("open", Kind::Directory, 0o777),
            entry("open/note", Kind::File, 0o666),
            symlink,
            odd,
        ] {
            tree.apply(&entry).unwrap();
        }
        tree.commit();
        tree.begin(1);
        for path in [".wh.gone", ".wh.odd"] {
            tree.apply(&entry(path, Kind::File, 0)).unwrap();
        }
        tree.commit();
        let survey = tree.survey();
        assert_eq!(paths(&tree, &survey.set_uid), ["su", "also-su"]);
        assert_eq!(paths(&tree, &survey.set_gid), ["wall"]);
        assert_eq!(paths(&tree, &survey.capabilities), ["ping"]);
        assert_eq!(paths(&tree, &survey.world_writable), ["open", "open/note"]);
        assert_eq!(paths(&tree, &survey.ambiguous), ["odd"], "a deleted entry can still be read differently");
        assert!(!tree.knows_contents());
    }

    #[test]
    fn the_top_files_are_in_order_and_alive() {
        let mut tree = FileTree::new(100);
        let file = |path: &str, size, mtime| Entry { size, mtime, ..Entry::new(path, Kind::File) };
        tree.begin(0);
        let link = Entry { link: b"d/large".to_vec(), mtime: 50, ..Entry::new("link", Kind::Hardlink) };
        for entry in [file("d/large", 90, 3), file("small", 1, 9), file("gone", 500, 99), file("middle", 5, 3), link] {
            tree.apply(&entry).unwrap();
        }
        tree.commit();
        tree.begin(1);
        for entry in [file(".wh.gone", 0, 0), file("late", 5, 1)] {
            tree.apply(&entry).unwrap();
        }
        tree.commit();
        let top = |sort, count| -> Vec<String> {
            let nodes = tree.top_files(sort, count).into_iter();
            nodes.map(|node| String::from_utf8_lossy(&tree.path(node)).into_owned()).collect()
        };
        assert_eq!(top(Sort::Size, 3), ["d/large", "middle", "late"]);
        assert_eq!(top(Sort::Time, 3), ["d/large", "small", "middle"], "a link gives its file its own time");
        assert_eq!(top(Sort::Layer, 2), ["late", "d/large"]);
        assert_eq!(top(Sort::Name, 9), ["d/large", "small", "middle", "late"]);
        assert_eq!(top(Sort::Size, 0), [""; 0]);
    }

    #[test]
    fn what_is_not_listed_is_counted() {
        let mut tree = FileTree::new(10_000);
        tree.begin(0);
        for number in 0..Survey::LISTED + 5 {
            tree.apply(&entry(&format!("f{number}"), Kind::File, 0o666)).unwrap();
        }
        tree.commit();
        let marked = tree.survey().world_writable;
        assert_eq!((marked.count, marked.nodes.len()), (Survey::LISTED as u64 + 5, Survey::LISTED));
    }
}
