//! Waste: the layers that add and hide bytes, and the causes. Also runs as wasm.

use porthole_core::{
    digest::Digest,
    tar::{Entry, Kind},
    tree::{Aspect, Cause, FileTree, LayerWaste, NodeId, Waste},
};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const KB_500: u64 = 500_000;

/// An entry, and the seed of its content.
type Made = (Entry, &'static str);

fn file(path: &str, size: u64, content: &'static str) -> Made {
    (Entry { size, ..Entry::new(path, Kind::File) }, content)
}

fn directory(path: &str) -> Made {
    (Entry { mode: 0o755, ..Entry::new(path, Kind::Directory) }, "")
}

fn hardlink(path: &str, target: &str) -> Made {
    (Entry { link: target.into(), ..Entry::new(path, Kind::Hardlink) }, "")
}

fn whiteout(path: &str) -> Made {
    file(path, 0, "")
}

/// Stacks layers whose contents follow each other as in an archive.
fn stacked(layers: &[&[Made]], hashed: bool) -> FileTree {
    let mut tree = FileTree::new(10_000);
    for (number, layer) in layers.iter().enumerate() {
        tree.begin(number as u32);
        let mut offset = 512;
        for (entry, content) in *layer {
            let entry = Entry { offset, ..entry.clone() };
            let digest = (hashed && !content.is_empty()).then(|| Digest::sha256(content.as_bytes()));
            tree.apply_hashed(&entry, digest).expect("the entry can be unpacked");
            offset += entry.size.next_multiple_of(512) + 512;
        }
        tree.commit();
    }
    tree
}

fn waste(tree: &FileTree) -> Waste {
    tree.waste(&|_, range: std::ops::Range<u64>| range.end - range.start)
}

/// The items as `cause path size added>hidden`.
fn shown(tree: &FileTree, waste: &Waste) -> Vec<String> {
    let shown = |item: &porthole_core::tree::Wasted| {
        let path = String::from_utf8_lossy(&tree.path(item.node)).into_owned();
        format!("{} {path} {} {}>{}", item.cause.name(), item.size, item.layer, item.by)
    };
    waste.items.iter().map(shown).collect()
}

/// The groups as `cause path files size added>hidden`.
fn grouped(tree: &FileTree, waste: &Waste) -> Vec<String> {
    let shown = |group: porthole_core::tree::Group| {
        let path = String::from_utf8_lossy(&group.path).into_owned();
        let slash = if group.directory { "/" } else { "" };
        format!("{} {path}{slash} {} {} {:?}>{}", group.cause.name(), group.files, group.size, group.layers, group.by)
    };
    waste.groups(tree).into_iter().map(shown).collect()
}

#[test]
fn a_file_written_twice_is_wasted_once() {
    let tree = stacked(&[&[file("a", KB_500, "x")], &[file("a", KB_500, "y")]], true);
    let waste = waste(&tree);
    assert_eq!((waste.all, waste.visible, waste.wasted()), (2 * KB_500, KB_500, KB_500));
    assert_eq!(waste.efficiency(), 0.5);
    assert_eq!(shown(&tree, &waste), ["overwritten a 500000 0>1"]);
    assert_eq!(
        waste.layers,
        [
            LayerWaste { layer: 0, bytes: KB_500, wasted: KB_500, download: KB_500, ..LayerWaste::default() },
            LayerWaste { layer: 1, bytes: KB_500, wastes: KB_500, overwritten: KB_500, ..LayerWaste::default() },
        ]
    );
}

#[test]
fn a_deleted_directory_is_waste() {
    let tree = stacked(
        &[
            &[directory("d"), file("d/a", KB_500, "x"), file("d/e/b", 7, "y"), file("kept", 10, "z")],
            &[whiteout(".wh.d")],
        ],
        true,
    );
    let waste = waste(&tree);
    assert_eq!(shown(&tree, &waste), ["deleted d/a 500000 0>1", "deleted d/e/b 7 0>1"]);
    assert_eq!(grouped(&tree, &waste), ["deleted d/ 2 500007 [0]>1"]);
    assert_eq!((waste.visible, waste.layers[1].deleted), (10, 500_007));
    assert!(waste.efficiency() < 0.0001);
}

#[test]
fn an_emptied_directory_is_waste() {
    let tree = stacked(
        &[
            &[file("d/a", 100, "x"), file("d/e/b", 50, "y")],
            &[whiteout("d/.wh..wh..opq"), file("d/a", 100, "x"), file("d/c", 1, "z")],
        ],
        true,
    );
    let waste = waste(&tree);
    // The file that was written again exists twice.
    assert_eq!(shown(&tree, &waste), ["duplicated d/a 100 0>1", "deleted d/e/b 50 0>1"]);
    assert_eq!(grouped(&tree, &waste), ["duplicated d/a 1 100 [0]>1", "deleted d/e/ 1 50 [0]>1"]);
}

#[test]
fn a_whiteout_of_nothing_wastes_nothing_and_stops_nothing() {
    let tree =
        stacked(&[&[file("a", 10, "x")], &[whiteout(".wh.nothing"), whiteout(".wh.a"), file("b", 5, "y")]], true);
    let waste = waste(&tree);
    assert_eq!(shown(&tree, &waste), ["deleted a 10 0>1"]);
    assert_eq!((waste.all, waste.visible), (15, 5));
}

#[test]
fn copies_that_change_metadata_have_their_own_cause() {
    let mode = |(entry, content): Made, mode| (Entry { mode, ..entry }, content);
    let tree = stacked(
        &[
            &[
                directory("srv"),
                directory("srv/d"),
                file("srv/d/a", 100, "x"),
                file("srv/b", 50, "y"),
                file("c", 9, "z"),
            ],
            &[
                mode(directory("srv"), 0o700),
                mode(directory("srv/d"), 0o700),
                mode(file("srv/d/a", 100, "x"), 0o600),
                mode(file("srv/b", 50, "y"), 0o600),
                (Entry { mtime: 5, ..file("c", 9, "z").0 }, "z"),
            ],
        ],
        true,
    );
    let waste = waste(&tree);
    assert_eq!(shown(&tree, &waste), ["metadata srv/d/a 100 0>1", "metadata srv/b 50 0>1", "duplicated c 9 0>1"]);
    assert_eq!(grouped(&tree, &waste), ["metadata srv/ 2 150 [0]>1", "duplicated c 1 9 [0]>1"]);
    assert_eq!(waste.items[0].aspects, [Aspect::Mode].into_iter().collect());
    assert_eq!((waste.layers[1].metadata, waste.layers[1].duplicated, waste.layers[1].wastes), (150, 9, 159));
}

#[test]
fn without_digests_nothing_is_called_a_duplicate() {
    let tree = stacked(&[&[file("a", 10, "x")], &[file("a", 10, "x")]], false);
    let waste = waste(&tree);
    assert_eq!(shown(&tree, &waste), ["overwritten a 10 0>1"]);
    assert_eq!(waste.items[0].aspects, [Aspect::Unknown].into_iter().collect());
    assert!(tree.copies().is_empty());
}

#[test]
fn hard_links_count_once_and_keep_their_file() {
    let layers: &[&[Made]] =
        &[&[file("a", 100, "x"), hardlink("b", "a"), hardlink("c", "b")], &[whiteout(".wh.a")], &[whiteout(".wh.b")]];
    let tree = stacked(layers, true);
    assert_eq!((waste(&tree).all, waste(&tree).visible), (100, 100));

    let mut more = layers.to_vec();
    let last = [whiteout(".wh.c")];
    more.push(&last);
    let tree = stacked(&more, true);
    let waste = waste(&tree);
    // The layer that removed the last name wasted the file.
    assert_eq!(shown(&tree, &waste), ["deleted c 100 0>3"]);
}

#[test]
fn a_layer_may_waste_its_own_bytes() {
    let tree = stacked(
        &[&[
            file("a", 10, "x"),
            file("a", 10, "x"),
            file("a", 3, "y"),
            file("b", 7, "z"),
            whiteout(".wh.b"),
            file("c", 5, "c"),
            hardlink("d", "c"),
            file("c", 4, "e"),
        ]],
        true,
    );
    let waste = waste(&tree);
    assert_eq!(
        shown(&tree, &waste),
        ["overwritten a 10 0>0", "overwritten a 10 0>0", "deleted b 7 0>0"],
        "d still leads to the first content of c"
    );
    assert_eq!((waste.all, waste.visible), (10 + 10 + 3 + 7 + 5 + 4, 3 + 5 + 4));
}

#[test]
fn what_is_aborted_was_never_there() {
    let mut tree = stacked(&[&[file("a", 10, "x")]], true);
    let before = waste(&tree);
    tree.begin(1);
    for (entry, content) in [file("a", 10, "y"), file("a", 9, "z"), whiteout(".wh.a")] {
        tree.apply_hashed(&entry, Some(Digest::sha256(content.as_bytes()))).expect("the entry can be unpacked");
    }
    tree.abort();
    assert_eq!(waste(&tree), before);
}

#[test]
fn a_moved_file_names_its_new_path() {
    let tree =
        stacked(&[&[file("old", 10, "x"), file("gone", 10, "y")], &[whiteout(".wh.old"), file("new", 10, "x")]], true);
    let waste = waste(&tree);
    assert_eq!(shown(&tree, &waste), ["deleted old 10 0>1"]);
    let path = |node: Option<NodeId>| node.map(|node| tree.path(node));
    assert_eq!(path(waste.items[0].elsewhere), Some(b"new".to_vec()));
}

#[test]
fn copies_are_files_of_one_content() {
    let tree = stacked(
        &[
            &[file("a", 10, "x"), file("b", 10, "x"), hardlink("c", "b"), file("e", 0, ""), file("f", 0, "")],
            &[file("d", 10, "x"), file("other", 10, "y")],
        ],
        true,
    );
    let copies = tree.copies();
    assert_eq!(copies.len(), 1);
    let paths: Vec<_> = copies[0].nodes.iter().map(|node| tree.path(*node)).collect();
    assert_eq!(paths, [b"a", b"b", b"d"]);
    assert_eq!(copies[0].spare(), 20);
}

#[test]
fn downloads_are_estimated_by_range() {
    let tree = stacked(&[&[file("a", 1000, "x"), file("b", 500, "y")], &[whiteout(".wh.b")]], true);
    let half = tree.waste(&|_, range: std::ops::Range<u64>| (range.end - range.start) / 2);
    assert_eq!((half.download, half.items[0].download, half.layers[0].download), (250, 250, 250));
    assert_eq!(half.groups(&tree)[0].download, 250);
    let ranges = std::cell::RefCell::new(Vec::new());
    tree.waste(&|layer, range| {
        ranges.borrow_mut().push((layer, range));
        0
    });
    assert_eq!(ranges.into_inner(), [(0, 2048..2548)]);
}

#[test]
fn a_sparse_file_is_downloaded_as_stored() {
    let sparse = |(entry, content): Made| {
        (Entry { ambiguous: Some(porthole_core::tar::EntryAmbiguity::Sparse), ..entry }, content)
    };
    let mut tree = FileTree::new(100);
    tree.begin(0);
    let big = sparse(file("big", 1 << 40, "x"));
    tree.apply(&Entry { offset: 512, ..big.0 }).expect("a file");
    tree.apply(&Entry { offset: 2048, ..file("next", 1, "y").0 }).expect("a file");
    tree.commit();
    tree.begin(1);
    tree.apply(&whiteout(".wh.big").0).expect("a whiteout");
    tree.commit();
    assert_eq!(waste(&tree).download, 2048 - 512);
}

#[test]
fn nothing_is_efficient() {
    let waste = waste(&stacked(&[&[directory("d")]], true));
    assert_eq!((waste.efficiency(), waste.wasted()), (1.0, 0));
    assert_eq!(waste.groups(&FileTree::new(1)), []);
    assert_eq!(Cause::Metadata.name(), "metadata");
}
