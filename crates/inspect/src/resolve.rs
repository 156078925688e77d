//! From the name of an image to the image: document, platform, manifest, configuration.

use crate::artifact;
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    failure::{Blame, Classify, Failure, FailureClass},
    image::{self, Image},
    manifest::{Document, Index, Raw},
    media_type::Role,
    platform::{self, NoMatch, Platform},
};
use porthole_registry::plan::descent::{Descent, Nesting};
use porthole_source::ImageSource;

/// Which image of an index is wanted.
#[derive(Clone, Debug)]
pub struct PlatformChoice {
    /// The platform to choose in an index.
    pub platform: Platform,
    /// Whether a person named the platform. If so, an image whose configuration states another platform is refused,
    /// even where no index offered a choice.
    pub named: bool,
}

impl PlatformChoice {
    /// The platform that a person named.
    pub fn named(platform: Platform) -> Self {
        Self { platform, named: true }
    }

    /// The platform to choose where a person named none.
    pub fn fallback(platform: Platform) -> Self {
        Self { platform, named: false }
    }

    /// Compares the configuration of an image with a platform that was named.
    ///
    /// # Errors
    ///
    /// [`NoMatch`] if the image is for another platform.
    pub fn check(&self, image: &Image) -> Result<(), NoMatch> {
        match &image.config.platform {
            Some(offer) if self.named && !self.platform.runs(offer) => {
                Err(NoMatch { wanted: self.platform.clone(), available: vec![offer.clone()] })
            }
            _ => Ok(()),
        }
    }
}

/// An image, and how its name led to it.
#[derive(Clone, Debug)]
pub struct ResolvedImage {
    /// The index that the name stands for, if it stands for one.
    pub index: Option<Document>,
    /// The entry of an index that led to the manifest.
    pub chosen: Option<Descriptor>,
    /// Manifest, configuration and layers of the chosen image.
    pub image: Image,
}

/// A finished step from a name to an image. The steps together are the chain of proof: each document was verified
/// against the digest that the one before it states.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ResolveStep {
    /// The name stands for this document.
    Document(Document),
    /// An index has this entry for the platform.
    Chosen(Descriptor),
    /// The manifest of the image.
    Manifest(Document),
    /// The configuration of the image.
    Config(Raw),
}

/// Follows a source's name to an image: the document, the entry for the platform in an index (and in indexes that it
/// lists), the manifest, the configuration. `observe` gets each step when it is done.
///
/// # Errors
///
/// [`Error`].
pub async fn resolve<S: ImageSource>(
    source: &S,
    choice: &PlatformChoice,
    observe: &mut (impl FnMut(ResolveStep) + ?Sized),
) -> Result<ResolvedImage, Error<S::Error>> {
    let limits = *source.limits();
    let mut document = source.root().await.map_err(Error::Source)?;
    observe(ResolveStep::Document(document.clone()));
    let mut descent = Descent::new(*document.raw().digest(), &limits);
    let (mut index, mut chosen) = (None, None);
    let manifest = loop {
        let parsed = match document {
            Document::Manifest(manifest) => break manifest,
            Document::Index(parsed) => parsed,
        };
        let entry = choose(source, &descent, &parsed.value, choice).await?;
        observe(ResolveStep::Chosen(entry.clone()));
        descent.enter(&entry.digest)?;
        document = source.document(&entry).await.map_err(Error::Source)?;
        index.get_or_insert(Document::Index(parsed));
        chosen = Some(entry);
    };
    observe(ResolveStep::Manifest(Document::Manifest(manifest.clone())));
    let config = source.small_blob(&manifest.value.config).await.map_err(Error::Source)?;
    observe(ResolveStep::Config(config.clone()));
    let mut image = Image::assemble_with_limits(manifest, config, &limits)?;
    image.offered = chosen.as_ref().and_then(|entry| entry.platform.clone());
    choice.check(&image)?;
    Ok(ResolvedImage { index, chosen, image })
}

