//! The images of a store, as its `index.json` lists them.

use crate::{
    Error,
    disk::{Directory, DiskFile, block_on},
};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    layout::{self, ChoiceError, INDEX_FILE, LAYOUT_FILE, NamedImage},
    limits::Limits,
    manifest::{Document, Raw},
};
use porthole_source::{BlobFiles, FileImage, Files, OpenError, SourceKind, has_tag, read_up_to};
use std::{io::ErrorKind, path::Path, sync::Arc};

/// The images of a store at one moment. Blobs are found by digest.
#[derive(Debug)]
pub struct Layout {
    directory: Directory,
    images: Vec<NamedImage>,
    limits: Limits,
}

impl Layout {
    pub(crate) fn open(path: &Path, limits: Limits) -> Result<Self, Error> {
        let directory = Directory::open(path).map_err(Error::io(path))?;
        let read = |name: &str| match block_on(directory.open(name)) {
            // Read one byte more than the limit, so that the parser refuses a document that is too large.
            Ok(file) => {
                let limit = limits.manifest_bytes.saturating_add(1);
                block_on(read_up_to(&file, limit)).map_err(Error::io(path.join(name)))
            }
            Err(OpenError::NotFound) => {
                Err(Error::NotAStore { path: path.to_owned(), got: "a directory of something else" })
            }
            Err(OpenError::NotAFile) => Err(Error::io(path.join(name))(ErrorKind::InvalidInput.into())),
            Err(OpenError::Io(error)) => Err(Error::io(path.join(name))(error)),
        };
        let images = layout::read_images(&read(LAYOUT_FILE)?, read(INDEX_FILE)?, &limits)
            .map_err(|source| Error::Layout { path: path.to_owned(), source })?;
        Ok(Self { directory, images, limits })
    }

    /// The images, with every name that each has.
    pub fn images(&self) -> &[NamedImage] {
        &self.images
    }

    /// The name and root descriptor of each image, in the order of the index. `None` = an image without a name.
    pub fn names(&self) -> Vec<(Option<String>, Descriptor)> {
        // If an image has a second name, it is the first one with registry and repository.
        self.images.iter().map(|image| (image.names.first().cloned(), image.root.clone())).collect()
    }

    /// The root descriptor of a name; see [`layout::find_image`].
    ///
    /// # Errors
    ///
    /// [`ChoiceError`] with the names to choose from.
    pub fn find(&self, name: Option<&str>) -> Result<Descriptor, ChoiceError> {
        Ok(layout::find_image(&self.images, name)?.root.clone())
    }

    /// Returns an image as a source. `root` is its descriptor, as [`find`](Self::find) returns it.
    pub fn image(self: &Arc<Self>, root: Descriptor) -> StoredImage {
        StoredImage::new(Arc::clone(self), root)
    }

    /// Reads and verifies a document as [`BlobFiles::read_document`] does, but blocks.
    ///
    /// # Errors
    ///
    /// Those of [`BlobFiles::read_document`].
    pub fn read_document(&self, descriptor: &Descriptor) -> Result<Document, porthole_source::Error> {
        block_on(BlobFiles::read_document(self, descriptor))
    }

    /// Reads a small blob, such as a configuration, and verifies it against its descriptor. Blocks.
    ///
    /// # Errors
    ///
    /// Those of [`BlobFiles::read_verified`].
    pub fn read_small(&self, descriptor: &Descriptor) -> Result<Raw, porthole_source::Error> {
        block_on(self.read_verified("blob", descriptor))
    }
}

/// One image of a store. Its futures are ready at once: they block the thread.
pub type StoredImage = FileImage<Layout>;

impl BlobFiles for Layout {
    type File = DiskFile;
    type Error = porthole_source::Error;

    fn kind(&self) -> SourceKind {
        SourceKind::Store
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn roots(&self) -> Vec<Descriptor> {
        self.images.iter().map(|image| image.root.clone()).collect()
    }

    fn tagged(&self, tag: &str) -> Option<Descriptor> {
        let has_it = |image: &&NamedImage| image.names.iter().any(|name| has_tag(name, tag));
        self.images.iter().find(has_it).map(|image| image.root.clone())
    }

    async fn open_file(&self, digest: &Digest) -> Result<DiskFile, porthole_source::Error> {
        let opened = self.directory.open(&layout::blob_path(digest)).await;
        opened.map_err(porthole_source::Error::opening(digest))
    }
}
