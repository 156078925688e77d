//! Builds layers: tar entries in order, then compression.

use flate2::{Compression as Level, GzBuilder};
use std::io::Write as _;
use structured_zstd::encoding::{CompressionLevel, compress_slice_to_vec};

/// Compression of a layer's tar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// No compression.
    None,
    /// gzip without file name and time in the header.
    #[default]
    Gzip,
    /// One Zstandard frame.
    Zstd,
}

impl Compression {
    /// Compresses bytes. The output is deterministic.
    pub fn compress(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::None => bytes.to_vec(),
            Self::Gzip => {
                let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Level::new(6));
                encoder.write_all(bytes).expect("a Vec takes every byte");
                encoder.finish().expect("a Vec takes every byte")
            }
            Self::Zstd => compress_slice_to_vec(bytes, CompressionLevel::Default),
        }
    }
}

/// Type of an entry, with its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file with its content.
    File(Vec<u8>),
    /// A directory.
    Directory,
    /// A symbolic link to this target.
    Symlink(Vec<u8>),
    /// A hard link to this path of the archive.
    Hardlink(Vec<u8>),
    /// A character device with major and minor number.
    Char(u32, u32),
    /// A block device with major and minor number.
    Block(u32, u32),
    /// A named pipe.
    Fifo,
}

/// One entry of a layer. Paths and targets are bytes, written as given.
#[derive(Clone, Debug)]
pub struct Entry {
    pub(super) path: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) mtime: u64,
    pub(super) xattrs: Vec<(String, Vec<u8>)>,
}

impl Entry {
    /// An entry of any kind: mode 0755 for a directory, 0777 for a symbolic link, else 0644; owner 0:0.
    pub fn new(path: impl AsRef<[u8]>, kind: Kind) -> Self {
        let mode = match kind {
            Kind::Directory => 0o755,
            Kind::Symlink(_) => 0o777,
            _ => 0o644,
        };
        Self { path: path.as_ref().to_vec(), kind, mode, uid: 0, gid: 0, mtime: MTIME, xattrs: Vec::new() }
    }

    /// A regular file with this content.
    pub fn file(path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        Self::new(path, Kind::File(content.as_ref().to_vec()))
    }

    /// A directory. Its name gets a trailing slash, as tar programs write it.
    pub fn dir(path: impl AsRef<[u8]>) -> Self {
        let mut path = path.as_ref().to_vec();
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        Self::new(path, Kind::Directory)
    }

    /// A symbolic link to `target`.
    pub fn symlink(path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self::new(path, Kind::Symlink(target.as_ref().to_vec()))
    }

    /// A hard link to `target`.
    pub fn hardlink(path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self::new(path, Kind::Hardlink(target.as_ref().to_vec()))
    }

    /// Sets the permission bits, including set-uid, set-gid and sticky.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Sets numeric owner and group.
    pub fn owner(mut self, uid: u64, gid: u64) -> Self {
        (self.uid, self.gid) = (uid, gid);
        self
    }

    /// Sets the modification time in seconds since 1970.
    pub fn mtime(mut self, seconds: u64) -> Self {
        self.mtime = seconds;
        self
    }

    /// Adds an extended attribute as a PAX `SCHILY.xattr.` record.
    pub fn xattr(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.xattrs.push((name.into(), value.as_ref().to_vec()));
        self
    }

