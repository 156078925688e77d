//! Archives and directories in memory.

#![allow(dead_code, reason = "each test program uses a part")]

use porthole_core::limits::Limits;
use porthole_inspect::local::{Error, Images, LocalFormat};
use porthole_source::{Place, ReadAt};
use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// What a person drops on a page: a file, or a directory as a map of files.
pub(crate) type Dropped<F> = Images<BTreeMap<String, Vec<u8>>, F>;

pub(crate) fn open<F: ReadAt>(archive: F) -> Result<Dropped<F>, Error> {
    open_as(archive, None, Limits::default())
}

pub(crate) fn open_as<F: ReadAt>(archive: F, format: Option<LocalFormat>, limits: Limits) -> Result<Dropped<F>, Error> {
    now(Images::open(Place::File(archive), "image.tar", format, limits))
}

pub(crate) fn open_dir(files: BTreeMap<String, Vec<u8>>) -> Result<Dropped<Vec<u8>>, Error> {
    now(Images::open(Place::Directory(files), "image", None, Limits::default()))
}

/// Memory does not wait.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("memory does not wait"),
    }
}

pub(crate) fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        archive.append_data(&mut header(bytes.len() as u64), path, *bytes).expect("a Vec takes every byte");
    }
    archive.into_inner().expect("a Vec takes every byte")
}

pub(crate) fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(size);
    header
}
