//! Registry to store.
//!
//! Documents first, from the reference down to the manifests that are wanted; then every blob that the store does not hold,
//! several at once, each taken up where an earlier pull left it; the name last. A blob that another process is getting is
//! waited for.

mod follow;

pub use self::follow::{Cut, Follow, Front, Manifests, Reader, Stage};

use crate::event::{Blob, Event, Observer};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    limits::{DESCRIPTORS, INDEX_DEPTH},
    manifest::{Document, Manifest, Parsed},
    platform::{self, NoMatch, Platform},
    reference::Reference,
};
use porthole_native::Native;
use porthole_registry::Registry;
use porthole_store::{Addition, Ingest, Partial, Store};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    task::{JoinSet, block_in_place},
    time::sleep,
};

const BUFFER: usize = 256 << 10;
/// How often a blob is asked for that somebody else is getting.
const BUSY: Duration = Duration::from_millis(100);

/// Which images of an index are wanted.
#[derive(Clone, Debug)]
pub enum Platforms {
    /// The one for a platform.
    One(Platform),
    /// Every one, attestations and whatever else the index lists included.
    All,
}

/// How to pull.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which images of an index.
    pub platforms: Platforms,
    /// Blobs that are fetched at once; at least one is.
    pub jobs: usize,
    /// The name that the image gets in the store. Without one, its blobs stay until the store is swept.
    pub name: Option<String>,
    /// Lets others read what comes while it comes.
    pub follow: Follow,
}

/// What a pull brought.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// What the reference names, and the name in the store now leads to.
    pub root: Descriptor,
    /// The manifests that were wanted, each with its platform where an index tells it.
    pub manifests: Vec<(Descriptor, Parsed<Manifest>)>,
    /// Bytes of blobs and documents that were received, repeated ones included.
    pub fetched: u64,
    /// Bytes of blobs that were there already, whole or in part.
    pub saved: u64,
    /// What had the name before, if that was something else.
    pub replaced: Option<Digest>,
}

/// Why nothing was named. What arrived before stays for the next pull.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The registry, or the way to it.
    #[error(transparent)]
    Registry(#[from] porthole_registry::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] porthole_store::Error),
    /// The index has no such image.
    #[error(transparent)]
    Platform(#[from] NoMatch),
    /// Indexes in indexes without end.
    #[error("indexes within indexes: expected at most {INDEX_DEPTH}, each listed once")]
    Nesting,
    /// More than can be sensible.
    #[error("image has too many parts: expected at most {DESCRIPTORS} blobs and manifests")]
    TooMany,
    /// Other bytes than promised, twice.
    #[error("registry sent other bytes than promised, twice: {0}")]
    Wrong(porthole_core::digest::Mismatch),
    /// A part of this program failed.
    #[error("internal error (a bug in porthole): {0}")]
    Internal(String),
}

/// Brings an image into the store.
///
/// Must be called within a multi-threaded tokio runtime. To cancel, drop the future: blobs that are not complete are taken up
/// by the next pull.
///
/// # Errors
///
/// [`Error`]. A blob that breaks on the way is asked for again from the byte that was reached; one that is wrong is fetched
/// once more as a whole.
pub async fn pull(
    client: &Arc<Registry<Native>>,
    store: &Store,
    reference: &Reference,
    options: &Options,
    observer: &Observer,
) -> Result<Pulled, Error> {
    let _end = options.follow.until_dropped();
    let adding = Arc::new(block_in_place(|| store.add())?);
    let mut documents = Documents { client, store, reference, observer, adding: &adding, fetched: 0 };
    let (root, manifests) = documents.fetch(&options.platforms).await?;
    options.follow.tell_manifests(&manifests);
    let mut fetched = documents.fetched;
    let mut saved = 0;
    let mut blobs = JoinSet::new();
    let turns = Arc::new(Semaphore::new(options.jobs.max(1)));
    for blob in parts(&manifests)? {
        let fetch = Fetch {
            client: Arc::clone(client),
            store: store.clone(),
            reference: reference.clone(),
            adding: Arc::clone(&adding),
            observer: observer.clone(),
            follow: options.follow.clone(),
            blob,
        };
        let turns = Arc::clone(&turns);
        blobs.spawn(async move {
            let _turn = turns.acquire().await.map_err(|error| Error::Internal(error.to_string()))?;
            fetch.run().await
        });
    }
    // Leaving early drops the set, which ends the other transfers.
    while let Some(done) = blobs.join_next().await {
        let moved = done.map_err(|error| Error::Internal(error.to_string()))??;
        fetched += moved.fetched;
        saved += moved.saved;
    }
    let before = match &options.name {
        Some(name) => block_in_place(|| store.tag(name, &root))?,
        None => None,
    };
    let replaced = before.filter(|before| *before != root.digest);
    Ok(Pulled { root, manifests, fetched, saved, replaced })
}

/// Every blob of the manifests once, configurations first.
fn parts(manifests: &[(Descriptor, Parsed<Manifest>)]) -> Result<Vec<Descriptor>, Error> {
    let mut seen = HashSet::new();
    let configs = manifests.iter().map(|(_, manifest)| &manifest.value.config);
    let layers = manifests.iter().flat_map(|(_, manifest)| &manifest.value.layers);
    let parts: Vec<_> = configs.chain(layers).filter(|blob| seen.insert(blob.digest)).cloned().collect();
    if parts.len() > DESCRIPTORS { Err(Error::TooMany) } else { Ok(parts) }
}

/// The documents of a pull.
struct Documents<'p> {
    client: &'p Registry<Native>,
    store: &'p Store,
    reference: &'p Reference,
    observer: &'p Observer,
    adding: &'p Addition,
    fetched: u64,
}

