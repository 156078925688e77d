//! The content store: what others see of it, and what is left after whatever happens.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_core::{
    descriptor::Descriptor,
    digest::{Digest, Mismatch},
    manifest::Raw,
    media_type::MediaType,
};
use porthole_store::{Error, Ingest, Partial, Store};
use std::{fs, path::Path, thread};

const NAME: &str = "docker.io/library/a:1";

fn open(store: &Store, bytes: &[u8]) -> Box<Partial> {
    match store.ingest(&store.add().unwrap(), &Digest::sha256(bytes), bytes.len() as u64).unwrap() {
        Ingest::Open(partial) => partial,
        other => panic!("{other:?}"),
    }
}

/// Adds a blob, or waits for whoever does.
fn blob(store: &Store, bytes: &[u8]) -> Descriptor {
    let adding = store.add().unwrap();
    loop {
        match store.ingest(&adding, &Digest::sha256(bytes), bytes.len() as u64).unwrap() {
            Ingest::Present => break,
            Ingest::Busy => thread::yield_now(),
            Ingest::Open(mut partial) => {
                partial.write(bytes).unwrap();
                partial.commit().unwrap();
            }
        }
    }
    Descriptor::new(MediaType::OCI_LAYER_GZIP, Digest::sha256(bytes), bytes.len() as u64)
}

/// An image of one layer, named or not.
fn image(store: &Store, layer: &[u8], name: Option<&str>) -> Descriptor {
    let adding = store.add().unwrap();
    let layer = blob(store, layer);
    let config = blob(store, format!(r#"{{"of":"{}"}}"#, layer.digest).as_bytes());
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
            "config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},
            "layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{}","size":{}}}]}}"#,
        config.digest, config.size, layer.digest, layer.size
    );
    let raw = Raw::trust_on_first_use(manifest.into_bytes());
    store.insert(&adding, &raw).unwrap();
    let root = Descriptor::new(MediaType::OCI_MANIFEST, *raw.digest(), raw.size());
    if let Some(name) = name {
        store.tag(name, &root).unwrap();
    }
    root
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .map(|entries| entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

#[test]
fn a_store_is_a_layout() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("new/store")).unwrap();
    let root = image(&store, b"layer", Some(NAME));
    let local = Store::open(store.path()).unwrap().local().unwrap();
    assert_eq!(local.find(Some("a:1")).unwrap().digest, root.digest);
    assert_eq!(local.read_document(&root).unwrap().raw().digest(), &root.digest);
    assert_eq!(files(&store.path().join("ingest")), Vec::<String>::new());
}

#[test]
fn a_store_may_be_founded_by_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    thread::scope(|scope| {
        for name in 0..16 {
            let path = &path;
            scope.spawn(move || {
                image(&Store::open(path).unwrap(), b"layer", Some(&format!("docker.io/library/a:{name}")))
            });
        }
    });
    assert_eq!(Store::open(&path).unwrap().local().unwrap().names().len(), 16);
}

#[test]
fn nothing_else_becomes_a_store() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    assert!(matches!(Store::open(folder.path()), Err(Error::NotAnImage { .. })));
    assert_eq!(files(folder.path()), ["letter.txt"]);
}

#[test]
fn a_blob_shows_only_when_it_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let (digest, size) = (Digest::sha256(b"right"), 5);
    let mut partial = open(&store, b"right");
    partial.write(b"wrong").unwrap();
    assert!(matches!(partial.commit(), Err(Error::Mismatch(Mismatch::Digest { expected, .. })) if expected == digest));
    assert!(!store.contains(&digest, size));
    let mut partial = open(&store, b"right");
    assert_eq!(partial.position(), 0, "what was wrong is not taken up");
    assert!(matches!(partial.write(b"right and more"), Err(Error::Mismatch(Mismatch::Size { got: 14, .. }))));
    partial.write(b"rig").unwrap();
    assert!(matches!(partial.commit(), Err(Error::Mismatch(Mismatch::Size { expected: 5, got: 3 }))));
    assert!(!store.contains(&digest, size));
}

#[test]
fn what_was_cut_off_is_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut partial = open(&store, &bytes);
    partial.write(&bytes[..600_000]).unwrap();
    drop(partial);
    let mut partial = open(&store, &bytes);
    assert_eq!(partial.position(), 600_000);
    partial.write(&bytes[600_000..]).unwrap();
    partial.commit().unwrap();
    let adding = store.add().unwrap();
    assert!(matches!(store.ingest(&adding, &Digest::sha256(&bytes), 1_000_000).unwrap(), Ingest::Present));
}

#[test]
fn one_at_a_time_gets_a_blob() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let adding = store.add().unwrap();
    let (digest, size) = (Digest::sha256(b"layer"), 5);
    let mut partial = open(&store, b"layer");
    assert!(matches!(store.ingest(&adding, &digest, size).unwrap(), Ingest::Busy));
    partial.write(b"layer").unwrap();
    partial.commit().unwrap();
    assert!(matches!(store.ingest(&adding, &digest, size).unwrap(), Ingest::Present));
}

#[test]
fn names_given_at_once_all_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let root = image(&store, b"layer", None);
    thread::scope(|scope| {
        for name in 0..16 {
            let (store, root) = (&store, &root);
            scope.spawn(move || store.tag(&format!("docker.io/library/a:{name}"), root).unwrap());
        }
    });
    assert_eq!(store.local().unwrap().names().len(), 16);
}

#[test]
fn what_no_name_leads_to_is_swept() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let kept = image(&store, b"kept", Some(NAME));
    image(&store, b"let go", Some("docker.io/library/b:1"));
    let mut partial = open(&store, b"half");
    partial.write(b"ha").unwrap();
    drop(partial);
    assert!(store.untag("docker.io/library/b:1").unwrap());
    assert!(!store.untag("docker.io/library/b:1").unwrap());
    let swept = store.sweep(false, 0).unwrap();
    assert_eq!((swept.blobs, swept.partials), (3, 0));
    assert_eq!(files(&store.path().join("ingest")).len(), 1);
    assert_eq!(store.sweep(true, 0).unwrap().partials, 1);
    assert_eq!(files(&store.path().join("ingest")).len(), 0);
    assert_eq!(store.local().unwrap().read_document(&kept).unwrap().raw().digest(), &kept.digest);
    assert!(store.contains(&Digest::sha256(b"kept"), 4));
}

#[test]
fn nothing_is_swept_while_somebody_adds() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let adding = store.add().unwrap();
    let sweeper = thread::spawn({
        let store = store.clone();
        move || store.sweep(true, 0).unwrap()
    });
    let root = image(&store, b"layer", Some(NAME));
    drop(adding);
    assert_eq!(sweeper.join().unwrap().blobs, 0);
    assert!(store.contains(&root.digest, root.size));
}

#[test]
fn a_sweep_that_cannot_know_removes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let root = image(&store, b"layer", Some(NAME));
    image(&store, b"other", None);
    let path = store.path().join("blobs/sha256").join(root.digest.hex());
    fs::write(&path, "damaged").unwrap();
    let before = files(&store.path().join("blobs/sha256"));
    assert!(store.sweep(true, 0).is_err());
    assert_eq!(files(&store.path().join("blobs/sha256")), before);
}
