//! Pulls images from a registry into the store.
//!
//! First the documents are fetched, from the reference down to the wanted manifests. Then each blob that the store
//! lacks is fetched, several at once, large ones in ranges, each from the byte that an earlier pull reached. The name
//! is set last. If another process fetches a blob, the pull waits for it.

mod blobs;
mod follow;
mod request;
mod shared;

pub use self::follow::{Cut, Follow, FollowFront, FollowReader, Manifests, Stage};

use self::blobs::Work;
use crate::event::{TransferEvent, TransferObserver};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    failure::{Blame, Classify, Failure, FailureClass},
    limits::Limits,
    manifest::{Document, Manifest, Parsed},
    platform::{NoMatch, Platform},
    reference::Reference,
};
use porthole_native::Native;
use porthole_registry::{
    Registry,
    plan::descent::{Descent, Nesting},
};
use porthole_store::{Addition, Store};
use std::{collections::HashSet, sync::Arc};
use tokio::task::block_in_place;

/// Which images of an index are wanted.
#[derive(Clone, Debug)]
pub enum Platforms {
    /// The one for a platform.
    One(Platform),
    /// Every image, and everything else that the index lists, such as attestations.
    All,
}

/// How to pull.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which images of an index are pulled.
    pub platforms: Platforms,
    /// Most requests for blobs at once, at least 1.
    pub jobs: usize,
    /// The name that the image gets in the store. Without one, its blobs stay until the store is swept.
    pub name: Option<String>,
    /// Lets other threads read the blobs while they arrive.
    pub follow: Follow,
}

/// What a pull brought.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The document that the reference stands for, and that the name in the store now leads to.
    pub root: Descriptor,
    /// The manifests that were wanted, each with its platform where an index states it.
    pub manifests: Vec<(Descriptor, Parsed<Manifest>)>,
    /// Bytes of blobs and documents that were received, repeated ones included.
    pub fetched: u64,
    /// Bytes of blobs that the store had already, whole or in part.
    pub saved: u64,
    /// What the name stood for before, if that was something else.
    pub replaced: Option<Digest>,
}

/// Why a pull failed. The name is not set; the next pull uses the bytes that arrived.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The registry, or the connection to it, failed.
    #[error(transparent)]
    Registry(#[from] porthole_registry::Error),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] porthole_store::Error),
    /// The index has no image for the platform.
    #[error(transparent)]
    Platform(#[from] NoMatch),
    /// Indexes list indexes too deep.
    #[error(transparent)]
    Nesting(#[from] Nesting),
    /// More blobs and manifests than one image may have.
    #[error("image has too many parts: expected at most {limit} blobs and manifests (limit descriptors)")]
    TooMany {
        /// The value of [`Limits::descriptors`].
        limit: u64,
    },
    /// The registry sent bytes that do not match their descriptor, twice.
    #[error("registry sent bytes that do not match the descriptor, twice: {0}")]
    Wrong(porthole_core::digest::Mismatch),
    /// A descriptor has the size 0 and a digest that is not that of 0 bytes.
    #[error("descriptor of `{digest}` contradicts itself: expected a size, got 0 bytes, which have another digest")]
    Sizeless {
        /// Digest in the descriptor.
        digest: porthole_core::digest::Digest,
    },
    /// A part of this program failed.
    #[error("internal error (a bug in porthole): {0}")]
    Internal(String),
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Registry(error) => error.failure(),
            Self::Store(error) => error.failure(),
            Self::Platform(error) => error.failure(),
            Self::Nesting(error) => error.failure(),
            Self::TooMany { limit } => Failure::named_limit("descriptors", *limit, 0),
            Self::Sizeless { .. } => Failure::malformed(),
            Self::Wrong(_) => Failure::new(FailureClass::Malformed, Blame::Registry),
            Self::Internal(_) => Failure::bug(),
        }
    }
}

