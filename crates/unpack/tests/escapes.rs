//! Hostile layers change nothing outside the root, and inside it the disk equals the merged tree.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod disk;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

use porthole_core::{
    tar::{Entry, EntrySink, Flow, Kind},
    tree::{FileTree, Mode, Row},
};
use porthole_unpack::{Error, Options, UnpackRoot};
use proptest::{collection::vec, prelude::*};

use crate::disk::{Found, Place, open, walk};

const SECRET: &[u8] = b"not yours";

/// Creates files outside the root, with the same names in every test.
fn guard(place: &Place) {
    fs::create_dir(place.outside().join("out")).unwrap();
    fs::write(place.outside().join("out/secret"), SECRET).unwrap();
    fs::set_permissions(place.outside().join("out/secret"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::write(place.outside().join("root-evil"), SECRET).unwrap();
    symlink("out", place.outside().join("to-out")).unwrap();
}

/// A snapshot of everything outside the root.
fn outside(place: &Place) -> Vec<Found> {
    walk(place.outside())
        .into_iter()
        .filter(|found| !found.path.starts_with(b"root/") && found.path != b"root")
        .collect()
}

/// Applies entries, with as much content as they state.
fn apply(root: &mut UnpackRoot, entries: &[Entry]) -> Result<(), Error> {
    let mut layer = root.layer();
    for entry in entries {
        match layer.entry(entry.clone()) {
            Flow::Stop => break,
            Flow::WantData => {
                layer.data(&vec![b'x'; entry.size as usize]);
                layer.end_of_data();
            }
            Flow::Continue => {}
        }
    }
    layer.commit()
}

/// The first field in which a row differs from the disk.
fn difference(tree: &FileTree, row: &Row, found: &Found, owner: bool, stopped: bool) -> Option<&'static str> {
    let shared = tree.shared(row.node);
    let (kind, link) = match &shared {
        Some(shared) => (shared.kind, &shared.link),
        None => (row.kind, &row.link),
    };
    let letter = match kind {
        Kind::File => "f",
        Kind::Directory => "d",
        Kind::Symlink => "l",
        Kind::Char => "c",
        Kind::Block => "b",
        _ => "p",
    };
    let fields = [
        ("path", row.path == found.path),
        ("type", letter == found.kind),
        ("mode", row.mode == found.mode),
        ("size", tree.content(row.node).map_or(0, |content| content.size) == found.size),
        ("link", kind != Kind::Symlink || *link == found.link),
        ("owner", !owner || (row.uid, row.gid) == (i64::from(found.uid), i64::from(found.gid))),
        // Times of directories are set at the end of a layer.
        ("time", stopped && kind == Kind::Directory || (row.mtime, i64::from(row.mtime_nsec)) == found.mtime),
    ];
    fields.into_iter().find(|(_, same)| !same).map(|(name, _)| name)
}

/// Unpacks and stacks layers, both up to the first error. Also returns a snapshot of the outside before unpacking.
fn unpack(layers: &[Vec<Entry>], options: Options) -> (Place, Vec<Found>, FileTree, Option<Error>) {
    let place = Place::new();
    guard(&place);
    let before = outside(&place);
    let mut root = UnpackRoot::new(open(&place.root()), options);
    let mut tree = FileTree::new(10_000);
    let mut error = None;
    for (number, entries) in (0..).zip(layers) {
        tree.begin(number);
        let in_tree = entries.iter().try_for_each(|entry| tree.apply(entry));
        let stopped = tree.commit().stopped.or_else(|| in_tree.err());
        error = apply(&mut root, entries).err();
        assert!(!matches!(error, Some(Error::Disk { .. })), "{error:?}: {layers:?}");
        assert_eq!(error.is_some(), stopped.is_some(), "{error:?}, {stopped:?}: {layers:?}");
        if error.is_some() {
            break;
        }
    }
    root.finish().unwrap();
    (place, before, tree, error)
}

/// Unpacks, stacks and compares. Returns the error.
fn check(layers: &[Vec<Entry>], options: Options) -> Option<Error> {
    // Root may read files without permission bits.
    let (place, before, tree, error) =
        if options.privileged { unpack(layers, options) } else { disk::as_nobody(|| unpack(layers, options)) };
    assert_eq!(outside(&place), before, "{layers:?}");
    let rows = tree.view(Mode::Merged).rows();
    let found = walk(&place.root());
    let paths = |paths: Vec<&[u8]>| paths.into_iter().map(|path| path.escape_ascii().to_string()).collect::<Vec<_>>();
    assert_eq!(
        paths(found.iter().map(|found| &found.path[..]).collect()),
        paths(rows.iter().map(|row| &row.path[..]).collect()),
        "{layers:?}"
    );
    for (row, found) in rows.iter().zip(&found) {
        let difference = difference(&tree, row, found, options.owner, error.is_some());
        assert_eq!(difference, None, "{row:?}\n{found:?}\n{layers:?}");
    }
    // Compare which names are hard links to each other.
    for (one, row) in found.iter().zip(&rows) {
        for (other, other_row) in found.iter().zip(&rows).filter(|(other, _)| other.path != one.path) {
            let number = |row: &Row| tree.shared(row.node).map(|shared| shared.number);
            let linked = number(row).is_some() && number(row) == number(other_row);
            assert_eq!(one.inode == other.inode, linked, "{:?} {:?}: {layers:?}", row.path, other_row.path);
        }
    }
    error
}

fn rights() -> Options {
    if disk::is_root() { disk::ALL } else { disk::NONE }
}

fn file(path: &str) -> Entry {
    Entry { size: 3, mode: 0o600, ..Entry::new(path, Kind::File) }
}

fn directory(path: &str) -> Entry {
    Entry { mode: 0o755, mtime: 9, ..Entry::new(path, Kind::Directory) }
}

fn link(path: &str, target: impl AsRef<Path>) -> Entry {
    Entry { link: target.as_ref().to_str().unwrap().into(), ..Entry::new(path, Kind::Symlink) }
}

fn hard(path: &str, target: impl AsRef<Path>) -> Entry {
    Entry { mode: 0o777, link: target.as_ref().to_str().unwrap().into(), ..Entry::new(path, Kind::Hardlink) }
}

/// Checks the entries in one layer, and each in its own layer.
fn check_both(entries: Vec<Entry>) -> Vec<Option<Error>> {
    let apart: Vec<Vec<Entry>> = entries.iter().cloned().map(|entry| vec![entry]).collect();
    [vec![entries], apart].iter().map(|layers| check(layers, rights())).collect()
}

#[test]
fn names_stay_inside() {
    for name in ["../x", "/x", "../../../../x", "a/../../x", "a/../../../out/secret", "/../out/secret", "./../x"] {
        for entry in [file(name), directory(name), link(name, "y"), Entry::new(name, Kind::Fifo)] {
            assert!(check_both(vec![entry]).iter().all(Option::is_none), "{name}");
        }
    }
}

#[test]
fn links_on_the_way_lead_nowhere_else() {
    for target in ["/", "..", "../..", "../out", "../../../../../../etc", "/proc/self/cwd", "/out", "../root-evil", "."]
    {
        for below in ["x", "secret", "out/secret", "../x", "out/.wh.secret", ".wh.secret", ".wh.out", ".wh..wh..opq"] {
            check_both(vec![link("l", target), file(&format!("l/{below}"))]);
            check_both(vec![link("l", target), directory(&format!("l/{below}"))]);
            check_both(vec![directory("d"), link("d/l", target), link("m", "d/l"), file(&format!("m/{below}"))]);
        }
    }
}

#[test]
fn absolute_links_lead_inside() {
    let place = Place::new();
    let layers = [vec![directory("run"), link("var/run", "/run"), file("var/run/pid"), link("etc/a", "/var/run")]];
    assert!(check(&layers, rights()).is_none());
    let mut root = UnpackRoot::new(open(&place.root()), rights());
    apply(&mut root, &layers[0]).unwrap();
    apply(&mut root, &[file("etc/a/second")]).unwrap();
    assert!(place.root().join("run/pid").exists() && place.root().join("run/second").exists());
}

#[test]
fn dot_dot_of_a_non_directory_is_rejected() {
    for target in ["x/b/..", "x/..", "x/b/c/..", "d/x/y/..", "d/x/..", "d/no/..", "no/.."] {
        let entries = vec![file("x"), file("d/x"), hard("a", target)];
        assert!(check_both(entries).iter().all(Option::is_some), "{target}");
    }
}

#[test]
fn absolute_paths_resolve_inside_the_root() {
    let place = Place::new();
    guard(&place);
    let before = outside(&place);
    let out = place.outside().join("out");
    let mut root = UnpackRoot::new(open(&place.root()), rights());
    let hostile = [
        vec![link("l", &out), file("l/new"), file("l/secret"), file("l/.wh.secret"), file("l/.wh..wh..opq")],
        vec![link("m", out.join("secret")), file("m")],
        vec![link("n", out.join("secret")), hard("o", "n")],
        vec![hard("p", out.join("secret"))],
        vec![hard("q", "../out/secret")],
        vec![hard("r", "../root-evil")],
        vec![hard("s", "l/secret")],
        vec![directory("d"), link("d", &out)],
        vec![directory("l")],
    ];
    let stopped: Vec<bool> = hostile.iter().map(|entries| apply(&mut root, entries).is_err()).collect();
    assert_eq!(outside(&place), before);
    // The last link points to the file that the first one created inside.
    assert_eq!(stopped, [false, false, false, true, true, true, true, false, false]);
    let absolute = place.root().join(out.strip_prefix("/").unwrap());
    assert!(absolute.join("new").exists(), "it is made inside");
    root.finish().unwrap();
}

#[test]
fn the_root_stays_what_it_is() {
    for name in [".", "./", "/", "..", "", "a/..", "//"] {
        let place = Place::new();
        fs::set_permissions(place.root(), fs::Permissions::from_mode(0o751)).unwrap();
        let mut root = UnpackRoot::new(open(&place.root()), rights());
        for entry in [link(name, "/etc"), file(name), hard(name, "x"), Entry { mode: 0, ..directory(name) }] {
            apply(&mut root, &[entry]).unwrap();
        }
        let metadata = place.root().symlink_metadata().unwrap();
        assert!(metadata.is_dir() && metadata.permissions().mode() & 0o7777 == 0o751, "{name}");
        check_both(vec![link(name, "/etc"), file("x")]);
    }
}

#[test]
fn the_target_of_a_link_keeps_mode_owner_and_time() {
    let target = || vec![file("t"), link("l", "t")];
    let late = |entry: Entry| Entry { mode: 0o777, uid: 5, gid: 6, mtime: 77, ..entry };
    for entry in [late(link("l", "t")), late(hard("h", "l")), late(file("l")), late(directory("l"))] {
        check(&[target(), vec![entry.clone()]], rights());
        check(&[target().into_iter().chain([entry]).collect()], rights());
    }
}

#[test]
fn links_in_a_circle_end() {
    let long: Vec<Entry> = (0..300).map(|at| link(&format!("c{at}"), format!("c{}", at + 1))).collect();
    let circles = [
        vec![link("a", "a"), file("a/x")],
        vec![link("a", "b"), link("b", "a"), file("a/x")],
        vec![link("a", "b/c"), link("b", "a/c"), file("a/x")],
        vec![link("a", "a/a/a"), file("a/x")],
        long.into_iter().chain([file("c0/x")]).collect(),
    ];
    for entries in circles {
        assert!(matches!(check(&[entries], rights()), Some(Error::Image(_))));
    }
    assert!(matches!(check(&[vec![hard("a", "a")]], rights()), Some(Error::Image(_))));
}

#[test]
fn every_type_replaces_every_other() {
    let device = Entry { major: 1, minor: 3, ..Entry::new("t", Kind::Char) };
    let things =
        || [file("t"), directory("t"), link("t", "o"), hard("t", "o"), Entry::new("t", Kind::Fifo), device.clone()];
    for before in things() {
        for after in things() {
            let below = (before.kind == Kind::Directory).then(|| file("t/below"));
            let first: Vec<Entry> = [file("o"), before.clone()].into_iter().chain(below).collect();
            if rights().devices || (before.kind != Kind::Char && after.kind != Kind::Char) {
                check(&[first.clone(), vec![after.clone()]], rights());
                check(&[first.into_iter().chain([after]).collect()], rights());
            }
        }
    }
}

#[test]
fn set_uid_survives_the_owner() {
    if !disk::is_root() {
        return;
    }
    let entry = Entry { mode: 0o6755, uid: 1000, gid: 1000, ..file("su") };
    assert!(
        check(&[vec![entry.clone(), Entry { mode: 0o6755, uid: 1000, gid: 1000, ..hard("su2", "su") }]], rights())
            .is_none()
    );
    assert!(check(&[vec![Entry { mode: 0o7777, ..entry }]], rights()).is_none());
}

fn paths() -> impl Strategy<Value = String> {
    let name = prop_oneof![5 => "[abc]", 1 => Just(".".to_owned()), 1 => Just("..".to_owned()), 2 => "l[12]"];
    (any::<bool>(), vec(name, 1..4))
        .prop_map(|(absolute, names)| if absolute { "/" } else { "" }.to_owned() + &names.join("/"))
}

fn entries() -> impl Strategy<Value = Entry> {
    let kinds = prop_oneof![
        6 => Just(Kind::File),
        4 => Just(Kind::Directory),
        4 => Just(Kind::Symlink),
        3 => Just(Kind::Hardlink),
        1 => Just(Kind::Fifo),
    ];
    let marks = prop_oneof![8 => Just(""), 2 => Just(".wh."), 1 => Just(".wh..wh..opq")];
    (paths(), kinds, marks, paths(), 0..0o10000_i64, 0..3_i64, 0..4_u64).prop_map(
        |(path, kind, mark, link, mode, number, size)| {
            let path = match (mark, path.rsplit_once('/')) {
                ("", _) => path,
                (".wh.", Some((directory, name))) => format!("{directory}/.wh.{name}"),
                (".wh.", None) => format!(".wh.{path}"),
                (mark, _) => format!("{path}/{mark}"),
            };
            let link = if matches!(kind, Kind::Symlink | Kind::Hardlink) { link.into() } else { Vec::new() };
            Entry { mode, uid: number, gid: number, mtime: number, size, link, ..Entry::new(path, kind) }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_layers_leave_what_the_tree_shows(layers in vec(vec(entries(), 1..14), 1..4)) {
        check(&layers, rights());
    }

    #[test]
    fn any_layers_leave_it_without_root(layers in vec(vec(entries(), 1..14), 1..4)) {
        // Without root, the test itself could not read files that their owner may not read.
        let readable = |entry: Entry| Entry { mode: entry.mode | 0o700, ..entry };
        let layers = if disk::is_root() {
            layers
        } else {
            layers.into_iter().map(|layer| layer.into_iter().map(readable).collect()).collect()
        };
        check(&layers, disk::NONE);
    }
}

#[test]
fn owners_are_those_of_the_image_or_of_the_process() {
    let place = Place::new();
    let mut root = UnpackRoot::new(open(&place.root()), disk::NONE);
    apply(&mut root, &[Entry { uid: 12, gid: 34, ..file("a") }, Entry { uid: 12, gid: 34, ..directory("d") }]).unwrap();
    let report = root.finish().unwrap();
    assert_eq!((report.entries, report.bytes, report.skipped.owners), (2, 3, 2));
    let me = fs::metadata(place.outside()).unwrap().uid();
    assert_eq!(fs::symlink_metadata(place.root().join("a")).unwrap().uid(), me);
}
