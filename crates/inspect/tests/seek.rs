//! A file of a layer is found and read by its seek index, page by page.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use porthole_core::{
    digest::Digest,
    layer::{Expected, LayerReader},
    limits::Limits,
    seek::{self, AtPath, IndexOptions, Malformed},
};
use porthole_inspect::seek::{Error, SeekIndex};
use porthole_source::ReadAt;
use porthole_testkit::{
    executor::block_on,
    image::{Image, Layer},
    sink::Ignore,
};
use std::{cell::Cell, io, ops::ControlFlow};

/// A blob of 2000 files, and its index.
fn indexed() -> (Vec<u8>, Vec<u8>) {
    let mut layer = Layer::new("ADD");
    for number in 0..2000 {
        layer = layer.file(format!("dir-{}/{number}", number % 30), number.to_string().as_bytes());
    }
    let image = Image::new().layer(layer).build();
    let blob = image.layers[0].blob.bytes.clone();
    let expected =
        Expected { digest: Some(Digest::sha256(&blob)), size: Some(blob.len() as u64), ..Expected::default() };
    let mut reader = LayerReader::new(expected, Limits::default()).with_index(IndexOptions::default());
    reader.push(&blob, &mut Ignore);
    let (_, end) = reader.finish_index(&mut Ignore);
    (blob.to_vec(), end.unwrap().into_bytes())
}

/// Counts what is read.
struct Counted(Vec<u8>, Cell<usize>);

impl ReadAt for Counted {
    fn size(&self) -> u64 {
        self.0.size()
    }

    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read_at(offset, buffer).await?;
        self.1.set(self.1.get() + read);
        Ok(read)
    }
}

#[test]
fn a_file_is_found_without_reading_the_whole_index() {
    let (blob, bytes) = indexed();
    let length = bytes.len();
    let index = block_on(SeekIndex::open(Counted(bytes, Cell::new(0)))).unwrap();
    assert_eq!((index.facts().verified(), index.facts().entry_count()), (true, 2000));
    let found = block_on(index.find(b"/dir-17/./1997")).unwrap();
    let AtPath::Entry(located) = found else { panic!("{found:?}") };
    assert_eq!(located.number, 1997);
    let mut reader = block_on(index.open_located(*located, &Limits::default())).unwrap();
    let mut content = Vec::new();
    let range = reader.range();
    reader
        .push(&blob[range.start as usize..range.end as usize], &mut |bytes| content.extend_from_slice(bytes))
        .unwrap();
    reader.finish().unwrap();
    assert_eq!(content, b"1997");
    assert_eq!(block_on(index.find(b"dir-17")).unwrap(), AtPath::Implied);
    assert_eq!(block_on(index.find(b"dir-30")).unwrap(), AtPath::Nothing);
    let mut names = Vec::new();
    block_on(index.children(b"dir-29", |child| names.push(child.name))).unwrap();
    assert_eq!(names.len(), 66);

    let mut count = 0;
    block_on(index.replay(|entry, _| {
        assert_eq!(entry.path, format!("dir-{}/{count}", count % 30).into_bytes());
        count += 1;
        if count == 500 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }))
    .unwrap();
    assert_eq!(count, 500);
    block_on(index.offsets()).unwrap();
    let read = index.into_bytes().1.get();
    assert!(read <= length, "{read} bytes of {length}: pages are kept");
}

#[test]
fn an_index_that_is_cut_or_old_is_refused() {
    let (_, bytes) = indexed();
    let refused = |bytes: Vec<u8>| match block_on(SeekIndex::open(bytes)) {
        Err(Error::Seek(seek::Error::Index(error))) => error,
        other => panic!("{other:?}"),
    };
    let (expected, got) = (bytes.len() as u64, bytes.len() as u64 - 1);
    assert_eq!(refused(bytes[..bytes.len() - 1].to_vec()), Malformed::Length { expected, got });
    assert_eq!(refused(b"PHINDEX\x01 and more".to_vec()), Malformed::Version { expected: 2, got: 1 });
    assert_eq!(refused(Vec::new()), Malformed::Magic);
}
