//! Ingests blobs into the store.
//!
//! A partial blob is a sparse file, with a [map](map) of its ranges beside it unless it is written from start to end.
//! The hash always covers the whole file as read from disk: resuming from a saved hash state would trust bytes that may
//! have changed since. Reading them again is cheap, because it overlaps with the download.

mod filling;
mod map;
mod ranges;

pub use self::filling::Claim;
pub(crate) use self::map::SUFFIX as MAP_SUFFIX;

use self::{
    filling::{Filling, discard},
    map::Map,
};
use crate::{
    Error, Store,
    store::{INGEST, sync_folder},
};
use porthole_core::digest::{Digest, Hasher, Mismatch};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::ErrorKind,
    ops::Range,
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
    sync::{Arc, mpsc},
    thread,
};

/// Buffer size for hashing a blob.
const BUFFER: usize = 256 << 10;

/// Bytes after which written data is flushed to disk.
const SYNCED: u64 = 32 << 20;

/// Result of starting to ingest a blob.
#[derive(Debug)]
pub enum Ingest {
    /// The blob is already in the store.
    Present,
    /// Another process or task is ingesting the blob: try again later.
    Busy,
    /// The blob is missing or partial, and now locked for the caller.
    Open(Box<Partial>),
}

/// A partial blob, locked for this owner. When dropped, its bytes stay for the next attempt.
///
/// Write it from start to end with [`write`](Self::write), or concurrently at any offset after [`split`](Self::split).
#[derive(Debug)]
pub struct Partial {
    seal: Seal,
    position: u64,
    claim: Option<Claim>,
}

impl Partial {
    pub(crate) fn open(store: &Store, digest: &Digest, size: u64) -> Result<Ingest, Error> {
        let path = store.partial(digest);
        let file = match OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path) {
            // The folder is missing, or a sweep removed it meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::create_dir_all(store.path().join(INGEST)).map_err(Error::write(&path))?;
                return Ok(Ingest::Busy);
            }
            file => file.map_err(Error::write(&path))?,
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Ingest::Busy),
            Err(TryLockError::Error(source)) => return Err(Error::write(&path)(source)),
        }
        // Another process may have completed it between opening and locking.
        if store.contains(digest, size) {
            if is_at(&file, &path) {
                discard(&path)?;
                discard(&Map::beside(&path))?;
            }
            return Ok(Ingest::Present);
        }
        if !is_at(&file, &path) {
            return Ok(Ingest::Busy);
        }
        let filling = Arc::new(Filling::take_up(path, file, digest, size)?);
        let position = filling.prefix();
        let hasher = Hasher::new(digest.algorithm());
        let seal = Seal { store: store.clone(), filling, hasher, hashed: 0 };
        Ok(Ingest::Open(Box::new(Self { seal, position, claim: None })))
    }

    /// Length of the contiguous prefix, where [`write`](Self::write) continues.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes present, at any offset.
    pub fn kept(&self) -> u64 {
        self.seal.filling.total()
    }

    /// The partial file, for reading. Commit renames it, so the handle stays valid and becomes the blob.
    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.seal.filling.file)
    }

    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// [`Error`] from the file system, or [`Error::Mismatch`] if the blob becomes too long.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let size = self.seal.filling.size;
        let after = self.position.saturating_add(bytes.len() as u64);
        if after > size {
            return Err(Error::Mismatch(Mismatch::Size { expected: size, got: after }));
        }
        let claim = match &mut self.claim {
            Some(claim) => claim,
            None => self.claim.insert(self.seal.filling.claim(&(self.position..size))?),
        };
        let written = claim.write(self.position, bytes)?;
        if written == bytes.len() as u64 && self.seal.hashed == self.position {
            self.seal.hasher.update(bytes);
            self.seal.hashed = after;
        }
        self.position = after;
        Ok(())
    }

    /// Splits into a handle for concurrent writers and one for the thread that hashes.
    pub fn split(self) -> (Gaps, Seal) {
        (Gaps(Arc::clone(&self.seal.filling)), self.seal)
    }

    /// Verifies the blob, syncs it and makes it visible.
    ///
    /// # Errors
    ///
    /// [`Error::Mismatch`] if the digest differs, which discards the bytes, or if bytes are missing at the end, which keeps
    /// the prefix for the next attempt. [`Error`] from the file system.
    pub fn commit(mut self) -> Result<(), Error> {
        self.claim = None;
        let (gaps, seal) = self.split();
        drop(gaps);
        seal.finish(|_| {})
    }
}

