//! The flattened tree: which rows a view shows, and in which order.

pub use crate::special::SpecialFiles;
use crate::{
    packages::MarkedFiles,
    protocol::{self, Changes, FileView, RowChange, RowKind, RowWindow},
    sieve::PathFilter,
    sifted::Sifted,
    special,
};
use porthole_core::{
    path, tar,
    tree::{self, FileTree, NodeId},
};
use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

/// Which directories are open: all but some, or none but some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    all: bool,
    but: HashSet<Vec<u8>>,
}

impl Expansion {
    /// Every directory is open.
    pub fn all() -> Self {
        Self { all: true, but: HashSet::new() }
    }

    /// Opens or closes a directory by its cleaned path.
    pub fn set(&mut self, path: &[u8], open: bool) {
        if open == self.all {
            self.but.remove(path);
        } else {
            self.but.insert(path.to_vec());
        }
    }

    /// Opens every directory above a path.
    pub fn reveal(&mut self, path: &[u8]) {
        for (at, _) in path.iter().enumerate().filter(|&(_, &byte)| byte == b'/') {
            self.set(&path[..at], true);
        }
    }

    /// The exceptions as nodes of a view.
    fn nodes(&self, view: &tree::View<'_>) -> HashSet<NodeId> {
        self.but.iter().filter_map(|path| view.find(path)).collect()
    }
}

/// The rows of a view, as nodes; a row itself is made when it is asked for.
#[derive(Debug, Default)]
pub struct RowList {
    lines: Vec<Line>,
    /// Lines of each group of siblings, by the directory they are in.
    groups: HashMap<NodeId, u32>,
    largest: u64,
    visible: u64,
    revision: u64,
    matches: u64,
    elsewhere: u64,
    problem: Option<String>,
    /// What packages say about files of the tree.
    marked: MarkedFiles,
}

/// A row. There may be a million: what follows from the lines around it is not kept.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// The node, and [`OPEN`].
    node: u32,
    /// Place among its siblings, from 1.
    place: u32,
}

/// In the node of a line: the directory is open. Trees have fewer nodes than this number.
const OPEN: u32 = 1 << 31;

impl RowList {
    /// Takes what packages say about files; the list has to be rebuilt.
    pub(crate) fn mark(&mut self, marked: MarkedFiles) {
        self.marked = marked;
    }

    /// Rebuilds the list. `top` is the layer that a view without a layer refers to.
    pub fn flatten(&mut self, tree: &FileTree, view: &FileView, top: u32, expansion: &Expansion) {
        let core = tree.view(mode(view, top));
        let sort = sort(view);
        let sieve = Sieve::new(tree, view, &self.marked);
        let but = expansion.nodes(&core);
        self.lines.clear();
        self.groups.clear();
        self.visible = core.total_size();
        self.revision += 1;
        self.matches = 0;

        let sifted = sieve.is_set().then(|| Sifted::new(tree, &core, &sieve.filter, |node| sieve.passes(&core, node)));
        let children = |node| match &sifted {
            Some(sifted) => core.wanted_children(node, sort, |node| sifted.keeps(node)),
            None => core.child_nodes(node, sort),
        };
        let roots = core.child_nodes(NodeId::ROOT, tree::Sort::Name);
        self.largest = roots.iter().filter_map(|&node| core.row(node)).map(|row| row.total).max().unwrap_or(0);
        let new_level = |parent| Level { nodes: children(parent).into_iter(), parent, lines: 0 };
        let mut levels = vec![new_level(NodeId::ROOT)];
        while let Some(level) = levels.last_mut() {
            let Some(node) = level.nodes.next() else {
                self.groups.insert(level.parent, level.lines);
                levels.pop();
                continue;
            };
            self.matches += 1;
            let open = core.has_children(node) && expansion.all != but.contains(&node);
            let versions = if view.mode == protocol::ViewMode::Deleted { core.rows_of(node).len() } else { 1 };
            let first = level.lines + 1;
            level.lines += versions as u32;
            let line = |place| Line { node: node.0 | if open { OPEN } else { 0 }, place };
            self.lines.extend((first..=level.lines).map(line));
            if open {
                levels.push(new_level(node));
            }
        }
        self.matches = sifted.map_or(self.matches, |sifted| sifted.matches());
        self.elsewhere = if self.matches == 0 { deleted(tree, view, &sieve) } else { 0 };
        self.problem = sieve.filter.problem().map(str::to_owned);
    }

