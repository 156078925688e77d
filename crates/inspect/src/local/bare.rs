//! The blob of a single layer, which belongs to no image.

use super::Error;
use porthole_core::{
    descriptor::Descriptor,
    limits::Limits,
    manifest::{Document, Raw},
};
use porthole_source::{Capability, FileStream, ImageSource, ReadAt, SourceKind};
use std::{ops::Range, sync::Arc};

/// A file that is the blob of one layer, in any compression.
pub struct BareLayer<F> {
    file: Arc<F>,
    name: String,
    limits: Limits,
}

impl<F: ReadAt> BareLayer<F> {
    /// `name` stands for the file in errors.
    pub fn new(file: F, name: impl Into<String>, limits: Limits) -> Self {
        Self { file: Arc::new(file), name: name.into(), limits }
    }
}

impl<F> Clone for BareLayer<F> {
    fn clone(&self) -> Self {
        Self { file: Arc::clone(&self.file), name: self.name.clone(), limits: self.limits }
    }
}

impl<F: ReadAt> ImageSource for BareLayer<F> {
    type Error = Error;
    type Blob = FileStream<Arc<F>, Error>;

    fn kind(&self) -> SourceKind {
        SourceKind::Layer
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    async fn root(&self) -> Result<Document, Error> {
        Err(self.kind().cannot(Capability::Documents).into())
    }

    async fn document(&self, _descriptor: &Descriptor) -> Result<Document, Error> {
        self.root().await
    }

    async fn small_blob(&self, _descriptor: &Descriptor) -> Result<Raw, Error> {
        Err(self.kind().cannot(Capability::Documents).into())
    }

    /// Opens the file, which is the only blob, whatever the descriptor.
    async fn open_blob(&self, _descriptor: &Descriptor, range: Range<u64>) -> Result<Self::Blob, Error> {
        self.open_bare(range).await
    }

    async fn bare_size(&self) -> Result<u64, Error> {
        Ok(self.file.size())
    }

    async fn open_bare(&self, range: Range<u64>) -> Result<Self::Blob, Error> {
        Ok(FileStream::new(Arc::clone(&self.file), self.name.clone(), range)?)
    }
}
