//! Sources of container images.
//!
//! [`ImageSource`] is one image in one place: a registry, an OCI layout, an archive, the local store, a single layer. Code
//! that reads an image is generic over it, and so is written once. [`ReadAt`] is a file of known size that is read at any
//! offset: a file on disk, or `Blob.slice` in a browser. [`Files`] finds files by their paths. [`BlobFiles`] finds the blobs
//! of images by their digests, and a [`FileImage`] is one of those images.
//!
//! Futures carry no `Send` bound: they are `Send` when those of the implementation are.
//!
//! The loop that reads a blob. The source here is held in memory:
//!
//! ```
//! # use porthole_core::{descriptor::Descriptor, digest::Digest, media_type::MediaType};
//! # use porthole_core::{limits::Limits, manifest::{Document, Raw}};
//! # use porthole_source::{BlobStream, Capability, ImageSource, SourceKind, Unsupported};
//! # use std::{future::Future, ops::Range, pin::pin, task::{Context, Poll, Waker}};
//! # #[derive(Debug, thiserror::Error)]
//! # #[error(transparent)]
//! # struct Error(#[from] Unsupported);
//! # struct Memory(Vec<u8>, Limits);
//! # struct Bytes(Vec<u8>);
//! # impl BlobStream for Bytes {
//! #     type Error = Error;
//! #     async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
//! #         let length = buffer.len().min(self.0.len());
//! #         buffer[..length].copy_from_slice(&self.0[..length]);
//! #         self.0.drain(..length);
//! #         Ok(length)
//! #     }
//! # }
//! # impl ImageSource for Memory {
//! #     type Error = Error;
//! #     type Blob = Bytes;
//! #     fn kind(&self) -> SourceKind { SourceKind::Layer }
//! #     fn limits(&self) -> &Limits { &self.1 }
//! #     async fn root(&self) -> Result<Document, Error> {
//! #         Err(self.kind().cannot(Capability::Documents).into())
//! #     }
//! #     async fn document(&self, _: &Descriptor) -> Result<Document, Error> { self.root().await }
//! #     async fn small_blob(&self, _: &Descriptor) -> Result<Raw, Error> {
//! #         Err(self.kind().cannot(Capability::Documents).into())
//! #     }
//! #     async fn open_blob(&self, _: &Descriptor, range: Range<u64>) -> Result<Bytes, Error> {
//! #         Ok(Bytes(self.0[range.start as usize..range.end as usize].to_vec()))
//! #     }
//! # }
//! async fn copy<S: ImageSource>(source: &S, layer: &Descriptor) -> Result<Vec<u8>, S::Error> {
//!     let mut blob = source.open_blob(layer, 0..layer.size).await?;
//!     let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
//!     loop {
//!         match blob.read(&mut buffer).await? {
//!             0 => return Ok(bytes),
//!             read => bytes.extend_from_slice(&buffer[..read]),
//!         }
//!     }
//! }
//! # let source = Memory(b"a layer".to_vec(), Limits::default());
//! # let layer = Descriptor::new(MediaType::OCI_LAYER, Digest::sha256(b"a layer"), 7);
//! # let Poll::Ready(bytes) = pin!(copy(&source, &layer)).poll(&mut Context::from_waker(Waker::noop())) else {
//! #     panic!("nothing to wait for")
//! # };
//! assert_eq!(bytes?, b"a layer");
//! # Ok::<(), Error>(())
//! ```

mod blobs;
mod error;
mod files;
mod image;
mod read_at;

pub use self::{
    blobs::{BlobBytes, BlobFiles, FileImage, FileStream, has_tag, read_up_to},
    error::{Capability, Error, SourceKind, Unsupported},
    files::{Files, OpenError, Place},
    image::{BlobStream, ImageSource},
    read_at::ReadAt,
};
