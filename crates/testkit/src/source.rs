//! An image in memory that implements the trait of a source.

use crate::image::Content;
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    limits::Limits,
    manifest::{Document, Raw},
};
use porthole_source::{BlobStream, Capability, Error, ImageSource, SourceKind};
use std::{ops::Range, sync::Mutex};

/// One named image of a [`Content`], or a layer without an image.
///
/// It records the ranges that were opened. [`pieces`](Self::pieces) limits the length of the pieces of a blob, and
/// [`cut`](Self::cut) makes a blob end early.
#[derive(Debug)]
pub struct MemoryImage {
    content: Content,
    root: Option<Descriptor>,
    bare: Option<Vec<u8>>,
    limits: Limits,
    piece: usize,
    cut: Option<(Digest, u64)>,
    opened: Mutex<Vec<(Option<Digest>, Range<u64>)>>,
}

impl MemoryImage {
    /// The image with this name.
    ///
    /// # Panics
    ///
    /// If no root of the content has the name.
    pub fn new(content: Content, name: &str) -> Self {
        let root = content.roots.iter().find(|root| root.name.as_deref() == Some(name)).expect("a root of this name");
        let document = Document::parse(Raw::trust_on_first_use(root.blob.bytes.clone()), Some(&root.blob.media_type));
        let document = document.expect("a root that is a document");
        let raw = document.raw();
        let root = Descriptor::new(document.media_type().clone(), *raw.digest(), raw.size());
        Self { root: Some(root), ..Self::empty(content) }
    }

    /// A layer without an image.
    pub fn bare(bytes: Vec<u8>) -> Self {
        Self { bare: Some(bytes), ..Self::empty(Content::default()) }
    }

    fn empty(content: Content) -> Self {
        Self {
            content,
            root: None,
            bare: None,
            limits: Limits::default(),
            piece: usize::MAX,
            cut: None,
            opened: Mutex::default(),
        }
    }

    /// Sets the limits that the source reports.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Delivers blobs in pieces of at most `most` bytes.
    #[must_use]
    pub fn pieces(self, most: usize) -> Self {
        Self { piece: most, ..self }
    }

    /// Makes a blob end after `bytes` bytes.
    #[must_use]
    pub fn cut(self, digest: &Digest, bytes: u64) -> Self {
        Self { cut: Some((*digest, bytes)), ..self }
    }

    /// The ranges of blobs that were opened so far, in order. The digest is `None` for the layer without an image.
    pub fn opened(&self) -> Vec<(Option<Digest>, Range<u64>)> {
        self.opened.lock().expect("no test panics with the lock").clone()
    }

    fn bytes(&self, what: &'static str, digest: &Digest) -> Result<&[u8], Error> {
        let digest_text = digest.to_string();
        let root = || self.content.roots.iter().map(|root| &root.blob).find(|blob| blob.digest == digest_text);
        let blob = self.content.blobs.get(&digest_text).or_else(root);
        blob.map(|blob| blob.bytes.as_slice()).ok_or(Error::NotFound { what, digest: *digest })
    }

    fn raw(&self, what: &'static str, descriptor: &Descriptor) -> Result<Raw, Error> {
        let (digest, limit) = (descriptor.digest, self.limits.manifest_bytes);
        if descriptor.size > limit {
            return Err(Error::TooLarge { digest, limit, got: descriptor.size });
        }
        let bytes = self.bytes(what, &digest)?.to_vec();
        Raw::verify(bytes, &digest, Some(descriptor.size)).map_err(|mismatch| Error::Mismatch { what, mismatch })
    }

    fn open(&self, digest: Option<Digest>, bytes: &[u8], range: Range<u64>) -> MemoryBlob {
        self.opened.lock().expect("no test panics with the lock").push((digest, range.clone()));
        let end = self.cut.filter(|(cut, _)| Some(*cut) == digest).map_or(u64::MAX, |(_, end)| end);
        let place = |offset: u64| usize::try_from(offset.min(end)).unwrap_or(usize::MAX).min(bytes.len());
        let (start, end) = (place(range.start), place(range.end));
        MemoryBlob { bytes: bytes.get(start..end).unwrap_or_default().to_vec(), position: 0, piece: self.piece }
    }
}

impl ImageSource for MemoryImage {
    type Error = Error;
    type Blob = MemoryBlob;

    fn kind(&self) -> SourceKind {
        if self.bare.is_some() { SourceKind::Layer } else { SourceKind::Layout }
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn pinned(&self) -> Option<Digest> {
        self.root.as_ref().map(|root| root.digest)
    }

    async fn root(&self) -> Result<Document, Error> {
        match &self.root {
            Some(root) => self.document(root).await,
            None => Err(self.kind().cannot(Capability::Documents).into()),
        }
    }

    async fn document(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        let raw = self.raw("manifest", descriptor)?;
        let document = Document::parse_with_limits(raw, Some(descriptor.media_type.as_str()), &self.limits);
        Ok(document.expect("tests of sources have well-formed documents"))
    }

    async fn small_blob(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        self.raw("config", descriptor)
    }

    async fn open_blob(&self, descriptor: &Descriptor, range: Range<u64>) -> Result<MemoryBlob, Error> {
        let bytes = self.bytes("blob", &descriptor.digest)?;
        Ok(self.open(Some(descriptor.digest), bytes, range))
    }

    async fn bare_size(&self) -> Result<u64, Error> {
        match &self.bare {
            Some(bytes) => Ok(bytes.len() as u64),
            None => Err(self.kind().cannot(Capability::BareLayer).into()),
        }
    }

    async fn open_bare(&self, range: Range<u64>) -> Result<MemoryBlob, Error> {
        match &self.bare {
            Some(bytes) => Ok(self.open(None, bytes, range)),
            None => Err(self.kind().cannot(Capability::BareLayer).into()),
        }
    }
}

/// A blob of a [`MemoryImage`].
#[derive(Debug)]
pub struct MemoryBlob {
    bytes: Vec<u8>,
    position: usize,
    piece: usize,
}

impl BlobStream for MemoryBlob {
    type Error = Error;

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        let left = &self.bytes[self.position..];
        let length = left.len().min(buffer.len()).min(self.piece);
        buffer[..length].copy_from_slice(&left[..length]);
        self.position += length;
        Ok(length)
    }
}