    /// Rows in the list.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Rows `from..to`, as far as there are any.
    pub fn window(
        &self,
        tree: &FileTree,
        view: &FileView,
        top: u32,
        window: std::ops::Range<u64>,
        complete: bool,
    ) -> RowWindow {
        let core = tree.view(mode(view, top));
        let total = self.lines.len();
        let clamp = |index: u64| usize::try_from(index).unwrap_or(total).min(total);
        let (from, to) = (clamp(window.start), clamp(window.end.min(window.start.saturating_add(MOST_ROWS))));
        RowWindow {
            from: from as u64,
            rows: (from..to.max(from)).filter_map(|index| self.row(index, tree, &core)).collect(),
            total: total as u64,
            complete,
            largest: self.largest,
            visible: self.visible,
            revision: self.revision,
            matches: self.matches,
            elsewhere: self.elsewhere,
            problem: self.problem.clone(),
        }
    }

    fn row(&self, index: usize, tree: &FileTree, view: &tree::View<'_>) -> Option<protocol::FileRow> {
        let line = self.lines.get(index)?;
        let node = line.node();
        // A path may have been deleted several times: its rows follow each other.
        let version = self.lines[..index].iter().rev().take_while(|before| before.node() == node).count();
        let row = match version {
            0 => view.row(node),
            version => view.rows_of(node).into_iter().nth(version),
        }?;
        let siblings = self.groups.get(&tree.parent_of(node)).copied().unwrap_or_default();
        Some(protocol::FileRow { place: line.place, siblings, ..twin(&row, line.is_open()) })
    }

    /// The path of the first row from `from` on, and then from the top, whose name begins with a text: lower-case letters also match
    /// upper-case ones.
    pub fn begins_with(&self, tree: &FileTree, text: &str, from: u64) -> Option<Vec<u8>> {
        let text = text.to_lowercase();
        // Almost every text is plain, and then no name has to be copied.
        let plain = text.is_ascii() && !text.contains('\\');
        let begins = |line: &&Line| {
            let name = tree.name(line.node());
            match plain {
                true => name.get(..text.len()).is_some_and(|head| head.eq_ignore_ascii_case(text.as_bytes())),
                false => path::escape(name).to_lowercase().starts_with(&text),
            }
        };
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(self.lines.len());
        let (before, after) = self.lines.split_at(from);
        let line = after.iter().chain(before).find(begins)?;
        Some(tree.path(line.node()))
    }

    /// The row at a path, and its index in the list.
    pub fn find(
        &self,
        tree: &FileTree,
        view: &FileView,
        top: u32,
        path: &[u8],
    ) -> Option<(protocol::FileRow, Option<u64>)> {
        let core = tree.view(mode(view, top));
        let node = core.find(path)?;
        let row = core.row(node)?;
        let index = self.lines.iter().position(|line| line.node() == node);
        let row = match index {
            Some(index) => self.row(index, tree, &core)?,
            None => twin(&row, false),
        };
        Some((row, index.map(|index| index as u64)))
    }
}

/// Most rows of a window: no screen shows more.
const MOST_ROWS: u64 = 2_000;

/// A directory being walked: the nodes left in it.
struct Level {
    nodes: std::vec::IntoIter<NodeId>,
    parent: NodeId,
    /// Lines of this directory so far.
    lines: u32,
}

impl Line {
    fn node(self) -> NodeId {
        NodeId(self.node & !OPEN)
    }

    fn is_open(self) -> bool {
        self.node & OPEN != 0
    }
}

/// The conditions for a row to be shown for its own sake.
struct Sieve {
    filter: PathFilter,
    /// The paths of a list of special files.
    special: Option<Rc<HashSet<NodeId>>>,
    changes: Changes,
}

impl Sieve {
    fn new(tree: &FileTree, view: &FileView, marked: &MarkedFiles) -> Self {
        let split = special::split(&view.filter);
        let named = split.and_then(|(list, rest)| Ok((list.map(|list| list.nodes(tree, marked)).transpose()?, rest)));
        let (special, filter) = match named {
            Ok((special, rest)) => (special, PathFilter::new(rest)),
            Err(why) => (None, PathFilter::Invalid(why)),
        };
        Self { filter, special, changes: view.changes }
    }

    fn is_set(&self) -> bool {
        self.special.is_some() || !self.filter.is_all() || !self.changes.all()
    }

