//! A registry's image as a source, beside layouts and archives.

use super::{BlobRange, Registry, range::ClientBlob};
use crate::{
    error::Error,
    transport::{Environment, Transport},
};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    limits::Limits,
    manifest::{Document, Raw},
    reference::Reference,
};
use porthole_source::{ImageSource, SourceKind};
use std::ops::{Deref, Range};

/// An image of a registry.
///
/// `C` dereferences to the client: `&Registry<T>`, or an `Arc` or `Rc` of it. The blobs hold a copy of it.
#[derive(Clone, Debug)]
pub struct RemoteImage<C> {
    client: C,
    reference: Reference,
}

impl<C> RemoteImage<C> {
    /// The image that a reference names, read through a client. Sends no request yet.
    pub fn new(client: C, reference: Reference) -> Self {
        Self { client, reference }
    }

    /// The client that the image is read with.
    pub fn client(&self) -> &C {
        &self.client
    }

    /// The name of the image.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }
}

impl<C, T> ImageSource for RemoteImage<C>
where
    C: Deref<Target = Registry<T>> + Clone,
    T: Transport + Environment + 'static,
{
    type Error = Error;
    type Blob = BlobRange<C, T>;

    fn kind(&self) -> SourceKind {
        SourceKind::Registry
    }

    fn limits(&self) -> &Limits {
        self.client.limits()
    }

    fn pinned(&self) -> Option<Digest> {
        self.reference.digest().copied()
    }

    async fn root(&self) -> Result<Document, Error> {
        self.client.fetch_document(&self.reference).await
    }

    async fn root_descriptor(&self) -> Result<Descriptor, Error> {
        self.client.fetch_root(&self.reference).await
    }

    async fn document(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        self.client.fetch_child(&self.reference, descriptor).await
    }

    async fn small_blob(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        self.client.fetch_small_blob(&self.reference, descriptor).await
    }

    /// A whole blob is read to where the registry ends it, so that its reader can say how it differs from its
    /// descriptor. Any other range has exactly the requested length.
    async fn open_blob(&self, descriptor: &Descriptor, range: Range<u64>) -> Result<BlobRange<C, T>, Error> {
        if range == (0..descriptor.size) {
            ClientBlob::whole(self.client.clone(), &self.reference, descriptor).await
        } else {
            ClientBlob::part(self.client.clone(), &self.reference, descriptor, range).await
        }
    }

    async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, Error> {
        self.client.fetch_referrers(&self.reference, subject).await
    }

    async fn tagged(&self, tag: &str) -> Result<Option<Document>, Error> {
        let name = format!("{}/{}:{tag}", self.reference.registry(), self.reference.repository());
        let Ok(named) = name.parse() else { return Ok(None) };
        match self.client.fetch_document(&named).await {
            Ok(document) => Ok(Some(document)),
            // Some registries forbid what they do not have.
            Err(Error::NotFound { .. } | Error::Unauthorized { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