    pub(super) fn append(&self, archive: &mut tar::Builder<Vec<u8>>) -> std::io::Result<()> {
        let mut header = tar::Header::new_ustar();
        let mut link: &[u8] = &[];
        let mut data: &[u8] = &[];
        header.set_entry_type(match &self.kind {
            Kind::File(content) => {
                data = content;
                tar::EntryType::Regular
            }
            Kind::Directory => tar::EntryType::Directory,
            Kind::Symlink(target) => {
                link = target;
                tar::EntryType::Symlink
            }
            Kind::Hardlink(target) => {
                link = target;
                tar::EntryType::Link
            }
            Kind::Char(..) => tar::EntryType::Char,
            Kind::Block(..) => tar::EntryType::Block,
            Kind::Fifo => tar::EntryType::Fifo,
        });
        if let Kind::Char(major, minor) | Kind::Block(major, minor) = self.kind {
            header.set_device_major(major)?;
            header.set_device_minor(minor)?;
        }
        header.set_mode(self.mode);
        header.set_uid(self.uid);
        header.set_gid(self.gid);
        header.set_mtime(self.mtime);
        header.set_size(data.len() as u64);

        let mut records: Vec<(String, Vec<u8>)> = Vec::new();
        let raw = header.as_old_mut();
        if !put(&mut raw.name, &self.path) {
            records.push(("path".into(), self.path.clone()));
        }
        if !put(&mut raw.linkname, link) {
            records.push(("linkpath".into(), link.to_vec()));
        }
        records.extend(self.xattrs.iter().map(|(name, value)| (format!("SCHILY.xattr.{name}"), value.clone())));
        if !records.is_empty() {
            archive.append_pax_extensions(records.iter().map(|(key, value)| (key.as_str(), value.as_slice())))?;
        }
        header.set_cksum();
        archive.append(&header, data)
    }
}

/// Copies a value to a header field. Returns false if it does not fit.
fn put(field: &mut [u8; 100], value: &[u8]) -> bool {
    let fits = value.len().min(field.len());
    field[..fits].copy_from_slice(&value[..fits]);
    fits == value.len()
}

/// Builder of a layer: entries in archive order, and the instruction that created it.
#[derive(Clone, Debug)]
pub struct Layer {
    created_by: String,
    empty: Vec<String>,
    entries: Vec<Entry>,
    compression: Compression,
    tail: Vec<u8>,
}

impl Layer {
    /// An empty layer, compressed with gzip.
    pub fn new(created_by: &str) -> Self {
        Self {
            created_by: created_by.into(),
            empty: Vec::new(),
            entries: Vec::new(),
            compression: Compression::Gzip,
            tail: Vec::new(),
        }
    }

    /// Appends an entry.
    pub fn entry(mut self, entry: Entry) -> Self {
        self.entries.push(entry);
        self
    }

    /// Appends a regular file with mode 0644.
    pub fn file(self, path: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        self.entry(Entry::file(path, content))
    }

    /// Appends a directory with mode 0755.
    pub fn dir(self, path: impl AsRef<[u8]>) -> Self {
        self.entry(Entry::dir(path))
    }

    /// Appends a symbolic link.
    pub fn symlink(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.entry(Entry::symlink(path, target))
    }

    /// Appends a hard link.
    pub fn hardlink(self, path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        self.entry(Entry::hardlink(path, target))
    }

    /// Appends a whiteout: `dir/name` becomes the entry `dir/.wh.name`.
    pub fn whiteout(self, path: &str) -> Self {
        let (dir, name) = path.rsplit_once('/').map_or(("", path), |(dir, name)| (dir, name));
        let slash = if dir.is_empty() { "" } else { "/" };
        self.file(format!("{dir}{slash}.wh.{name}"), "")
    }

    /// Appends an opaque marker, which hides what lower layers put into the directory.
    pub fn opaque(self, dir: &str) -> Self {
        self.file(format!("{dir}/.wh..wh..opq"), "")
    }

    /// Sets the compression.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Appends bytes after the end-of-archive marker.
    pub fn tail(mut self, bytes: &[u8]) -> Self {
        self.tail = bytes.to_vec();
        self
    }

    /// Adds a history entry with `empty_layer` after this layer.
    pub fn then(mut self, instruction: &str) -> Self {
        self.empty.push(instruction.into());
        self
    }

    /// The uncompressed tar.
    pub fn tar(&self) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for entry in &self.entries {
            entry.append(&mut archive).expect("a Vec takes every byte");
        }
        let mut bytes = archive.into_inner().expect("a Vec takes every byte");
        bytes.extend_from_slice(&self.tail);
        bytes
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn compressed_with(&self) -> Compression {
        self.compression
    }

    pub(super) fn created_by(&self) -> &str {
        &self.created_by
    }

    pub(super) fn empty_instructions(&self) -> &[String] {
        &self.empty
    }
}

/// Default modification time of entries: 2026-01-02T03:04:05Z.
const MTIME: u64 = 1_767_323_045;