impl Documents<'_> {
    /// The root, and the manifests that are wanted of it; all of them are in the store.
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
        let mut pending = vec![(root.clone(), document, 1)];
        while let Some((descriptor, document, depth)) = pending.pop() {
            let index = match document {
                Document::Manifest(manifest) => {
                    manifests.push((descriptor, manifest));
                    continue;
                }
                Document::Index(index) => index.value,
            };
            if depth > INDEX_DEPTH {
                return Err(Error::Nesting);
            }
            let wanted = match platforms {
                Platforms::One(platform) => vec![platform::select(&index.manifests, platform)?.clone()],
                Platforms::All => index.manifests,
            };
            // Taken from the end, so that images come in the order of the index.
            for entry in wanted.into_iter().rev() {
                if !seen.insert(entry.digest) {
                    continue;
                }
                if seen.len() > DESCRIPTORS {
                    return Err(Error::TooMany);
                }
                let child = self.client.fetch_child(self.reference, &entry).await?;
                self.keep(&child)?;
                pending.push((entry, child, depth + 1));
            }
        }
        Ok((root, manifests))
    }

    fn keep(&mut self, document: &Document) -> Result<(), Error> {
        let raw = document.raw();
        let fetched = !self.store.contains(raw.digest(), raw.size());
        block_in_place(|| self.store.insert(self.adding, raw))?;
        self.fetched += raw.size();
        self.observer.tell(Event::Document { digest: *raw.digest(), size: raw.size(), fetched });
        Ok(())
    }
}

/// One blob to be brought.
struct Fetch {
    client: Arc<Registry<Native>>,
    store: Store,
    reference: Reference,
    adding: Arc<Addition>,
    observer: Observer,
    follow: Follow,
    blob: Descriptor,
}

/// Bytes that came, and bytes that need not come.
#[derive(Default)]
struct Moved {
    fetched: u64,
    saved: u64,
}

impl Fetch {
    async fn run(self) -> Result<Moved, Error> {
        let Descriptor { digest, size, .. } = self.blob;
        let tell = |state| self.observer.blob(digest, size, state);
        let there = || self.follow.tell_verified(&digest, self.store.blob(&digest), size);
        let mut moved = Moved::default();
        let mut waiting = false;
        let mut wrong = false;
        loop {
            match block_in_place(|| self.store.ingest(&self.adding, &digest, size))? {
                Ingest::Present => {
                    there();
                    tell(Blob::Present);
                    moved.saved += size;
                    return Ok(moved);
                }
                Ingest::Busy => {
                    if !std::mem::replace(&mut waiting, true) {
                        tell(Blob::Waiting);
                    }
                    sleep(BUSY).await;
                }
                Ingest::Open(mut partial) => {
                    let kept = partial.position();
                    self.follow.tell_coming(&digest, partial.file(), kept);
                    tell(Blob::Started { kept });
                    moved.saved += kept;
                    match self.fetch(&mut partial, &mut moved.fetched).await {
                        Err(Error::Registry(porthole_registry::Error::NotFound { .. }))
                            if self.blob.media_type.is_nondistributable() =>
                        {
                            self.follow.tell_skipped(&digest);
                            tell(Blob::Skipped);
                            return Ok(moved);
                        }
                        fetched => fetched?,
                    }
                    match block_in_place(|| partial.commit()) {
                        Ok(()) => {
                            there();
                            tell(Blob::Done);
                            return Ok(moved);
                        }
                        Err(porthole_store::Error::Mismatch(mismatch)) if wrong => return Err(Error::Wrong(mismatch)),
                        Err(porthole_store::Error::Mismatch(_)) => {
                            wrong = true;
                            self.follow.tell_anew(&digest);
                            moved.saved -= kept;
                            tell(Blob::Wrong);
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
    }

    /// Brings what is missing at the end of a partial blob.
    async fn fetch(&self, partial: &mut Partial, fetched: &mut u64) -> Result<(), Error> {
        let Descriptor { digest, size, .. } = self.blob;
        if let Some(data) = self.blob.data.as_deref().filter(|_| partial.position() == 0) {
            return Ok(partial.write(data)?);
        }
        let range = partial.position()..size;
        let mut body = self.client.fetch_blob_range(&self.reference, &self.blob, range).await?;
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = body.read(&mut buffer).await;
            let received = body.received();
            match read? {
                0 => {
                    *fetched += received;
                    return Ok(());
                }
                read => {
                    partial.write(&buffer[..read])?;
                    self.follow.tell_bytes(&digest, partial.position());
                    self.observer.blob(digest, size, Blob::Moved { bytes: read as u64 });
                }
            }
        }
    }
}
