//! Indexes of real layers, kept and found again.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_core::{
    digest::Digest,
    layer::{Expected, LayerReader},
    limits::Limits,
    seek::{Index, IndexOptions, MemoryIndex},
    tar::{Entry, EntrySink, Flow},
};
use porthole_source::ReadAt;
use porthole_store::{
    IndexCache, NewIndex,
    disk::{DiskFile, block_on},
};
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

/// An index that is written as the command line does, in format 2.
fn write(cache: &IndexCache, blob: &[u8], expected: Option<&Digest>, file_digests: bool) -> DiskFile {
    let expected = Expected { digest: expected.copied(), size: Some(blob.len() as u64), ..Expected::default() };
    let mut options = IndexOptions::default();
    options.file_digests = file_digests;
    let mut reader = LayerReader::new(expected, Limits::default()).with_index(options);
    let mut new = cache.create().unwrap();
    let mut names = Names(Vec::new());
    for piece in blob.chunks(100) {
        reader.push(piece, &mut names);
        new.append(&reader.take_index()).unwrap();
    }
    let (_, end) = reader.finish_index(&mut names);
    new.finish(&end.unwrap()).unwrap()
}

fn names(file: DiskFile) -> Vec<Vec<u8>> {
    let mut bytes = vec![0; file.size() as usize];
    block_on(file.read_exact_at(0, &mut bytes)).unwrap();
    let mut index = MemoryIndex::new(bytes).unwrap();
    index.ask(|index| index.entries(0)).unwrap().into_iter().map(|(entry, _)| entry.path).collect()
}

#[test]
fn an_index_is_kept_while_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let cache = IndexCache::open(folder.path(), IndexCache::DEFAULT_BYTES).unwrap();
    let image = Image::new().layer(Layer::new("ADD").file("a", b"1").file("b", b"2")).build();
    let blob = &image.layers[0].blob.bytes;
    let digest: Digest = image.layers[0].blob.digest.parse().unwrap();
    let files = || std::fs::read_dir(folder.path()).unwrap().count();
    assert!(cache.find(&digest).is_none());

    drop(cache.create().unwrap());
    assert_eq!(files(), 0, "an index that is not finished leaves nothing");
    let made = write(&cache, blob, None, false);
    assert!(cache.find(&digest).is_none() && files() == 0, "these bytes were not promised");
    assert_eq!(names(made), [b"a", b"b"], "it can be read nevertheless");

    write(&cache, blob, Some(&digest), true);
    let kept = |cache: &IndexCache| cache.find(&digest).map(|file| file.size());
    let size = kept(&cache);
    assert!(size.is_some() && files() == 1);
    write(&cache, blob, Some(&digest), false);
    assert_eq!(kept(&cache), size, "one with digests of files is not replaced by one without");
    assert_eq!(names(cache.find(&digest).unwrap()), [b"a", b"b"]);

    let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&path).unwrap();
    for version in [1, 3] {
        let mut other = bytes.clone();
        other[7] = version;
        std::fs::write(&path, other).unwrap();
        assert!(cache.find(&digest).is_none(), "version {version}");
    }
    write(&cache, blob, Some(&digest), false);
    assert!(cache.find(&digest).is_some(), "another version is replaced");

    let small = IndexCache::open(folder.path(), 100).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(names(write(&small, blob, Some(&digest), false)), [b"a", b"b"]);
    assert!(small.find(&digest).is_none() && files() == 0, "larger than the cache");

    let unkept = NewIndex::unkept(tempfile::tempfile().unwrap());
    drop(unkept);
}
