//! Views, rows and counts of layers. Also runs as wasm.

use porthole_core::{
    tar::{Entry, Kind},
    tree::{Ambiguity, Change, Content, Error, FileTree, LayerSummary, Mode, Row, Sort},
};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn file(path: &str, size: u64) -> Entry {
    Entry { size, offset: 512, ..Entry::new(path, Kind::File) }
}

fn whiteout(path: &str) -> Entry {
    file(path, 0)
}

fn directory(path: &str) -> Entry {
    Entry { mode: 0o755, ..Entry::new(path, Kind::Directory) }
}

fn link(path: &str, target: &str, kind: Kind) -> Entry {
    Entry { link: target.into(), ..Entry::new(path, kind) }
}

fn stacked(layers: &[&[Entry]]) -> FileTree {
    let mut tree = FileTree::new(10_000);
    for (number, layer) in layers.iter().enumerate() {
        tree.begin(number as u32);
        for entry in *layer {
            let _ = tree.apply(entry);
        }
        tree.commit();
    }
    tree
}

/// The rows as `A path`, with the layers that wrote and removed it.
fn shown(rows: &[Row]) -> Vec<String> {
    let shown = |row: &Row| {
        let letter = match row.change {
            Change::Added => 'A',
            Change::Modified => 'M',
            Change::Removed => 'R',
            Change::Unchanged => '=',
        };
        let removed = row.removed_by.map_or_else(String::new, |layer| format!(" by {layer}"));
        format!("{letter} {} {}{removed}", String::from_utf8_lossy(&row.path), row.layer)
    };
    rows.iter().map(shown).collect()
}

fn three_layers() -> FileTree {
    stacked(&[
        &[directory("etc"), file("etc/motd", 5), file("etc/passwd", 7), file("var/log/a", 100), file("var/log/b", 50)],
        &[directory("etc"), file("etc/motd", 9), whiteout("etc/.wh.passwd"), file("var/log/c", 1)],
        &[whiteout("var/log/.wh..wh..opq"), file("var/log/d", 3), whiteout(".wh.nothing")],
    ])
}

#[test]
fn views_filter_one_tree() {
    let tree = three_layers();
    let rows = |mode| shown(&tree.view(mode).rows());
    assert_eq!(rows(Mode::Merged), ["A etc 1", "M etc/motd 1", "A var 0", "A var/log 0", "A var/log/d 2"]);
    assert_eq!(
        rows(Mode::UpTo(1)),
        ["= etc 1", "M etc/motd 1", "= var 0", "= var/log 0", "= var/log/a 0", "= var/log/b 0", "A var/log/c 1"]
    );
    assert_eq!(
        rows(Mode::Only(1)),
        ["= etc 1", "M etc/motd 1", "R etc/passwd 0 by 1", "= var 0", "= var/log 0", "A var/log/c 1"]
    );
    assert_eq!(
        rows(Mode::Only(2)),
        ["= var 0", "= var/log 0", "R var/log/a 0 by 2", "R var/log/b 0 by 2", "R var/log/c 1 by 2", "A var/log/d 2"]
    );
    assert_eq!(
        rows(Mode::Deleted),
        [
            "= etc 1",
            "M etc/motd 0 by 1",
            "R etc/passwd 0 by 1",
            "= var 0",
            "= var/log 0",
            "R var/log/a 0 by 2",
            "R var/log/b 0 by 2",
            "R var/log/c 1 by 2"
        ]
    );
    assert_eq!(tree.view(Mode::UpTo(7)).rows().len(), tree.view(Mode::Merged).rows().len());
    assert!(tree.view(Mode::Only(7)).rows().is_empty());
}

#[test]
fn layers_are_counted() {
    let tree = three_layers();
    let summary = |added, modified, removed, bytes| LayerSummary { added, modified, removed, bytes, stopped: None };
    assert_eq!(tree.summary(0), summary(7, 0, 0, 162));
    assert_eq!(tree.summary(1), summary(1, 1, 1, 10));
    assert_eq!(tree.summary(2), summary(1, 0, 3, 3));
    assert_eq!(tree.summary(3), LayerSummary::default());
}

