//! Creates what entries describe.

use std::fs::File;

use porthole_core::{
    path,
    tar::{Entry, Flow, Kind},
    tree,
};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags},
    io::Errno,
};

use super::{LayerUnpack, Parent};
use crate::{
    Error,
    attributes::{Attributes, time, timestamps},
    content::FileWriter,
    disk::{self, enter, is, join, split, stat},
    resolve::{PATH_BYTES, too_long},
};

/// Permissions that a new file has until its final mode is set. The content may be secret, so group and others get only
/// permissions that the final mode has as well, and never the permission to write.
const FILE: u32 = 0o600;
const DIRECTORY: u32 = 0o700;
/// Permissions of group and others that are set on creation if the entry has them. Most files then need no `chmod`.
const FROM_THE_START: u32 = 0o055;
/// Permissions that the owner of a directory needs while layers are applied.
const OWNER: u32 = 0o700;
const NEW_FILE: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl LayerUnpack<'_> {
    /// Creates what an entry describes. Replaces what exists at the path, unless both are directories.
    pub(super) fn create(&mut self, parent: &Parent, entry: Entry, path: &[u8]) -> Result<Flow, Error> {
        let (_, name) = split(path);
        match entry.kind {
            Kind::File if matches!(entry.typeflag, 0 | b'0') => {
                let file = self.new_file(parent, name, path, entry.permissions())?;
                self.file = Some((FileWriter::new(file), entry, path.to_vec()));
                return Ok(Flow::WantData);
            }
            Kind::Directory => self.make_directory(parent, &entry, path)?,
            Kind::Symlink => self.make_symlink(parent, &entry, path)?,
            Kind::Hardlink => {
                self.clear(parent, name)?;
                self.make_link(parent, &entry, path)?;
            }
            Kind::Char | Kind::Block | Kind::Fifo => {
                self.clear(parent, name)?;
                self.make_node(parent, &entry, path)?;
            }
            // A PAX global header creates nothing, but containerd removes what exists at its path.
            Kind::Global => self.clear(parent, name)?,
            _ => {
                self.clear(parent, name)?;
                let path = path::escape(path).into_owned();
                return Err(tree::Error::Type { path, typeflag: entry.typeflag }.into());
            }
        }
        Ok(Flow::Continue)
    }

    /// Completes the open file.
    pub(super) fn finish_file(&mut self) -> Result<(), Error> {
        let Some((content, entry, path)) = self.file.take() else { return Ok(()) };
        let file = content.finish().map_err(|source| Error::writing(&path, source))?;
        let attributes = self.attributes(&entry, &path);
        attributes.set_open(&file, entry.permissions(), &mut self.root.report.skipped)?;
        rustix::fs::futimens(&file, &timestamps(time(&entry))).map_err(Error::at("set time", &path))
    }

    fn attributes<'e>(&self, entry: &'e Entry, path: &'e [u8]) -> Attributes<'e> {
        Attributes { entry, path, layer: self.number, options: self.root.options }
    }

    fn new_file(&mut self, parent: &Parent, name: &[u8], path: &[u8], mode: u32) -> Result<File, Error> {
        let mode = Mode::from_raw_mode(FILE | mode & (FROM_THE_START | 0o100));
        let open = || rustix::fs::openat(&*parent.directory, name, NEW_FILE, mode);
        let file = match open() {
            Err(Errno::EXIST) => {
                self.clear(parent, name)?;
                open()
            }
            result => result,
        };
        file.map(File::from).map_err(Error::at("create file", path))
    }

    fn make_directory(&mut self, parent: &Parent, entry: &Entry, path: &[u8]) -> Result<(), Error> {
        let (_, name) = split(path);
        let mode = Mode::from_raw_mode(DIRECTORY | entry.permissions() & FROM_THE_START);
        let make = || rustix::fs::mkdirat(&*parent.directory, name, mode);
        let fail = || Error::at("make directory", path);
        if let Err(errno) = make() {
            if errno != Errno::EXIST {
                return Err(fail()(errno));
            }
            if disk::kind(&parent.directory, name).map_err(fail())? != Some(FileType::Directory) {
                self.clear(parent, name)?;
                make().map_err(fail())?;
            }
        }
        let directory = enter(&parent.directory, name).map_err(fail())?;
        let at = join(&parent.path, name);
        let mut mode = entry.permissions();
        self.root.modes.remove(&at);
        if !self.root.options.privileged && mode & OWNER != OWNER {
            self.root.modes.insert(&at, mode);
            mode |= OWNER;
        }
        self.attributes(entry, path).set_open(&directory, mode, &mut self.root.report.skipped)?;
        let time = time(entry);
        rustix::fs::futimens(&directory, &timestamps(time)).map_err(Error::at("set time", path))?;
        self.directories.push((path.to_vec(), time));
        Ok(())
    }

    fn make_symlink(&mut self, parent: &Parent, entry: &Entry, path: &[u8]) -> Result<(), Error> {
        let (_, name) = split(path);
        if entry.link.is_empty() {
            self.clear(parent, name)?;
            return Err(tree::Error::EmptyLink(path::escape(path).into_owned()).into());
        }
        if entry.link.len() > PATH_BYTES {
            self.clear(parent, name)?;
            return Err(too_long(path));
        }
        let link = || rustix::fs::symlinkat(&entry.link[..], &*parent.directory, name);
        match link() {
            Err(Errno::EXIST) => {
                self.clear(parent, name)?;
                link()
            }
            made => made,
        }
        .map_err(Error::at("make symbolic link", path))?;
        self.attributes(entry, path).set_named(&parent.directory, name, true, &mut self.root.report.skipped)
    }

    /// Creates a hard link. Follows symbolic links in the directory part of its target, but not in the last component.
    fn make_link(&mut self, parent: &Parent, entry: &Entry, path: &[u8]) -> Result<(), Error> {
        let (_, name) = split(path);
        let texts = || (path::escape(path).into_owned(), path::escape(&entry.link).into_owned());
        let missing = || {
            let (path, target) = texts();
            Error::from(tree::Error::LinkTarget { path, target })
        };
        let directory = || {
            let (path, target) = texts();
            Error::from(tree::Error::LinkToDirectory { path, target })
        };
        let (before, last) = match entry.link.iter().rposition(|&b| b == b'/') {
            Some(slash) => entry.link.split_at(slash + 1),
            None => (&b""[..], &entry.link[..]),
        };
        let (mut target, opened) = self.root.resolver.directory(&self.root.disk, before)?;
        match last {
            b"" | b"." => {}
            // `..` of something that is not a directory does not exist.
            b".." if opened.is_err_and(|errno| errno == Errno::NOTDIR) => return Err(missing()),
            b".." => target = split(&target).0.to_vec(),
            last => target = join(&target, last),
        }
        if target.is_empty() {
            return Err(directory());
        }
        let fail = || Error::at("make hard link", path);
        let (holder, last) = match self.root.disk.open_parent(&target) {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG | Errno::LOOP) => return Err(missing()),
            opened => opened.map_err(fail())?,
        };
        let found = match stat(&holder, last) {
            Err(Errno::NOENT | Errno::NAMETOOLONG) => return Err(missing()),
            found => found.map_err(fail())?,
        };
        if is(&found, FileType::Directory) {
            return Err(directory());
        }
        rustix::fs::linkat(&holder, last, &*parent.directory, name, AtFlags::empty()).map_err(fail())?;
        if self.root.withheld.contains(&target) {
            self.withhold(parent, name, path);
            return Ok(());
        }
        let symlink = is(&found, FileType::Symlink);
        self.attributes(entry, path).set_named(&parent.directory, name, symlink, &mut self.root.report.skipped)
    }

    fn make_node(&mut self, parent: &Parent, entry: &Entry, path: &[u8]) -> Result<(), Error> {
        let (_, name) = split(path);
        let (Ok(major), Ok(minor)) = (u32::try_from(entry.major), u32::try_from(entry.minor)) else {
            let (major, minor) = (entry.major, entry.minor);
            return Err(tree::Error::DeviceNumber { path: path::escape(path).into_owned(), major, minor }.into());
        };
        let kind = match entry.kind {
            Kind::Char => FileType::CharacterDevice,
            Kind::Block => FileType::BlockDevice,
            _ => FileType::Fifo,
        };
        if kind != FileType::Fifo && !self.root.options.devices {
            self.new_file(parent, name, path, FILE)?;
            self.withhold(parent, name, path);
            return Ok(());
        }
        let number = rustix::fs::makedev(major, minor);
        rustix::fs::mknodat(&*parent.directory, name, kind, Mode::from_raw_mode(FILE), number)
            .map_err(Error::at("make device", path))?;
        self.attributes(entry, path).set_named(&parent.directory, name, false, &mut self.root.report.skipped)
    }

    /// Records an empty file as the placeholder of a device that is not created. Later entries that replace the device or
    /// link to it then have the same effect as with the device.
    fn withhold(&mut self, parent: &Parent, name: &[u8], path: &[u8]) {
        self.root.withheld.insert(&join(&parent.path, name), ());
        self.root.report.skipped.device(self.number, path);
    }
}