    /// Whether a node that the filter names is shown.
    fn passes(&self, view: &tree::View<'_>, node: NodeId) -> bool {
        let special = self.special.as_ref().is_none_or(|special| special.contains(&node));
        let shown = self.changes.all()
            || view.row(node).is_some_and(|row| match row.change {
                tree::Change::Added => self.changes.added,
                tree::Change::Modified => self.changes.modified,
                tree::Change::Removed => self.changes.removed,
                tree::Change::Unchanged => false,
            });
        special && shown
    }
}

/// How many deleted paths a filter names that has no match in its own view.
fn deleted(tree: &FileTree, view: &FileView, sieve: &Sieve) -> u64 {
    if sieve.special.is_some() || sieve.filter.is_all() || view.mode == protocol::ViewMode::Deleted {
        return 0;
    }
    let core = tree.view(tree::Mode::Deleted);
    let hidden = |node| core.row(node).is_some_and(|row| row.removed_by.is_some());
    Sifted::new(tree, &core, &sieve.filter, hidden).matches()
}

/// The core's view of the same name.
pub(crate) fn mode(view: &FileView, top: u32) -> tree::Mode {
    let layer = view.layer.unwrap_or(top);
    match view.mode {
        protocol::ViewMode::Merged => tree::Mode::Merged,
        protocol::ViewMode::UpTo => tree::Mode::UpTo(layer),
        protocol::ViewMode::Only => tree::Mode::Only(layer),
        protocol::ViewMode::Deleted => tree::Mode::Deleted,
    }
}

fn sort(view: &FileView) -> tree::Sort {
    match view.sort {
        protocol::RowSort::Name => tree::Sort::Name,
        protocol::RowSort::Size => tree::Sort::Size,
        protocol::RowSort::Time => tree::Sort::Time,
        protocol::RowSort::Layer => tree::Sort::Layer,
    }
}

