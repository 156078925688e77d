//! A content store: an OCI image layout that is written to.
//!
//! Any program that reads layouts reads it. Nothing becomes visible under its digest before its bytes were verified, and no
//! name before what it names is there: a blob is written to `ingest/`, hashed, synced, renamed into `blobs/`, its folder is
//! synced, and only then may `index.json` speak of it. What a process leaves behind in `ingest/` is taken up by the next one
//! that wants the digest.

use crate::{
    Error, Local,
    ingest::{Ingest, Partial},
    lock::Lock,
    references, sweep,
};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    layout::{self, BLOBS, INDEX_FILE, LAYOUT_FILE, NamedImage},
    limits::{Limits, MANIFEST_BYTES},
    manifest::Raw,
};
use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

pub use crate::sweep::Swept;

/// Folder of blobs that are not complete: `ingest/<algorithm>-<hex digits>`.
pub(crate) const INGEST: &str = "ingest";
/// Held shared by those who add blobs that nothing names yet, exclusively by those who sweep.
const SWEEP_LOCK: &str = "sweep.lock";
/// Held while `index.json` is read, changed and written.
const INDEX_LOCK: &str = "index.lock";

/// Files written by this process, so that two of its threads never use one temporary name.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const EMPTY_INDEX: &[u8] =
    br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

/// A store on disk. Any number of processes may use it at once.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
}

