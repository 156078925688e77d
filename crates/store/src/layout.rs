//! The images of a store, as its `index.json` lists them.

use crate::{Error, disk::Directory};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    layout::{self, INDEX_FILE, LAYOUT_FILE, NamedImage},
    limits::Limits,
    manifest::{Document, Raw},
};
use porthole_source::OpenError;
use std::{
    fs::File,
    io::{ErrorKind, Read},
    path::Path,
};

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
        let read = |name: &str| match directory.open_file(name) {
            // One byte more than a document may have, so that its parser refuses it.
            Ok(file) => read_up_to(file, limits.manifest_bytes.saturating_add(1)).map_err(Error::io(path.join(name))),
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

    /// Names with the root descriptors that they stand for, in the order of the index. `None` = an image without a name.
    pub fn names(&self) -> Vec<(Option<String>, Descriptor)> {
        // The second name of an image is the first one in full.
        self.images.iter().map(|image| (image.names.first().cloned(), image.root.clone())).collect()
    }

    /// The root descriptor of a name; see [`layout::find_image`].
    ///
    /// # Errors
    ///
    /// [`Error::Choice`] with the names to choose from.
    pub fn find(&self, name: Option<&str>) -> Result<Descriptor, Error> {
        Ok(layout::find_image(&self.images, name)?.root.clone())
    }

    /// A whole index or manifest, verified against its descriptor.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is missing, other bytes, or not such a document.
    pub fn read_document(&self, descriptor: &Descriptor) -> Result<Document, Error> {
        let raw = self.read_small(descriptor)?;
        Document::parse_within(raw, Some(descriptor.media_type.as_str()), &self.limits)
            .map_err(|source| Error::Document { digest: descriptor.digest, source })
    }

    /// A whole small blob, such as a configuration, verified against its descriptor.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is missing, other bytes, or larger than [`Limits::manifest_bytes`].
    pub fn read_small(&self, descriptor: &Descriptor) -> Result<Raw, Error> {
        let Descriptor { digest, size, .. } = *descriptor;
        let limit = self.limits.manifest_bytes;
        if size > limit {
            return Err(Error::TooLarge { digest, limit, got: size });
        }
        let bytes = match (self.open_blob(&digest), &descriptor.data) {
            (Ok(file), _) => read_up_to(file, size + 1).map_err(Error::io(digest.to_string()))?,
            (Err(Error::BlobNotFound { .. }), Some(data)) => data.clone(),
            (Err(error), _) => return Err(error),
        };
        Ok(Raw::verify(bytes, &digest, Some(size))?)
    }

    /// Opens a blob. What is read of it has not been verified again.
    ///
    /// # Errors
    ///
    /// [`Error`] if it is missing, or not a file of the store.
    pub fn open_blob(&self, digest: &Digest) -> Result<File, Error> {
        self.directory.open_file(&layout::blob_path(digest)).map_err(|error| match error {
            OpenError::NotFound => Error::BlobNotFound { digest: *digest },
            OpenError::NotAFile => Error::NotAFile { digest: *digest },
            OpenError::Io(error) => Error::io(digest.to_string())(error),
        })
    }
}

fn read_up_to(file: File, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}
