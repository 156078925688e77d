//! The content store: other readers see only complete images, and an interrupted ingest resumes.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]
#![allow(clippy::single_range_in_vec_init, reason = "lists of one range are meant")]

use porthole_core::{
    descriptor::Descriptor,
    digest::{Digest, Mismatch},
    manifest::{Document, Raw},
    media_type::MediaType,
};
use porthole_source::{BlobStream, ImageSource, SourceKind};
use porthole_store::{Error, Ingest, Partial, Store, disk::block_on};
use std::{fs, ops::Range, os::unix::fs::FileExt, path::Path, sync::Arc, thread};

const NAME: &str = "docker.io/library/a:1";

fn open(store: &Store, bytes: &[u8]) -> Box<Partial> {
    match store.ingest(&store.add().unwrap(), &Digest::sha256(bytes), bytes.len() as u64).unwrap() {
        Ingest::Open(partial) => partial,
        other => panic!("{other:?}"),
    }
}

/// Adds a blob, or waits until another thread has added it.
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

/// Adds an image of one layer, with or without a name.
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
    assert!(matches!(Store::open(folder.path()), Err(Error::NotAStore { .. })));
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
fn an_interrupted_ingest_resumes() {
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
fn one_writer_at_a_time_ingests_a_blob() {
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
fn unnamed_blobs_are_swept() {
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
fn a_sweep_waits_for_additions() {
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
fn a_sweep_with_an_unreadable_manifest_removes_nothing() {
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

fn noise(bytes: u32) -> Vec<u8> {
    (0..bytes).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn partial(store: &Store, bytes: &[u8]) -> std::path::PathBuf {
    store.path().join("ingest").join(format!("sha256-{}", Digest::sha256(bytes).hex()))
}

/// Writes these ranges of a blob and drops the partial.
fn leave(store: &Store, bytes: &[u8], ranges: &[Range<usize>]) {
    let (gaps, _seal) = open(store, bytes).split();
    for range in ranges {
        let mut claim = gaps.claim(&(range.start as u64..range.end as u64)).unwrap();
        claim.write(range.start as u64, &bytes[range.clone()]).unwrap();
    }
}

#[test]
fn many_write_a_blob_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let bytes = noise(5_000_000);
    let (gaps, seal) = open(&store, &bytes).split();
    let mut fronts = Vec::new();
    thread::scope(|scope| {
        let sealed = scope.spawn(|| seal.finish(|front| fronts.push(front)));
        let claims: Vec<_> =
            (0..50).rev().map(|n| (n, gaps.claim(&(n * 100_000..(n + 1) * 100_000)).unwrap())).collect();
        assert_eq!(gaps.missing(), []);
        for (n, mut claim) in claims {
            let bytes = &bytes;
            scope.spawn(move || {
                for at in (n * 100_000..(n + 1) * 100_000).step_by(30_000) {
                    let end = (at + 30_000).min((n + 1) * 100_000);
                    claim.write(at, &bytes[at as usize..end as usize]).unwrap();
                }
            });
        }
        sealed.join().unwrap().unwrap();
    });
    assert!(fronts.is_sorted() && fronts.last() == Some(&5_000_000), "{fronts:?}");
    assert!(store.contains(&Digest::sha256(&bytes), 5_000_000));
    assert_eq!(files(&store.path().join("ingest")), Vec::<String>::new(), "the map goes too");
}

#[test]
fn existing_ranges_are_not_missing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let bytes = noise(1_000_000);
    leave(&store, &bytes, &[600_000..700_000, 0..100_000, 650_000..800_000]);
    leave(&store, &bytes, &[900_000..900_001]);
    let missing = [100_000..600_000, 800_000..900_000, 900_001..1_000_000];
    let partial = open(&store, &bytes);
    assert_eq!((partial.kept(), partial.position()), (300_001, 100_000));
    let (gaps, seal) = partial.split();
    assert_eq!(gaps.missing(), missing);
    drop((gaps, seal));
    // A writer in order from the start completes it.
    let mut partial = open(&store, &bytes);
    for piece in bytes[100_000..].chunks(70_000) {
        partial.write(piece).unwrap();
    }
    partial.commit().unwrap();
    assert!(store.contains(&Digest::sha256(&bytes), 1_000_000));
}

#[test]
fn existing_bytes_are_never_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let bytes = noise(1_000);
    let (gaps, seal) = open(&store, &bytes).split();
    let mut first = gaps.claim(&(0..500)).unwrap();
    let mut second = gaps.claim(&(400..1_000)).unwrap();
    assert_eq!(second.write(400, &[0; 50]).unwrap(), 0, "the other's");
    assert_eq!(first.write(100, &[0; 50]).unwrap(), 0, "it would leave a hole");
    assert_eq!(first.write(0, &bytes[..600]).unwrap(), 500);
    assert_eq!(first.write(0, &[0; 1_000]).unwrap(), 0, "it is there");
    assert_eq!(second.write(0, &[[0; 500].as_slice(), &bytes[500..]].concat()).unwrap(), 500);
    seal.finish(|_| {}).unwrap();
}

#[test]
fn what_is_taken_over_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let bytes = noise(1_000);
    let (gaps, seal) = open(&store, &bytes).split();
    let mut first = gaps.claim(&(0..1_000)).unwrap();
    assert_eq!(first.write(0, &bytes[..100]).unwrap(), 100);
    let mut second = gaps.take_over(&(600..1_000)).unwrap();
    let mut third = gaps.take_over(&(800..1_000)).unwrap();
    assert_eq!(second.write(600, &[&bytes[600..800], &[0; 200]].concat()).unwrap(), 200);
    assert_eq!(first.write(100, &[&bytes[100..600], &[0; 400]].concat()).unwrap(), 500);
    drop(first);
    assert_eq!(gaps.missing(), [], "all of it has a writer");
    assert_eq!(third.write(800, &bytes[800..900]).unwrap(), 100);
    drop((second, third));
    assert_eq!(gaps.missing(), [900..1_000]);
    assert_eq!(gaps.claim(&(0..1_000)).unwrap().write(0, &bytes).unwrap(), 100, "the rest is there");
    seal.finish(|_| {}).unwrap();
}

#[test]
fn a_damaged_map_costs_only_its_blob() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let bytes = noise(10_000);
    let (path, map) = (partial(&store, &bytes), partial(&store, &bytes).with_extension("ranges"));
    for damage in 0..5 {
        leave(&store, &bytes, &[5_000..7_000, 0..1_000]);
        let noted = fs::read(&map).unwrap();
        match damage {
            0 => fs::write(&map, &noted[..noted.len() - 1]).unwrap(),
            1 => fs::write(&map, "").unwrap(),
            2 => fs::write(&map, [noted.as_slice(), b"and more"].concat()).unwrap(),
            3 => fs::File::options().write(true).open(&path).unwrap().set_len(6_999).unwrap(),
            _ => fs::write(&map, noted.iter().map(|byte| byte ^ 1).collect::<Vec<_>>()).unwrap(),
        }
        let partial = open(&store, &bytes);
        assert_eq!((partial.kept(), partial.position()), (0, 0), "damage {damage}");
        drop(partial);
        assert_eq!(files(&store.path().join("ingest")).len(), 1, "damage {damage}");
    }
    // Without its map the file counts as a prefix; the digest detects that.
    leave(&store, &bytes, &[5_000..7_000, 0..1_000]);
    fs::remove_file(&map).unwrap();
    let mut left = open(&store, &bytes);
    assert_eq!(left.position(), 7_000);
    left.write(&bytes[7_000..]).unwrap();
    assert!(matches!(left.commit(), Err(Error::Mismatch(Mismatch::Digest { .. }))));
    assert_eq!(files(&store.path().join("ingest")), Vec::<String>::new());
    blob(&store, &bytes);
}

#[test]
fn a_reader_of_a_partial_blob_does_not_lock_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut left = open(&store, b"layer");
    left.write(b"lay").unwrap();
    let file = left.file();
    drop(left);
    let mut partial = open(&store, b"layer");
    partial.write(b"er").unwrap();
    let mut all = [0; 5];
    file.read_exact_at(&mut all, 0).unwrap();
    assert_eq!(&all, b"layer");
    partial.commit().unwrap();
}

