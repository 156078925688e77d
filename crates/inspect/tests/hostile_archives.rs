//! Archives that are broken, huge or slow.

mod files;

use files::{header, now, open, open_as, pack};
use porthole_core::failure::Classify;
use porthole_core::{
    limits::{ARCHIVE_NAME_BYTES, Limits},
    manifest::Document,
};
use porthole_inspect::local::Error;
use porthole_source::ReadAt;
use porthole_testkit::image::{Built, Content, Image, Layer};
use std::{
    cell::Cell,
    io::{Error as IoError, ErrorKind, Result as IoResult},
};

fn built() -> Built {
    Image::new().layer(Layer::new("COPY rootfs /").file("big", vec![7; 200_000])).build()
}

/// Gives few bytes at a time and is interrupted now and then.
struct Slow(Vec<u8>, Cell<usize>);

impl ReadAt for Slow {
    fn size(&self) -> u64 {
        self.0.size()
    }

    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> IoResult<usize> {
        self.1.set(self.1.get() + 1);
        if self.1.get().is_multiple_of(3) {
            return Err(ErrorKind::Interrupted.into());
        }
        let length = buffer.len().min(77 + self.1.get() % 500);
        self.0.read_at(offset, &mut buffer[..length]).await
    }
}

#[test]
fn short_reads_change_nothing() {
    let built = built();
    for archive in [built.clone().into_content("x:1").layout_tar(), Content::docker_archive(&[("x:1", &built)])] {
        let images = open(Slow(archive.clone(), Cell::new(0))).unwrap();
        let root = images.find(Some("x:1")).unwrap();
        assert_eq!(root, open(archive).unwrap().find(Some("x:1")).unwrap());
        let Document::Manifest(manifest) = now(images.read_document(&root)).unwrap() else { panic!("an index") };
        let config = now(images.read_small(&manifest.value.config)).unwrap();
        assert_eq!(config.bytes(), built.config.bytes);
    }
}

/// Fails when anything of a range is read.
struct Bad(Vec<u8>, std::ops::Range<u64>);

impl ReadAt for Bad {
    fn size(&self) -> u64 {
        self.0.size()
    }

    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> IoResult<usize> {
        if offset < self.1.end && offset + buffer.len() as u64 > self.1.start {
            return Err(IoError::other("bad sector"));
        }
        self.0.read_at(offset, buffer).await
    }
}

#[test]
fn an_error_in_the_middle_is_named() {
    let archive = built().into_content("v1").layout_tar();
    let middle = archive.len() as u64 / 2;
    let error = open(Bad(archive, 0..middle)).unwrap_err();
    assert_eq!(error.to_string(), "cannot read `image.tar`: bad sector");
}

#[test]
fn what_lies_in_a_blob_is_not_read_to_open_the_archive() {
    let big = vec![1; 1 << 20];
    let content = built().into_content("v1");
    let mut files: Vec<(String, Vec<u8>)> = content.layout_files().into_iter().collect();
    files.insert(0, ("blobs/sha256/unrelated".to_owned(), big));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    let images = open(Bad(pack(&files), 300_000..400_000)).unwrap();
    assert_eq!(images.names().len(), 1);
}

/// Bytes in front of a hole.
struct Sparse {
    head: Vec<u8>,
    tail: Vec<u8>,
    tail_at: u64,
    reads: Cell<u64>,
}

impl ReadAt for Sparse {
    fn size(&self) -> u64 {
        self.tail_at + self.tail.size()
    }

    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> IoResult<usize> {
        self.reads.set(self.reads.get() + 1);
        if offset >= self.tail_at {
            return self.tail.read_at(offset - self.tail_at, buffer).await;
        }
        let length = buffer.len().min(usize::try_from(self.tail_at - offset).unwrap_or(usize::MAX));
        buffer[..length].fill(0);
        let read = self.head.read_at(offset, &mut buffer[..length]).await?;
        Ok(read.max(length))
    }
}

#[test]
fn a_file_of_a_terabyte_is_passed_over() {
    let size = 1 << 40;
    let mut head = header(size);
    head.set_path("huge").unwrap();
    head.set_cksum();
    let tail = built().into_content("v1").layout_tar();
    let archive = Sparse { head: head.as_bytes().to_vec(), tail, tail_at: 512 + size, reads: Cell::new(0) };
    let images = open_as(&archive, None, Limits::default()).unwrap();
    assert_eq!(images.names().len(), 1);
    assert!(archive.reads.get() < 100, "{}", archive.reads.get());
}

#[test]
fn a_header_that_claims_more_than_there_is_breaks_the_archive() {
    for size in [1_u64 << 20, 1 << 40, i64::MAX as u64 - 511] {
        let mut head = header(size);
        head.set_path("huge").unwrap();
        head.set_cksum();
        let archive = [head.as_bytes().as_slice(), &[0; 2048]].concat();
        let error = open(archive).unwrap_err();
        assert!(matches!(error, Error::Tar { .. }), "{size}: {error}");
    }
}

#[test]
fn thousands_of_entries_are_found() {
    let built = built();
    let mut files: Vec<(String, Vec<u8>)> = (0..20_000).map(|n| (format!("other/{n}"), vec![b'x'; n % 3])).collect();
    files.extend(built.into_content("v1").layout_files());
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    let images = open(pack(&files)).unwrap();
    let root = images.find(Some("v1")).unwrap();
    assert!(now(images.read_document(&root)).is_ok());
    let mut limits = Limits::default();
    limits.entries = 20_000;
    let error = open_as(pack(&files), None, limits).unwrap_err();
    assert!(matches!(error, Error::Tar { .. }) && !error.hints().is_empty(), "{error}");
}

#[test]
fn names_take_no_more_memory_than_they_may() {
    let name = format!("{}/", "d".repeat(99)).repeat(600);
    let mut archive = tar::Builder::new(Vec::new());
    for number in 0..=(ARCHIVE_NAME_BYTES / name.len() as u64) {
        archive.append_data(&mut header(0), format!("{name}{number}"), &[][..]).unwrap();
    }
    let error = open(archive.into_inner().unwrap()).unwrap_err();
    assert!(matches!(error, Error::TooManyNames { limit: ARCHIVE_NAME_BYTES, .. }), "{error}");
}

#[test]
fn an_archive_without_entries_has_no_images() {
    for archive in [vec![], vec![0; 1024], vec![0; 10_240], pack(&[])] {
        assert!(matches!(open(archive), Err(Error::NotAnImage { .. })));
    }
}

#[test]
fn a_bad_middle_breaks_the_archive() {
    let archive = built().into_content("v1").layout_tar();
    let header = (512..archive.len()).step_by(512).find(|&at| archive[at..].starts_with(b"oci-layout")).unwrap();
    let mut bad = archive;
    bad[header + 150] ^= 0x55;
    let error = open(bad).unwrap_err();
    assert!(error.to_string().starts_with("archive is broken: `image.tar`: "), "{error}");
}

#[test]
fn links_in_a_circle_lead_nowhere() {
    let mut archive = tar::Builder::new(Vec::new());
    for (from, to) in [("manifest.json", "b"), ("b", "manifest.json")] {
        let mut header = header(0);
        header.set_entry_type(tar::EntryType::Symlink);
        archive.append_link(&mut header, from, to).unwrap();
    }
    assert!(matches!(open(archive.into_inner().unwrap()), Err(Error::NotAnImage { .. })));
}