/// Pulls an image into the store.
///
/// Must be called within a multi-threaded tokio runtime. To cancel, drop the future: the next pull resumes the blobs
/// that are not complete.
///
/// # Errors
///
/// [`Error`]. A blob whose transfer breaks is requested again from the byte that was reached. One that does not match
/// its digest is fetched once more as a whole.
pub async fn pull(
    client: &Arc<Registry<Native>>,
    store: &Store,
    reference: &Reference,
    options: &Options,
    observer: &TransferObserver,
) -> Result<Pulled, Error> {
    let _end = options.follow.until_dropped();
    let adding = block_in_place(|| store.add())?;
    let mut documents = Documents { client, store, reference, observer, adding: &adding, fetched: 0 };
    let (root, manifests) = documents.fetch(&options.platforms).await?;
    options.follow.tell_manifests(&manifests);
    let documents = documents.fetched;
    let blobs = parts(&manifests, client.limits())?;
    let moved = Work::new(client, store, &adding, reference, options, observer, blobs).run().await?;
    let before = match &options.name {
        Some(name) => block_in_place(|| store.tag(name, &root))?,
        None => None,
    };
    let replaced = before.filter(|before| *before != root.digest);
    Ok(Pulled { root, manifests, fetched: documents + moved.fetched, saved: moved.saved, replaced })
}

/// Every blob of the manifests once, configurations first.
fn parts(manifests: &[(Descriptor, Parsed<Manifest>)], limits: &Limits) -> Result<Vec<Descriptor>, Error> {
    let mut seen = HashSet::new();
    let configs = manifests.iter().map(|(_, manifest)| &manifest.value.config);
    let layers = manifests.iter().flat_map(|(_, manifest)| &manifest.value.layers);
    let parts: Vec<_> = configs.chain(layers).filter(|blob| seen.insert(blob.digest)).cloned().collect();
    if parts.len() as u64 > limits.descriptors {
        return Err(Error::TooMany { limit: limits.descriptors });
    }
    Ok(parts)
}

/// The documents of a pull.
struct Documents<'p> {
    client: &'p Registry<Native>,
    store: &'p Store,
    reference: &'p Reference,
    observer: &'p TransferObserver,
    adding: &'p Addition,
    fetched: u64,
}

impl Documents<'_> {
    /// Fetches the root and the wanted manifests into the store.
    async fn fetch(
        &mut self,
        platforms: &Platforms,
    ) -> Result<(Descriptor, Vec<(Descriptor, Parsed<Manifest>)>), Error> {
        let document = self.client.fetch_document(self.reference).await?;
        let raw = document.raw();
        let root = Descriptor::new(document.media_type().clone(), *raw.digest(), raw.size());
        self.keep(&document)?;
        let mut manifests = Vec::new();
        let mut seen = HashSet::from([root.digest]);
        let limits = *self.client.limits();
        let mut pending = vec![(root.clone(), document, Descent::new(root.digest, &limits))];
        while let Some((descriptor, document, descent)) = pending.pop() {
            let index = match document {
                Document::Manifest(manifest) => {
                    manifests.push((descriptor, manifest));
                    continue;
                }
                Document::Index(index) => index.value,
            };
            let wanted = match platforms {
                Platforms::One(platform) => vec![descent.choose(&index, platform)?.clone()],
                Platforms::All => index.manifests,
            };
            // Taken from the end, so that images come in the order of the index.
            for entry in wanted.into_iter().rev() {
                if !seen.insert(entry.digest) {
                    continue;
                }
                if seen.len() as u64 > limits.descriptors {
                    return Err(Error::TooMany { limit: limits.descriptors });
                }
                let mut below = descent.clone();
                below.enter(&entry.digest)?;
                let child = self.client.fetch_child(self.reference, &entry).await?;
                self.keep(&child)?;
                pending.push((entry, child, below));
            }
        }
        Ok((root, manifests))
    }

    fn keep(&mut self, document: &Document) -> Result<(), Error> {
        let raw = document.raw();
        let fetched = !self.store.contains(raw.digest(), raw.size());
        block_in_place(|| self.store.insert(self.adding, raw))?;
        self.fetched += raw.size();
        self.observer.tell(TransferEvent::Document { digest: *raw.digest(), size: raw.size(), fetched });
        Ok(())
    }
}
