//! The flattened archive equals the merged tree.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use std::io::{self, Read};

use porthole_core::{
    limits::Limits,
    tar::{Entry, EntrySink, Flow, Kind, Scanner},
    tree::{FileTree, Mode, Row},
};
use porthole_unpack::flatten;

/// Stacks entries. The content of a file is its path, repeated.
fn stack(layers: &[Vec<Entry>]) -> FileTree {
    let mut tree = FileTree::new(1000);
    for (number, entries) in (0..).zip(layers) {
        tree.begin(number);
        for (at, entry) in (1..).zip(entries) {
            let entry = Entry { offset: at, ..entry.clone() };
            tree.apply(&entry).unwrap();
        }
        tree.commit();
    }
    tree
}

fn archive(tree: &FileTree) -> Result<Vec<u8>, flatten::Error> {
    let mut out = Vec::new();
    flatten::write(tree, &mut out, |content| Ok(io::repeat(content.offset as u8).take(content.size + 1)))?;
    Ok(out)
}

/// A sink that reads an archive, with the first byte and the length of each content.
#[derive(Default)]
struct Reading {
    entries: Vec<Entry>,
    contents: Vec<(u8, usize)>,
}

impl EntrySink for Reading {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.entries.push(entry);
        self.contents.push((0, 0));
        Flow::WantData
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        let (first, length) = self.contents.last_mut().unwrap();
        *first = bytes[0];
        *length += bytes.len();
        Flow::Continue
    }
}

fn scan(archive: &[u8]) -> Reading {
    let mut reading = Reading::default();
    let mut scanner = Scanner::new(&Limits::default());
    scanner.push(archive, &mut reading).unwrap();
    scanner.finish().unwrap();
    reading
}

fn file(path: impl Into<Vec<u8>>, size: u64) -> Entry {
    Entry { size, ..Entry::new(path, Kind::File) }
}

fn linked(path: &str, kind: Kind, link: &str) -> Entry {
    Entry { link: link.into(), ..Entry::new(path, kind) }
}

fn facts(row: Row) -> impl PartialEq + std::fmt::Debug {
    let time = (row.mtime, row.mtime_nsec);
    (row.path, row.kind, row.size, row.mode, row.uid, row.gid, time, row.link, (row.major, row.minor), row.xattrs)
}

#[test]
fn every_attribute_survives() {
    let long = [&b"d/"[..], &[b'x'; 120], b"/", &[b'y'; 90]].concat();
    let longer = [b'z'; 255];
    let odd = b"caf\xe9\n\x1b".to_vec();
    let longer_and_odd = [&[b'w'; 200][..], b"\xff"].concat();
    let tree = stack(&[vec![
        Entry { mode: 0o1777, mtime: 5, ..Entry::new("d", Kind::Directory) },
        file(long, 10),
        file(longer, 512),
        file(odd, 0),
        file(longer_and_odd, 513),
        Entry { mode: 0o6755, uid: 3_000_000, gid: 4_294_967_294, mtime: 1 << 33, ..file("big", 1) },
        Entry { mtime: 7, mtime_nsec: 120_000_000, ..file("nano", 1) },
        Entry {
            xattrs: vec![(b"user.a".to_vec(), vec![0, 10, 255]), (b"user.b".to_vec(), b"=".to_vec())],
            ..file("x", 1)
        },
        linked("link", Kind::Symlink, &"t".repeat(300)),
        Entry { major: 8, minor: 1_048_575, ..Entry::new("disk", Kind::Block) },
        Entry::new("pipe", Kind::Fifo),
    ]]);
    let bytes = archive(&tree).unwrap();
    assert_eq!(bytes.len() % 512, 0);
    let reading = scan(&bytes);
    assert!(reading.entries.iter().all(|entry| entry.ambiguous.is_none()), "{:?}", reading.entries);
    let again = stack(&[reading.entries]);
    let rows = |tree: &FileTree| tree.view(Mode::Merged).rows().into_iter().map(facts).collect::<Vec<_>>();
    assert_eq!(rows(&again), rows(&tree));
    // Writing the same tree again gives the same bytes.
    assert_eq!(archive(&again).unwrap().len(), bytes.len());
}