#[test]
fn a_map_is_swept_with_its_blob() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let bytes = noise(10_000_000);
    leave(&store, &bytes, &[9_000_000..9_100_000]);
    assert_eq!(store.sweep(false, 0).unwrap().partials, 0);
    assert_eq!(files(&store.path().join("ingest")).len(), 2);
    let swept = store.sweep(true, 0).unwrap();
    assert_eq!(swept.partials, 1);
    assert!((100_000..1_000_000).contains(&swept.bytes), "{} bytes, without the hole", swept.bytes);
    leave(&store, &bytes, &[9_000_000..9_100_000]);
    fs::remove_file(partial(&store, &bytes)).unwrap();
    store.sweep(false, 0).unwrap();
    assert_eq!(files(&store.path().join("ingest")), Vec::<String>::new());
}

#[test]
fn an_image_of_the_store_is_a_source() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let layer = b"the bytes of a layer";
    let root = image(&store, layer, Some(NAME));
    let layer = Descriptor::new(MediaType::OCI_LAYER_GZIP, Digest::sha256(layer), layer.len() as u64);

    let layout = Arc::new(store.local().unwrap());
    let source = layout.image(layout.find(Some("a:1")).unwrap());
    assert_eq!((source.kind(), source.pinned()), (SourceKind::Store, Some(root.digest)));
    let Document::Manifest(manifest) = block_on(source.root()).unwrap() else { panic!("an index") };
    let config = block_on(source.small_blob(&manifest.value.config)).unwrap();
    assert_eq!(config.digest(), &manifest.value.config.digest);
    let mut part = block_on(source.open_blob(&layer, 4..9)).unwrap();
    let mut buffer = [0; 16];
    let length = block_on(part.read(&mut buffer)).unwrap();
    assert_eq!(&buffer[..length], b"bytes");
    assert_eq!(block_on(source.referrers(&root.digest)).unwrap()[0].digest, root.digest);
    assert_eq!(block_on(source.bare_size()).unwrap_err().to_string(), "the store has no layer without an image");
    let missing = Descriptor::new(MediaType::OCI_LAYER, Digest::sha256(b"no"), 2);
    let error = block_on(source.open_blob(&missing, 0..2)).err().unwrap();
    assert!(matches!(error, porthole_source::Error::NotFound { .. }), "{error}");
}
