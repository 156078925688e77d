use crate::{BlobStream, Error, ImageSource, ReadAt, SourceKind, Unsupported};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    limits::Limits,
    manifest::{Document, Raw},
};
use std::{
    future::Future,
    io::{ErrorKind, Result as IoResult},
    marker::PhantomData,
    ops::Range,
    sync::Arc,
};

/// A place with images whose blobs are files, found by their digests: a layout, an archive, a store. [`FileImage`] is one of
/// its images as an [`ImageSource`].
pub trait BlobFiles {
    /// An opened blob.
    type File: ReadAt;
    /// Why an image of this place is not read.
    type Error: std::error::Error + From<Unsupported> + From<Error> + 'static;

    /// What kind of place this is.
    fn kind(&self) -> SourceKind;

    /// The limits that apply to every document.
    fn limits(&self) -> &Limits;

    /// Root descriptors of the images, in the order in which the place lists them.
    fn roots(&self) -> Vec<Descriptor>;

    /// Root descriptor of the first image with a tag, as [`has_tag`] compares it. `None` if no image has it.
    fn tagged(&self, tag: &str) -> Option<Descriptor> {
        let _ = tag;
        None
    }

    /// Opens a blob. Its bytes are not verified.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] if no blob has this digest.
    fn open_file(&self, digest: &Digest) -> impl Future<Output = Result<Self::File, Error>>;

    /// Opens a blob. If the place lacks it, takes the bytes that the descriptor has in `data`.
    ///
    /// # Errors
    ///
    /// Those of [`open_file`](Self::open_file).
    fn open_bytes(&self, descriptor: &Descriptor) -> impl Future<Output = Result<BlobBytes<Self::File>, Error>> {
        async {
            match (self.open_file(&descriptor.digest).await, &descriptor.data) {
                (Err(Error::NotFound { .. }), Some(data)) => Ok(BlobBytes::Memory(data.as_slice().into())),
                (opened, _) => opened.map(BlobBytes::File),
            }
        }
    }

    /// Reads a whole blob of at most [`Limits::manifest_bytes`], and verifies it against its descriptor. `what` is its name in errors.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is missing or too large, or does not match its descriptor.
    fn read_verified(&self, what: &'static str, descriptor: &Descriptor) -> impl Future<Output = Result<Raw, Error>> {
        async move {
            let Descriptor { digest, size, .. } = *descriptor;
            let limit = self.limits().manifest_bytes;
            if size > limit {
                return Err(Error::TooLarge { digest, limit, got: size });
            }
            let blob = self.open_bytes(descriptor).await?;
            // One byte more, so that a blob that is too long is noticed.
            let bytes = read_up_to(&blob, size + 1).await.map_err(Error::read(digest.to_string()))?;
            Raw::verify(bytes, &digest, Some(size)).map_err(|mismatch| Error::Mismatch { what, mismatch })
        }
    }

    /// Reads an index or a manifest, and verifies it against its descriptor.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is missing or too large, does not match its descriptor, or is not such a document.
    fn read_document(&self, descriptor: &Descriptor) -> impl Future<Output = Result<Document, Error>> {
        async {
            let raw = self.read_verified("manifest", descriptor).await?;
            Document::parse_with_limits(raw, Some(descriptor.media_type.as_str()), self.limits())
                .map_err(|source| Error::Document { digest: descriptor.digest, source })
        }
    }
}

/// Whether the name of an image equals a tag, or ends with `:` and the tag.
pub fn has_tag(name: &str, tag: &str) -> bool {
    name == tag || name.strip_suffix(tag).is_some_and(|rest| rest.ends_with(':'))
}

