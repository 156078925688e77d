//! From a reference to an image.

use super::Registry;
use crate::{
    error::{Error, Subject},
    plan::descent::{Descent, Nesting},
    transport::{Environment, Transport},
};
use porthole_core::{
    descriptor::Descriptor,
    image::Image,
    manifest::{Document, Raw},
    platform::Platform,
    reference::Reference,
};

impl<T: Transport + Environment> Registry<T> {
    /// Follows a reference to an image: document, platform in an index (indexes in it too), manifest, config. `observe` is told of each
    /// step when it is done.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Platform`] names the platforms that there are.
    pub async fn fetch_image(
        &self,
        reference: &Reference,
        platform: &Platform,
        observe: &mut (impl FnMut(Step) + ?Sized),
    ) -> Result<Resolved, Error> {
        let mut document = self.fetch_document(reference).await?;
        observe(Step::Document(document.clone()));
        let mut index = None;
        let mut chosen = None;
        let mut descent = Descent::new(*document.raw().digest(), &self.options.limits);
        let manifest = loop {
            let parsed = match document {
                Document::Manifest(manifest) => break manifest,
                Document::Index(index) => index,
            };
            let entry = descent.choose(&parsed.value, platform)?.clone();
            observe(Step::Chosen(entry.clone()));
            descent.enter(&entry.digest).map_err(|Nesting { limit }| Error::Nesting {
                what: Subject::new("index", reference.to_string()),
                limit,
            })?;
            document = self.fetch_child(reference, &entry).await?;
            index.get_or_insert(Document::Index(parsed));
            chosen = Some(entry);
        };
        observe(Step::Manifest(Document::Manifest(manifest.clone())));
        let config = self.fetch_small_blob(reference, &manifest.value.config).await?;
        observe(Step::Config(config.clone()));
        Ok(Resolved { index, chosen, image: Image::assemble_within(manifest, config, &self.options.limits)? })
    }
}

/// What a reference turned out to be.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The index that the reference names, if it names one.
    pub index: Option<Document>,
    /// The entry that led to the manifest.
    pub chosen: Option<Descriptor>,
    /// The image.
    pub image: Image,
}

/// A step of the way from a reference to an image, done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// The reference was answered with this document.
    Document(Document),
    /// An index was answered with this entry for the platform.
    Chosen(Descriptor),
    /// The manifest, verified.
    Manifest(Document),
    /// The config, verified.
    Config(Raw),
}