/// The missing ranges of a blob, for its writers. Dropping it ends the writing.
#[derive(Debug)]
pub struct Gaps(Arc<Filling>);

impl Gaps {
    /// Ranges that are missing and not claimed.
    pub fn missing(&self) -> Vec<Range<u64>> {
        self.missing_of(&(0..self.0.size))
    }

    /// [`missing`](Self::missing) within a part of the blob.
    pub fn missing_of(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        self.0.gaps(range)
    }

    /// Claims the missing parts of a range for one writer, who writes it in order.
    ///
    /// # Errors
    ///
    /// [`Error`] from the file system.
    pub fn claim(&self, range: &Range<u64>) -> Result<Claim, Error> {
        self.0.claim(range)
    }

    /// Claims a range as [`claim`](Self::claim) does, but takes it from the writer that has it. That writer's claim now ends
    /// where the range starts, and its later writes are ignored.
    ///
    /// # Errors
    ///
    /// [`Error`] from the file system.
    pub fn take_over(&self, range: &Range<u64>) -> Result<Claim, Error> {
        self.0.take_over(range)
    }
}

impl Drop for Gaps {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Hashes a blob and makes it visible.
#[derive(Debug)]
pub struct Seal {
    store: Store,
    filling: Arc<Filling>,
    hasher: Hasher,
    hashed: u64,
}

impl Seal {
    /// Hashes the bytes in order as they arrive, then verifies, syncs and makes the blob visible. Blocks until the blob is
    /// complete or the [`Gaps`] are dropped. Calls `hear` with the number of bytes hashed so far.
    ///
    /// # Errors
    ///
    /// As [`Partial::commit`].
    pub fn finish(mut self, hear: impl FnMut(u64)) -> Result<(), Error> {
        self.hash_and_sync(hear)?;
        let Filling { path, file, digest, size, .. } = self.filling.as_ref();
        if self.hashed != *size {
            return Err(Error::Mismatch(Mismatch::Size { expected: *size, got: self.hashed }));
        }
        let got = self.hasher.finish();
        if got != *digest {
            // Unlink instead of truncating: a concurrent reader keeps a consistent view of the wrong bytes.
            discard(path)?;
            discard(&Map::beside(path))?;
            return Err(Error::Mismatch(Mismatch::Digest { expected: *digest, got }));
        }
        file.sync_all().map_err(Error::write(path))?;
        let blob = self.store.blob(digest);
        self.store.make_folder(&blob)?;
        fs::rename(path, &blob).map_err(Error::write(&blob))?;
        discard(&Map::beside(path))?;
        sync_folder(blob.parent().unwrap_or(&blob))
    }

    /// Hashes, and flushes written data meanwhile, so that the final sync is short.
    fn hash_and_sync(&mut self, mut hear: impl FnMut(u64)) -> Result<(), Error> {
        if self.filling.size < 2 * SYNCED {
            return self.hash(hear);
        }
        let filling = Arc::clone(&self.filling);
        let (ask, asked) = mpsc::sync_channel(1);
        thread::scope(|scope| {
            let disk = scope.spawn(move || asked.into_iter().try_for_each(|()| filling.file.sync_data()));
            let mut last = 0;
            let hashed = self.hash(|hashed| {
                hear(hashed);
                if hashed - last >= SYNCED {
                    last = hashed;
                    // If the last flush is still running, the next request covers this one.
                    let _ = ask.try_send(());
                }
            });
            drop(ask);
            // `sync_data` reports a failed write only once, so its error must not be lost.
            let synced = disk.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            hashed?;
            synced.map_err(Error::write(&self.filling.path))
        })
    }

    fn hash(&mut self, mut hear: impl FnMut(u64)) -> Result<(), Error> {
        let Filling { path, file, size, .. } = self.filling.as_ref();
        let mut buffer = Vec::new();
        while self.hashed < *size {
            let Some(prefix) = self.filling.wait(self.hashed) else { break };
            if buffer.is_empty() {
                buffer.resize(BUFFER.min(usize::try_from(*size).unwrap_or(BUFFER)), 0);
            }
            while self.hashed < prefix {
                let room = buffer.len().min(usize::try_from(prefix - self.hashed).unwrap_or(usize::MAX));
                let bytes = buffer.get_mut(..room).unwrap_or_default();
                file.read_exact_at(bytes, self.hashed).map_err(Error::io(path))?;
                self.hasher.update(bytes);
                self.hashed += room as u64;
                hear(self.hashed);
            }
        }
        Ok(())
    }
}

/// Whether an open file still has this name.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}
