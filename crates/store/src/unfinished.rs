//! Files that become visible only when they are complete.

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags},
    io::Errno,
};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process,
};

/// Number of hidden names to try before giving up.
const TRIES: u32 = 100;

/// A file being written. [`keep`](Self::keep) makes it appear, or replaces the existing file. Before that it has no
/// name if the file system supports that (`O_TMPFILE`), so a killed program leaves nothing behind; otherwise it has a
/// hidden name.
///
/// Anything but a regular file, such as a pipe, is written directly.
#[derive(Debug)]
pub struct Unfinished {
    file: File,
    path: PathBuf,
    state: State,
}

#[derive(Debug)]
enum State {
    Nameless,
    Hidden(PathBuf),
    Done,
}

impl Unfinished {
    /// Creates a file with the usual permissions.
    ///
    /// # Errors
    ///
    /// The error of the operating system: the folder does not exist or is not writable, or the path is a folder.
    pub fn create(path: &Path) -> io::Result<Self> {
        // Keep a symbolic link, and replace its target.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => {
                return Ok(Self { file: OpenOptions::new().write(true).open(&path)?, path, state: State::Done });
            }
            _ => {}
        }
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        match rustix::fs::open(folder(&path), flags, Mode::from_raw_mode(0o666)) {
            Ok(file) => Ok(Self { file: file.into(), path, state: State::Nameless }),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => Self::hidden(path),
            Err(errno) => Err(errno.into()),
        }
    }

    fn hidden(path: PathBuf) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let (file, name) = unused(&path, |name| options.write(true).create_new(true).open(name))?;
        Ok(Self { file, path, state: State::Hidden(name) })
    }

    /// The file to write to.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The folder in which the file will appear. `None` for a pipe or device, which is written directly.
    pub fn folder(&self) -> Option<&Path> {
        (!matches!(self.state, State::Done)).then(|| folder(&self.path))
    }

    /// Completes the file and gives it its name.
    ///
    /// # Errors
    ///
    /// The error of the operating system. The path is then unchanged.
    pub fn keep(mut self) -> io::Result<()> {
        let name = match &self.state {
            State::Done => return Ok(()),
            State::Hidden(name) => name.clone(),
            State::Nameless => {
                let own_name = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                let link = |name: &Path| Ok(rustix::fs::linkat(CWD, &own_name, CWD, name, AtFlags::SYMLINK_FOLLOW)?);
                unused(&self.path, link)?.1
            }
        };
        self.state = State::Hidden(name.clone());
        self.file.sync_all()?;
        fs::rename(&name, &self.path)?;
        self.state = State::Done;
        // Not every file system can sync a folder.
        let _ = File::open(folder(&self.path)).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let State::Hidden(name) = &self.state {
            let _ = fs::remove_file(name);
        }
    }
}

/// Creates something under an unused hidden name beside `path`.
fn unused<T>(path: &Path, mut make: impl FnMut(&Path) -> io::Result<T>) -> io::Result<(T, PathBuf)> {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    for attempt in 0..TRIES {
        let name = folder(path).join(format!(".{file_name}.porthole-{}-{attempt}", process::id()));
        match make(&name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|made| (made, name)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder can be read");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_when_it_is_complete() {
        let place = tempfile::tempdir().expect("a temporary directory can be made");
        let path = place.path().join("a");
        let hidden = |path: &Path| Unfinished::hidden(path.to_owned());
        for create in [Unfinished::create, hidden] {
            for text in ["one", "two"] {
                let before = fs::read_to_string(&path).ok();
                let unfinished = create(&path).expect("a file can be begun");
                unfinished.file().write_all(text.as_bytes()).expect("it can be written");
                assert_eq!(fs::read_to_string(&path).ok(), before);
                unfinished.keep().expect("it can be kept");
                assert_eq!(fs::read_to_string(&path).ok().as_deref(), Some(text));
                assert_eq!(names(place.path()), ["a"]);
            }
            drop(create(&path).expect("a file can be begun"));
            assert_eq!(names(place.path()), ["a"]);
            fs::remove_file(&path).expect("it can be removed");
        }
    }

    #[test]
    fn a_device_is_written_to_and_not_replaced() {
        let null = Unfinished::create(Path::new("/dev/null")).expect("/dev/null is writable");
        assert_eq!(null.folder(), None);
        null.file().write_all(b"gone").expect("it takes everything");
        null.keep().expect("there is nothing to do");
        assert!(!Path::new("/dev/null").is_file());
    }

    #[test]
    fn links_stay_and_folders_too() {
        let place = tempfile::tempdir().expect("a temporary directory can be made");
        let (path, link) = (place.path().join("a"), place.path().join("b"));
        fs::write(&path, "one").expect("a file can be made");
        std::os::unix::fs::symlink("a", &link).expect("a link can be made");
        Unfinished::create(&link).and_then(Unfinished::keep).expect("it can be written");
        assert!(link.is_symlink() && fs::read(&path).is_ok_and(|bytes| bytes.is_empty()));
        let error = Unfinished::create(place.path()).expect_err("a folder is no file");
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
        let error = Unfinished::create(&place.path().join("c/d")).expect_err("there is no such folder");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
