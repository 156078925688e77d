//! Archives: where in the tar each file is. Headers are read once; contents are skipped by offset.

use super::Error;
use porthole_core::{
    decode::Format,
    limits::{ARCHIVE_NAME_BYTES, Limits},
    path::clean,
    tar::{Entry, EntrySink, Flow, Kind, Scanner},
};
use porthole_source::{Files, OpenError, ReadAt};
use std::{
    collections::HashMap,
    io::{ErrorKind, Result as IoResult},
    ops::Range,
    sync::Arc,
};

/// A tar and the places of its files.
pub struct Archive<F> {
    file: Arc<F>,
    table: Table,
}

impl<F: ReadAt> Archive<F> {
    /// Reads the headers. `name` stands for the archive in errors.
    pub(super) async fn scan(file: F, name: &str, limits: &Limits) -> Result<Self, Error> {
        let unreadable = |error| Error::read(name)(error);
        let broken = |source| Error::Tar { name: name.to_owned(), source };
        let size = file.size();
        let mut buffer = vec![0; READ_BYTES];
        let head = usize::try_from(size).unwrap_or(usize::MAX).min(Format::PREFIX);
        file.read_exact_at(0, &mut buffer[..head]).await.map_err(unreadable)?;
        if let Some(compression) = Format::sniff(&buffer[..head]).filter(|format| *format != Format::Tar) {
            return Err(Error::Compressed { name: name.to_owned(), compression });
        }
        let mut scanner = Scanner::new(limits);
        let mut table = Table::default();
        let mut position = 0;
        loop {
            position += scanner.skip(size.saturating_sub(position));
            match file.read_at(position, &mut buffer).await {
                Ok(0) => break,
                Ok(read) => {
                    position += read as u64;
                    scanner.push(&buffer[..read], &mut table).map_err(broken)?;
                    if table.name_bytes > ARCHIVE_NAME_BYTES {
                        return Err(Error::TooManyNames { name: name.to_owned(), limit: ARCHIVE_NAME_BYTES });
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(error)),
            }
        }
        scanner.finish().map_err(broken)?;
        Ok(Self { file: Arc::new(file), table })
    }

    /// Presents a file that is not an archive as an archive with only that file.
    pub(super) fn whole(file: F, name: &str) -> Self {
        let mut table = Table::default();
        table.files.insert(clean(name.as_bytes()), Item::File(Span { offset: 0, size: file.size() }));
        Self { file: Arc::new(file), table }
    }

    /// The place of a file. Links are followed inside the archive.
    pub(super) fn find(&self, path: &str) -> Option<Span> {
        self.table.find(path.as_bytes())
    }
}

impl<F: ReadAt> Files for Archive<F> {
    type File = Window<F>;

    async fn open(&self, path: &str) -> Result<Window<F>, OpenError> {
        let span = self.find(path).ok_or(OpenError::NotFound)?;
        Ok(Window { file: Arc::clone(&self.file), span })
    }
}

/// A file in an archive.
pub struct Window<F> {
    file: Arc<F>,
    span: Span,
}

impl<F> Window<F> {
    /// The file of the archive that the window is part of.
    pub fn file(&self) -> &F {
        &self.file
    }

    /// Where in the archive the file's bytes are.
    pub fn range(&self) -> Range<u64> {
        self.span.offset..self.span.offset.saturating_add(self.span.size)
    }
}

impl<F: ReadAt> ReadAt for Window<F> {
    fn size(&self) -> u64 {
        self.span.size
    }

    async fn read_at(&self, offset: u64, buffer: &mut [u8]) -> IoResult<usize> {
        let left = self.span.size.saturating_sub(offset);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if length == 0 {
            return Ok(0);
        }
        self.file.read_at(self.span.offset + offset, &mut buffer[..length]).await
    }
}

/// Offset and size of a file's bytes in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// Files by their clean names.
#[derive(Default)]
struct Table {
    files: HashMap<Vec<u8>, Item>,
    /// Bytes of the names and link targets, and of the table entries that hold them.
    name_bytes: u64,
}

enum Item {
    File(Span),
    /// The clean name that the link leads to.
    Link(Vec<u8>),
}

impl Table {
    fn find(&self, name: &[u8]) -> Option<Span> {
        let mut name = clean(name);
        for _ in 0..=LINKS {
            match self.files.get(&name)? {
                Item::File(span) => return Some(*span),
                Item::Link(target) => name.clone_from(target),
            }
        }
        None
    }
}

/// The last of several entries with one name counts, as when the archive is unpacked.
impl EntrySink for Table {
    fn entry(&mut self, entry: Entry) -> Flow {
        let name = clean(&entry.path);
        let item = match entry.kind {
            Kind::File => Item::File(Span { offset: entry.offset, size: entry.size }),
            Kind::Hardlink => Item::Link(clean(&entry.link)),
            Kind::Symlink if entry.link.starts_with(b"/") => Item::Link(clean(&entry.link)),
            Kind::Symlink => Item::Link(clean(&[&name, b"/../".as_slice(), &entry.link].concat())),
            _ => return Flow::Continue,
        };
        let target = if let Item::Link(target) = &item { target.len() } else { 0 };
        self.name_bytes += (name.len() + target + size_of::<(Vec<u8>, Item)>()) as u64;
        self.files.insert(name, item);
        if self.name_bytes > ARCHIVE_NAME_BYTES { Flow::Stop } else { Flow::Continue }
    }
}

/// Longest chain of links that is followed. Old docker-archives store a layer that occurs again as a link to the first
/// one.
const LINKS: u32 = 8;
const READ_BYTES: usize = 64 << 10;
