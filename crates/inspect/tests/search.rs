//! Paths that are followed by the indexes of layers lead where they lead in a tree of all entries.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_core::{
    layer::{Expected, LayerReader},
    limits::Limits,
    path::clean,
    seek::IndexOptions,
    tar::Entry,
    tree::{FileTree, Mode},
};
use porthole_inspect::{
    open::{At, LayerSearch, LoneLayer, Lost, SearchError, resolve_path},
    seek::SeekIndex,
};
use porthole_testkit::{chunks::next, executor::block_on, sink::Entries};
use std::collections::{BTreeMap, BTreeSet};
use tar::EntryType;

type Index = SeekIndex<Vec<u8>>;

/// What is in an archive: type, path, target of a link, bytes.
type Item = (EntryType, String, String, usize);

fn layer(items: &[Item]) -> (Vec<Entry>, Index) {
    let mut builder = tar::Builder::new(Vec::new());
    for (kind, path, link, size) in items {
        let mut header = tar::Header::new_ustar();
        // The bytes themselves: the crate would refuse or clean some of these names.
        let fields = header.as_old_mut();
        fields.name[..path.len()].copy_from_slice(path.as_bytes());
        fields.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(*size as u64);
        header.set_cksum();
        builder.append(&header, &vec![b'x'; *size][..]).unwrap();
    }
    let archive = builder.into_inner().unwrap();
    let mut reader = LayerReader::new(Expected::default(), Limits::default()).with_index(IndexOptions::default());
    let mut names = Entries::default();
    reader.push(&archive, &mut names);
    let (report, end) = reader.finish_index(&mut names);
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    (names.0, block_on(SeekIndex::open(end.unwrap().into_bytes())).unwrap())
}

fn tree(layers: &[(Vec<Entry>, Index)]) -> FileTree {
    let mut tree = FileTree::new(1 << 16);
    for ((entries, _), number) in layers.iter().zip(0..) {
        tree.begin(number);
        for entry in entries {
            let _ = tree.apply(entry);
        }
        tree.commit();
    }
    tree
}

/// The answer of a search in the form of `resolve_path`.
fn answer(search: Result<(Vec<u8>, At), SearchError>) -> Option<Result<(Vec<u8>, At), Lost>> {
    match search {
        Ok(found) => Some(Ok(found)),
        Err(SearchError::Lost(lost)) => Some(Err(lost)),
        Err(SearchError::Unclear) => None,
        Err(error) => panic!("{error}"),
    }
}

const PARTS: [&str; 3] = ["a", "b", "l"];

fn below(state: &mut u64, end: usize) -> usize {
    (next(state) % end as u64) as usize
}

fn pick<'p>(state: &mut u64, from: &[&'p str]) -> &'p str {
    from[below(state, from.len())]
}

fn name(state: &mut u64) -> String {
    let depth = [1, 1, 2, 2, 3][below(state, 5)];
    let parts: Vec<&str> = (0..depth).map(|_| pick(state, &PARTS)).collect();
    let before = pick(state, &["", "", "", "./", "/", "b/../"]);
    format!("{before}{}", parts.join("/"))
}

/// An item of a layer. `files` are paths of files that came before.
fn item(state: &mut u64, files: &mut Vec<String>) -> Item {
    let (path, other) = (name(state), name(state));
    let up = pick(state, &["", "../", "/"]);
    match below(state, 20) {
        0..7 => {
            files.push(path.clone());
            (EntryType::Regular, path, String::new(), below(state, 3))
        }
        7..12 => (EntryType::Directory, path, String::new(), 0),
        12 => (EntryType::Symlink, path, format!("{up}{other}"), 0),
        13..16 => {
            let target =
                if files.is_empty() || below(state, 4) == 0 { other } else { files[below(state, files.len())].clone() };
            (EntryType::Link, path, target, 0)
        }
        16 => (EntryType::Fifo, path, String::new(), 0),
        17..19 => {
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", &path));
            (EntryType::Regular, format!("{directory}/.wh.{name}"), String::new(), 0)
        }
        _ => {
            let place =
                pick(state, &["a/.wh..wh..opq", "b/.wh..wh..opq", "a/b/.wh..wh..opq", ".wh..wh..opq", ".wh.a/b"]);
            (EntryType::Regular, place.to_owned(), String::new(), 0)
        }
    }
}

/// Up to four layers. In most, whiteouts come first, and no path comes twice.
fn layers(state: &mut u64) -> Vec<Vec<Item>> {
    let mut files = Vec::new();
    let mut layer = |state: &mut u64| {
        let mut items: Vec<Item> = (0..below(state, 7)).map(|_| item(state, &mut files)).collect();
        if below(state, 4) > 0 {
            items.sort_by_key(|(_, path, ..)| !path.contains(".wh."));
            let mut seen = BTreeSet::new();
            items.retain(|(_, path, ..)| seen.insert(clean(path.as_bytes())));
        }
        items
    };
    (0..=below(state, 4)).map(|_| layer(state)).collect()
}

/// Each path of up to three names, and some that lead around.
fn paths() -> Vec<String> {
    let mut paths =
        vec!["".to_owned(), "a/../b".to_owned(), "l/..".to_owned(), ".wh.a".to_owned(), "a/.wh.l".to_owned()];
    for first in PARTS {
        paths.push(first.to_owned());
        for second in PARTS {
            paths.push(format!("{first}/{second}"));
            paths.extend(PARTS.map(|third| format!("{first}/{second}/{third}")));
        }
    }
    paths
}

