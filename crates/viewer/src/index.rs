//! The seek index of a layer: in memory, or in a file that is kept.

use crate::given::{GivenFile, OpenFile};
use porthole_core::seek::{Ask, IndexReader, Offsets};
use porthole_inspect::seek::{Error, SeekIndex};
use std::{
    future::Future,
    io,
    ops::Range,
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll, Waker},
};

/// The seek index of a layer.
pub(crate) struct OpenIndex {
    index: SeekIndex<GivenFile>,
    /// Where in the blob its bytes are, if the index can be read.
    offsets: Option<Offsets>,
    /// Its bytes, where they are in memory.
    held: Option<Rc<Vec<u8>>>,
}

impl OpenIndex {
    /// Takes the bytes of an index; `None` if they are not one.
    pub(crate) fn of_memory(bytes: Vec<u8>) -> Option<Self> {
        let held = Rc::new(bytes);
        // A read from memory is ready at once.
        let opened = pin!(Self::open(GivenFile::new(Held(Rc::clone(&held)))));
        match opened.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(index)) => Some(Self { held: Some(held), ..index }),
            _ => None,
        }
    }

    /// Reads the header of an index.
    ///
    /// # Errors
    /// A malformed index, or an error of the file.
    pub(crate) async fn open(file: GivenFile) -> Result<Self, Error> {
        let index = SeekIndex::open(file).await?;
        let offsets = index.offsets().await.ok();
        Ok(Self { index, offsets, held: None })
    }

    /// The header, which was read when the index was opened.
    pub(crate) fn facts(&self) -> &IndexReader {
        self.index.facts()
    }

    /// Where in the blob each byte of the archive is, roughly.
    pub(crate) fn offsets(&self) -> Option<&Offsets> {
        self.offsets.as_ref()
    }

    /// Its bytes, where they are in memory.
    pub(crate) fn held(&self) -> Option<&Rc<Vec<u8>>> {
        self.held.as_ref()
    }

    /// Runs a query.
    ///
    /// # Errors
    /// Errors of the query, and of reading.
    pub(crate) async fn ask<T>(&self, question: impl FnMut(&mut IndexReader) -> Result<T, Ask>) -> Result<T, Error> {
        self.index.ask(question).await
    }
}

struct Held(Rc<Vec<u8>>);

impl OpenFile for Held {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, range: Range<u64>) -> Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + '_>> {
        Box::pin(async move {
            let part = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
            let part = part.and_then(|(start, end)| self.0.get(start..end));
            part.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
        })
    }

    fn address(&self, _range: Range<u64>) -> Option<String> {
        None
    }
}
