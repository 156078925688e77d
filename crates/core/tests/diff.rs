//! Differences between two trees, and changes by a layer, aspect by aspect. Also runs as wasm.

use porthole_core::{
    digest::{Algorithm, Digest},
    tar::{Entry, Kind},
    tree::{Aspect, Change, Comparison, FileTree, Mode, diff},
};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// An entry, and the seed of its content.
type Made = (Entry, &'static str);

fn file(path: &str, content: &'static str) -> Made {
    (Entry { size: content.len() as u64, ..Entry::new(path, Kind::File) }, content)
}

fn made(entry: Entry) -> Made {
    (entry, "")
}

fn link(path: &str, target: &str, kind: Kind) -> Made {
    made(Entry { link: target.into(), ..Entry::new(path, kind) })
}

fn stacked(layers: &[&[Made]], hashed: bool) -> FileTree {
    let mut tree = FileTree::new(10_000);
    for (number, layer) in layers.iter().enumerate() {
        tree.begin(number as u32);
        for ((entry, content), place) in layer.iter().zip(1..) {
            let entry = Entry { offset: place * 512, ..entry.clone() };
            tree.apply_hashed(&entry, hashed.then(|| Digest::sha256(content.as_bytes()))).expect("the entry applies");
        }
        tree.commit();
    }
    tree
}

/// The differences as `+ path`, `- path` or `~ path: aspects`.
fn shown(before: &FileTree, after: &FileTree, comparison: &Comparison) -> Vec<String> {
    diff(before, after, comparison)
        .into_iter()
        .map(|found| {
            let path = String::from_utf8_lossy(&found.path).into_owned();
            match (found.before, found.after) {
                (Some(_), Some(_)) => format!("~ {path}: {}", found.aspects),
                (Some(_), None) => format!("- {path}"),
                _ => format!("+ {path}"),
            }
        })
        .collect()
}

fn differences(before: &[Made], after: &[Made]) -> Vec<String> {
    shown(&stacked(&[before], true), &stacked(&[after], true), &Comparison::default())
}

/// Two layers with one entry, the second changed.
fn changed(change: impl FnOnce(&mut Entry)) -> [Vec<Made>; 2] {
    let (entry, content) = file("a", "x");
    let mut other = entry.clone();
    change(&mut other);
    [vec![(entry, content)], vec![(other, content)]]
}

#[test]
fn every_aspect_is_distinguished() {
    let cases: [([Vec<Made>; 2], &str); 11] = [
        ([vec![file("a", "x")], vec![file("a", "y")]], "content"),
        ([vec![file("a", "x")], vec![file("a", "xx")]], "content"),
        (changed(|entry| entry.mode = 0o4644), "mode"),
        (changed(|entry| entry.uid = 7), "owner"),
        (changed(|entry| entry.gid = 7), "owner"),
        (changed(|entry| entry.mtime_nsec = 1), "time"),
        (changed(|entry| entry.xattrs = vec![(b"user.k".to_vec(), b"v".to_vec())]), "xattr"),
        ([vec![file("a", "x")], vec![link("a", "b", Kind::Symlink)]], "type"),
        ([vec![link("a", "b", Kind::Symlink)], vec![link("a", "c", Kind::Symlink)]], "content"),
        (
            [
                vec![made(Entry { major: 1, minor: 3, ..Entry::new("a", Kind::Char) })],
                vec![made(Entry { major: 1, minor: 5, ..Entry::new("a", Kind::Char) })],
            ],
            "content",
        ),
        (
            [vec![file("a", "x")], {
                let (entry, content) = file("a", "y");
                vec![(Entry { mode: 0o600, uid: 1, mtime: 5, ..entry }, content)]
            }],
            "content mode owner time",
        ),
    ];
    for ([before, after], aspects) in cases {
        assert_eq!(differences(&before, &after), [format!("~ a: {aspects}")]);
        assert_eq!(differences(&after, &before), [format!("~ a: {aspects}")]);
        assert_eq!(differences(&before, &before), [""; 0]);
        // The same change as a second layer.
        let tree = stacked(&[&before, &after], true);
        let row = tree.view(Mode::Only(1)).rows().remove(0);
        assert_eq!((row.change, row.aspects.to_string().as_str()), (Change::Modified, aspects));
    }
}

#[test]
fn equal_sizes_are_not_equal_contents() {
    let (before, after) = (stacked(&[&[file("a", "x")]], false), stacked(&[&[file("a", "x")]], false));
    assert_eq!(shown(&before, &after, &Comparison::default()), ["~ a: content?"]);
    let longer = stacked(&[&[file("a", "xx")]], false);
    assert_eq!(shown(&before, &longer, &Comparison::default()), ["~ a: content"]);
    let empty = || stacked(&[&[file("a", "")]], false);
    assert_eq!(shown(&empty(), &empty(), &Comparison::default()), [""; 0]);
}

#[test]
fn what_comes_from_a_shared_layer_is_equal() {
    let base: &[Made] = &[file("a", "x"), file("b", "x")];
    let before = stacked(&[base, &[file("c", "1")]], false);
    let after = stacked(&[base, &[file("c", "2"), file("b", "x")]], false);
    let comparison = Comparison { shared: 1, ..Comparison::default() };
    assert_eq!(shown(&before, &after, &comparison), ["~ b: content?", "~ c: content?"]);
}

#[test]
fn ignored_aspects_do_not_count() {
    let [before, after] = changed(|entry| (entry.mtime, entry.uid) = (9, 9));
    let (before, after) = (stacked(&[&before], true), stacked(&[&after], true));
    let ignoring = |aspects: &[Aspect]| {
        let comparison = Comparison { ignored: aspects.iter().copied().collect(), ..Comparison::default() };
        shown(&before, &after, &comparison)
    };
    assert_eq!(ignoring(&[]), ["~ a: owner time"]);
    assert_eq!(ignoring(&[Aspect::Time]), ["~ a: owner"]);
    assert_eq!(ignoring(&[Aspect::Time, Aspect::Owner]), [""; 0]);
}

#[test]
fn whole_directories_come_and_go() {
    let directory = |path| made(Entry { mode: 0o755, ..Entry::new(path, Kind::Directory) });
    assert_eq!(
        differences(
            &[directory("a"), file("a/x", "1"), file("b", "1"), file("b-c", "1"), directory("s")],
            &[directory("b"), file("b/y", "1"), file("b-c", "2"), file("c/d", "1"), directory("s")],
        ),
        ["- a", "- a/x", "~ b: type", "+ b/y", "~ b-c: content", "+ c", "+ c/d"]
    );
}

#[test]
fn hard_links_are_compared_by_their_companions() {
    let linked: &[Made] = &[file("a", "x"), link("b", "a", Kind::Hardlink)];
    let other_way: &[Made] = &[file("b", "x"), link("a", "b", Kind::Hardlink)];
    let apart: &[Made] = &[file("a", "x"), file("b", "x")];
    let more: &[Made] = &[file("a", "x"), link("b", "a", Kind::Hardlink), link("c", "a", Kind::Hardlink)];
    assert_eq!(differences(linked, other_way), [""; 0]);
    assert_eq!(differences(linked, apart), ["~ a: links", "~ b: links"]);
    assert_eq!(differences(apart, linked), ["~ a: links", "~ b: links"]);
    assert_eq!(differences(linked, more), ["+ c"]);
    let tree = stacked(&[linked, apart], true);
    let aspects: Vec<_> = tree.view(Mode::Only(1)).rows().iter().map(|row| row.aspects.to_string()).collect();
    assert_eq!(aspects, ["links", "links"]);
}

#[test]
fn digests_are_those_of_what_a_view_shows() {
    let tree = stacked(
        &[
            &[file("a", "x"), file("gone", "y"), link("b", "a", Kind::Hardlink), file("empty", "")],
            &[file("a", "z"), file(".wh.gone", "")],
        ],
        true,
    );
    let digest = |mode, path: &[u8]| {
        let view = tree.view(mode);
        view.find(path).and_then(|node| view.digest(node))
    };
    let of = |content: &str| Some(Digest::sha256(content.as_bytes()));
    assert_eq!(digest(Mode::Merged, b"a"), of("z"));
    assert_eq!(digest(Mode::Merged, b"b"), of("x"));
    assert_eq!(digest(Mode::UpTo(0), b"a"), of("x"));
    assert_eq!(digest(Mode::Merged, b"empty"), of(""));
    assert_eq!(digest(Mode::Only(1), b"gone"), of("y"));
    assert_eq!(digest(Mode::Deleted, b"gone"), of("y"));
    assert_eq!(digest(Mode::Merged, b"gone"), None);
    let hidden = tree.view(Mode::Deleted).rows();
    let shown: Vec<_> = hidden.iter().map(|row| (row.name.as_slice(), row.aspects.to_string())).collect();
    assert_eq!(shown, [(b"a".as_slice(), "content".to_owned()), (b"gone".as_slice(), String::new())]);
}

#[test]
fn digests_of_different_algorithms_are_not_compared() {
    let stack = |layers: &[&[(&str, &str, Algorithm)]]| {
        let mut tree = FileTree::new(10_000);
        for (number, layer) in layers.iter().enumerate() {
            tree.begin(number as u32);
            for (path, content, algorithm) in *layer {
                let entry = Entry { size: content.len() as u64, ..Entry::new(*path, Kind::File) };
                let digest = Digest::of(*algorithm, content.as_bytes());
                tree.apply_hashed(&entry, Some(digest)).expect("the entry applies");
            }
            tree.commit();
        }
        tree
    };
    let (short, middle, long) = (Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512);
    let mut before = stack(&[&[("a", "x", short), ("b", "x", long), ("c", "x", middle), ("d", "x", short)]]);
    let after = stack(&[&[("d", "x", short), ("c", "x", middle), ("b", "y", long), ("a", "x", middle)]]);
    let found = |before: &FileTree| shown(before, &after, &Comparison::default());
    assert_eq!(found(&before), ["~ a: content?", "~ b: content"]);

    before.begin(1);
    for path in ["a", "new"] {
        let entry = Entry { size: 1, ..Entry::new(path, Kind::File) };
        before.apply_hashed(&entry, Some(Digest::of(long, b"z"))).expect("the entry applies");
    }
    before.abort();
    assert_eq!(
        found(&before),
        ["~ a: content?", "~ b: content"],
        "an aborted layer leaves the digests below as they were"
    );
}
