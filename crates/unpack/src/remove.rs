//! Removal of whole trees, however deep, one open directory at a time.

use std::{mem::MaybeUninit, os::fd::OwnedFd};

use rustix::{
    fs::{AtFlags, FileType, RawDir},
    io::Errno,
};

use crate::disk::{enter, stat};

/// Names that are read before they are worked on.
const NAMES: usize = 1024;
const BUFFER: usize = 32 << 10;

/// Removes `name` from an open directory, with all that is below; nothing there is fine. Symbolic links are removed, not
/// followed.
///
/// # Errors
///
/// What the system says; some of it may be gone then.
pub fn remove_all(directory: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    if unlink(directory, name)? {
        return Ok(());
    }
    // Below `directory`, from the top: names, and which directory each is.
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
                // It would have been moved away while this works on it.
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

/// Names in a directory and their kinds, where the file system tells those, up to a number of them.
pub(crate) fn names(directory: &OwnedFd, most: usize) -> Result<Vec<(Vec<u8>, FileType)>, Errno> {
    // Of its own, because reading moves on in what is open.
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

/// Removes what is not a directory; `false` if it is one.
fn unlink(directory: &OwnedFd, name: &[u8]) -> Result<bool, Errno> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR) => Ok(false),
        // What POSIX says of directories, and Linux of files that may not be removed.
        Err(Errno::PERM) if stat(directory, name).is_ok_and(|stat| crate::disk::is(&stat, FileType::Directory)) => {
            Ok(false)
        }
        Err(errno) => Err(errno),
    }
}

/// Removes everything in a directory that is not a directory with something in it; returns the first of those.
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

/// Opens a directory to empty it. One that its owner may not write is made so.
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

/// Which directory it is, whatever its name.
#[derive(PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    #[allow(clippy::unnecessary_cast, reason = "numbers have other types on other machines")]
    fn of(directory: &OwnedFd) -> Result<Self, Errno> {
        let stat = rustix::fs::fstat(directory)?;
        Ok(Self(stat.st_dev as u64, stat.st_ino as u64))
    }
}
