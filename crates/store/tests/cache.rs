//! Indexes of real layers, kept and found again.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_core::{
    digest::Digest,
    layer::{Expected, LayerReader},
    limits::Limits,
    seek::{Index, IndexOptions},
    tar::{Entry, EntrySink, Flow},
};
use porthole_store::IndexCache;
use porthole_testkit::image::{Image, Layer};

struct Names(Vec<Vec<u8>>);

impl EntrySink for Names {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.0.push(entry.path);
        Flow::Continue
    }
}

fn index(blob: &[u8], expected: Option<&Digest>) -> Index {
    let expected = Expected { digest: expected.copied(), size: Some(blob.len() as u64), ..Expected::default() };
    let mut reader = LayerReader::new(expected, Limits::default()).indexed(IndexOptions::default());
    let mut names = Names(Vec::new());
    reader.push(blob, &mut names);
    reader.finish_with_index(&mut names).1.unwrap()
}

#[test]
fn verified_indexes_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let cache = IndexCache::open(folder.path(), IndexCache::DEFAULT_BYTES).unwrap();
    let image = Image::new().layer(Layer::new("ADD").file("a", b"1").file("b", b"2")).build();
    let blob = &image.layers[0].blob;
    let digest: Digest = blob.digest.parse().unwrap();
    assert!(cache.get(&digest).is_none());

    cache.put(&index(&blob.bytes, None)).unwrap();
    assert!(cache.get(&digest).is_none(), "the bytes were not verified");

    let made = index(&blob.bytes, Some(&digest));
    cache.put(&made).unwrap();
    let kept = cache.get(&digest).unwrap();
    assert!(kept == made);
    let mut names = Names(Vec::new());
    kept.replay(&mut names);
    assert_eq!(names.0, [b"a", b"b"]);
    assert!(cache.get(&Digest::sha256(b"another")).is_none());
}
