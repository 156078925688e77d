//! OCI image layouts that are directories.

use crate::Error;
use porthole_core::{
    digest::Digest,
    layout::{self, INDEX_FILE, LAYOUT_FILE, NamedImage},
    limits::Limits,
};
use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
};

/// A layout that is a directory.
pub(crate) struct Directory {
    path: PathBuf,
}

impl Directory {
    pub(crate) fn open(path: &Path, limits: &Limits) -> Result<(Self, Vec<NamedImage>), Error> {
        let path = path.canonicalize().map_err(Error::io(path))?;
        let not_an_image = |error: Error| match error {
            Error::Io { source, .. } if source.kind() == ErrorKind::NotFound => {
                Error::NotAnImage { path: path.clone(), got: "a directory without oci-layout and index.json" }
            }
            error => error,
        };
        let oci_layout = read_document(&path.join(LAYOUT_FILE), limits).map_err(not_an_image)?;
        let index_json = read_document(&path.join(INDEX_FILE), limits).map_err(not_an_image)?;
        let images = layout::read_images(&oci_layout, index_json, limits)
            .map_err(|source| Error::Layout { path: path.clone(), source })?;
        Ok((Self { path }, images))
    }

    /// A blob and its size. Links are followed as long as they stay inside the layout.
    pub(crate) fn open_blob(&self, digest: &Digest) -> Result<(File, u64, PathBuf), Error> {
        let named = self.path.join(layout::blob_path(digest));
        let path = match named.canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(Error::BlobNotFound { digest: *digest }),
            Err(error) => return Err(Error::io(named)(error)),
        };
        // Asked before opening: a FIFO would wait for a writer.
        let is_file = fs::metadata(&path).map_err(Error::io(&path))?.is_file();
        if !is_file || !path.starts_with(&self.path) {
            return Err(Error::NotAFile { digest: *digest });
        }
        let file = File::open(&path).map_err(Error::io(&path))?;
        let size = file.metadata().map_err(Error::io(&path))?.len();
        Ok((file, size, path))
    }
}

/// A small file; longer than a document may be, it is cut so that its parser refuses it.
fn read_document(path: &Path, limits: &Limits) -> Result<Vec<u8>, Error> {
    if !fs::metadata(path).map_err(Error::io(path))?.is_file() {
        return Err(Error::NotAnImage { path: path.to_owned(), got: "something that is not a file" });
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::io(path))?;
    file.take(limits.manifest_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(Error::io(path))?;
    Ok(bytes)
}
