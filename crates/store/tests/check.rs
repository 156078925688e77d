//! Blobs whose bytes changed on disk.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_core::{descriptor::Descriptor, digest::Digest, manifest::Raw, media_type::MediaType};
use porthole_store::{Damage, Ingest, Store};
use std::fs;

const NAME: &str = "docker.io/library/a:1";

fn blob(store: &Store, bytes: &[u8]) -> Descriptor {
    let digest = Digest::sha256(bytes);
    if let Ingest::Open(mut partial) = store.ingest(&store.add().unwrap(), &digest, bytes.len() as u64).unwrap() {
        partial.write(bytes).unwrap();
        partial.commit().unwrap();
    }
    Descriptor::new(MediaType::OCI_LAYER_GZIP, digest, bytes.len() as u64)
}

/// A named image of one layer: its layer, configuration and manifest.
fn image(store: &Store) -> [Descriptor; 3] {
    let (layer, config) = (blob(store, b"layer"), blob(store, b"{}"));
    let entry = |blob: &Descriptor, kind: &str| {
        let media_type = format!("application/vnd.oci.image.{kind}");
        format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#, blob.digest, blob.size)
    };
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}]}}"#,
        entry(&config, "config.v1+json"),
        entry(&layer, "layer.v1.tar+gzip"),
    );
    let raw = Raw::trust_on_first_use(manifest.into_bytes());
    store.insert(&store.add().unwrap(), &raw).unwrap();
    let root = Descriptor::new(MediaType::OCI_MANIFEST, *raw.digest(), raw.size());
    store.tag(NAME, &root).unwrap();
    [layer, config, root]
}

#[test]
fn every_changed_byte_of_every_blob_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let blobs = image(&store);
    let mut read = 0;
    let checked = store.check(false, &mut |count| read += count).unwrap();
    assert_eq!((checked.blobs, checked.bytes), (3, read));
    assert!(checked.damaged.is_empty() && checked.missing.is_empty());
    for descriptor in blobs {
        let path = store.blob(&descriptor.digest);
        let whole = fs::read(&path).unwrap();
        let changed = (0..whole.len()).map(|at| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            bytes
        });
        let cut = [whole[1..].to_vec(), Vec::new(), [&whole[..], &[0]].concat()];
        for bytes in changed.chain(cut) {
            fs::write(&path, &bytes).unwrap();
            let checked = store.check(false, &mut |_| {}).unwrap();
            let [damaged] = &checked.damaged[..] else { panic!("{checked:?}") };
            assert_eq!(damaged.digest, descriptor.digest);
            assert_eq!(damaged.damage, Damage::Digest(Digest::sha256(&bytes)));
            assert_eq!(damaged.names, [NAME]);
        }
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_damaged_blob_is_set_aside_and_can_be_added_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let [layer, config, _] = image(&store);
    fs::write(store.blob(&layer.digest), b"lAyer").unwrap();
    assert!(store.contains(&layer.digest, layer.size), "its size is right");
    let checked = store.check(true, &mut |_| {}).unwrap();
    let aside = checked.damaged[0].aside.clone().unwrap();
    assert_eq!(fs::read(&aside).unwrap(), b"lAyer");
    assert!(!store.contains(&layer.digest, layer.size));

    fs::remove_file(store.blob(&config.digest)).unwrap();
    let checked = store.check(true, &mut |_| {}).unwrap();
    let mut missing = [layer.digest, config.digest];
    missing.sort_unstable();
    assert_eq!((checked.damaged.len(), &checked.missing[..]), (0, &missing[..]));

    blob(&store, b"layer");
    blob(&store, b"{}");
    let checked = store.check(false, &mut |_| {}).unwrap();
    assert!(checked.damaged.is_empty() && checked.missing.is_empty(), "{checked:?}");
    store.sweep(false, 0).unwrap();
    assert!(aside.exists());
    store.sweep(true, 0).unwrap();
    assert!(!aside.exists());
}
