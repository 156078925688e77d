//! The journal: it survives torn writes and foreign edits, and protects earlier images from a sweep.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    layout::{INDEX_FILE, LAYOUT_FILE},
};
use porthole_store::{
    Store, Swept,
    journal::{Journal, JournalEntry, Writer},
};
use porthole_testkit::image::{Built, Image, Layer};
use std::{
    collections::BTreeMap,
    env,
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    process::Command,
};

const NAME: &str = "docker.io/library/a:1";

fn digest(number: usize) -> Digest {
    Digest::sha256(number.to_string().as_bytes())
}

fn entry(name: &str, number: usize) -> JournalEntry {
    JournalEntry::new("2026-01-02T03:04:05Z", name, digest(number), Writer::Watch)
}

fn digests(journal: &Journal, name: &str) -> Vec<Digest> {
    journal.of(name).unwrap().into_iter().map(|entry| entry.digest).collect()
}

fn file(store: &Store) -> std::path::PathBuf {
    store.path().join("journal.jsonl")
}

#[test]
fn an_unchanged_digest_is_recorded_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let journal = store.journal();
    assert_eq!(journal.entries().unwrap(), [], "nothing is there, and that is no error");
    assert!(journal.record(entry(NAME, 1)).unwrap());
    assert!(!journal.record(JournalEntry { time: "later".into(), ..entry(NAME, 1) }).unwrap());
    assert!(journal.record(entry("other", 2)).unwrap());
    assert!(journal.record(entry(NAME, 2)).unwrap());
    assert!(
        journal.record(JournalEntry { by: Writer::Pull, ..entry(NAME, 2) }).unwrap(),
        "the same digest by another writer"
    );
    assert!(journal.record(JournalEntry { previous: Some(digest(7)), ..entry(NAME, 1) }).unwrap());
    let previous: Vec<_> = journal.of(NAME).unwrap().into_iter().map(|entry| entry.previous).collect();
    assert_eq!(previous, [None, Some(digest(1)), Some(digest(1)), Some(digest(7))]);
    assert_eq!(Store::open(folder.path()).unwrap().journal().entries().unwrap().len(), 5, "the store is a store still");
}

#[test]
fn a_torn_line_costs_nothing_but_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let journal = store.journal();
    journal.record(entry(NAME, 1)).unwrap();
    journal.record(entry(NAME, 2)).unwrap();
    let whole = fs::read(file(&store)).unwrap();
    let first = whole.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    // Cut at every byte of the second line.
    for length in first..whole.len() {
        fs::write(file(&store), &whole[..length]).unwrap();
        let kept = if length + 1 == whole.len() { vec![digest(1), digest(2)] } else { vec![digest(1)] };
        assert_eq!(digests(&journal, NAME), kept, "cut after {length} bytes");
        journal.record(entry(NAME, 3)).unwrap();
        assert_eq!(digests(&journal, NAME), [kept, vec![digest(3)]].concat(), "cut after {length} bytes");
    }
    let mut journal_file = OpenOptions::new().append(true).open(file(&store)).unwrap();
    journal_file.write_all(b"\n\n# a remark\n\xff\xfe\n{\"time\":1}\n").unwrap();
    journal.record(entry(NAME, 4)).unwrap();
    assert_eq!(digests(&journal, NAME).last(), Some(&digest(4)));
}

#[test]
fn the_newest_entry_of_every_name_survives_a_rewrite() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let limit = 10_000;
    let journal = store.journal().with_limit(limit);
    let size = || fs::metadata(file(&store)).unwrap().len();
    journal.record(entry("quiet", 1)).unwrap();
    journal.record(entry("quiet", 2)).unwrap();
    for number in 0..100 {
        journal.record(entry(NAME, number)).unwrap();
        assert!(size() < limit + 500);
    }
    let kept = digests(&journal, NAME);
    assert!((6..60).contains(&kept.len()), "{}", kept.len());
    assert!(kept.iter().rev().enumerate().all(|(back, kept)| *kept == digest(99 - back)), "the newest, in order");
    assert_eq!(digests(&journal, "quiet"), [digest(1), digest(2)], "a name that moves often does not drive out others");

    // More names than fit, with one entry each.
    for number in 0..100 {
        journal.record(entry(&format!("name-{number}"), number)).unwrap();
        assert!(size() < limit + 500);
    }
    assert_eq!(digests(&journal, "name-99"), [digest(99)]);
    assert_eq!(digests(&journal, "name-0"), []);
    let names: Vec<_> = fs::read_dir(store.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_str().unwrap().starts_with('.')), "{names:?}");
}

#[test]
fn a_file_that_is_far_too_large_is_read_from_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let journal = store.journal().with_limit(10_000);
    fs::write(file(&store), format!("{}\n{}\n", "x".repeat(1_000_000), entry(NAME, 1))).unwrap();
    assert_eq!(digests(&journal, NAME), [digest(1)]);
    journal.record(entry(NAME, 2)).unwrap();
    assert_eq!(digests(&journal, NAME), [digest(1), digest(2)]);
    assert!(fs::metadata(file(&store)).unwrap().len() < 5_000);
}

