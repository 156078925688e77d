//! The image that is part of a front end: an OCI archive in memory.

use porthole_core::{descriptor::Descriptor, limits::Limits, reference::Reference};
use porthole_inspect::local::{Error, Images, LocalFormat, LocalImage};
use porthole_source::{BlobStream, ImageSource, Place};
use std::{collections::BTreeMap, sync::Arc};

/// An image of the archive. The first parameter stands for directories, of which there are none.
pub(crate) type PageImage = LocalImage<BTreeMap<String, Arc<[u8]>>, Arc<[u8]>>;

/// Finds the image of a reference: by its digest, else by its name.
pub(super) async fn open(archive: &Arc<[u8]>, reference: &Reference, limits: Limits) -> Result<PageImage, Error> {
    let place = Place::File(Arc::clone(archive));
    let images = Arc::new(Images::open(place, NAME, Some(LocalFormat::OciArchive), limits).await?);
    let name = reference.digest().map_or_else(|| reference.to_string(), ToString::to_string);
    let root = images.find(Some(&name))?;
    Ok(images.image(root))
}

/// A whole blob, not verified.
pub(super) async fn read(image: &PageImage, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
    let mut blob = image.open_blob(descriptor, 0..descriptor.size).await?;
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; BUFFER]);
    loop {
        match blob.read(&mut buffer).await? {
            0 => return Ok(bytes),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}

/// What stands for the archive in errors.
const NAME: &str = "the image of the page";
const BUFFER: usize = 64 << 10;
