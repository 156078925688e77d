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

use porthole_core::failure::{Classify, Failure};

use crate::{remove_all, sync};

/// Mode of the root directory of an image.
const ROOT_MODE: u32 = 0o755;
/// Number of hidden names to try before giving up.
const TRIES: u32 = 100;

/// Why a directory cannot be prepared, or cannot appear.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StagedError {
    /// There is something in it.
    #[error("directory is not empty: `{}`", .0.display())]
    NotEmpty(PathBuf),
    /// Another file system is mounted there.
    #[error("a mount point cannot be replaced, name a directory in it: `{}`", .0.display())]
    MountPoint(PathBuf),
    /// It is `..`, or the root of the file system.
    #[error("expected a directory with a name: `{}`", .0.display())]
    Nameless(PathBuf),
    /// The operating system refuses.
    #[error("cannot use directory `{}`: {source}", path.display())]
    Unusable {
        /// The directory, or the hidden one beside it.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl Classify for StagedError {
    fn failure(&self) -> Failure {
        match self {
            Self::NotEmpty(_) | Self::MountPoint(_) | Self::Nameless(_) => Failure::input(),
            Self::Unusable { .. } => Failure::machine(),
        }
    }
}

/// A hidden directory beside the destination. The process that uses it holds a lock on it, so a hidden directory without a lock is a
/// leftover of a process that ended. Dropping removes the directory.
pub struct StagedDirectory {
    parent: PathBuf,
    name: OsString,
    temporary: OsString,
    mode: u32,
    lock: File,
    kept: bool,
}

impl StagedDirectory {
    /// Prepares to write `directory`, which must be absent or empty. Leftovers of processes that ended are removed.
    ///
    /// # Errors
    ///
    /// [`StagedError`].
    pub fn prepare(directory: &Path) -> Result<Self, StagedError> {
        let fail = |source: io::Error| StagedError::Unusable { path: directory.to_owned(), source };
        let (parent, name, mode) = match fs::metadata(directory) {
            Ok(metadata) if !metadata.is_dir() => return Err(fail(io::ErrorKind::NotADirectory.into())),
            Ok(metadata) => {
                let whole = directory.canonicalize().map_err(fail)?;
                if fs::read_dir(&whole).map_err(fail)?.next().is_some() {
                    return Err(StagedError::NotEmpty(directory.to_owned()));
                }
                let (parent, name) = apart(&whole, directory)?;
                if fs::metadata(&parent).map_err(fail)?.dev() != metadata.dev() {
                    return Err(StagedError::MountPoint(directory.to_owned()));
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
    ///
    /// # Errors
    ///
    /// [`StagedError::Unusable`].
    pub fn open(&self) -> Result<OwnedFd, StagedError> {
        Ok(self.lock.try_clone().map_err(|source| self.fail(source))?.into())
    }

    /// Renames the complete directory to its final name. With `sync`, writes its files to the disk before, and the name after.
    pub fn keep(mut self, durable: bool) -> Result<(), StagedError> {
        self.lock.set_permissions(Permissions::from_mode(self.mode)).map_err(|source| self.fail(source))?;
        if durable {
            sync(&self.lock).map_err(|source| self.fail(source))?;
        }
        let name = self.parent.join(&self.name);
        fs::rename(self.parent.join(&self.temporary), name).map_err(|source| self.fail(source))?;
        self.kept = true;
        if durable {
            let synced = File::open(&self.parent).and_then(|parent| parent.sync_all());
            synced.map_err(|source| self.fail(source))?;
        }
        Ok(())
    }

    /// Removes the hidden directory and everything in it.
    pub fn remove(&self) -> Result<(), StagedError> {
        remove(&self.parent, &self.temporary).map_err(|source| self.fail(source))
    }

    fn fail(&self, source: io::Error) -> StagedError {
        StagedError::Unusable { path: self.parent.join(&self.temporary), source }
    }
}

impl Drop for StagedDirectory {
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
fn apart(path: &Path, typed: &Path) -> Result<(PathBuf, OsString), StagedError> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok((parent.to_owned(), name.to_owned())),
        _ => Err(StagedError::Nameless(typed.to_owned())),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

    use super::*;

    fn names(folder: &Path) -> Vec<OsString> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_directory_appears_when_it_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rootfs");
        let staged = StagedDirectory::prepare(&path).unwrap();
        assert!(!path.exists());
        staged.open().unwrap();
        staged.keep(false).unwrap();
        assert_eq!(names(folder.path()), ["rootfs"]);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, ROOT_MODE);
    }

    #[test]
    fn a_directory_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(StagedDirectory::prepare(&folder.path().join("rootfs")).unwrap());
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn leftovers_are_removed_unless_a_process_has_them() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join(".rootfs.porthole-1-0/etc")).unwrap();
        let first = StagedDirectory::prepare(&folder.path().join("rootfs")).unwrap();
        let second = StagedDirectory::prepare(&folder.path().join("rootfs")).unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        first.keep(false).unwrap();
        second.remove().unwrap();
        assert_eq!(names(folder.path()), ["rootfs"]);
    }

    #[test]
    fn what_cannot_be_replaced_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let refused = |path: &Path| StagedDirectory::prepare(path).err().unwrap();
        assert!(matches!(refused(folder.path()), StagedError::NotEmpty(_)));
        assert!(matches!(refused(&folder.path().join("absent/..")), StagedError::Nameless(_)));
        assert!(matches!(refused(&folder.path().join("file")), StagedError::Unusable { .. }));
    }
}