/// Child process of [`many_processes_write_at_once`]: writes to the store named in its environment.
#[test]
fn writer() {
    let (Some(store), Ok(writer)) = (env::var_os("JOURNAL_STORE"), env::var("JOURNAL_WRITER")) else { return };
    let journal = Store::open(Path::new(&store)).unwrap().journal().with_limit(16_000);
    for number in 0..20 {
        journal.record(entry(&format!("writer-{writer}"), number)).unwrap();
        journal.record(entry(NAME, number)).unwrap();
    }
}

#[test]
fn many_processes_write_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let children: Vec<_> = (0..4)
        .map(|writer| {
            let mut command = Command::new(env::current_exe().unwrap());
            command.args(["--exact", "writer", "--quiet"]).env("JOURNAL_STORE", store.path());
            command.env("JOURNAL_WRITER", writer.to_string()).stdout(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let text = fs::read_to_string(file(&store)).unwrap();
    let entries = store.journal().entries().unwrap();
    assert_eq!(text.lines().count(), entries.len(), "no line is torn or mixed with another");
    for writer in 0..4 {
        let own = digests(&store.journal(), &format!("writer-{writer}"));
        assert!(own.len() >= 3, "{}", own.len());
        let newest: Vec<_> = (20 - own.len()..20).map(digest).collect();
        assert_eq!(own, newest, "the newest of each, in order");
    }
    let shared = store.journal().of(NAME).unwrap();
    assert!(shared.windows(2).all(|pair| pair[0].digest != pair[1].digest), "nothing is written twice");
    assert!(shared.windows(2).all(|pair| pair[1].previous == Some(pair[0].digest)), "each knows the one before");
}

fn image(content: &str) -> Built {
    Image::new().layer(Layer::new("COPY a /").file("a", content)).build()
}

/// Adds an image to a store, as a pull does, and names it.
fn add(store: &Store, image: &Built, name: &str) -> Descriptor {
    let layout = tempfile::tempdir().unwrap();
    image.clone().into_content("x").write_layout(layout.path()).unwrap();
    let other = Store::open(layout.path()).unwrap().local().unwrap();
    let root = Descriptor { annotations: BTreeMap::new(), ..other.find(None).unwrap() };
    for blob in fs::read_dir(layout.path().join("blobs/sha256")).unwrap() {
        let blob = blob.unwrap();
        fs::create_dir_all(store.path().join("blobs/sha256")).unwrap();
        fs::copy(blob.path(), store.path().join("blobs/sha256").join(blob.file_name())).unwrap();
    }
    store.tag(name, &root).unwrap();
    store.journal().record(JournalEntry::new("now", name, root.digest, Writer::Pull)).unwrap();
    root
}

#[test]
fn earlier_images_of_a_name_are_not_swept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    assert!([LAYOUT_FILE, INDEX_FILE].iter().all(|file| store.path().join(file).exists()));
    let roots = ["one", "two", "three", "four"].map(|content| add(&store, &image(content), NAME));
    let held = || roots.iter().map(|root| store.held(&root.digest).unwrap().is_some()).collect::<Vec<_>>();
    assert_eq!(held(), [true; 4]);
    assert_eq!(store.held(&roots[0].digest).unwrap(), Some(roots[0].clone()));
    let swept = store.sweep(false, 2).unwrap();
    assert_eq!((swept.blobs, swept.kept), (3, 2), "manifest, configuration and layer of the oldest");
    assert_eq!(held(), [false, true, true, true]);

    // Two steps back: the image in between stays as well.
    store.tag(NAME, &roots[1]).unwrap();
    store.journal().record(JournalEntry::new("now", NAME, roots[1].digest, Writer::Rollback)).unwrap();
    assert_eq!(store.sweep(false, 1).unwrap().blobs, 3);
    assert_eq!(held(), [false, true, false, true]);

    fs::remove_file(store.path().join("blobs/sha256").join(image("four").layers[0].blob.digest.split_at(7).1)).unwrap();
    assert_eq!(held(), [false, true, false, false], "an image without its layer is not there");
    assert_eq!(store.sweep(false, 0).unwrap().blobs, 2);
    store.untag(NAME).unwrap();
    assert_eq!(store.sweep(false, 5).unwrap(), Swept { blobs: 3, ..store_swept(&roots[1], &image("two")) });
}

/// The expected result of sweeping one image.
fn store_swept(root: &Descriptor, image: &Built) -> Swept {
    let bytes = root.size + (image.config.bytes.len() + image.layers[0].blob.bytes.len()) as u64;
    Swept { bytes, ..Swept::default() }
}
