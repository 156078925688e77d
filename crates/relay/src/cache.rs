//! Blobs and manifests on disk, by registry and digest.
//!
//! Each registry has its own, although a digest names the same bytes everywhere: a registry may claim to hold a blob that only another one
//! has, and would then let its callers read it. Only a registry that sent the bytes may grant them.
//!
//! A blob gets its name only after its digest matched, so a crash leaves nothing that is wrong. One request for a blob fetches it, and
//! others for the same blob follow its file while it grows, those of other relays that share the directory too. Which client may read a
//! blob is not decided here: see [`serve`].

mod fetch;
mod neighbour;
pub(crate) mod serve;
mod shelf;

pub(crate) use fetch::{Follow, Lead, Progress};

use crate::metrics::CacheCounts;
use porthole_core::digest::Digest;
use shelf::{Claimed, Shelf};
use std::{
    collections::HashMap,
    fs::File,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// The blobs that are on disk or on their way there.
pub(crate) struct Cache {
    shelf: Arc<Shelf>,
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

impl Cache {
    /// Opens the cache in a directory, which is made if it is missing. Other relays may have it open.
    ///
    /// # Errors
    /// From the file system.
    pub(crate) fn open(folder: &Path, capacity: u64) -> io::Result<Arc<Self>> {
        let shelf = Arc::new(Shelf::open(folder, capacity)?);
        Ok(Arc::new(Self { shelf, state: Mutex::default() }))
    }

    /// Where a blob is. For an absent one, later callers follow this one.
    pub(crate) fn find(self: &Arc<Self>, name: &Name) -> Found {
        let mut state = self.state();
        if let Some(progress) = state.running.get(name) {
            let follow = Follow { path: self.shelf.arriving(name), progress: progress.clone() };
            state.counts.shared += 1;
            return Found::Running(follow);
        }
        if let Some((file, size)) = self.shelf.get(name) {
            state.counts.hits += 1;
            return Found::Held(file, size);
        }
        let claimed = self.shelf.claim(name);
        // Another relay may have been done in between.
        if let (Ok(Claimed::Ours(_)), Some((file, size))) = (&claimed, self.shelf.get(name)) {
            state.counts.hits += 1;
            return Found::Held(file, size);
        }
        let (sender, progress) = watch::channel(Progress::Starting);
        let follow = Follow { path: self.shelf.arriving(name), progress: progress.clone() };
        match claimed {
            Ok(Claimed::Theirs) => {
                state.counts.shared += 1;
                state.running.insert(name.clone(), progress);
                drop(state);
                tokio::spawn(neighbour::watch(Arc::clone(self), name.clone(), sender));
                Found::Running(follow)
            }
            Ok(Claimed::Ours(claim)) => {
                state.counts.misses += 1;
                state.running.insert(name.clone(), progress);
                Found::Absent(Lead::new(Arc::clone(self), name.clone(), Some(claim), sender))
            }
            // A disk that cannot be written to costs the cache, not the answer.
            Err(_) => {
                state.counts.misses += 1;
                Found::Absent(Lead::new(Arc::clone(self), name.clone(), None, sender))
            }
        }
    }

    /// Whether a blob is on disk, complete.
    pub(crate) fn holds(&self, name: &Name) -> bool {
        self.shelf.holds(name)
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
        CacheCounts { bytes: self.shelf.bytes(), ..self.state().counts }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long an answer of a registry about the rights of a caller is used.
const GRANTED: Duration = Duration::from_secs(60);
const GRANTS: usize = 64 << 10;