/// Reads the first `limit` bytes of a file, or all if it has fewer.
///
/// # Errors
///
/// Those of [`ReadAt::read_exact_at`].
pub async fn read_up_to(file: &impl ReadAt, limit: u64) -> IoResult<Vec<u8>> {
    let length = usize::try_from(file.size().min(limit)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    file.read_exact_at(0, &mut bytes).await?;
    Ok(bytes)
}

/// One image of [`BlobFiles`].
#[derive(Debug)]
pub struct FileImage<B> {
    files: Arc<B>,
    root: Descriptor,
}

impl<B> FileImage<B> {
    /// The image with this root descriptor.
    pub fn new(files: Arc<B>, root: Descriptor) -> Self {
        Self { files, root }
    }

    /// The place that has the image.
    pub fn files(&self) -> &Arc<B> {
        &self.files
    }

    /// Descriptor of its index or manifest.
    pub fn root_entry(&self) -> &Descriptor {
        &self.root
    }
}

impl<B> Clone for FileImage<B> {
    fn clone(&self) -> Self {
        Self { files: Arc::clone(&self.files), root: self.root.clone() }
    }
}

impl<B: BlobFiles> ImageSource for FileImage<B> {
    type Error = B::Error;
    type Blob = FileStream<BlobBytes<B::File>, B::Error>;

    fn kind(&self) -> SourceKind {
        self.files.kind()
    }

    fn limits(&self) -> &Limits {
        self.files.limits()
    }

    fn pinned(&self) -> Option<Digest> {
        Some(self.root.digest)
    }

    async fn root(&self) -> Result<Document, B::Error> {
        self.document(&self.root).await
    }

    async fn document(&self, descriptor: &Descriptor) -> Result<Document, B::Error> {
        Ok(self.files.read_document(descriptor).await?)
    }

    async fn small_blob(&self, descriptor: &Descriptor) -> Result<Raw, B::Error> {
        Ok(self.files.read_verified("blob", descriptor).await?)
    }

    async fn open_blob(&self, descriptor: &Descriptor, range: Range<u64>) -> Result<Self::Blob, B::Error> {
        let file = self.files.open_bytes(descriptor).await?;
        // A reader of the whole blob must notice that the file is longer.
        let whole = range.start == 0 && range.end == descriptor.size;
        let end = if whole { range.end.saturating_add(1) } else { range.end };
        Ok(FileStream::new(file, descriptor.digest.to_string(), range.start..end)?)
    }

    /// Returns all roots of the place: any of them may refer to the subject.
    async fn referrers(&self, _subject: &Digest) -> Result<Vec<Descriptor>, B::Error> {
        Ok(self.files.roots())
    }

    async fn tagged(&self, tag: &str) -> Result<Option<Document>, B::Error> {
        match self.files.tagged(tag) {
            Some(root) => Ok(Some(self.document(&root).await?)),
            None => Ok(None),
        }
    }
}

/// A blob: in a file, or in memory.
pub enum BlobBytes<F> {
    /// In a file.
    File(F),
    /// Bytes that the descriptor has in `data`.
    Memory(Arc<[u8]>),
}

impl<F: ReadAt> ReadAt for BlobBytes<F> {
    fn size(&self) -> u64 {
        match self {
            Self::File(file) => file.size(),
            Self::Memory(bytes) => bytes.size(),
        }
    }

    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> IoResult<usize> {
        match self {
            Self::File(file) => file.read_at(offset, buffer).await,
            Self::Memory(bytes) => bytes.read_at(offset, buffer).await,
        }
    }
}

/// A range of a file, read in order. `E` is the error type of its source.
pub struct FileStream<F, E = Error> {
    file: F,
    name: String,
    position: u64,
    end: u64,
    error: PhantomData<fn() -> E>,
}

impl<F: ReadAt, E> FileStream<F, E> {
    /// Starts a stream of a range of a file. `name` is the file's name in errors.
    ///
    /// # Errors
    ///
    /// [`Error::Offset`] if the range starts after the end of the file.
    pub fn new(file: F, name: String, range: Range<u64>) -> Result<Self, Error> {
        let (size, offset) = (file.size(), range.start);
        if offset > size {
            return Err(Error::Offset { size, offset });
        }
        Ok(Self { file, name, position: offset, end: range.end, error: PhantomData })
    }
}

impl<F: ReadAt, E: From<Error>> BlobStream for FileStream<F, E> {
    type Error = E;

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, E> {
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
                Err(error) => return Err(Error::read(self.name.clone())(error).into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use porthole_core::media_type::MediaType;
    use std::{
        collections::HashMap,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    struct Memory(HashMap<Digest, Vec<u8>>, Limits);

    impl BlobFiles for Memory {
        type File = Vec<u8>;
        type Error = Error;

        fn kind(&self) -> SourceKind {
            SourceKind::Store
        }

        fn limits(&self) -> &Limits {
            &self.1
        }

        fn roots(&self) -> Vec<Descriptor> {
            Vec::new()
        }

        async fn open_file(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
            self.0.get(digest).cloned().ok_or(Error::NotFound { what: "blob", digest: *digest })
        }
    }

    fn now<F: Future>(future: F) -> F::Output {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("memory does not wait"),
        }
    }

    fn image(blobs: &[(&[u8], &[u8])]) -> FileImage<Memory> {
        let blobs = blobs.iter().map(|(named, bytes)| (Digest::sha256(named), bytes.to_vec())).collect();
        let root = Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(b"root"), 4);
        FileImage::new(Arc::new(Memory(blobs, Limits::default())), root)
    }

    fn blob(bytes: &[u8]) -> Descriptor {
        Descriptor::new(MediaType::OCI_LAYER, Digest::sha256(bytes), bytes.len() as u64)
    }

    fn stream(image: &FileImage<Memory>, descriptor: &Descriptor, range: Range<u64>) -> Result<Vec<u8>, Error> {
        let (mut blob, mut bytes, mut buffer) = (now(image.open_blob(descriptor, range))?, Vec::new(), [0; 2]);
        loop {
            match now(blob.read(&mut buffer))? {
                0 => return Ok(bytes),
                read => bytes.extend_from_slice(&buffer[..read]),
            }
        }
    }

    #[test]
    fn a_descriptor_that_has_the_bytes_replaces_a_missing_blob() {
        let image = image(&[]);
        let mut descriptor = blob(b"embedded");
        assert!(matches!(now(image.small_blob(&descriptor)), Err(Error::NotFound { .. })));
        descriptor.data = Some(b"embedded".to_vec());
        assert_eq!(now(image.small_blob(&descriptor)).unwrap().bytes(), b"embedded");
        assert_eq!(stream(&image, &descriptor, 2..5).unwrap(), b"bed");
        descriptor.data = Some(b"EMBEDDED".to_vec());
        assert!(matches!(now(image.small_blob(&descriptor)), Err(Error::Mismatch { .. })));
    }

    #[test]
    fn a_file_longer_than_its_blob_is_noticed() {
        let image = image(&[(b"blob", b"blob and more")]);
        let descriptor = blob(b"blob");
        assert!(matches!(now(image.small_blob(&descriptor)), Err(Error::Mismatch { .. })));
        assert_eq!(stream(&image, &descriptor, 0..4).unwrap(), b"blob ", "one byte more");
        assert_eq!(stream(&image, &descriptor, 1..4).unwrap(), b"lob");
        assert!(matches!(stream(&image, &descriptor, 14..15), Err(Error::Offset { size: 13, offset: 14 })));
    }

    #[test]
    fn a_document_over_the_limit_is_not_read() {
        let (image, mut descriptor) = (image(&[]), blob(b""));
        descriptor.size = Limits::default().manifest_bytes + 1;
        let error = now(image.document(&descriptor)).unwrap_err();
        assert!(error.to_string().contains("manifest_bytes"), "{error}");
    }
}
