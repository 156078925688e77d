//! Finds complete images by digest, with or without a name.

use crate::{Error, Layout, Store, disk::block_on};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    limits::MANIFEST_BYTES,
    manifest::{Document, Manifest, Raw},
};
use porthole_source::{BlobFiles, ReadAt, read_up_to};

impl Store {
    /// Returns the root descriptor of the image with this digest, if it is complete: all blobs of the manifest are present,
    /// or, for an index, all blobs of at least one of its images.
    ///
    /// # Errors
    ///
    /// [`Error`] from the file system.
    pub fn held(&self, digest: &Digest) -> Result<Option<Descriptor>, Error> {
        let local = self.local()?;
        let Some((root, document)) = read(&local, digest)? else { return Ok(None) };
        let whole = match document {
            Document::Manifest(manifest) => self.has_all(&manifest.value),
            Document::Index(index) => index.value.manifests.iter().any(|image| match local.read_document(image) {
                Ok(Document::Manifest(manifest)) => self.has_all(&manifest.value),
                _ => false,
            }),
        };
        Ok(whole.then_some(root))
    }

    fn has_all(&self, manifest: &Manifest) -> bool {
        let layers = manifest.layers.iter().filter(|layer| !layer.media_type.is_nondistributable());
        layers.chain([&manifest.config]).all(|blob| self.contains(&blob.digest, blob.size))
    }
}

/// The descriptor of an existing index or manifest. `None` for any other blob.
pub(crate) fn root(local: &Layout, digest: &Digest) -> Result<Option<Descriptor>, Error> {
    Ok(read(local, digest)?.map(|(root, _)| root))
}

fn read(local: &Layout, digest: &Digest) -> Result<Option<(Descriptor, Document)>, Error> {
    let file = match block_on(local.open_file(digest)) {
        Err(porthole_source::Error::NotFound { .. } | porthole_source::Error::NotAFile { .. }) => return Ok(None),
        opened => opened?,
    };
    let size = file.size();
    if size > MANIFEST_BYTES {
        return Ok(None);
    }
    let bytes = block_on(read_up_to(&file, MANIFEST_BYTES)).map_err(Error::io(digest.to_string()))?;
    let document = Raw::verify(bytes, digest, Some(size)).ok().and_then(|raw| Document::parse(raw, None).ok());
    Ok(document.map(|document| (Descriptor::new(document.media_type().clone(), *digest, size), document)))
}
