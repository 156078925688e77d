//! Blobs on their way into the store.

use crate::{
    Error, Store,
    store::{INGEST, sync_folder},
};
use porthole_core::digest::{Digest, Hasher, Mismatch};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

const BUFFER: usize = 256 << 10;

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
/// take it up where it ends.
#[derive(Debug)]
pub struct Partial {
    store: Store,
    path: PathBuf,
    file: Arc<File>,
    hasher: Hasher,
    digest: Digest,
    size: u64,
    position: u64,
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
                let _ = fs::remove_file(&path);
            }
            return Ok(Ingest::Present);
        }
        if !is_at(&file, &path) {
            return Ok(Ingest::Busy);
        }
        let hasher = Hasher::new(digest.algorithm());
        let file = Arc::new(file);
        let mut partial = Self { store: store.clone(), path, file, hasher, digest: *digest, size, position: 0 };
        partial.take_up()?;
        Ok(Ingest::Open(Box::new(partial)))
    }

    /// Hashes what is there already.
    fn take_up(&mut self) -> Result<(), Error> {
        let length = self.file.metadata().map_err(Error::io(&self.path))?.len();
        if length > self.size {
            return self.file.set_len(0).map_err(Error::write(&self.path));
        }
        let mut buffer = vec![0; BUFFER];
        loop {
            match self.file.as_ref().read(&mut buffer).map_err(Error::io(&self.path))? {
                0 => return Ok(()),
                read => {
                    self.hasher.update(&buffer[..read]);
                    self.position += read as u64;
                }
            }
        }
    }

    /// Bytes that are there: the next one to be written.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The file that they are written to, for reading: it stays the same until all of them are in the store, and then it is the blob.
    pub fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Appends the next bytes.
    ///
    /// # Errors
    ///
    /// [`Error`] of the file system, or more bytes than the blob has.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let after = self.position.saturating_add(bytes.len() as u64);
        if after > self.size {
            return Err(Error::Mismatch(Mismatch::Size { expected: self.size, got: after }));
        }
        self.file.as_ref().write_all(bytes).map_err(Error::write(&self.path))?;
        self.hasher.update(bytes);
        self.position = after;
        Ok(())
    }

    /// Makes the blob visible, for good.
    ///
    /// # Errors
    ///
    /// [`Error::Mismatch`] if these are not its bytes: what is wrong is thrown away, and what is too short is kept. [`Error`]
    /// of the file system.
    pub fn commit(mut self) -> Result<(), Error> {
        if self.position != self.size {
            return Err(Error::Mismatch(Mismatch::Size { expected: self.size, got: self.position }));
        }
        let hasher = std::mem::replace(&mut self.hasher, Hasher::new(self.digest.algorithm()));
        let got = hasher.finish();
        if got != self.digest {
            // Whoever reads it has the wrong bytes as they were, not a mixture of old and new ones.
            fs::remove_file(&self.path).map_err(Error::write(&self.path))?;
            return Err(Error::Mismatch(Mismatch::Digest { expected: self.digest, got }));
        }
        self.file.sync_all().map_err(Error::write(&self.path))?;
        let blob = self.store.blob(&self.digest);
        self.store.make_folder(&blob)?;
        fs::rename(&self.path, &blob).map_err(Error::write(&blob))?;
        sync_folder(blob.parent().unwrap_or(&blob))
    }
}

/// Whether an open file is the one that has this name now.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}
