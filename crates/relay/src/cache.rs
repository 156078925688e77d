//! Blobs and manifests on disk, by registry and digest.
//!
//! Each registry has its own, although a digest names the same bytes everywhere: a registry may claim to hold a blob that only another one
//! has, and would then let its callers read it. Only a registry that sent the bytes may grant them.
//!
//! A blob gets its name only after its digest matched, so a crash leaves nothing that is wrong. One request for a blob fetches it, and
//! others for the same blob follow its file while it grows, those of other relays that share the directory too. Which client may read a
//! blob is not decided here: see [`serve`].

#[cfg_attr(not(feature = "s3"), path = "cache/bucket/none.rs")]
mod bucket;
mod fetch;
mod inflow;
mod neighbour;
pub(crate) mod place;
pub(crate) mod serve;
mod shelf;

pub(crate) use bucket::Bucket;
pub(crate) use fetch::{Follow, Lead, Progress};

use crate::metrics::CacheCounts;
use porthole_core::digest::Digest;
use porthole_native::NativeBody;
use shelf::{Claimed, Shelf};
use std::{
    collections::HashMap,
    fs::File,
    io,
    ops::Range,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync::watch, task::spawn_blocking};

/// The blobs that are on disk or on their way there.
pub(crate) struct Cache {
    shelf: Arc<Shelf>,
    /// Where blobs are kept for other relays too.
    bucket: Option<Arc<Bucket>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: HashMap<Name, watch::Receiver<Progress>>,
    grants: HashMap<Digest, Instant>,
    counts: CacheCounts,
}

/// A blob of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    /// `host[:port]` of its API.
    pub(crate) host: String,
    pub(crate) digest: Digest,
}

/// Where a blob is.
pub(crate) enum Found {
    Held(File, u64),
    Running(Follow),
    /// The caller fetches it.
    Absent(Lead),
}

/// A blob, or a part of it, that a bucket has begun to send.
pub(crate) struct Stored {
    pub(crate) body: NativeBody,
    /// Which bytes of the blob.
    pub(crate) part: Range<u64>,
    /// Of the whole blob.
    pub(crate) size: u64,
}

impl Cache {
    /// Opens the cache in a directory, which is made if it is missing. Other relays may have it open.
    ///
    /// # Errors
    /// From the file system.
    pub(crate) fn open(folder: &Path, capacity: u64, bucket: Option<Bucket>) -> io::Result<Arc<Self>> {
        let shelf = Arc::new(Shelf::open(folder, capacity)?);
        Ok(Arc::new(Self { shelf, bucket: bucket.map(Arc::new), state: Mutex::default() }))
    }

    /// Where a blob is. For an absent one, later callers follow this one.
    pub(crate) async fn find(self: &Arc<Self>, name: &Name) -> Found {
        let running = self.running(&mut self.state(), name);
        if let Some(follow) = running {
            return Found::Running(follow);
        }
        let wanted = name.clone();
        if let Some((file, size)) = self.look(move |shelf| shelf.get(&wanted)).await {
            self.state().counts.hits += 1;
            return Found::Held(file, size);
        }
        let lead = match self.lead(name) {
            Ok(lead) => lead,
            Err(follow) => return Found::Running(follow),
        };
        let wanted = name.clone();
        let claimed = self.look(move |shelf| {
            let claimed = shelf.claim(&wanted);
            // Another request or relay may have been done in between.
            let held = if matches!(claimed, Ok(Claimed::Ours(_))) { shelf.get(&wanted) } else { None };
            Some((claimed, held))
        });
        match claimed.await {
            // Those that follow look again.
            Some((_, Some((file, size)))) => {
                self.state().counts.hits += 1;
                Found::Held(file, size)
            }
            Some((Ok(Claimed::Theirs), None)) => {
                self.state().counts.shared += 1;
                let follow = lead.follow();
                tokio::spawn(neighbour::watch(lead));
                Found::Running(follow)
            }
            Some((Ok(Claimed::Ours(claim)), None)) => {
                self.state().counts.misses += 1;
                Found::Absent(lead.with(claim))
            }
            // A disk that cannot be written to costs the cache, not the answer.
            _ => {
                self.state().counts.misses += 1;
                Found::Absent(lead)
            }
        }
    }

    /// The fetch of a blob that is running.
    fn running(&self, state: &mut State, name: &Name) -> Option<Follow> {
        let progress = state.running.get(name)?.clone();
        state.counts.shared += 1;
        Some(Follow { path: self.shelf.arriving(name), progress })
    }

    /// The right to fetch a blob, or the fetch that is running.
    fn lead(self: &Arc<Self>, name: &Name) -> Result<Lead, Follow> {
        let mut state = self.state();
        if let Some(follow) = self.running(&mut state, name) {
            return Err(follow);
        }
        let (sender, progress) = watch::channel(Progress::Starting);
        state.running.insert(name.clone(), progress);
        drop(state);
        Ok(Lead::new(Arc::clone(self), name.clone(), sender))
    }

    /// Asks the directory, on a thread that may block.
    async fn look<T: Send + 'static>(&self, ask: impl FnOnce(&Shelf) -> Option<T> + Send + 'static) -> Option<T> {
        let shelf = Arc::clone(&self.shelf);
        spawn_blocking(move || ask(&shelf)).await.ok()?
    }

    /// Whether a blob is on disk, complete.
    pub(crate) async fn holds(&self, name: &Name) -> bool {
        let wanted = name.clone();
        self.look(move |shelf| shelf.holds(&wanted).then_some(())).await.is_some()
    }

    /// Whether a blob of this size is worth keeping: it must leave room for others.
    pub(crate) fn takes(&self, size: u64) -> bool {
        size <= self.shelf.capacity() / 4
    }

    /// Remembers that a registry lets a caller read a blob. The key names the registry, the repository, the blob and the caller.
    pub(crate) fn grant(&self, key: Digest) {
        let mut state = self.state();
        if state.grants.len() >= GRANTS {
            state.grants.retain(|_, until| *until > Instant::now());
            if state.grants.len() >= GRANTS {
                state.grants.clear();
            }
        }
        state.grants.insert(key, Instant::now() + GRANTED);
    }

    /// Forgets what every caller may read: something was deleted.
    pub(crate) fn revoke(&self) {
        self.state().grants.clear();
    }

    pub(crate) fn is_granted(&self, key: &Digest) -> bool {
        self.state().grants.get(key).is_some_and(|until| *until > Instant::now())
    }

    pub(crate) fn counts(&self) -> CacheCounts {
        let bucket = self.bucket.as_ref().map(|bucket| bucket.counts());
        CacheCounts { bytes: self.shelf.bytes(), bucket, ..self.state().counts }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long an answer of a registry about the rights of a caller is used.
const GRANTED: Duration = Duration::from_secs(60);
const GRANTS: usize = 64 << 10;
