//! Attributes of entries are on disk, or reported as skipped.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod disk;

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use porthole_core::tar::{Entry, EntrySink, Flow, Kind};
use porthole_unpack::{Options, Report, UnpackRoot};

use crate::disk::{ALL, NONE, Place, as_nobody, is_root, open};

/// CAP_NET_RAW as `setcap` stores it: revision 2, effective.
const CAPABILITY: &[u8] = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

fn unpack(directory: &Path, layers: &[Vec<Entry>], options: Options) -> Report {
    let mut root = UnpackRoot::new(open(directory), options);
    for entries in layers {
        let mut layer = root.layer();
        for entry in entries {
            if layer.entry(entry.clone()) == Flow::WantData {
                layer.data(&vec![b'x'; entry.size as usize]);
                layer.end_of_data();
            }
        }
        layer.commit().unwrap();
    }
    root.finish().unwrap()
}

fn file(path: &str) -> Entry {
    Entry { size: 3, ..Entry::new(path, Kind::File) }
}

fn with(entry: Entry, xattrs: &[(&str, &[u8])]) -> Entry {
    let xattrs = xattrs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())).collect();
    Entry { xattrs, ..entry }
}

fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1024];
    let length = rustix::fs::lgetxattr(path, name, &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

/// An image with attributes of every kind.
fn attributed() -> Vec<Vec<Entry>> {
    let overlay = [("user.overlay.opaque", &b"y"[..]), ("trusted.overlay.redirect", b"/etc"), ("user.note", b"a\0b")];
    let none = [("user.none", &b""[..]), ("user.k", b"v")];
    vec![vec![
        with(Entry { mode: 0o4755, uid: 7, gid: 8, ..file("tool") }, &[("security.capability", CAPABILITY)]),
        with(Entry::new("d", Kind::Directory), &overlay),
        with(file("labelled"), &[("security.selinux", b"system_u:object_r:bin_t:s0"), ("user.k", b"v")]),
        with(Entry { link: b"d".to_vec(), ..Entry::new("l", Kind::Symlink) }, &[("user.k", b"v")]),
        with(file("empty"), &none),
        with(file("odd"), &[("trusted.x", b"1"), ("user.k", b"v")]),
    ]]
}

#[test]
fn root_sets_capabilities_and_leaves_out_what_is_not_this_machines() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    let report = unpack(&place.root(), &attributed(), ALL);
    let at = |name: &str| place.root().join(name);
    assert_eq!(xattr(&at("tool"), "security.capability").as_deref(), Some(CAPABILITY));
    let tool = fs::metadata(at("tool")).unwrap();
    assert_eq!((tool.mode() & 0o7777, tool.uid(), tool.gid()), (0o4755, 7, 8));
    // The escaped attributes do not control overlayfs here, and an overlay mount shows them with their original names.
    assert_eq!(xattr(&at("d"), "user.overlay.opaque"), None);
    assert_eq!(xattr(&at("d"), "user.overlay.overlay.opaque").as_deref(), Some(&b"y"[..]));
    assert_eq!(xattr(&at("d"), "trusted.overlay.redirect"), None);
    assert_eq!(xattr(&at("d"), "trusted.overlay.overlay.redirect").as_deref(), Some(&b"/etc"[..]));
    assert_eq!(xattr(&at("d"), "user.note").as_deref(), Some(&b"a\0b"[..]));
    assert_eq!(xattr(&at("labelled"), "user.k").as_deref(), Some(&b"v"[..]));
    assert_eq!(xattr(&at("empty"), "user.none").as_deref(), Some(&b""[..]), "an attribute without a value is one");
    assert_eq!(xattr(&at("odd"), "trusted.x"), None);
    let skipped: Vec<_> =
        report.skipped.list.iter().map(|skip| (&*skip.path, skip.xattr.as_deref().unwrap_or_default())).collect();
    assert_eq!(skipped, [("labelled", "security.selinux"), ("l", "user.k"), ("odd", "trusted.x")]);
    assert_eq!(report.skipped.xattrs, 3);
}

#[test]
fn without_root_skipped_attributes_are_reported() {
    let (place, report) = as_nobody(|| {
        let place = Place::new();
        let report = unpack(&place.root(), &attributed(), NONE);
        (place, report)
    });
    let at = |name: &str| place.root().join(name);
    assert_eq!(xattr(&at("tool"), "security.capability"), None);
    assert_eq!(fs::metadata(at("tool")).unwrap().mode() & 0o7777, 0o4755);
    assert_eq!(xattr(&at("d"), "user.overlay.overlay.opaque").as_deref(), Some(&b"y"[..]));
    let skipped: Vec<_> = report.skipped.list.iter().filter_map(|skip| skip.xattr.as_deref()).collect();
    let expected = ["security.capability", "trusted.overlay.redirect", "security.selinux", "user.k", "trusted.x"];
    assert_eq!((skipped, report.skipped.xattrs), (expected.to_vec(), 5));
    assert!(report.skipped.owners >= 1);
}

#[test]
fn a_link_to_a_file_of_a_lower_layer_is_that_file() {
    let place = Place::new();
    let options = if is_root() { ALL } else { NONE };
    let link = Entry { link: b"/a/file".to_vec(), mode: 0o640, mtime: 5, ..Entry::new("b/link", Kind::Hardlink) };
    let dir = Entry { mode: 0o755, mtime: 3, ..Entry::new("b", Kind::Directory) };
    unpack(&place.root(), &[vec![file("a/file")], vec![dir, link]], options);
    let [one, other] = ["a/file", "b/link"].map(|name| fs::metadata(place.root().join(name)).unwrap());
    assert_eq!((one.ino(), one.nlink(), one.mtime(), one.mode() & 0o7777), (other.ino(), 2, 5, 0o640));
    // A file added later in the layer does not change the directory's time.
    assert_eq!(fs::metadata(place.root().join("b")).unwrap().mtime(), 3);
}

#[test]
fn long_runs_of_zeros_are_holes() {
    let place = Place::new();
    let size = 32 << 20;
    let mut root = UnpackRoot::new(open(&place.root()), NONE);
    let mut layer = root.layer();
    assert_eq!(layer.entry(Entry { size, ..Entry::new("sparse", Kind::File) }), Flow::WantData);
    layer.data(b"head");
    for _ in 0..size / (1 << 20) {
        layer.data(&vec![0; 1 << 20]);
    }
    layer.end_of_data();
    layer.commit().unwrap();
    root.finish().unwrap();
    let metadata = fs::metadata(place.root().join("sparse")).unwrap();
    assert_eq!(metadata.len(), size + 4);
    assert!(metadata.blocks() * 512 < 1 << 20, "{} blocks", metadata.blocks());
}