#[test]
fn directories_hold_the_sum_of_what_is_below() {
    let tree = three_layers();
    let total = |mode, path: &[u8]| {
        let view = tree.view(mode);
        view.find(path).and_then(|node| view.row(node)).map(|row| row.total)
    };
    assert_eq!(total(Mode::Merged, b"var"), Some(3));
    assert_eq!(total(Mode::UpTo(1), b"var"), Some(151));
    assert_eq!(total(Mode::Only(2), b"var/log"), Some(154), "what the layer removed is shown, and counts");
    assert_eq!(tree.view(Mode::Only(2)).total_size(), 3);
    assert_eq!(total(Mode::Deleted, b"var/log"), Some(151));
    assert_eq!(total(Mode::Merged, b"var/log/a"), None);
    assert_eq!(tree.view(Mode::Merged).total_size(), 12);
    assert_eq!(tree.view(Mode::Deleted).total_size(), 163);

    let view = tree.view(Mode::UpTo(0));
    let sizes = |sort| view.children(tree.root(), sort).iter().map(|row| row.total).collect::<Vec<_>>();
    assert_eq!((sizes(Sort::Name), sizes(Sort::Size)), (vec![12, 150], vec![150, 12]));
}

#[test]
fn a_removed_directory_is_shown_with_what_was_in_it() {
    let tree = stacked(&[&[directory("a"), directory("a/b"), file("a/b/c", 4)], &[whiteout(".wh.a")]]);
    let view = tree.view(Mode::Only(1));
    assert_eq!(shown(&view.rows()), ["R a 0 by 1", "R a/b 0 by 1", "R a/b/c 0 by 1"]);
    assert_eq!((view.rows()[0].total, view.total_size()), (4, 0));
    assert!(tree.view(Mode::Merged).rows().is_empty());
    assert_eq!(
        view.find(b"a/b/c").and_then(|node| view.content(node)),
        Some(Content { layer: 0, offset: 512, size: 4 })
    );
}

#[test]
fn a_hard_link_leads_to_its_content() {
    let tree = stacked(&[
        &[directory("usr/bin"), file("usr/bin/a", 10), link("bin", "usr/bin", Kind::Symlink)],
        &[Entry { mode: 0o4755, ..link("b", "/bin/a", Kind::Hardlink) }],
        &[whiteout("usr/bin/.wh.a")],
    ]);
    let view = tree.view(Mode::Merged);
    let node = view.find(b"b").expect("the link is there");
    let row = view.row(node).expect("the link has a row");
    assert_eq!((row.kind, row.size, &row.link[..]), (Kind::Hardlink, 0, &b"usr/bin/a"[..]));
    assert_eq!(tree.content(node), Some(Content { layer: 0, offset: 512, size: 10 }));
    // All names of an inode share one mode: the link in layer 1 changed it for both.
    let mode = |layer| {
        let view = tree.view(Mode::UpTo(layer));
        view.find(b"usr/bin/a").and_then(|node| view.row(node)).map(|row| row.mode)
    };
    assert_eq!((mode(0), mode(1), mode(2)), (Some(0o644), Some(0o4755), None));
}

#[test]
fn ambiguous_entries_are_marked() {
    let tree = stacked(&[
        &[file("x", 1)],
        &[file("x", 2), whiteout(".wh.x"), file("d/y", 3), whiteout(".wh..wh..opq"), file("z", 4)],
    ]);
    assert_eq!(shown(&tree.view(Mode::Merged).rows()), ["A z 1"]);
    let rows = tree.view(Mode::Only(1)).rows();
    assert_eq!(shown(&rows), ["R d 1 by 1", "R d/y 1 by 1", "R x 0 by 1", "A z 1"]);
    let reasons: Vec<_> = rows.iter().map(|row| row.ambiguous).collect();
    let opaque = Some(Ambiguity::OpaqueOfSameLayer);
    assert_eq!(reasons, [opaque, opaque, Some(Ambiguity::WhiteoutOfSameLayer), None]);
}

