use crate::{Capability, SourceKind, Unsupported};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    limits::Limits,
    manifest::{Document, Raw},
};
use std::{future::Future, ops::Range};

/// One image in one place.
///
/// Documents and small blobs are verified before they are returned. A blob that is opened as a stream is not: its reader
/// verifies it.
///
/// A capability that the kind of source lacks (a bare layer has no manifest) fails with [`Unsupported`]. Methods with a
/// default body are those that most kinds lack.
pub trait ImageSource {
    /// Why the image cannot be read.
    type Error: std::error::Error + From<Unsupported> + 'static;
    /// An opened blob. It owns what it needs, so that it can outlive the source.
    type Blob: BlobStream<Error = Self::Error>;

    /// What kind of place this is.
    fn kind(&self) -> SourceKind;

    /// The limits that the source was opened with. Everything that reads the image applies the same ones.
    fn limits(&self) -> &Limits;

    /// The digest by which the image is named. The bytes of [`root`](Self::root) were verified against it. `None`: a tag
    /// names the image, and its digest is computed from the bytes.
    fn pinned(&self) -> Option<Digest> {
        None
    }

    /// The document that the image's name stands for: an index or a manifest.
    fn root(&self) -> impl Future<Output = Result<Document, Self::Error>>;

    /// Descriptor of the root document. A registry answers this without sending the document.
    fn root_descriptor(&self) -> impl Future<Output = Result<Descriptor, Self::Error>> {
        async {
            let document = self.root().await?;
            let raw = document.raw();
            Ok(Descriptor::new(document.media_type().clone(), *raw.digest(), raw.size()))
        }
    }

    /// An index or a manifest, verified against its descriptor.
    fn document(&self, descriptor: &Descriptor) -> impl Future<Output = Result<Document, Self::Error>>;

    /// A whole blob of at most [`Limits::manifest_bytes`], such as a configuration, verified against its descriptor.
    fn small_blob(&self, descriptor: &Descriptor) -> impl Future<Output = Result<Raw, Self::Error>>;

    /// Opens a range of a blob. The stream ends with the range, or earlier if the blob does. It is not verified.
    fn open_blob(
        &self,
        descriptor: &Descriptor,
        range: Range<u64>,
    ) -> impl Future<Output = Result<Self::Blob, Self::Error>>;

    /// Documents that may refer to `subject`. The list is not verified: the `subject` of each document decides.
    fn referrers(&self, subject: &Digest) -> impl Future<Output = Result<Vec<Descriptor>, Self::Error>> {
        let _ = subject;
        async { Err(self.kind().cannot(Capability::Referrers).into()) }
    }

    /// The document that a tag of the same repository stands for; in a place of files, the document of the first image with
    /// that tag. `None` if there is no such tag, or if the source has no tags.
    fn tagged(&self, tag: &str) -> impl Future<Output = Result<Option<Document>, Self::Error>> {
        let _ = tag;
        async { Ok(None) }
    }

    /// Size of the blob of a layer that belongs to no image, and so has no descriptor.
    fn bare_size(&self) -> impl Future<Output = Result<u64, Self::Error>> {
        async { Err(self.kind().cannot(Capability::BareLayer).into()) }
    }

    /// Opens a range of the blob of a layer that belongs to no image.
    fn open_bare(&self, range: Range<u64>) -> impl Future<Output = Result<Self::Blob, Self::Error>> {
        let _ = range;
        async { Err(self.kind().cannot(Capability::BareLayer).into()) }
    }
}

/// The bytes of a blob, in order. Dropping it ends the transfer.
pub trait BlobStream {
    /// Why the stream broke.
    type Error;

    /// Reads up to `buffer.len()` bytes and returns how many; 0 is the end.
    fn read(&mut self, buffer: &mut [u8]) -> impl Future<Output = Result<usize, Self::Error>>;

    /// Bytes that were received in addition to the range, because a registry ignores ranges or the connection broke.
    fn overhead(&self) -> u64 {
        0
    }
}