/// A row of the tree, as a front end shows it.
pub(crate) fn twin(row: &tree::Row, expanded: bool) -> protocol::FileRow {
    protocol::FileRow {
        path: path::escape(&row.path).into_owned(),
        name: path::escape(&row.name).into_owned(),
        depth: row.depth,
        kind: match row.kind {
            tar::Kind::Directory => RowKind::Dir,
            tar::Kind::Symlink => RowKind::Symlink,
            tar::Kind::Hardlink => RowKind::Hardlink,
            tar::Kind::Char => RowKind::Char,
            tar::Kind::Block => RowKind::Block,
            tar::Kind::Fifo => RowKind::Fifo,
            _ => RowKind::File,
        },
        size: row.size,
        total: row.total,
        mode: row.mode,
        uid: row.uid,
        gid: row.gid,
        mtime: row.mtime,
        mtime_nsec: row.mtime_nsec,
        link: path::escape(&row.link).into_owned(),
        major: row.major,
        minor: row.minor,
        xattrs: row.xattrs.iter().map(|(name, _)| path::escape(name).into_owned()).collect(),
        layer: row.layer,
        change: match row.change {
            tree::Change::Added => RowChange::Added,
            tree::Change::Modified => RowChange::Modified,
            tree::Change::Removed => RowChange::Removed,
            tree::Change::Unchanged => RowChange::Unchanged,
        },
        removed_by: row.removed_by,
        ambiguous: row.ambiguous.map(|ambiguity| ambiguity.to_string()),
        implied: row.implied,
        has_children: row.has_children,
        expanded,
        place: 0,
        siblings: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::tar::{Entry, Kind};

    fn tree(layers: &[&[(&str, u64)]]) -> FileTree {
        let mut tree = FileTree::new(1_000);
        for (layer, entries) in layers.iter().enumerate() {
            tree.begin(layer as u32);
            for &(path, size) in *entries {
                let kind = if path.ends_with('/') { Kind::Directory } else { Kind::File };
                let entry = Entry { size, ..Entry::new(path, kind) };
                tree.apply(&entry).unwrap();
            }
            tree.commit();
        }
        tree
    }

    fn by_name() -> FileView {
        FileView { sort: protocol::RowSort::Name, ..FileView::default() }
    }

    fn sample() -> FileTree {
        tree(&[
            &[("etc/", 0), ("etc/hosts", 5), ("etc/ssl/", 0), ("etc/ssl/Cert.pem", 7), ("usr/bin/sh", 90)],
            &[("etc/hosts", 6), (".wh.usr", 0), ("srv/app", 3)],
        ])
    }

    fn list(tree: &FileTree, view: &FileView, expansion: &Expansion) -> Vec<String> {
        let mut listing = RowList::default();
        listing.flatten(tree, view, 1, expansion);
        let rows = listing.window(tree, view, 1, 0..100, true);
        assert_eq!(rows.total as usize, listing.len());
        rows.rows.into_iter().map(|row| row.path).collect()
    }

    #[test]
    fn closed_open_and_all_open() {
        let tree = sample();
        let view = by_name();
        assert_eq!(list(&tree, &view, &Expansion::default()), ["etc", "srv"]);
        let mut some = Expansion::default();
        some.reveal(b"etc/ssl/Cert.pem");
        assert_eq!(list(&tree, &view, &some), ["etc", "etc/hosts", "etc/ssl", "etc/ssl/Cert.pem", "srv"]);
        some.set(b"etc/ssl", false);
        assert_eq!(list(&tree, &view, &some), ["etc", "etc/hosts", "etc/ssl", "srv"]);
        let mut but_one = Expansion::all();
        but_one.set(b"etc", false);
        assert_eq!(list(&tree, &view, &but_one), ["etc", "srv", "srv/app"]);
    }

    #[test]
    fn modes_of_a_view() {
        let tree = sample();
        let view = |mode, layer| FileView { mode, layer, ..by_name() };
        let all = Expansion::all();
        assert_eq!(
            list(&tree, &view(protocol::ViewMode::UpTo, Some(0)), &all),
            ["etc", "etc/hosts", "etc/ssl", "etc/ssl/Cert.pem", "usr", "usr/bin", "usr/bin/sh"]
        );
        let only = list(&tree, &view(protocol::ViewMode::Only, None), &all);
        assert!(only.contains(&"srv/app".into()) && !only.contains(&"etc/ssl".into()), "{only:?}");
        let deleted = list(&tree, &view(protocol::ViewMode::Deleted, None), &all);
        assert!(deleted.contains(&"usr/bin/sh".into()) && deleted.contains(&"etc/hosts".into()), "{deleted:?}");
        assert!(!deleted.contains(&"srv/app".into()));
    }

    #[test]
    fn biggest_first() {
        let view = FileView::default();
        let tree = tree(&[&[("a/x", 1), ("b/x", 2), ("c", 3)]]);
        assert_eq!(list(&tree, &view, &Expansion::all()), ["c", "b", "b/x", "a", "a/x"]);
    }

    #[test]
    fn a_filter_keeps_parents_and_drops_the_rest() {
        let tree = sample();
        let view = FileView { filter: "cert".into(), ..by_name() };
        assert_eq!(list(&tree, &view, &Expansion::all()), ["etc", "etc/ssl", "etc/ssl/Cert.pem"]);
        assert_eq!(list(&tree, &view, &Expansion::default()), ["etc"]);
        let nothing = FileView { filter: "nothing".into(), ..by_name() };
        assert_eq!(list(&tree, &nothing, &Expansion::all()), [""; 0]);
    }

    #[test]
    fn orders_of_siblings() {
        let mut tree = FileTree::new(100);
        for (layer, entries) in
            [[("a", 3, 10), ("b", 1, 30), ("c", 2, 20)], [("b", 9, 5), ("d/x", 1, 40), ("e", 0, 30)]].iter().enumerate()
        {
            tree.begin(layer as u32);
            for &(path, size, mtime) in entries {
                tree.apply(&Entry { size, mtime, ..Entry::new(path, Kind::File) }).unwrap();
            }
            tree.commit();
        }
        let sorted = |sort| list(&tree, &FileView { sort, ..FileView::default() }, &Expansion::default());
        use protocol::RowSort;
        assert_eq!(sorted(RowSort::Name), ["a", "b", "c", "d", "e"]);
        assert_eq!(sorted(RowSort::Size), ["b", "a", "c", "d", "e"]);
        assert_eq!(sorted(RowSort::Time), ["e", "c", "a", "b", "d"], "a directory without an entry has no time");
        assert_eq!(sorted(RowSort::Layer), ["b", "d", "e", "a", "c"]);
    }

    #[test]
    fn a_name_is_found_by_its_beginning() {
        let tree = sample();
        let mut listing = RowList::default();
        listing.flatten(&tree, &by_name(), 1, &Expansion::all());
        let found = |text: &str, from| {
            let path = listing.begins_with(&tree, text, from);
            path.map(|path| String::from_utf8_lossy(&path).into_owned())
        };
        assert_eq!(found("s", 0).as_deref(), Some("etc/ssl"));
        assert_eq!(found("S", 3).as_deref(), Some("srv"));
        assert_eq!(found("cert", 5).as_deref(), Some("etc/ssl/Cert.pem"), "from the top again");
        assert_eq!(found("usr", 0), None, "what is deleted has no row");
        assert_eq!(found("h", u64::MAX).as_deref(), Some("etc/hosts"));
    }

    #[test]
    fn toggles_show_changes() {
        let tree = sample();
        let changes = Changes { added: false, modified: true, removed: false };
        let view = FileView { changes, ..by_name() };
        assert_eq!(list(&tree, &view, &Expansion::all()), ["etc", "etc/hosts"]);
    }

    #[test]
    fn windows_end_with_the_list() {
        let tree = sample();
        let view = by_name();
        let mut listing = RowList::default();
        listing.flatten(&tree, &view, 1, &Expansion::all());
        let paths = |from, to| {
            let window = listing.window(&tree, &view, 1, from..to, false);
            (window.from, window.rows.into_iter().map(|row| row.path).collect::<Vec<_>>())
        };
        assert_eq!(paths(4, 100), (4, vec!["srv".into(), "srv/app".into()]));
        assert_eq!(paths(50, 100), (6, vec![]));
        assert_eq!(paths(3, 1), (3, vec![]));
        let (row, index) = listing.find(&tree, &view, 1, b"etc/hosts").unwrap();
        assert_eq!((row.size, index), (6, Some(1)));
        assert!(listing.find(&tree, &view, 1, b"usr/bin/sh").is_none());
    }

    #[test]
    fn a_path_deleted_twice_has_two_rows() {
        let tree = tree(&[&[("a", 1)], &[("a", 2)], &[(".wh.a", 0)]]);
        let view = FileView { mode: protocol::ViewMode::Deleted, ..by_name() };
        assert_eq!(list(&tree, &view, &Expansion::default()), ["a", "a"]);
    }

    #[test]
    fn a_filter_counts_what_it_finds_here_and_among_the_deleted() {
        let tree = sample();
        let found = |filter: &str, mode| {
            let view = FileView { filter: filter.into(), mode, ..by_name() };
            let mut listing = RowList::default();
            listing.flatten(&tree, &view, 1, &Expansion::all());
            let window = listing.window(&tree, &view, 1, 0..100, true);
            (window.matches, window.elsewhere, window.problem.is_some())
        };
        assert_eq!(found("*.pem", protocol::ViewMode::Merged), (1, 0, false));
        assert_eq!(found("bin/sh", protocol::ViewMode::Merged), (0, 1, false));
        assert_eq!(found("bin/sh", protocol::ViewMode::Deleted), (1, 0, false));
        assert_eq!(found("/(/", protocol::ViewMode::Merged), (0, 0, true));
    }

    #[test]
    fn rows_know_their_place_among_the_siblings_that_are_shown() {
        let tree = sample();
        let places = |filter: &str, expansion: &Expansion| {
            let view = FileView { filter: filter.into(), ..by_name() };
            let mut listing = RowList::default();
            listing.flatten(&tree, &view, 1, expansion);
            let rows = listing.window(&tree, &view, 1, 0..100, true).rows;
            rows.into_iter().map(|row| (row.path, row.place, row.siblings)).collect::<Vec<_>>()
        };
        let row = |path: &str, place, siblings| (path.to_owned(), place, siblings);
        let all = places("", &Expansion::all());
        assert_eq!(all[..3], [row("etc", 1, 2), row("etc/hosts", 1, 2), row("etc/ssl", 2, 2)]);
        assert_eq!(all[4], row("srv", 2, 2));
        let some = places("cert", &Expansion::all());
        assert_eq!(some, [row("etc", 1, 1), row("etc/ssl", 1, 1), row("etc/ssl/Cert.pem", 1, 1)]);
    }

    #[test]
    fn what_a_layer_removed_counts_for_the_order_and_the_bars_of_that_layer() {
        let tree = tree(&[&[("big/old", 3_000), ("etc/x", 54)], &[("big/.wh.old", 0), ("etc/y", 13)]]);
        let view = FileView { mode: protocol::ViewMode::Only, layer: Some(1), ..FileView::default() };
        let mut listing = RowList::default();
        listing.flatten(&tree, &view, 1, &Expansion::all());
        let window = listing.window(&tree, &view, 1, 0..100, true);
        let rows: Vec<_> = window.rows.iter().map(|row| (row.path.as_str(), row.total)).collect();
        assert_eq!(rows, [("big", 3_000), ("big/old", 3_000), ("etc", 13), ("etc/y", 13)]);
        assert_eq!((window.largest, window.visible), (3_000, 13));
    }
}