/// Random layers with few names, so that they collide. If the layers are plain, every path leads to the same place.
#[test]
fn a_search_of_plain_layers_answers_as_their_tree() {
    let mut state = 41;
    let paths = paths();
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for round in 0..1200 {
        let layers = layers(&mut state);
        let count = layers.len() as u32;
        let read: Vec<_> = layers.iter().map(|items| layer(items)).collect();
        let tree = tree(&read);
        *seen.entry(if tree.is_plain() { "plain" } else { "not plain" }).or_default() += 1;
        if !tree.is_plain() {
            continue;
        }
        let view = tree.view(Mode::Merged);
        let used: Vec<&String> = layers.iter().flatten().map(|(_, path, ..)| path).collect();
        for _ in 0..24 {
            let any = used.is_empty() || below(&mut state, 2) == 0;
            let path = if any { &paths[below(&mut state, paths.len())] } else { used[below(&mut state, used.len())] };
            let follow = below(&mut state, 4) > 0;
            let mut search = LayerSearch::stacked(read.iter().map(|(_, index)| index));
            let expected = resolve_path(&view, path.as_bytes(), follow);
            let got = answer(block_on(search.resolve_path(path.as_bytes(), follow)));
            assert_eq!(got.as_ref(), Some(&expected), "round {round}: {path} ({follow}) in {layers:#?}");
            let what = match &expected {
                Ok((_, At::File(content))) if content.layer + 1 < count => "a file of a lower layer",
                Ok((_, At::File(_))) => "a file",
                Ok((name, _)) if name != path.as_bytes() => "a link",
                Ok(_) => "something else",
                Err(_) => "nothing",
            };
            *seen.entry(what).or_default() += 1;
        }
    }
    for (what, least) in [("plain", 200), ("not plain", 300), ("a file of a lower layer", 80), ("a link", 100)] {
        assert!(seen[what] >= least, "{what}: {seen:?}");
    }
}

/// A search of one layer by itself, which need not be plain.
#[test]
fn a_search_of_one_layer_answers_as_its_entries() {
    let mut state = 43;
    let paths = paths();
    for round in 0..1000 {
        let mut files = Vec::new();
        let items: Vec<Item> = (0..below(&mut state, 9)).map(|_| item(&mut state, &mut files)).collect();
        let (entries, index) = layer(&items);
        let mut lone = LoneLayer::default();
        for entry in entries {
            lone.add(3, entry, &Limits::default()).unwrap();
        }
        for _ in 0..24 {
            let (path, follow) = (&paths[below(&mut state, paths.len())], below(&mut state, 4) > 0);
            let expected = resolve_path(&lone, path.as_bytes(), follow);
            let got = answer(block_on(LayerSearch::alone(3, &index).resolve_path(path.as_bytes(), follow)));
            assert_eq!(got, Some(expected), "round {round}: {path} ({follow}) in {items:#?}");
        }
    }
}

#[test]
fn layers_that_lead_elsewhere_are_not_plain() {
    let file = |path: &str| (EntryType::Regular, path.to_owned(), String::new(), 1);
    let link = |path: &str, to: &str| (EntryType::Symlink, path.to_owned(), to.to_owned(), 0);
    let hard = |path: &str, to: &str| (EntryType::Link, path.to_owned(), to.to_owned(), 0);
    let directory = |path: &str| (EntryType::Directory, path.to_owned(), String::new(), 0);
    let plain = |layers: &[Vec<Item>]| tree(&layers.iter().map(|items| layer(items)).collect::<Vec<_>>()).is_plain();
    assert!(plain(&[
        vec![directory("lib"), file("lib/a")],
        vec![file("lib/.wh.a"), file("lib/a"), hard("b", "lib/a")]
    ]));
    for (what, layers) in [
        ("an entry behind a link", vec![vec![link("lib", "usr/lib"), file("usr/lib/a")], vec![file("lib/a")]]),
        ("a target behind a link", vec![vec![link("lib", "usr"), file("usr/a"), hard("b", "lib/a")]]),
        ("a layer that removes what it wrote", vec![vec![file("a"), file(".wh.a")]]),
        ("a layer that replaces what it wrote", vec![vec![file("a"), file("a")]]),
        ("a layer that ends early", vec![vec![hard("a", "none")]]),
        ("a layer that removes where it has whiteouts", vec![vec![file("a/b")], vec![file("a/.wh.b"), file(".wh.a")]]),
        ("a directory that has a whiteout's name", vec![vec![file(".wh.a/b")]]),
    ] {
        assert!(!plain(&layers), "{what}");
    }
}

/// A chain that a tree would follow. The search leaves it to the tree.
#[test]
fn a_long_chain_of_hard_links_is_left_to_the_tree() {
    let mut items = vec![(EntryType::Regular, "0".to_owned(), String::new(), 1)];
    items.extend((1..100).map(|n| (EntryType::Link, n.to_string(), (n - 1).to_string(), 0)));
    let (_, index) = layer(&items);
    let mut search = LayerSearch::stacked([&index]);
    let found = block_on(search.resolve_path(b"30", true));
    assert!(matches!(&found, Ok((path, At::File(content))) if path == b"30" && content.size == 1), "{found:?}");
    let lost = block_on(search.resolve_path(b"99", true));
    assert!(matches!(lost, Err(SearchError::Unclear)), "{lost:?}");
}
