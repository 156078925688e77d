//! Applies layers to a directory in archive order.

mod create;

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
    os::fd::OwnedFd,
    rc::Rc,
};

use porthole_core::{
    path,
    tar::{Entry, EntrySink, Flow},
    tree::{self, OPAQUE, WHITEOUT},
};
use rustix::{
    fs::{AtFlags, FileType, Mode},
    io::Errno,
};

use crate::{
    Error, Options, Report,
    attributes::{time_of, timestamps},
    content::FileWriter,
    disk::{self, Disk, enter, join, split},
    later::Later,
    remove::{names, remove_all},
    resolve::{NAME_BYTES, PATH_BYTES, Resolver, not_a_directory, too_long},
};

/// Mode of a directory without an entry, as containerd creates it.
const IMPLIED_MODE: Mode = Mode::from_raw_mode(0o755);

/// A directory to which the layers of an image are applied, bottom first.
pub struct UnpackRoot {
    disk: Disk,
    options: Options,
    resolver: Resolver,
    report: Report,
    layers: u32,
    /// Directories that their owner may not write. [`finish`](UnpackRoot::finish) sets these permission bits.
    modes: Later<u32>,
    /// Empty files in place of devices that were not created. [`finish`](UnpackRoot::finish) removes them.
    withheld: Later<()>,
}

impl UnpackRoot {
    /// Takes an open directory. It should be empty, and other programs should not change it until
    /// [`finish`](Self::finish).
    pub fn new(directory: OwnedFd, options: Options) -> Self {
        Self {
            disk: Disk::new(directory),
            options,
            resolver: Resolver::default(),
            report: Report::default(),
            layers: 0,
            modes: Later::default(),
            withheld: Later::default(),
        }
    }

    /// Starts the next layer.
    pub fn layer(&mut self) -> LayerUnpack<'_> {
        let number = self.layers;
        self.layers += 1;
        LayerUnpack {
            root: self,
            number,
            hashers: (RandomState::new(), RandomState::new()),
            unpacked: HashSet::new(),
            parent: None,
            directories: Vec::new(),
            touched: Later::default(),
            opaque: HashMap::new(),
            implied: 0,
            file: None,
            error: None,
        }
    }

    /// Ends the image: removes the files that stand for devices, sets the modes that had to wait for the last layer, and
    /// returns the report.
    ///
    /// # Errors
    ///
    /// [`Error::Disk`] from the file system.
    pub fn finish(mut self) -> Result<Report, Error> {
        for (path, ()) in self.withheld.take() {
            let fail = || Error::at("remove the place of a device", &path);
            let (directory, name) = self.disk.open_parent(&path).map_err(fail())?;
            let before = rustix::fs::fstat(&directory).map_err(fail())?;
            rustix::fs::unlinkat(&directory, name, AtFlags::empty()).map_err(fail())?;
            rustix::fs::futimens(&directory, &timestamps(time_of(&before))).map_err(fail())?;
        }
        for (path, mode) in self.modes.take() {
            let directory = self.disk.open(&path).map_err(Error::at("open directory", &path))?;
            rustix::fs::fchmod(directory, Mode::from_raw_mode(mode)).map_err(Error::at("set mode", &path))?;
        }
        Ok(self.report)
    }
}

/// A layer being applied. Use it as the [`EntrySink`] of a layer reader, then call [`commit`](Self::commit).
///
/// After an error it ignores further entries. Changes made before the error stay on disk; the caller removes the
/// directory if it does not want them.
pub struct LayerUnpack<'r> {
    root: &'r mut UnpackRoot,
    number: u32,
    hashers: (RandomState, RandomState),
    /// Paths named by entries of this layer, as hashes with a random key, so that an image cannot craft collisions.
    unpacked: HashSet<(u64, u64)>,
    /// Resolved directory of the last entry (cache).
    parent: Option<Parent>,
    /// Directories in archive order with their times. `commit` sets the times again, because later entries changed them.
    directories: Vec<(Vec<u8>, u64)>,
    /// Directories that this layer changes without an entry for them, with the times that `commit` sets: the times before
    /// this layer, or 0 for a directory that it created.
    touched: Later<u64>,
    /// Directories that an opaque marker has emptied, with the number of implied directories at that time.
    opaque: HashMap<Vec<u8>, u64>,
    /// Number of directories created without an entry.
    implied: u64,
    /// The file being written.
    file: Option<(FileWriter, Entry, Vec<u8>)>,
    error: Option<Error>,
}

