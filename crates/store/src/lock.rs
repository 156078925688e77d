//! File locks between processes. The kernel releases a lock when its holder exits, even after a crash.

use crate::Error;
use std::{
    fs::{File, OpenOptions},
    path::Path,
};

/// A lock, released when dropped.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "closing it releases the lock")] File);

impl Lock {
    /// Takes a shared lock. Blocks while another process holds it exclusively.
    pub(crate) fn shared(path: &Path) -> Result<Self, Error> {
        let file = open(path)?;
        file.lock_shared().map_err(Error::write(path))?;
        Ok(Self(file))
    }

    /// Takes an exclusive lock. Blocks while another process holds it.
    pub(crate) fn exclusive(path: &Path) -> Result<Self, Error> {
        let file = open(path)?;
        file.lock().map_err(Error::write(path))?;
        Ok(Self(file))
    }
}

fn open(path: &Path) -> Result<File, Error> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(Error::write(path))
}