#[test]
fn a_layer_stops_where_a_runtime_stops() {
    let mut tree = FileTree::new(10_000);
    assert_eq!(tree.apply(&file("x", 1)), Err(Error::NoLayer));
    tree.begin(0);
    tree.apply(&file("x", 1)).expect("a file");
    let error = tree.apply(&file("x/y", 1)).expect_err("x is a file");
    assert_eq!(error, Error::NotADirectory("x".into()));
    assert_eq!(tree.apply(&file("z", 1)), Err(error.clone()));
    assert_eq!(tree.commit().stopped, Some(error));
    assert_eq!(shown(&tree.view(Mode::Merged).rows()), ["A x 0"]);

    for (entry, words) in [
        (whiteout("a/.wh."), "invalid whiteout name: `.wh.`"),
        (link("h", "nope", Kind::Hardlink), "hard link `h` to a file that does not exist: `nope`"),
        (link("h", "/", Kind::Hardlink), "hard link `h` to a directory: `/`"),
        (link("s", "", Kind::Symlink), "symbolic link without a target: `s`"),
        (Entry { major: 1 << 40, ..Entry::new("c", Kind::Char) }, "device number 1099511627776:0 out of range: `c`"),
        (Entry { typeflag: b'V', ..Entry::new("v", Kind::Other) }, "unhandled entry type 86: `v`"),
        (file(&"n".repeat(256), 0), &format!("file name too long: `{}`", "n".repeat(256))),
    ] {
        tree.begin(1);
        assert_eq!(tree.apply(&entry).map_err(|error| error.to_string()), Err(words.to_owned()));
    }
    tree.begin(1);
    tree.apply(&directory("d")).expect("a directory");
    tree.apply(&whiteout(".wh.d")).expect("a whiteout");
    assert_eq!(tree.commit().stopped, Some(Error::DirectoryRemoved("d".into())));
}

#[test]
fn limits_hold() {
    let mut tree = FileTree::new(3);
    tree.begin(0);
    tree.apply(&file("a/b", 1)).expect("three nodes with the root");
    assert_eq!(tree.apply(&file("c", 1)), Err(Error::TooManyNodes { limit: 3 }));
    tree.begin(0);
    assert_eq!(tree.len(), 1);

    let mut tree = FileTree::new(10_000);
    tree.begin(0);
    for number in 0..250 {
        let target = format!("/{}l{}", "x/../".repeat(300), number + 1);
        tree.apply(&link(&format!("l{number}"), &target, Kind::Symlink)).expect("a link");
    }
    let error = (0..100).find_map(|number| tree.apply(&file(&format!("l{}/x", number % 9), 1)).err());
    assert!(matches!(error, Some(Error::TooManySteps { .. })), "{error:?}");
    tree.begin(0);
    tree.apply(&link("a", "b", Kind::Symlink)).expect("a link");
    tree.apply(&link("b", "a", Kind::Symlink)).expect("a link");
    assert!(matches!(tree.apply(&file("a/x", 1)), Err(Error::TooManyLinks(_))));
}

/// Whiteouts of paths that were removed before must be cheap: they took quadratic time.
#[test]
fn whiteouts_of_an_emptied_directory_are_cheap() {
    let mut tree = FileTree::new(100_000);
    tree.begin(0);
    for number in 0..5_000 {
        tree.apply(&file(&format!("d/{number}"), 1)).expect("a file");
    }
    for _ in 0..5_000 {
        tree.apply(&whiteout(".wh.d")).expect("a whiteout");
        tree.apply(&file("d/x", 1)).expect("a file");
    }
    assert_eq!(shown(&tree.view(Mode::Merged).rows()), ["A d 0", "A d/x 0"]);
}

#[test]
fn implied_directories_inherit_the_group_of_a_set_group_id_directory() {
    let shared = Entry { mode: 0o2775, gid: 50, ..directory("srv") };
    let tree = stacked(&[&[shared, file("srv/a/b/c", 1), Entry { gid: 7, ..file("srv/d", 1) }]]);
    let rows = tree.view(Mode::Merged).rows();
    let owned: Vec<_> = rows.iter().map(|row| (&*row.path, row.mode, row.gid)).collect();
    let a: &[u8] = b"srv/a";
    assert_eq!(owned[..3], [(&b"srv"[..], 0o2775, 50), (a, 0o755, 50), (&b"srv/a/b"[..], 0o755, 0)]);
    assert_eq!(owned[4], (&b"srv/d"[..], 0o644, 7));
}
