//! One image in files, as a source.

use super::Images;
use porthole_source::{FileImage, ReadAt};
use std::{io, sync::Arc};

/// One image of [`Images`].
pub type LocalImage<D, F> = FileImage<Images<D, F>>;

/// A blob: a file of a directory, a part of an archive, or a manifest that was made for a docker-archive.
pub enum BlobFile<A, B> {
    /// A file of a layout directory.
    Directory(A),
    /// A part of an archive.
    Archive(B),
    /// Bytes that were made when the place was opened.
    Memory(Arc<[u8]>),
}

impl<A: ReadAt, B: ReadAt> ReadAt for BlobFile<A, B> {
    fn size(&self) -> u64 {
        match self {
            Self::Directory(file) => file.size(),
            Self::Archive(file) => file.size(),
            Self::Memory(bytes) => bytes.size(),
        }
    }

    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Directory(file) => file.read_at(offset, buffer).await,
            Self::Archive(file) => file.read_at(offset, buffer).await,
            Self::Memory(bytes) => bytes.read_at(offset, buffer).await,
        }
    }
}
