//! The directory of `unpack`, which appears when all files are written.

use std::{
    ffi::OsString,
    fs::{self, File, Permissions},
    io,
    os::{
        fd::OwnedFd,
        unix::{
            ffi::OsStrExt,
            fs::{DirBuilderExt, MetadataExt, PermissionsExt},
        },
    },
    path::{Path, PathBuf},
    process,
};

use porthole_unpack::remove_all;

use crate::error::Error;

/// Mode of the root directory of an image.
const ROOT_MODE: u32 = 0o755;
/// Number of hidden names to try before giving up.
const TRIES: u32 = 100;

/// A hidden directory beside the destination. The process that uses it holds a lock on it, so a hidden directory without a lock is a
/// leftover of a process that ended. Dropping removes the directory.
pub(crate) struct Destination {
    parent: PathBuf,
    name: OsString,
    temporary: OsString,
    mode: u32,
    lock: File,
    kept: bool,
}

impl Destination {
    pub(crate) fn prepare(directory: &Path) -> Result<Self, Error> {
        let fail = |source: io::Error| Error::Directory { path: directory.to_owned(), source };
        let (parent, name, mode) = match fs::metadata(directory) {
            Ok(metadata) if !metadata.is_dir() => return Err(fail(io::ErrorKind::NotADirectory.into())),
            Ok(metadata) => {
                let whole = directory.canonicalize().map_err(fail)?;
                if fs::read_dir(&whole).map_err(fail)?.next().is_some() {
                    return Err(Error::usage(format!("directory is not empty: `{}`", directory.display())));
                }
                let (parent, name) = apart(&whole, directory)?;
                if fs::metadata(&parent).map_err(fail)?.dev() != metadata.dev() {
                    let shown = directory.display();
                    return Err(Error::usage(format!(
                        "a mount point cannot be replaced, name a directory in it: `{shown}`"
                    )));
                }
                (parent, name, metadata.permissions().mode() & 0o7777)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && !directory.is_symlink() => {
                let (parent, name) = apart(directory, directory)?;
                let parent = if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent };
                (parent.canonicalize().map_err(fail)?, name, ROOT_MODE)
            }
            Err(error) => return Err(fail(error)),
        };
        let mut prefix = OsString::from(".");
        prefix.push(&name);
        prefix.push(".porthole-");
        remove_leftovers(&parent, &prefix);
        for attempt in 0..TRIES {
            let mut temporary = prefix.clone();
            temporary.push(format!("{}-{attempt}", process::id()));
            let path = parent.join(&temporary);
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.map_err(fail)?,
            }
            // Before this process locked it, another run may have removed it as a leftover.
            let lock = match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened.map_err(fail)?,
            };
            if lock.try_lock().is_ok() && is_at(&lock, &path) {
                return Ok(Self { parent, name, temporary, mode, lock, kept: false });
            }
        }
        Err(fail(io::ErrorKind::AlreadyExists.into()))
    }

    /// The directory to write into.
    pub(super) fn open(&self) -> Result<OwnedFd, Error> {
        Ok(self.lock.try_clone().map_err(|source| self.fail(source))?.into())
    }

    /// Renames the complete directory to its final name. With `sync`, writes its files to the disk before, and the name after.
    pub(crate) fn keep(mut self, sync: bool) -> Result<(), Error> {
        self.lock.set_permissions(Permissions::from_mode(self.mode)).map_err(|source| self.fail(source))?;
        if sync {
            porthole_unpack::sync(&self.lock).map_err(|source| self.fail(source))?;
        }
        let name = self.parent.join(&self.name);
        fs::rename(self.parent.join(&self.temporary), name).map_err(|source| self.fail(source))?;
        self.kept = true;
        if sync {
            let synced = File::open(&self.parent).and_then(|parent| parent.sync_all());
            synced.map_err(|source| self.fail(source))?;
        }
        Ok(())
    }

    /// Removes the hidden directory and everything in it.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        remove(&self.parent, &self.temporary).map_err(|source| self.fail(source))
    }

    fn fail(&self, source: io::Error) -> Error {
        Error::Directory { path: self.parent.join(&self.temporary), source }
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        if !self.kept {
            // Ignore this error: another one is already being reported.
            let _ = remove(&self.parent, &self.temporary);
        }
    }
}

/// Whether an open directory still has this path.
fn is_at(directory: &File, path: &Path) -> bool {
    let identity = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    match (directory.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => identity(&open) == identity(&named),
        _ => false,
    }
}

fn remove(parent: &Path, name: &OsString) -> io::Result<()> {
    Ok(remove_all(&File::open(parent)?.into(), name.as_bytes())?)
}

/// Splits a path into parent and name. Refuses `..` and the root of the file system, which have no name.
fn apart(path: &Path, typed: &Path) -> Result<(PathBuf, OsString), Error> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok((parent.to_owned(), name.to_owned())),
        _ => Err(Error::usage(format!("expected a directory with a name: `{}`", typed.display()))),
    }
}

/// Removes the hidden directories of runs that were killed.
fn remove_leftovers(parent: &Path, prefix: &OsString) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().as_bytes().starts_with(prefix.as_bytes())) {
        // A locked directory belongs to a running process. One that cannot be opened belongs to another user.
        let free = File::open(entry.path()).is_ok_and(|directory| directory.try_lock().is_ok());
        if free {
            let _ = remove(parent, &entry.file_name());
        }
    }
}
