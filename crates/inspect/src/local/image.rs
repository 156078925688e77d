//! One image in files, as a source.

use super::{Error, Images, Window};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    limits::Limits,
    manifest::{Document, Raw},
};
use porthole_source::{BlobStream, Files, ImageSource, ReadAt, SourceKind};
use std::{
    io::{self, ErrorKind},
    ops::Range,
    sync::Arc,
};

/// One image of [`Images`].
pub struct LocalImage<D, F> {
    images: Arc<Images<D, F>>,
    root: Descriptor,
}

impl<D, F> LocalImage<D, F> {
    pub(super) fn new(images: Arc<Images<D, F>>, root: Descriptor) -> Self {
        Self { images, root }
    }

    /// All images of its source.
    pub fn images(&self) -> &Arc<Images<D, F>> {
        &self.images
    }

    /// Descriptor of its index or manifest.
    pub fn root_entry(&self) -> &Descriptor {
        &self.root
    }
}

impl<D, F> Clone for LocalImage<D, F> {
    fn clone(&self) -> Self {
        Self { images: Arc::clone(&self.images), root: self.root.clone() }
    }
}

impl<D: Files, F: ReadAt> ImageSource for LocalImage<D, F> {
    type Error = Error;
    type Blob = FileStream<BlobFile<D::File, Window<F>>>;

    fn kind(&self) -> SourceKind {
        self.images.format().kind()
    }

    fn limits(&self) -> &Limits {
        self.images.limits()
    }

    fn pinned(&self) -> Option<Digest> {
        Some(self.root.digest)
    }

    async fn root(&self) -> Result<Document, Error> {
        self.images.read_document(&self.root).await
    }

    async fn document(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        self.images.read_document(descriptor).await
    }

    async fn small_blob(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        self.images.read_small(descriptor).await
    }

    async fn open_blob(&self, descriptor: &Descriptor, range: Range<u64>) -> Result<Self::Blob, Error> {
        let file = match (self.images.open_blob(&descriptor.digest).await, &descriptor.data) {
            (Err(error), Some(data)) if error.is_missing_blob() => BlobFile::Memory(data.as_slice().into()),
            (opened, _) => opened?,
        };
        // A reader of the whole blob must notice that the file is longer.
        let whole = range.start == 0 && range.end == descriptor.size;
        let end = if whole { range.end.saturating_add(1) } else { range.end };
        FileStream::new(file, descriptor.digest.to_string(), range.start..end)
    }

    /// The roots of the source, in the order in which it lists them.
    async fn referrers(&self, _subject: &Digest) -> Result<Vec<Descriptor>, Error> {
        Ok(self.images.names().into_iter().map(|(_, root)| root).collect())
    }
}

/// A blob: a file of a directory, a part of an archive, or a manifest that was made for a docker-archive.
pub enum BlobFile<A, B> {
    /// A file of a layout directory.
    Directory(A),
    /// A part of an archive.
    Archive(B),
    /// In memory.
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

/// A range of a file, read in order.
pub struct FileStream<F> {
    file: F,
    name: String,
    position: u64,
    end: u64,
}

impl<F: ReadAt> FileStream<F> {
    /// `name` stands for the file in errors.
    pub(super) fn new(file: F, name: String, range: Range<u64>) -> Result<Self, Error> {
        let (size, offset) = (file.size(), range.start);
        if offset > size {
            return Err(Error::Offset { size, offset });
        }
        Ok(Self { file, name, position: offset, end: range.end })
    }
}

impl<F: ReadAt> BlobStream for FileStream<F> {
    type Error = Error;

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let left = usize::try_from(self.end.saturating_sub(self.position)).unwrap_or(usize::MAX);
        let length = buffer.len().min(left);
        if length == 0 {
            return Ok(0);
        }
        loop {
            match self.file.read_at(self.position, &mut buffer[..length]).await {
                Ok(read) => {
                    self.position += read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::read(self.name.clone())(error)),
            }
        }
    }
}