/// Directory of an entry.
#[derive(Clone)]
struct Parent {
    /// Cleaned path as the entry names it.
    named: Rc<[u8]>,
    /// The same path with symbolic links resolved.
    path: Rc<[u8]>,
    directory: Rc<OwnedFd>,
}

impl EntrySink for LayerUnpack<'_> {
    fn entry(&mut self, entry: Entry) -> Flow {
        if self.error.is_some() {
            return Flow::Stop;
        }
        self.root.report.entries += 1;
        match self.apply(entry) {
            Ok(flow) => flow,
            Err(error) => {
                self.error = Some(error);
                Flow::Stop
            }
        }
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        let Some((file, _, path)) = &mut self.file else { return Flow::Continue };
        self.root.report.bytes += bytes.len() as u64;
        match file.write(bytes) {
            Ok(()) => Flow::Continue,
            Err(source) => {
                self.error = Some(Error::writing(path, source));
                Flow::Stop
            }
        }
    }

    fn end_of_data(&mut self) {
        if let Err(error) = self.finish_file() {
            self.error = Some(error);
        }
    }
}

impl LayerUnpack<'_> {
    /// The error at which this layer stopped, if any.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// Ends a complete and verified layer: sets the times of directories.
    ///
    /// # Errors
    ///
    /// The first error of the layer, or [`Error::Disk`] from setting times.
    pub fn commit(mut self) -> Result<(), Error> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        for (path, time) in self.touched.take() {
            match self.root.disk.open(&path) {
                Ok(directory) => rustix::fs::futimens(directory, &timestamps(time)),
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(()),
                Err(errno) => Err(errno),
            }
            .map_err(Error::at("set time", &path))?;
        }
        for (path, time) in std::mem::take(&mut self.directories) {
            self.set_directory_time(&path, time)?;
        }
        Ok(())
    }

    fn apply(&mut self, entry: Entry) -> Result<Flow, Error> {
        let path = path::clean(&entry.path);
        let (directory, name) = split(&path);
        if name.is_empty() {
            return Ok(Flow::Continue); // the root itself: containerd does not change it
        }
        if path.len() > PATH_BYTES {
            return Err(too_long(&path));
        }
        let parent = self.parent(directory)?;
        if name == OPAQUE {
            self.make_opaque(&parent)?;
            return Ok(Flow::Continue);
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            self.white_out(&parent, name, hidden)?;
            return Ok(Flow::Continue);
        }
        if name.len() > NAME_BYTES {
            return Err(too_long(&path));
        }
        let flow = self.create(&parent, entry, &path)?;
        let at = join(&parent.path, name);
        self.unpacked.insert(self.fingerprint(&at));
        Ok(flow)
    }

    fn white_out(&mut self, parent: &Parent, name: &[u8], hidden: &[u8]) -> Result<(), Error> {
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(tree::Error::Whiteout(path::escape(name).into_owned()).into());
        }
        if hidden.len() > NAME_BYTES {
            return Err(too_long(hidden));
        }
        self.clear(parent, hidden)
    }

    /// Removes everything in a directory that no entry of this layer named.
    fn make_opaque(&mut self, parent: &Parent) -> Result<(), Error> {
        // A second marker has an effect only if an implied directory was created since.
        if self.opaque.insert(parent.path.to_vec(), self.implied) == Some(self.implied) {
            return Ok(());
        }
        self.parent = None;
        let mut pending = vec![parent.path.to_vec()];
        while let Some(path) = pending.pop() {
            let fail = || Error::at("empty directory", &path);
            let directory = self.root.disk.open(&path).map_err(fail())?;
            for (name, kind) in names(&directory, usize::MAX).map_err(fail())? {
                let at = join(&path, &name);
                if !self.unpacked.contains(&self.fingerprint(&at)) {
                    remove_all(&directory, &name).map_err(Error::at("remove", &at))?;
                    self.forget(&at);
                    continue;
                }
                let kind = match kind {
                    FileType::Unknown => disk::kind(&directory, &name).map_err(fail())?,
                    kind => Some(kind),
                };
                if kind == Some(FileType::Directory) {
                    pending.push(at);
                }
            }
        }
        Ok(())
    }

    /// Removes a name and everything below it.
    fn clear(&mut self, parent: &Parent, name: &[u8]) -> Result<(), Error> {
        let at = join(&parent.path, name);
        remove_all(&parent.directory, name).map_err(Error::at("remove", &at))?;
        self.forget(&at);
        // The removed name may be a symbolic link on the path to the cached directory.
        if parent.named != parent.path {
            self.parent = None;
        }
        Ok(())
    }

    fn forget(&mut self, path: &[u8]) {
        self.touched.forget(path);
        self.root.modes.forget(path);
        self.root.withheld.forget(path);
    }

    fn fingerprint(&self, path: &[u8]) -> (u64, u64) {
        (self.hashers.0.hash_one(path), self.hashers.1.hash_one(path))
    }

    /// Opens the directory of an entry. Creates it and its parents if they are missing.
    fn parent(&mut self, named: &[u8]) -> Result<Parent, Error> {
        if let Some(parent) = &self.parent
            && *parent.named == *named
        {
            return Ok(parent.clone());
        }
        let (path, opened) = self.root.resolver.directory(&self.root.disk, named)?;
        let directory = match opened {
            Ok(directory) => directory,
            Err(Errno::NOENT) => self.make_parents(&path)?,
            Err(errno) => return Err(entering(&path, errno)),
        };
        self.touch(&path, &directory)?;
        let parent = Parent { named: named.into(), path: path.into(), directory: Rc::new(directory) };
        self.parent = Some(parent.clone());
        Ok(parent)
    }

    fn make_parents(&mut self, path: &[u8]) -> Result<OwnedFd, Error> {
        let mut at = self.root.disk.open(b"").map_err(Error::at("open directory", b""))?;
        let mut above: &[u8] = b"";
        for name in path.split(|&b| b == b'/') {
            let here = &path[..above.len() + usize::from(!above.is_empty()) + name.len()];
            at = match enter(&at, name) {
                Err(Errno::NOENT) => {
                    self.touch(above, &at)?;
                    let fail = || Error::at("make directory", here);
                    rustix::fs::mkdirat(&at, name, IMPLIED_MODE).map_err(fail())?;
                    let made = enter(&at, name).map_err(fail())?;
                    rustix::fs::fchmod(&made, IMPLIED_MODE).map_err(fail())?;
                    self.implied += 1;
                    self.touched.insert(here, 0);
                    made
                }
                entered => entered.map_err(|errno| entering(here, errno))?,
            };
            above = here;
        }
        Ok(at)
    }

    /// Remembers the time of a directory before a change below it, unless this layer has an entry for the directory.
    fn touch(&mut self, path: &[u8], directory: &OwnedFd) -> Result<(), Error> {
        if !path.is_empty() && !self.touched.contains(path) && !self.unpacked.contains(&self.fingerprint(path)) {
            let stat = rustix::fs::fstat(directory).map_err(Error::at("look at directory", path))?;
            self.touched.insert(path, time_of(&stat));
        }
        Ok(())
    }

    /// Sets the time at the path of a directory entry. Another entry may have replaced the directory since.
    fn set_directory_time(&mut self, path: &[u8], time: u64) -> Result<(), Error> {
        let times = timestamps(time);
        let (place, opened) = self.root.resolver.directory(&self.root.disk, path)?;
        let set = match opened {
            Ok(directory) => rustix::fs::futimens(directory, &times),
            // A file or link replaced the directory: like containerd, set the time of the replacement.
            Err(Errno::NOTDIR) => self.root.disk.open_parent(&place).and_then(|(directory, name)| {
                rustix::fs::utimensat(directory, name, &times, AtFlags::SYMLINK_NOFOLLOW)
            }),
            Err(errno) => Err(errno),
        };
        match set {
            Err(Errno::NOENT | Errno::NOTDIR) => {
                Err(tree::Error::DirectoryRemoved(path::escape(path).into_owned()).into())
            }
            set => set.map_err(Error::at("set time", path)),
        }
    }
}

fn entering(path: &[u8], errno: Errno) -> Error {
    match errno {
        Errno::NOTDIR => not_a_directory(path),
        Errno::NAMETOOLONG => too_long(path),
        errno => Error::at("open directory", path)(errno),
    }
}
