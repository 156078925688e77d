//! Removes directory trees of any depth with few open descriptors.

use std::{mem::MaybeUninit, os::fd::OwnedFd};

use rustix::{
    fs::{AtFlags, FileType, RawDir},
    io::Errno,
};

use crate::disk::{enter, stat};

/// Directory entries read at a time.
const NAMES: usize = 1024;
const BUFFER: usize = 32 << 10;

/// Removes `name` in an open directory and everything below it. Succeeds if `name` does not exist. Removes symbolic links
/// without following them.
///
/// # Errors
///
/// The error of the system call. Part of the tree may be gone by then.
pub fn remove_all(directory: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    if unlink(directory, name)? {
        return Ok(());
    }
    // The path below `directory`: the name and identity of each directory on it.
    let mut way: Vec<(Vec<u8>, Identity)> = Vec::new();
    let mut at = open(directory, name)?;
    way.push((name.to_vec(), Identity::of(&at)?));
    loop {
        if let Some(below) = empty(&at)? {
            at = open(&at, &below)?;
            way.push((below, Identity::of(&at)?));
            continue;
        }
        let Some((name, _)) = way.pop() else { return Ok(()) };
        let above = match way.last() {
            None => return absent(rustix::fs::unlinkat(directory, &name[..], AtFlags::REMOVEDIR)),
            Some((_, identity)) => {
                let above = enter(&at, b"..")?;
                // The directory was moved during the removal.
                if Identity::of(&above)? != *identity {
                    return Err(Errno::BUSY);
                }
                above
            }
        };
        absent(rustix::fs::unlinkat(&above, &name[..], AtFlags::REMOVEDIR))?;
        at = above;
    }
}

/// Up to `most` names in a directory, with their types if the file system reports them.
pub(crate) fn names(directory: &OwnedFd, most: usize) -> Result<Vec<(Vec<u8>, FileType)>, Errno> {
    // Open it again: reading advances the position of the descriptor.
    let directory = enter(directory, b".")?;
    let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
    let mut entries = RawDir::new(directory, &mut buffer);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push((name.to_vec(), entry.file_type()));
        }
        if names.len() >= most {
            break;
        }
    }
    Ok(names)
}

/// Removes a name that is not a directory. Returns `false` if it is a directory.
fn unlink(directory: &OwnedFd, name: &[u8]) -> Result<bool, Errno> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR) => Ok(false),
        // POSIX reports a directory with EPERM; Linux also uses EPERM for immutable files.
        Err(Errno::PERM) if stat(directory, name).is_ok_and(|stat| crate::disk::is(&stat, FileType::Directory)) => {
            Ok(false)
        }
        Err(errno) => Err(errno),
    }
}

/// Removes all entries except non-empty directories. Returns the first of those.
fn empty(directory: &OwnedFd) -> Result<Option<Vec<u8>>, Errno> {
    loop {
        let names = names(directory, NAMES)?;
        if names.is_empty() {
            return Ok(None);
        }
        for (name, _) in names {
            if unlink(directory, &name)? {
                continue;
            }
            match rustix::fs::unlinkat(directory, &name[..], AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::NOTEMPTY | Errno::EXIST) => return Ok(Some(name)),
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// Opens a directory in order to empty it. Makes it writable first if its owner may not write.
fn open(directory: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    if !rustix::process::geteuid().is_root() {
        let _ = crate::disk::set_mode(directory, name, 0o700);
    }
    enter(directory, name)
}

fn absent(result: Result<(), Errno>) -> Result<(), Errno> {
    match result {
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}

/// Identity of a directory, independent of its name: device and inode.
#[derive(PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    #[allow(clippy::unnecessary_cast, reason = "the fields have other types on other platforms")]
    fn of(directory: &OwnedFd) -> Result<Self, Errno> {
        let stat = rustix::fs::fstat(directory)?;
        Ok(Self(stat.st_dev as u64, stat.st_ino as u64))
    }
}
