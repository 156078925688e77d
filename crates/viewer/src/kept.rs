//! Data that a front end keeps from one visit to the next: the seek index of each verified layer, in a file named by the digest of
//! its blob.
//!
//! This is the part without input and output: what a front end has to provide ([`KeptFiles`]), what a file holds
//! ([`KeptRecord`]), and which files go when there are too many ([`Housekeeping`]).
//!
//! The pages of an index are checked against its header as they are read, which finds damage. It does not find what was
//! written on purpose by code that may write the same place, such as another page of the same origin: a layer that is
//! listed from here counts as verified on the day on which its blob was read.

mod housekeeping;
mod record;

pub(crate) use housekeeping::Housekeeping;
pub(crate) use record::KeptRecord;

use crate::given::GivenFile;
use std::{future::Future, pin::Pin};

/// A future of [`KeptFiles`].
pub type Later<'f, T> = Pin<Box<dyn Future<Output = Result<T, KeptError>> + 'f>>;

/// A place for files that outlives the session, which several sessions may use at once.
pub trait KeptFiles {
    /// A snapshot of a file: what is written or removed later does not change what is read from it, though it may become
    /// unreadable. `None` = there is no such file.
    fn open<'f>(&'f self, name: &'f str) -> Later<'f, Option<GivenFile>>;

    /// Writes a file of these parts. It appears under its name once it is whole, in place of one that is there.
    fn write<'f>(&'f self, name: &'f str, parts: &'f [&'f [u8]]) -> Later<'f, ()>;

    /// Removes a file, if it is there and can be removed now.
    fn remove<'f>(&'f self, name: &'f str) -> Later<'f, ()>;

    /// All files, also those that are being written.
    fn list(&self) -> Later<'_, Vec<KeptFile>>;

    /// Waits until this session alone may decide what is removed.
    fn lock(&self) -> Later<'_, KeptLock>;
}

/// A file that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFile {
    /// Name of the file, made of the layer's digest.
    pub name: String,
    /// Bytes of the file.
    pub size: u64,
    /// When it was written, in seconds since 1970.
    pub written: u64,
}

/// Why something is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptError {
    /// There is no room for it.
    NoRoom,
    /// The front end cannot keep files, with the reason in words.
    Unusable(String),
    /// The file system failed this time.
    Failed,
}

/// Held by the session that may decide what is removed. Dropping it lets the next one.
pub struct KeptLock(Option<Box<dyn FnOnce()>>);

impl KeptLock {
    /// A lock that this function releases.
    pub fn new(release: impl FnOnce() + 'static) -> Self {
        Self(Some(Box::new(release)))
    }
}

impl Drop for KeptLock {
    fn drop(&mut self) {
        if let Some(release) = self.0.take() {
            release();
        }
    }
}

/// Suffix of the names of files that are being written.
pub const TEMPORARY: &str = "new-";
/// Most bytes that are kept. The least recently used files are removed first.
pub(crate) const KEPT_BYTES: u64 = 256_000_000;
/// Behind the digest in the name of a file: another version of this program may read archives otherwise.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