/// Returns the digest of the manifest that [`resolve`] would read, with as few requests as possible: a manifest that an
/// index lists is not fetched. The platform of a manifest that no index lists is not checked.
///
/// # Errors
///
/// [`Error`].
pub async fn resolve_digest<S: ImageSource>(source: &S, choice: &PlatformChoice) -> Result<Digest, Error<S::Error>> {
    let mut document = source.root().await.map_err(Error::Source)?;
    let mut descent = Descent::new(*document.raw().digest(), source.limits());
    loop {
        let index = match document {
            Document::Manifest(manifest) => return Ok(*manifest.raw.digest()),
            Document::Index(index) => index.value,
        };
        let entry = choose(source, &descent, &index, choice).await?;
        descent.enter(&entry.digest)?;
        if entry.media_type.role() == Role::Manifest {
            return Ok(entry.digest);
        }
        document = source.document(&entry).await.map_err(Error::Source)?;
    }
}

/// Chooses the entry of an index for a platform; by the configurations of the images, where the index states no
/// platforms.
async fn choose<S: ImageSource>(
    source: &S,
    descent: &Descent,
    index: &Index,
    choice: &PlatformChoice,
) -> Result<Descriptor, Error<S::Error>> {
    if let Some(layers) = artifact::cached_layers(index) {
        return Err(BuildCacheFound { layers }.into());
    }
    let entry = descent.choose(index, &choice.platform)?;
    if entry.platform.is_none() && !entry.media_type.is_schema_1() {
        return choose_by_configuration(source, index, choice).await;
    }
    Ok(entry.clone())
}

/// Chooses among the entries that state no platform, by the platforms in the configurations. If none fits, the first
/// whose configuration states no platform either is chosen; else the first of all, unless a person named the platform.
async fn choose_by_configuration<S: ImageSource>(
    source: &S,
    index: &Index,
    choice: &PlatformChoice,
) -> Result<Descriptor, Error<S::Error>> {
    let mut available = platform::available(&index.manifests);
    let mut unknown = None;
    let mut first = None;
    for entry in platform::undeclared(&index.manifests).take(UNDECLARED) {
        first.get_or_insert(entry);
        let Document::Manifest(manifest) = source.document(entry).await.map_err(Error::Source)? else {
            unknown.get_or_insert(entry);
            continue;
        };
        let config = source.small_blob(&manifest.value.config).await.map_err(Error::Source)?;
        match Image::assemble_with_limits(manifest, config, source.limits())?.config.platform {
            Some(offer) if choice.platform.runs(&offer) => return Ok(entry.clone()),
            Some(offer) => available.push(offer),
            None => {
                unknown.get_or_insert(entry);
            }
        }
    }
    let chosen = unknown.or_else(|| first.filter(|_| !choice.named));
    chosen.cloned().ok_or_else(|| NoMatch { wanted: choice.platform.clone(), available }.into())
}

/// Most entries without a platform whose configurations are read.
const UNDECLARED: usize = 16;

/// Why a name does not lead to an image.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error<E> {
    /// The source does not have a document, or has a wrong one.
    #[error(transparent)]
    Source(E),
    /// There is no image for the platform.
    #[error(transparent)]
    Platform(#[from] NoMatch),
    /// The index is a build cache of BuildKit, which lists layers.
    #[error(transparent)]
    BuildCache(#[from] BuildCacheFound),
    /// Indexes list indexes too deep, or themselves.
    #[error(transparent)]
    Nesting(#[from] Nesting),
    /// Manifest and configuration together are no image.
    #[error(transparent)]
    Image(#[from] image::Error),
}

impl<E: Classify> Classify for Error<E> {
    fn failure(&self) -> Failure {
        match self {
            Self::Source(error) => error.failure(),
            Self::Platform(error) => error.failure(),
            Self::BuildCache(error) => error.failure(),
            Self::Nesting(error) => error.failure(),
            Self::Image(error) => error.failure(),
        }
    }
}

/// An index that lists layers instead of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an image, but a build cache of BuildKit: its index lists {layers} layers")]
pub struct BuildCacheFound {
    /// How many layers are listed.
    pub layers: usize,
}

impl Classify for BuildCacheFound {
    fn failure(&self) -> Failure {
        Failure::new(FailureClass::Platform, Blame::Input)
    }
}
