//! Blobs on their way into the store.
//!
//! A partial blob is a sparse file, with a [map](map) of its ranges beside it once it is not written from start to end. What
//! is hashed is what the file holds, and always all of it: the state of an earlier process's hash would have to trust that the
//! file's bytes are still those that were hashed. Reading them again costs little, because it is done while others come.

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

/// Bytes that are read at once to be hashed, of each blob.
const BUFFER: usize = 256 << 10;

/// Bytes after which the disk is told to write what has come.
const SYNCED: u64 = 32 << 20;

/// What there is to do for a blob.
#[derive(Debug)]
pub enum Ingest {
    /// Nothing: it is there.
    Present,
    /// Somebody else is getting it: ask again in a while.
    Busy,
    /// To get the rest of it.
    Open(Box<Partial>),
}

/// A blob that is not complete. Whoever has this is the only one to write it; dropped, it waits for the next one to
/// take it up.
///
/// It is written from its start to its end with [`write`](Self::write), or anywhere by many at once after
/// [`split`](Self::split).
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
            // Its folder is not there yet, or no longer.
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
        // Between opening and locking it, somebody may have completed it.
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

    /// Bytes from the start that are there: the next one to be written.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that are there, wherever.
    pub fn kept(&self) -> u64 {
        self.seal.filling.total()
    }

    /// The file that they are written to, for reading: it stays the same until all of them are in the store, and then it is the
    /// blob.
    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.seal.filling.file)
    }

    /// Appends the next bytes.
    ///
    /// # Errors
    ///
    /// [`Error`] of the file system, or more bytes than the blob has.
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

    /// Lets it be written anywhere by many, while one hashes what has come.
    pub fn split(self) -> (Gaps, Seal) {
        (Gaps(Arc::clone(&self.seal.filling)), self.seal)
    }

    /// Makes the blob visible, for good.
    ///
    /// # Errors
    ///
    /// [`Error::Mismatch`] if these are not its bytes: what is wrong is thrown away, and what is too short is kept. [`Error`]
    /// of the file system.
    pub fn commit(mut self) -> Result<(), Error> {
        self.claim = None;
        let (gaps, seal) = self.split();
        drop(gaps);
        seal.finish(|_| {})
    }
}

/// What is missing of a blob, for those who write it. When this is dropped, nothing more comes.
#[derive(Debug)]
pub struct Gaps(Arc<Filling>);

impl Gaps {
    /// The ranges that are missing and that nobody has claimed.
    pub fn missing(&self) -> Vec<Range<u64>> {
        self.missing_of(&(0..self.0.size))
    }

    /// As [`missing`](Self::missing), of a part of the blob.
    pub fn missing_of(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        self.0.gaps(range)
    }

    /// Claims what is missing of a range, for one who writes it from its start to its end.
    ///
    /// # Errors
    ///
    /// [`Error`] of the file system.
    pub fn claim(&self, range: &Range<u64>) -> Result<Claim, Error> {
        self.0.claim(range)
    }
}

impl Drop for Gaps {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The right to make a blob visible, once its bytes were hashed.
#[derive(Debug)]
pub struct Seal {
    store: Store,
    filling: Arc<Filling>,
    hasher: Hasher,
    hashed: u64,
}

impl Seal {
    /// Hashes what comes, from the start and in order, and at the end makes the blob visible, for good. Blocks until then, or
    /// until the [`Gaps`] are dropped; tells how many bytes were hashed whenever there are more.
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
            // Whoever reads it has the wrong bytes as they were, not a mixture of old and new ones.
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

    /// Hashes, and has the disk write meanwhile, so that little is left to be waited for in the end.
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
                    // If it is not done with what it was asked for before, it will be asked again later.
                    let _ = ask.try_send(());
                }
            });
            drop(ask);
            // An error is told once only.
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

/// Whether an open file is the one that has this name now.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}
