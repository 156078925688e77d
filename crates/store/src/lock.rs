//! Locks between processes, which end with whoever holds them, however that ends.

use crate::Error;
use std::{
    fs::{File, OpenOptions},
    path::Path,
};

/// A lock that is held as long as this lives.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "closing it releases the lock")] File);

impl Lock {
    /// Waits until nobody holds it exclusively.
    pub(crate) fn shared(path: &Path) -> Result<Self, Error> {
        let file = open(path)?;
        file.lock_shared().map_err(Error::write(path))?;
        Ok(Self(file))
    }

    /// Waits until nobody else holds it.
    pub(crate) fn exclusive(path: &Path) -> Result<Self, Error> {
        let file = open(path)?;
        file.lock().map_err(Error::write(path))?;
        Ok(Self(file))
    }
}

fn open(path: &Path) -> Result<File, Error> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(Error::write(path))
}
