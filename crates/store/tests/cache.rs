//! Indexes of real layers, kept and found again.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_core::{
    digest::Digest,
    layer::{Expected, LayerReader},
    limits::Limits,
    seek::{HEADER_BYTES, IndexOptions, MemoryIndex},
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

/// Writes an index as the command line does.
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
    let small = IndexCache::open(folder.path(), 100).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(names(write(&small, blob, Some(&digest), false)), [b"a", b"b"]);
    assert!(small.find(&digest).is_none() && files() == 0, "larger than the cache");

    let unkept = NewIndex::unkept(tempfile::tempfile().unwrap());
    drop(unkept);
}

/// Indexes of older versions of the program, and indexes damaged on disk.
#[test]
fn what_is_no_index_of_this_version_is_ignored_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let cache = IndexCache::open(folder.path(), IndexCache::DEFAULT_BYTES).unwrap();
    let blob = |content: &[u8]| Image::new().layer(Layer::new("ADD").file("a", content)).build();
    let (image, another) = (blob(b"1"), blob(b"2"));
    let digest: Digest = image.layers[0].blob.digest.parse().unwrap();
    let make = || write(&cache, &image.layers[0].blob.bytes, Some(&digest), true);
    make();
    let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let sound = std::fs::read(&path).unwrap();
    let other = {
        let digest = another.layers[0].blob.digest.parse().unwrap();
        write(&cache, &another.layers[0].blob.bytes, Some(&digest), true);
        let file = cache.find(&digest).unwrap();
        let mut bytes = vec![0; file.size() as usize];
        block_on(file.read_exact_at(0, &mut bytes)).unwrap();
        bytes
    };
    let changed = |at: usize, byte: u8| {
        let mut bytes = sound.clone();
        bytes[at] = byte;
        bytes
    };
    for (what, bytes) in [
        ("format 1", changed(7, 1)),
        ("a later format", changed(7, 3)),
        ("a changed header", changed(HEADER_BYTES - 40, 0x55)),
        ("an index of another layer", other),
        ("an index that is cut off", sound[..sound.len() - 1].to_vec()),
        ("less than a header", sound[..100].to_vec()),
        ("an index that was not finished", [&[0; HEADER_BYTES][..], &sound[HEADER_BYTES..]].concat()),
        ("nothing", Vec::new()),
    ] {
        std::fs::write(&path, &bytes).unwrap();
        assert!(cache.find(&digest).is_none(), "{what}");
        make();
        assert!(std::fs::read(&path).unwrap() == sound, "{what} is replaced");
    }

    // Damage to a page is detected when the page is read.
    std::fs::write(&path, changed(HEADER_BYTES + 20, 0x55)).unwrap();
    let file = cache.find(&digest).unwrap();
    let mut bytes = vec![0; file.size() as usize];
    block_on(file.read_exact_at(0, &mut bytes)).unwrap();
    let mut index = MemoryIndex::new(bytes).unwrap();
    assert!(index.ask(|index| index.entries(0)).is_err());
    cache.discard(&digest);
    assert!(cache.find(&digest).is_none());
    make();
    assert!(std::fs::read(&path).unwrap() == sound);
}
