//! The content store: an OCI image layout that this crate writes.
//!
//! Any OCI layout reader can read it. A blob becomes visible under its digest only after verification, and a name only
//! after everything it refers to: a blob is written to `ingest/`, hashed, synced, renamed into `blobs/`, its folder is
//! synced, and only then may `index.json` refer to it. If a process is interrupted, its partial blob stays in `ingest/`,
//! and the next process that needs the digest resumes it.

use crate::{
    Error, Layout,
    ingest::{Ingest, Partial},
    lock::Lock,
    references, sweep,
};
use porthole_core::{
    descriptor::Descriptor,
    digest::Digest,
    layout::{self, BLOBS, INDEX_FILE, LAYOUT_FILE},
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

/// Folder of partial blobs: `ingest/<algorithm>-<hex digits>`.
pub(crate) const INGEST: &str = "ingest";
/// Folder of the damaged blobs that were set aside. A sweep with `partials` empties it.
pub(crate) const DAMAGED: &str = "damaged";
/// Lock file: shared by processes that add blobs without a name yet, exclusive for a sweep.
pub(crate) const SWEEP_LOCK: &str = "sweep.lock";
/// Lock file held while `index.json` is read, changed and written.
const INDEX_LOCK: &str = "index.lock";

/// Counter of files written by this process, so that two threads never share a temporary name.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const EMPTY_INDEX: &[u8] =
    br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

/// A store on disk. Safe for concurrent use by several processes.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
    limits: Limits,
}

/// Blocks sweeps while it lives, so that new blobs stay until they are named.
#[derive(Debug)]
pub struct Addition(#[expect(dead_code, reason = "held, never read")] Lock);

impl Store {
    /// Opens the store in a directory. Creates it if the directory is missing or empty.
    ///
    /// # Errors
    ///
    /// [`Error`] if the directory cannot be created, or holds files that are not a layout.
    pub fn open(path: &Path) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(Error::write(path))?;
        let path = path.canonicalize().map_err(Error::io(path))?;
        let store = Self { path, limits: Limits::default() };
        let marker = store.path.join(LAYOUT_FILE);
        if !marker.try_exists().map_err(Error::io(&marker))? {
            store.found()?;
        }
        fs::create_dir_all(store.path.join(INGEST)).map_err(Error::write(&store.path))?;
        Ok(store)
    }

    /// Writes an empty layout. Safe if several processes do so at once.
    fn found(&self) -> Result<(), Error> {
        let ours = [BLOBS, INGEST, INDEX_FILE, LAYOUT_FILE, INDEX_LOCK, SWEEP_LOCK];
        // A temporary file has the final name behind a dot.
        let is_ours = |name: &str| ours.iter().any(|ours| name.strip_prefix('.').unwrap_or(name).starts_with(ours));
        for entry in fs::read_dir(&self.path).map_err(Error::io(&self.path))? {
            let name = entry.map_err(Error::io(&self.path))?.file_name();
            if !name.to_str().is_some_and(is_ours) {
                return Err(Error::NotAStore { path: self.path.clone(), got: "a directory of something else" });
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

    /// Returns this store with other limits for reading its images.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The limits for reading images of this store.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The directory of the store.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A snapshot of the images, for reading.
    ///
    /// # Errors
    ///
    /// [`Error`] if `index.json` cannot be read.
    pub fn local(&self) -> Result<Layout, Error> {
        Layout::open(&self.path, self.limits)
    }

    /// Whether a blob exists with this size. It was verified when it was added.
    pub fn contains(&self, digest: &Digest, size: u64) -> bool {
        fs::symlink_metadata(self.blob(digest)).is_ok_and(|found| found.is_file() && found.len() == size)
    }

    /// Announces that blobs will be added and named later. Blocks during a sweep.
    ///
    /// # Errors
    ///
    /// [`Error`] if the lock cannot be taken.
    pub fn add(&self) -> Result<Addition, Error> {
        Ok(Addition(Lock::shared(&self.path.join(SWEEP_LOCK))?))
    }

    /// Starts or resumes the ingest of a blob. Only one process at a time writes a blob; see [`Ingest`].
    ///
    /// # Errors
    ///
    /// [`Error`] from the file system.
    pub fn ingest(&self, _addition: &Addition, digest: &Digest, size: u64) -> Result<Ingest, Error> {
        if self.contains(digest, size) {
            return Ok(Ingest::Present);
        }
        Partial::open(self, digest, size)
    }

    /// Adds a verified document, unless the store has it.
    ///
    /// # Errors
    ///
    /// [`Error`] from the file system.
    pub fn insert(&self, _addition: &Addition, raw: &Raw) -> Result<(), Error> {
        if self.contains(raw.digest(), raw.size()) {
            return Ok(());
        }
        let path = self.blob(raw.digest());
        self.make_folder(&path)?;
        replace(&path, raw.bytes())
    }

    /// Names an image whose blobs are all in the store. Returns the digest that had the name before.
    ///
    /// # Errors
    ///
    /// [`Error`] from the file system, or for a malformed `index.json`.
    pub fn tag(&self, name: &str, descriptor: &Descriptor) -> Result<Option<Digest>, Error> {
        self.change_index(|index| references::set(index, name, descriptor))
    }

    /// Removes a name. Blobs stay until a [sweep](Self::sweep). Returns whether the name existed.
    ///
    /// # Errors
    ///
    /// As [`tag`](Self::tag).
    pub fn untag(&self, name: &str) -> Result<bool, Error> {
        self.change_index(|index| references::remove(index, name))
    }

    /// Removes every blob that no name refers to and, with `partials`, interrupted downloads. Also keeps the images that
    /// existing names referred to earlier, up to `history` steps back in the [`journal`](Self::journal). Waits for
    /// processes that are adding blobs.
    ///
    /// # Errors
    ///
    /// [`Error`]. Removes nothing if an index or manifest cannot be read, because its references are unknown then.
    pub fn sweep(&self, partials: bool, history: usize) -> Result<Swept, Error> {
        let _lock = Lock::exclusive(&self.path.join(SWEEP_LOCK))?;
        sweep::sweep(self, partials, history)
    }

    /// Path of a blob. It exists if the store [contains](Self::contains) the blob.
    pub fn blob(&self, digest: &Digest) -> PathBuf {
        self.path.join(layout::blob_path(digest))
    }

    pub(crate) fn partial(&self, digest: &Digest) -> PathBuf {
        self.path.join(INGEST).join(format!("{}-{}", digest.algorithm().name(), digest.hex()))
    }

    /// Creates the folder of a file in the store.
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
        let refused = |got| Error::NotAStore { path: path.clone(), got };
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

/// Replaces a file atomically: after a crash it has either its old or its new content.
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

/// Syncs a folder, so that new names survive a power failure.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), Error> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems cannot sync a folder; there is no alternative.
        Err(source) if !matches!(source.kind(), ErrorKind::Unsupported | ErrorKind::InvalidInput) => {
            Err(Error::write(folder)(source))
        }
        _ => Ok(()),
    }
}
