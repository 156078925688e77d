//! Access to paths below the root without letting the kernel follow a symbolic link.

use std::{
    cell::Cell,
    os::fd::{AsRawFd, OwnedFd},
};

use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat},
    io::Errno,
};

/// Flags for opening a directory.
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The open root directory.
pub(crate) struct Disk {
    root: OwnedFd,
    /// Whether the kernel has openat2 (Linux 5.6) and permits it; a seccomp filter may refuse it.
    openat2: Cell<bool>,
}

impl Disk {
    pub(crate) fn new(root: OwnedFd) -> Self {
        Self { root, openat2: Cell::new(true) }
    }

    /// Opens the directory at a clean path. The empty path is the root.
    ///
    /// # Errors
    ///
    /// `LOOP` if a component is a symbolic link, `NOTDIR` if a component is neither a link nor a directory.
    pub(crate) fn open(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        if path.is_empty() {
            return enter(&self.root, b".");
        }
        if self.openat2.get() {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match rustix::fs::openat2(&self.root, path, DIRECTORY, Mode::empty(), resolve) {
                Err(Errno::NOSYS | Errno::PERM) => self.openat2.set(false),
                Err(Errno::AGAIN) => {}
                result => return result,
            }
        }
        let mut at = None;
        for name in path.split(|&b| b == b'/') {
            at = Some(enter(at.as_ref().unwrap_or(&self.root), name)?);
        }
        at.ok_or(Errno::NOENT)
    }

    /// Opens the directory that holds a clean path. Returns it with the last component.
    pub(crate) fn open_parent<'p>(&self, path: &'p [u8]) -> Result<(OwnedFd, &'p [u8]), Errno> {
        let (directory, name) = split(path);
        Ok((self.open(directory)?, name))
    }
}

/// Splits a clean path into directory and name.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&b| b == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

/// Appends a name to a clean path.
pub(crate) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}

/// Opens the directory `name` in another directory. `LOOP` for a symbolic link.
pub(crate) fn enter(directory: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    match rustix::fs::openat(directory, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
        Err(Errno::NOTDIR) if stat(directory, name).is_ok_and(|stat| is(&stat, FileType::Symlink)) => Err(Errno::LOOP),
        result => result,
    }
}

/// Type of `name` in a directory, if it exists.
pub(crate) fn kind(directory: &OwnedFd, name: &[u8]) -> Result<Option<FileType>, Errno> {
    match stat(directory, name) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// lstat of `name` in a directory.
pub(crate) fn stat(directory: &OwnedFd, name: &[u8]) -> Result<Stat, Errno> {
    rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
}

pub(crate) fn is(stat: &Stat, kind: FileType) -> bool {
    FileType::from_raw_mode(stat.st_mode) == kind
}

/// Sets the permission bits of `name`, which is not a symbolic link: a link has none.
pub(crate) fn set_mode(directory: &OwnedFd, name: &[u8], mode: u32) -> Result<(), Errno> {
    let (_opened, own_name) = own_name(directory, name)?;
    rustix::fs::chmodat(CWD, own_name, Mode::from_raw_mode(mode), AtFlags::empty())
}

/// Opens `name` with `O_PATH` and returns the descriptor and its path in `/proc/self/fd`. Through this path the object can be
/// changed without opening it for reading and without following a link.
pub(crate) fn own_name(directory: &OwnedFd, name: &[u8]) -> Result<(OwnedFd, String), Errno> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    let own_name = format!("/proc/self/fd/{}", opened.as_raw_fd());
    Ok((opened, own_name))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn links_are_not_followed_by_either_way() {
        let place = tempfile::tempdir().expect("a temporary directory can be made");
        let at = |name: &str| place.path().join(name);
        fs::create_dir_all(at("a/b")).expect("a directory can be made");
        fs::write(at("file"), b"").expect("a file can be made");
        for (target, name) in [("/", "absolute"), ("..", "up"), ("a", "inside"), ("absolute", "a/second"), ("x", "x")] {
            symlink(target, at(name)).expect("a link can be made");
        }
        for openat2 in [true, false] {
            let disk = Disk::new(fs::File::open(place.path()).expect("it is there").into());
            disk.openat2.set(openat2);
            for (path, expected) in [
                ("", None),
                ("a", None),
                ("a/b", None),
                ("c", Some(Errno::NOENT)),
                ("a/c/d", Some(Errno::NOENT)),
                ("file", Some(Errno::NOTDIR)),
                ("file/x", Some(Errno::NOTDIR)),
                ("absolute", Some(Errno::LOOP)),
                ("absolute/etc", Some(Errno::LOOP)),
                ("up", Some(Errno::LOOP)),
                ("inside/b", Some(Errno::LOOP)),
                ("a/second/etc", Some(Errno::LOOP)),
                ("x", Some(Errno::LOOP)),
            ] {
                assert_eq!(disk.open(path.as_bytes()).err(), expected, "{path}, {openat2}");
            }
        }
    }

    #[test]
    fn a_mode_is_not_set_through_a_link() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().expect("a temporary directory can be made");
        let file = place.path().join("file");
        fs::write(&file, b"").expect("a file can be made");
        symlink("file", place.path().join("link")).expect("a link can be made");
        let directory = fs::File::open(place.path()).expect("it is there").into();
        let mode = || fs::metadata(&file).expect("it is there").permissions().mode() & 0o7777;
        set_mode(&directory, b"file", 0o4711).expect("a file has a mode");
        assert_eq!(mode(), 0o4711);
        assert_eq!(set_mode(&directory, b"link", 0o777), Err(Errno::OPNOTSUPP));
        assert_eq!(mode(), 0o4711);
    }
}