/// While this lives nothing is swept: what was added and is not named yet stays.
#[derive(Debug)]
pub struct Addition(#[expect(dead_code, reason = "held, never read")] Lock);

impl Store {
    /// Opens the store in a directory, which becomes one if it is missing or empty.
    ///
    /// # Errors
    ///
    /// [`Error`] if it cannot be made, or is a directory of something else.
    pub fn open(path: &Path) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(Error::write(path))?;
        let path = path.canonicalize().map_err(Error::io(path))?;
        let store = Self { path };
        let marker = store.path.join(LAYOUT_FILE);
        if !marker.try_exists().map_err(Error::io(&marker))? {
            store.found()?;
        }
        fs::create_dir_all(store.path.join(INGEST)).map_err(Error::write(&store.path))?;
        Ok(store)
    }

    /// Writes an empty layout. Many processes may do so at once: one of them does.
    fn found(&self) -> Result<(), Error> {
        let ours = [BLOBS, INGEST, INDEX_FILE, LAYOUT_FILE, INDEX_LOCK, SWEEP_LOCK];
        // What is being written has the name that it will have, between dots.
        let is_ours = |name: &str| ours.iter().any(|ours| name.strip_prefix('.').unwrap_or(name).starts_with(ours));
        for entry in fs::read_dir(&self.path).map_err(Error::io(&self.path))? {
            let name = entry.map_err(Error::io(&self.path))?.file_name();
            if !name.to_str().is_some_and(is_ours) {
                return Err(Error::NotAnImage { path: self.path.clone(), got: "a directory of something else" });
            }
        }
        fs::create_dir_all(self.path.join(BLOBS)).map_err(Error::write(&self.path))?;
        let _lock = self.lock_index()?;
        let (index, marker) = (self.path.join(INDEX_FILE), self.path.join(LAYOUT_FILE));
        if !index.try_exists().map_err(Error::io(&index))? {
            replace(&index, EMPTY_INDEX)?;
        }
        if marker.try_exists().map_err(Error::io(&marker))? { Ok(()) } else { replace(&marker, LAYOUT) }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The images as they are now, for reading.
    ///
    /// # Errors
    ///
    /// As [`Local::open`].
    pub fn local(&self) -> Result<Local, Error> {
        Local::open(&self.path)
    }

    /// Whether a blob is there with its size. Its bytes were verified when it was added; [`Local`] lets them be checked again.
    pub fn contains(&self, digest: &Digest, size: u64) -> bool {
        fs::symlink_metadata(self.blob(digest)).is_ok_and(|found| found.is_file() && found.len() == size)
    }

    /// Announces that blobs will be added and named later; waits while the store is being swept.
    ///
    /// # Errors
    ///
    /// [`Error`] if the lock cannot be had.
    pub fn add(&self) -> Result<Addition, Error> {
        Ok(Addition(Lock::shared(&self.path.join(SWEEP_LOCK))?))
    }

    /// Takes part in getting a blob. Only one process at a time writes a blob; see [`Ingest`].
    ///
    /// # Errors
    ///
    /// [`Error`] of the file system.
    pub fn ingest(&self, _addition: &Addition, digest: &Digest, size: u64) -> Result<Ingest, Error> {
        if self.contains(digest, size) {
            return Ok(Ingest::Present);
        }
        Partial::open(self, digest, size)
    }

    /// Adds a document that was verified already, if it is not there.
    ///
    /// # Errors
    ///
    /// [`Error`] of the file system.
    pub fn insert(&self, _addition: &Addition, raw: &Raw) -> Result<(), Error> {
        if self.contains(raw.digest(), raw.size()) {
            return Ok(());
        }
        let path = self.blob(raw.digest());
        self.make_folder(&path)?;
        replace(&path, raw.bytes())
    }

    /// Gives a name to an image whose blobs are all there. Returns what had the name before.
    ///
    /// # Errors
    ///
    /// [`Error`] of the file system, or of an `index.json` that is none.
    pub fn tag(&self, name: &str, descriptor: &Descriptor) -> Result<Option<Digest>, Error> {
        self.change_index(|index| references::set(index, name, descriptor))
    }

    /// Takes a name away. Blobs stay until they are [swept](Self::sweep). Returns whether it was there.
    ///
    /// # Errors
    ///
    /// As [`tag`](Self::tag).
    pub fn untag(&self, name: &str) -> Result<bool, Error> {
        self.change_index(|index| references::remove(index, name))
    }

    /// Removes every blob that no name leads to and, with `partials`, what transfers that were cut off left to be taken up. What
    /// the names that are there stood for before stays, as many steps back in the [`journal`](Self::journal) as `history` says.
    /// Waits for those who are adding.
    ///
    /// # Errors
    ///
    /// [`Error`]; nothing is removed if an index or a manifest cannot be read, because what it needs is not known then.
    pub fn sweep(&self, partials: bool, history: usize) -> Result<Swept, Error> {
        let _lock = Lock::exclusive(&self.path.join(SWEEP_LOCK))?;
        sweep::sweep(self, partials, history)
    }

    /// The images, with every name each has.
    pub(crate) fn images(&self) -> Result<Vec<NamedImage>, Error> {
        Ok(crate::layout::Directory::open(&self.path, &Limits::default())?.1)
    }

    /// The file of a blob, which is there if the store [contains](Self::contains) it.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.path.join(layout::blob_path(digest))
    }

    pub(crate) fn partial(&self, digest: &Digest) -> PathBuf {
        self.path.join(INGEST).join(format!("{}-{}", digest.algorithm().name(), digest.hex()))
    }

    /// The folder of a file of the store.
    pub(crate) fn make_folder(&self, file: &Path) -> Result<(), Error> {
        let folder = file.parent().unwrap_or(&self.path);
        if !folder.is_dir() {
            fs::create_dir_all(folder).map_err(Error::write(folder))?;
            sync_folder(folder.parent().unwrap_or(folder))?;
        }
        Ok(())
    }

    fn lock_index(&self) -> Result<Lock, Error> {
        Lock::exclusive(&self.path.join(INDEX_LOCK))
    }

    fn change_index<T>(&self, change: impl FnOnce(&mut serde_json::Value) -> Option<T>) -> Result<T, Error> {
        let _lock = self.lock_index()?;
        let path = self.path.join(INDEX_FILE);
        let bytes = fs::read(&path).map_err(Error::io(&path))?;
        let refused = |got| Error::NotAnImage { path: path.clone(), got };
        if bytes.len() as u64 > MANIFEST_BYTES {
            return Err(refused("an index.json that is too large"));
        }
        let mut index = serde_json::from_slice(&bytes).map_err(|_| refused("an index.json that is not JSON"))?;
        let answer = change(&mut index).ok_or_else(|| refused("an index.json that is no index"))?;
        let changed = index.to_string();
        if changed.as_bytes() != bytes {
            replace(&path, changed.as_bytes())?;
        }
        Ok(answer)
    }
}

/// Writes a file so that it has all of its bytes, or those it had before, whatever happens.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let turn = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let next = path.with_file_name(format!(".{name}.{}-{turn}", std::process::id()));
    let written = File::create(&next).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| fs::rename(&next, path));
    if let Err(source) = renamed {
        let _ = fs::remove_file(&next);
        return Err(Error::write(path)(source));
    }
    sync_folder(path.parent().unwrap_or(path))
}

/// Makes the names in a folder last.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems cannot sync a folder; they have nothing better to offer.
        Err(source) if !matches!(source.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput) => {
            Err(Error::write(folder)(source))
        }
        _ => Ok(()),
    }
}