#[test]
fn a_link_whose_first_name_is_gone_carries_the_content() {
    let capable = Entry { xattrs: vec![(b"user.a".to_vec(), b"1".to_vec())], mode: 0o755, ..file("b", 700) };
    let tree = stack(&[
        vec![
            capable,
            Entry { mode: 0o755, ..linked("c", Kind::Hardlink, "b") },
            Entry { mode: 0o755, ..linked("d", Kind::Hardlink, "c") },
            linked("s", Kind::Symlink, "target"),
            linked("t", Kind::Hardlink, "s"),
            linked("u", Kind::Hardlink, "s"),
        ],
        vec![file(".wh.b", 0), file(".wh.s", 0), file("a", 3)],
    ]);
    let reading = scan(&archive(&tree).unwrap());
    let told: Vec<_> = reading
        .entries
        .iter()
        .zip(&reading.contents)
        .map(|(entry, content)| {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            (text(&entry.path), entry.kind, text(&entry.link), *content, entry.xattrs.len())
        })
        .collect();
    let row = |path: &str, kind, link: &str, content, xattrs| (path.to_owned(), kind, link.to_owned(), content, xattrs);
    assert_eq!(
        told,
        [
            row("a", Kind::File, "", (3, 3), 0),
            row("c", Kind::File, "", (1, 700), 1),
            row("d", Kind::Hardlink, "c", (0, 0), 0),
            row("t", Kind::Symlink, "target", (0, 0), 0),
            row("u", Kind::Hardlink, "t", (0, 0), 0),
        ]
    );
    assert_eq!(reading.entries[1].mode, 0o755);
}

#[test]
fn directories_come_before_what_they_hold_and_are_left_before_others_are_entered() {
    let tree = stack(&[vec![file("b/c/d", 1), file("a/x", 1), file("b-c", 1), file("b/a", 1)]]);
    let reading = scan(&archive(&tree).unwrap());
    let paths: Vec<_> = reading.entries.iter().map(|entry| String::from_utf8_lossy(&entry.path).into_owned()).collect();
    assert_eq!(paths, ["a/", "a/x", "b/", "b/a", "b/c/", "b/c/d", "b-c"]);
}

#[test]
fn entries_that_do_not_fit_tar_are_rejected() {
    let device = Entry { major: 1 << 21, ..Entry::new("disk", Kind::Block) };
    let xattr = Entry { xattrs: vec![(b"user.a=b".to_vec(), vec![])], ..file("x", 1) };
    for (entry, reason) in [(device, "device number"), (xattr, "`=`")] {
        let error = archive(&stack(&[vec![entry]])).unwrap_err();
        assert!(matches!(error, flatten::Error::Unwritable { .. }) && error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn content_that_is_too_short_is_an_error() {
    let tree = stack(&[vec![file("a", 2)]]);
    let error = flatten::write(&tree, &mut Vec::new(), |_| Ok(&b"1"[..])).unwrap_err();
    assert!(matches!(error, flatten::Error::Short { size: 2, .. }), "{error}");
}

#[test]
fn a_file_of_more_than_eight_gigabytes_keeps_its_size() {
    /// A writer that keeps the first bytes.
    struct Head(Vec<u8>);
    impl io::Write for Head {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0.len() >= 1 << 20 {
                return Err(io::Error::other("enough"));
            }
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let size = (8 << 30) + 7;
    let tree = stack(&[vec![file("huge", size)]]);
    let mut head = Head(Vec::new());
    flatten::write(&tree, &mut head, |_| Ok(io::repeat(0))).unwrap_err();
    let mut reading = Reading::default();
    Scanner::new(&Limits::default()).push(&head.0, &mut reading).unwrap();
    assert_eq!((reading.entries[0].size, reading.entries[0].ambiguous), (size, None));
}
