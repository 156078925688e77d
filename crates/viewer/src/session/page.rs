//! Images that are not in a registry: the one that is part of a front end, and those in files that a person gave to it.

use crate::given::{GivenFile, GivenPlace};
use porthole_core::{descriptor::Descriptor, limits::Limits, reference::Reference};
use porthole_inspect::{
    blob::read_range,
    local::{BlobFile, Error, Images, LocalImage},
};
use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

/// An image in files of the front end.
pub(crate) type PageImage = LocalImage<BTreeMap<String, GivenFile>, GivenFile>;
/// All images of such files.
pub(super) type PageImages = Images<BTreeMap<String, GivenFile>, GivenFile>;

/// Opens the images in a place. `name` stands for it in errors.
pub(super) async fn open(place: GivenPlace, name: &str, limits: Limits) -> Result<Arc<PageImages>, Error> {
    Ok(share(Images::open(place, name, None, limits).await?))
}

#[expect(clippy::arc_with_non_send_sync, reason = "the source is shared on one thread, and natively between threads")]
pub(super) fn share(images: PageImages) -> Arc<PageImages> {
    Arc::new(images)
}

/// Finds the image of a reference: by its digest, else by its name; where a file has no names for its images, the only one.
pub(super) fn find(images: &Arc<PageImages>, reference: &Reference, named: bool) -> Result<PageImage, Error> {
    let digest = reference.digest().map(ToString::to_string);
    let name = digest.or_else(|| named.then(|| reference.to_string()));
    Ok(images.image(images.find(name.as_deref())?))
}

/// Where a layer worker reads a whole blob, or its bytes. They are not verified.
pub(super) async fn blob(image: &PageImage, descriptor: &Descriptor) -> Result<BlobPlace, Error> {
    let address = match image.files().open_blob(&descriptor.digest).await? {
        BlobFile::Archive(window) if window.range().end - window.range().start == descriptor.size => {
            window.file().address(window.range())
        }
        BlobFile::Directory(file) => file.address(0..descriptor.size),
        _ => None,
    };
    match address {
        Some(address) => Ok(BlobPlace::At(address)),
        None => Ok(BlobPlace::Held(read(image, descriptor).await?)),
    }
}

async fn read(image: &PageImage, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let take = |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        ControlFlow::Continue(())
    };
    read_range(image, Some(descriptor), 0..descriptor.size, take).await?;
    Ok(bytes)
}

/// An image that is part of the front end, or in a file that a person gave to it.
pub(crate) struct OfPage {
    pub(crate) image: PageImage,
    /// Its layers, bottom first.
    pub(crate) blobs: Vec<BlobPlace>,
}

/// The blob of a layer that is in a file of the front end.
pub(crate) enum BlobPlace {
    /// Its bytes, which are sent with the order.
    Held(Vec<u8>),
    /// The URL at which a layer worker reads it.
    At(String),
}

impl BlobPlace {
    /// A copy of its bytes, if it is held.
    pub(crate) fn held(&self) -> Option<Vec<u8>> {
        match self {
            Self::Held(bytes) => Some(bytes.clone()),
            Self::At(_) => None,
        }
    }
}

/// The name in errors of the image that is part of a front end.
pub(super) const SAMPLE_NAME: &str = "the image of the page";
