//! A blob on its way from a registry to the disk, and its readers.

use super::{Cache, Name, inflow::Inflow, shelf::Claim};
use crate::pieces;
use bytes::Bytes;
use porthole_core::digest::Verifier;
use porthole_registry::transport::{Error, ErrorKind};
use std::{fs::File, io::Write, ops::Range, path::PathBuf, sync::Arc};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    task::spawn_blocking,
};

/// How far a fetch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The registry has not answered yet.
    Starting,
    /// This much of it is in the file.
    Written { bytes: u64, size: u64 },
    /// All of it is there, and its digest matches.
    Done { size: u64 },
    /// It will not be complete.
    Failed,
}

/// The right to fetch a blob for all who want it. Dropping it lets the others fetch for themselves.
pub(crate) struct Lead {
    pub(super) cache: Arc<Cache>,
    pub(super) name: Name,
    /// The other relays' view of it; `None` where the disk does not allow one.
    claim: Option<Claim>,
    pub(super) progress: watch::Sender<Progress>,
    /// Bytes of the capacity that are taken for it.
    reserved: u64,
    done: bool,
}

/// The file of a blob that grows.
#[derive(Clone)]
pub(crate) struct Follow {
    pub(super) path: PathBuf,
    pub(super) progress: watch::Receiver<Progress>,
}

impl Lead {
    pub(super) fn new(cache: Arc<Cache>, name: Name, progress: watch::Sender<Progress>) -> Self {
        Self { cache, name, claim: None, progress, reserved: 0, done: false }
    }

    /// The same with a claim on the directory.
    pub(super) fn with(mut self, claim: Claim) -> Self {
        self.claim = Some(claim);
        self
    }

    /// What other requests see of it.
    pub(super) fn follow(&self) -> Follow {
        Follow { path: self.cache.shelf.arriving(&self.name), progress: self.progress.subscribe() }
    }

    /// Fetches the blob as fast as it comes, as long as at least one reader follows.
    ///
    /// # Errors
    /// The file cannot be made; the body is returned, for a client that can do without the cache.
    pub(crate) async fn start(self, body: Inflow, size: u64) -> Result<(File, Follow), Inflow> {
        let made = spawn_blocking(move || self.begin(size)).await;
        let Ok(Some((lead, file, reader))) = made else { return Err(body) };
        lead.progress.send_replace(Progress::Written { bytes: 0, size });
        let follow = lead.follow();
        tokio::spawn(lead.write(file, size, body));
        Ok((reader, follow))
    }

    /// Makes room and the file, and opens the file for a reader too, before it can have another name.
    fn begin(mut self, size: u64) -> Option<(Self, File, File)> {
        let file = self.claim.as_mut()?.begin(size).ok()?;
        let reader = File::open(self.cache.shelf.arriving(&self.name)).ok()?;
        let evicted = self.cache.shelf.reserve(size).ok()?;
        self.reserved = size;
        self.cache.state().counts.evicted += evicted;
        Some((self, file, reader))
    }

    /// Writes and hashes each piece on a thread that may block, and holds none while it waits for the registry.
    async fn write(mut self, file: File, size: u64, mut body: Inflow) {
        let mut verifier = Verifier::new(&self.name.digest, size);
        let mut file = file;
        let mut bytes = 0;
        // A body that breaks ends early.
        while let Ok(Some(piece)) = body.chunk().await {
            // The running table keeps one receiver: without another one, no reader follows.
            if self.progress.receiver_count() < 2 {
                return;
            }
            bytes += piece.len() as u64;
            let written = spawn_blocking(move || {
                let taken = verifier.update(&piece).is_ok() && file.write_all(&piece).is_ok();
                taken.then_some((verifier, file))
            });
            let Ok(Some(rest)) = written.await else { return };
            (verifier, file) = rest;
            // The last piece is shown when the digest is known to match, so that no reader takes a wrong blob for a whole one.
            if bytes < size {
                self.progress.send_replace(Progress::Written { bytes, size });
            }
        }
        if bytes != size {
            return;
        }
        if verifier.finish().is_err() {
            match &body.stored {
                Some(bucket) => bucket.distrust(self.name.clone()),
                None => self.cache.state().counts.wrong += 1,
            }
            return;
        }
        let (cache, name) = (Arc::clone(&self.cache), self.name.clone());
        let kept = spawn_blocking(move || cache.shelf.keep(&name, &file).ok().and_then(|()| cache.shelf.get(&name)));
        if let Ok(Some((file, size))) = kept.await {
            self.end(Progress::Done { size });
            if let (Some(bucket), None) = (&self.cache.bucket, &body.stored) {
                bucket.put(self.name.clone(), file, size);
            }
        }
    }

    /// Lets others look again, and says how it ended.
    pub(super) fn end(&mut self, progress: Progress) {
        self.done = matches!(progress, Progress::Done { .. });
        self.claim = None;
        self.cache.state().running.remove(&self.name);
        self.progress.send_replace(progress);
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        self.end(Progress::Failed);
        if self.reserved > 0 {
            let (shelf, reserved) = (Arc::clone(&self.cache.shelf), self.reserved);
            let release = move || shelf.release(reserved);
            match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn_blocking(release)),
                Err(_) => release(),
            }
        }
    }
}

impl Follow {
    /// Waits until it is complete, or will not be.
    pub(crate) async fn ended(&mut self) {
        let over = |progress: &Progress| matches!(progress, Progress::Done { .. } | Progress::Failed);
        let _ = self.progress.wait_for(over).await;
    }

    /// The file and the size of the blob, when the registry has begun to answer; `None` if it did not give the blob.
    pub(crate) async fn begun(&mut self) -> Option<(File, u64)> {
        let progress = *self.progress.wait_for(|progress| *progress != Progress::Starting).await.ok()?;
        match progress {
            Progress::Written { size, .. } | Progress::Done { size } => {
                if let Ok(file) = File::open(&self.path) {
                    return Some((file, size));
                }
                // Renaming does not change an open file, but one that is done already has its other name. Another relay's is seen to be done
                // a moment later; a look before that would find the same.
                self.ended().await;
                None
            }
            Progress::Starting | Progress::Failed => None,
        }
    }
}

/// Sends a part of a growing file as its bytes come to be there, in pieces of what `piece` says.
pub(super) async fn send(
    file: File,
    part: Range<u64>,
    mut progress: watch::Receiver<Progress>,
    piece: impl Fn() -> usize,
    sender: mpsc::Sender<Result<Bytes, Error>>,
) {
    let read = pieces::of_file(Arc::new(file));
    let Range { mut start, end } = part;
    while start < end {
        let Some(there) = wait(&mut progress, start).await else {
            let message = "the registry broke the blob off".to_owned();
            let _ = sender.send(Err(Error { kind: ErrorKind::Interrupted, message })).await;
            return;
        };
        let there = there.min(end);
        if !pieces::send(read.clone(), start..there, &piece, &sender).await {
            return;
        }
        start = there;
    }
}

/// Waits until there is more than `start`. `None` if there will not be.
async fn wait(progress: &mut watch::Receiver<Progress>, start: u64) -> Option<u64> {
    let more = |progress: &Progress| match progress {
        Progress::Starting => false,
        Progress::Written { bytes, .. } => *bytes > start,
        Progress::Done { .. } | Progress::Failed => true,
    };
    match *progress.wait_for(more).await.ok()? {
        Progress::Written { bytes, .. } => Some(bytes),
        Progress::Done { size } => Some(size),
        Progress::Starting | Progress::Failed => None,
    }
}
