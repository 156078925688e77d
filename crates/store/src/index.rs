//! Archives: where in the tar each file is.

use crate::Error;
use porthole_core::{
    limits::Limits,
    path::clean,
    tar::{Entry, EntrySink, Flow, Kind, Scanner},
};
use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// Entries that an archive of images may have: a layer is one, an image with a thousand layers three thousand.
const ENTRIES: u64 = 200_000;
/// Links from name to name that are followed, as old docker-archives have them.
const LINKS: u32 = 8;
const READ_BYTES: usize = 64 << 10;

/// The bytes of a file in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// A tar and the places of its files. Headers are read once, data never.
pub(crate) struct Archive {
    path: PathBuf,
    files: HashMap<Vec<u8>, Item>,
}

enum Item {
    File(Span),
    /// Another name, clean.
    Link(Vec<u8>),
}

impl Archive {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let mut file = open_file(path)?;
        let mut magic = Vec::new();
        file.by_ref().take(6).read_to_end(&mut magic).map_err(Error::io(path))?;
        if let Some(compression) = compression(&magic) {
            return Err(Error::Compressed { path: path.to_owned(), compression });
        }
        file.rewind().map_err(Error::io(path))?;
        let mut archive = Self { path: path.to_owned(), files: HashMap::new() };
        archive.scan(file)?;
        Ok(archive)
    }

    fn scan(&mut self, mut file: File) -> Result<(), Error> {
        let path = self.path.clone();
        let broken = |source| Error::Tar { path: path.clone(), source };
        let size = file.metadata().map_err(Error::io(&path))?.len();
        let mut limits = Limits::default();
        limits.entries = ENTRIES;
        let mut scanner = Scanner::new(&limits);
        let mut position = 0;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let passed = scanner.skip(size.saturating_sub(position));
            if passed > 0 {
                position = file.seek(SeekFrom::Start(position + passed)).map_err(Error::io(&path))?;
            }
            let count = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Error::io(&path)(error)),
            };
            position += count as u64;
            scanner.push(&buffer[..count], self).map_err(broken)?;
        }
        scanner.finish().map_err(broken)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The place of a file, links between names followed.
    pub(crate) fn find(&self, name: &[u8]) -> Option<Span> {
        let mut name = clean(name);
        for _ in 0..=LINKS {
            match self.files.get(&name)? {
                Item::File(span) => return Some(*span),
                Item::Link(target) => name.clone_from(target),
            }
        }
        None
    }

    /// All files by their clean names.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&[u8], Span)> {
        self.files.iter().filter_map(|(name, item)| match item {
            Item::File(span) => Some((name.as_slice(), *span)),
            Item::Link(_) => None,
        })
    }

    /// A reader of a span from `offset` on, at most its size.
    pub(crate) fn read(&self, span: Span, offset: u64) -> Result<io::Take<File>, Error> {
        let left = span.size.checked_sub(offset).ok_or(Error::Offset { size: span.size, offset })?;
        let mut file = open_file(&self.path)?;
        file.seek(SeekFrom::Start(span.offset + offset)).map_err(Error::io(&self.path))?;
        Ok(file.take(left))
    }

    /// A whole small file; longer than `limit`, it is cut one byte behind it.
    pub(crate) fn read_small(&self, span: Span, limit: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        self.read(span, 0)?.take(limit + 1).read_to_end(&mut bytes).map_err(Error::io(&self.path))?;
        Ok(bytes)
    }
}

/// Of entries with one name the last counts, as if the archive were unpacked.
impl EntrySink for Archive {
    fn entry(&mut self, entry: Entry) -> Flow {
        let name = clean(&entry.path);
        let item = match entry.kind {
            Kind::File => Item::File(Span { offset: entry.offset, size: entry.size }),
            Kind::Hardlink => Item::Link(clean(&entry.link)),
            Kind::Symlink if entry.link.starts_with(b"/") => Item::Link(clean(&entry.link)),
            Kind::Symlink => Item::Link(clean(&[&name, b"/../".as_slice(), &entry.link].concat())),
            _ => return Flow::Continue,
        };
        self.files.insert(name, item);
        Flow::Continue
    }
}

fn open_file(path: &Path) -> Result<File, Error> {
    if !path.metadata().map_err(Error::io(path))?.is_file() {
        return Err(Error::NotAnImage { path: path.to_owned(), got: "something that is not a file" });
    }
    File::open(path).map_err(Error::io(path))
}

fn compression(magic: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 4] =
        [(b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2")];
    known.into_iter().find(|(start, _)| magic.starts_with(start)).map(|(_, name)| name)
}
