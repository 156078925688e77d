//! Layers that were prepared for reading in parts: eStargz and zstd:chunked, both plain layers to everyone else.
//!
//! Such a layer ends with a table of contents (TOC): a list of its entries, and where the chunks of each file lie. A
//! [`Reader`] fetches it with two small ranges; [`Toc::replay`] lists it as a scan of the archive would; a
//! [`ChunkReader`] reads one file, or a part of one, and checks every chunk before it gives it out.
//!
//! The TOC is a second description of what the archive says itself, and nothing makes them agree: whoever unpacks the
//! layer goes by the archive, whoever mounts it goes by the TOC. So a listing from here says what the TOC says
//! ([`Toc::trust`] tells whether the manifest vouches for it), and an [`Audit`] compares it with the archive.
//!
//! eStargz: `docs/estargz.md` of containerd's stargz-snapshotter. zstd:chunked: `pkg/chunked` of containers/storage.

mod annotations;
mod audit;
mod chunk;
mod error;
mod estargz;
mod json;
mod listing;
mod reader;
mod time;
mod zstd_chunked;

pub use audit::{Audit, AuditReport, Difference, Disagreement};
pub use chunk::{ChunkReader, Error as ChunkError};
pub use error::{Error, Fault};
pub use reader::Reader;

use std::{fmt, ops::Range};

use self::listing::Listing;
use crate::{
    digest::Digest,
    limits::Limits,
    media_type::Compression,
    path,
    tar::{Entry, EntrySink, Flow, Kind},
};

/// A table of contents, whole and read.
#[derive(Debug)]
pub struct Toc {
    format: Format,
    trust: Trust,
    digest: Digest,
    /// Bytes of the blob in front of the TOC, in which all chunks lie.
    data: u64,
    uncompressed: Option<u64>,
    landmark: Option<Landmark>,
    listing: Listing,
    limits: Limits,
}

/// How a layer was prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// gzip members; the TOC is the archive's last entry. Stargz, its older form, counts as the same.
    EStargz,
    /// zstd frames; the TOC is in a skippable frame.
    ZstdChunked,
}

impl Format {
    fn compression(self) -> Compression {
        match self {
            Self::EStargz => Compression::Gzip,
            Self::ZstdChunked => Compression::Zstd,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EStargz => "eStargz",
            Self::ZstdChunked => "zstd:chunked",
        })
    }
}

/// What a TOC is anchored to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// It has the digest that the layer's descriptor names in an annotation: it is as good as the manifest.
    Annotation(Digest),
    /// Nothing vouches for it: whoever served it may have made it up.
    Nothing,
}

/// What an eStargz layer says about fetching ahead, by an entry of its own that is not part of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Landmark {
    /// `.prefetch.landmark`: what stands before it is worth fetching ahead.
    Prefetch,
    /// `.no.prefetch.landmark`: nothing is.
    NoPrefetch,
}

impl Landmark {
    fn of(path: &[u8]) -> Option<Self> {
        match path {
            b".prefetch.landmark" => Some(Self::Prefetch),
            b".no.prefetch.landmark" => Some(Self::NoPrefetch),
            _ => None,
        }
    }
}

impl Toc {
    /// How the layer was prepared.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What vouches for this TOC. Whether the manifest with the annotation is verified is for the caller to know.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// SHA-256 of the TOC's JSON.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Bytes of the unpacked layer, by the annotation `io.containers.estargz.uncompressed-size`.
    pub fn uncompressed(&self) -> Option<u64> {
        self.uncompressed
    }

    /// The landmark, which [`replay`](Self::replay) leaves out.
    pub fn landmark(&self) -> Option<Landmark> {
        self.landmark
    }

    /// How many entries [`replay`](Self::replay) gives.
    pub fn entries(&self) -> u64 {
        let hidden = (0..self.listing.len()).filter(|&row| self.is_landmark(row)).count();
        (self.listing.len() - hidden) as u64
    }

    /// Gives the entries in the TOC's order, as a scan of the archive would: names as stored, whiteouts included. There
    /// is no data behind them ([`Flow::WantData`] counts as [`Flow::Continue`]). Where they are in the archive is not
    /// known: [`offset`](crate::tar::Entry::offset) is the entry's number here, by which [`open_at`](Self::open_at)
    /// finds it.
    pub fn replay(&self, sink: &mut impl EntrySink) {
        for row in (0..self.listing.len()).filter(|&row| !self.is_landmark(row)) {
            let entry = Entry { offset: row as u64, ..self.listing.entry(row) };
            if sink.entry(entry) == Flow::Stop {
                return;
            }
        }
    }

    /// Reads the file at `path`, or the file that a hard link there leads to; of several entries with that path the
    /// last.
    ///
    /// # Errors
    ///
    /// [`ChunkError`]: there is no such file, its chunks are not where chunks can be, or nothing vouches for them.
    pub fn open(&self, path: &[u8]) -> Result<ChunkReader, ChunkError> {
        self.open_range(path, 0..u64::MAX)
    }

    /// Like [`open`](Self::open), but gives out only the bytes of the file in `range`, and asks only for the chunks
    /// that hold them.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_range(&self, path: &[u8], range: Range<u64>) -> Result<ChunkReader, ChunkError> {
        ChunkReader::new(self, self.file(path)?, range)
    }

    /// Like [`open_range`](Self::open_range), for the file whose entry [`replay`](Self::replay) gave this offset.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub fn open_at(&self, offset: u64, range: Range<u64>) -> Result<ChunkReader, ChunkError> {
        let row = usize::try_from(offset).ok().filter(|&row| row < self.listing.len());
        let row = row.ok_or_else(|| ChunkError::NotFound(format!("entry {offset}")))?;
        match self.listing.kind(row) {
            Kind::File => ChunkReader::new(self, row, range),
            _ => Err(ChunkError::NotAFile(path::escape(self.listing.name(row)).into_owned())),
        }
    }

    /// The row of a file, hard links followed.
    fn file(&self, path: &[u8]) -> Result<usize, ChunkError> {
        let shown = || path::escape(path).into_owned();
        let mut wanted = path::clean(path);
        for _ in 0..LINKS {
            let mut rows = (0..self.listing.len()).rev();
            let found = rows.find(|&row| path::clean(self.listing.name(row)) == wanted);
            let row = found.ok_or_else(|| ChunkError::NotFound(shown()))?;
            match self.listing.kind(row) {
                Kind::File => return Ok(row),
                Kind::Hardlink => wanted = path::clean(self.listing.link(row)),
                _ => return Err(ChunkError::NotAFile(shown())),
            }
        }
        Err(ChunkError::NotAFile(shown()))
    }

    fn is_landmark(&self, row: usize) -> bool {
        self.landmark.is_some() && Landmark::of(&path::clean(self.listing.name(row))).is_some()
    }
}

/// How many hard links may lead to one another.
const LINKS: usize = 8;
