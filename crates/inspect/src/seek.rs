//! The seek index of a layer, read page by page from a file or from memory.
//!
//! [`IndexReader`] answers the questions; [`SeekIndex`] fetches the pages that it asks for. A question about one path of a
//! layer of any size reads some ten pages of a few KiB.

use porthole_core::{
    digest::Digest,
    limits::Limits,
    seek::{
        self, Ask, AtPath, Child, Children, FileReader, Find, HEADER_BYTES, IndexReader, Located, Offsets, Opening,
    },
    tar::Entry,
};
use porthole_source::ReadAt;
use std::{
    io,
    ops::{ControlFlow, Range},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The seek index of a layer.
#[derive(Debug)]
pub struct SeekIndex<R> {
    bytes: R,
    facts: IndexReader,
    /// A copy of `facts` that holds the pages that were read last.
    reader: Mutex<IndexReader>,
}

/// Why a question to an index has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes of the index cannot be read.
    #[error("cannot read the seek index: {0}")]
    Read(#[from] io::Error),
    /// The index is malformed, or has no such file.
    #[error(transparent)]
    Seek(#[from] seek::Error),
}

impl From<seek::Malformed> for Error {
    fn from(error: seek::Malformed) -> Self {
        Self::Seek(error.into())
    }
}

impl<R: ReadAt> SeekIndex<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// [`Error`] if these bytes are not an index of this version.
    pub async fn open(bytes: R) -> Result<Self, Error> {
        let length = bytes.size();
        let mut header = vec![0; HEADER_BYTES.min(usize::try_from(length).unwrap_or(HEADER_BYTES))];
        bytes.read_exact_at(0, &mut header).await?;
        let facts = IndexReader::new(&header, length)?;
        Ok(Self { bytes, reader: Mutex::new(facts.clone()), facts })
    }

    /// The bytes that the index was opened with.
    pub fn into_bytes(self) -> R {
        self.bytes
    }

    /// What the header says: digests, sizes, counts.
    pub fn facts(&self) -> &IndexReader {
        &self.facts
    }

    /// Answers a question, and reads the pages that it needs.
    ///
    /// # Errors
    ///
    /// [`Error`] if the question fails, or if a page cannot be read.
    pub async fn ask<T>(&self, mut question: impl FnMut(&mut IndexReader) -> Result<T, Ask>) -> Result<T, Error> {
        loop {
            let answer = question(&mut self.lock());
            match answer {
                Ok(answer) => return Ok(answer),
                Err(Ask::Failed(error)) => return Err(error.into()),
                Err(Ask::Page(page)) => {
                    let mut bytes = vec![0; page.length()];
                    self.bytes.read_exact_at(page.offset(), &mut bytes).await?;
                    self.lock().give(page, bytes)?;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, IndexReader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes all entries to `give` in archive order, as the scan of the layer found them. A regular file comes with
    /// the digest of its content, if the index has such digests. Ends early if `give` breaks.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn replay(&self, mut give: impl FnMut(Entry, Option<Digest>) -> ControlFlow<()>) -> Result<(), Error> {
        let mut from = 0;
        while from < self.facts.entry_count() {
            let entries = self.ask(|index| index.entries(from)).await?;
            from += entries.len() as u64;
            for (entry, digest) in entries {
                if give(entry, digest).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Returns what this layer alone has at a path. No link is followed.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn find(&self, path: &[u8]) -> Result<AtPath, Error> {
        let mut find = Find::new(path);
        self.ask(|index| find.step(index)).await
    }

    /// Returns what the layer has at a path among its first `end` entries.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn find_before(&self, path: &[u8], end: u64) -> Result<AtPath, Error> {
        let mut find = Find::before(path, end);
        self.ask(|index| find.step(index)).await
    }

    /// Passes the children of a directory to `give`, in no defined order. Of several with one name, the entry with the
    /// highest number counts.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn children(&self, directory: &[u8], mut give: impl FnMut(Child)) -> Result<(), Error> {
        let mut children = Children::new(directory);
        while let Some(some) = self.ask(|index| children.step(index)).await? {
            some.into_iter().for_each(&mut give);
        }
        Ok(())
    }

    /// Returns a reader for a part of the regular file whose data starts at this offset of the archive.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn open_at(&self, offset: u64, part: Range<u64>, limits: &Limits) -> Result<FileReader, Error> {
        self.opened(Opening::at_offset(offset, limits).part(part)).await
    }

    /// Returns a reader for a file that was found.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn open_located(&self, located: Located, limits: &Limits) -> Result<FileReader, Error> {
        self.opened(Opening::located(located, limits)).await
    }

    async fn opened(&self, mut opening: Opening) -> Result<FileReader, Error> {
        self.ask(|index| opening.step(index)).await
    }

    /// Returns the approximate offset in the blob of each byte of the archive.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub async fn offsets(&self) -> Result<Offsets, Error> {
        self.ask(IndexReader::offsets).await
    }
}
