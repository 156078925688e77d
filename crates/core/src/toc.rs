//! Layers with a table of contents (TOC): eStargz and zstd:chunked. To other readers they are ordinary layers.
//!
//! The TOC at the end of such a layer lists its entries and the position of the chunks of each file. A [`TocReader`]
//! fetches it with two small range requests; [`Toc::replay`] emits the entries as a scan of the archive would; a
//! [`ChunkReader`] reads one file, or a part of it, and verifies every chunk before it returns its bytes.
//!
//! The TOC repeats what the archive says, and nothing guarantees that they agree: unpacking a layer uses the archive,
//! mounting it uses the TOC. A listing from here therefore shows the TOC ([`Toc::trust`] says whether the manifest
//! vouches for it), and an [`Audit`] compares it with the archive.
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
mod zstd_chunked;

pub use audit::{Audit, AuditReport, Disagreement, TocDifference};
pub use chunk::{ChunkReader, Error as ChunkError};
pub use error::{Error, Fault};
pub use reader::TocReader;

use std::{fmt, ops::Range};

use self::listing::Listing;
use crate::{
    digest::Digest,
    limits::Limits,
    media_type::Compression,
    path,
    tar::{Entry, EntrySink, Flow, Kind},
};

/// A parsed table of contents.
#[derive(Debug)]
pub struct Toc {
    format: TocFormat,
    trust: Trust,
    digest: Digest,
    /// Length of the blob before the TOC. All chunks lie in this part.
    data: u64,
    uncompressed: Option<u64>,
    landmark: Option<Landmark>,
    listing: Listing,
    limits: Limits,
}

/// Format of a layer with a TOC. It implies the compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TocFormat {
    /// eStargz: gzip members, with the TOC as the last entry of the archive. The older stargz format counts as eStargz.
    EStargz,
    /// zstd:chunked: zstd frames, with the TOC in a skippable frame.
    ZstdChunked,
}

impl TocFormat {
    fn compression(self) -> Compression {
        match self {
            Self::EStargz => Compression::Gzip,
            Self::ZstdChunked => Compression::Zstd,
        }
    }
}

impl fmt::Display for TocFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EStargz => "eStargz",
            Self::ZstdChunked => "zstd:chunked",
        })
    }
}

/// What vouches for a TOC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// The TOC matches the digest in an annotation of the layer's descriptor: it is as trustworthy as the manifest.
    Annotation(Digest),
    /// Nothing: no annotation has its digest, so the server may have invented it.
    Nothing,
}

/// A prefetch hint of an eStargz layer, stored as an entry that is not part of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Landmark {
    /// `.prefetch.landmark`: prefetch the entries before it.
    Prefetch,
    /// `.no.prefetch.landmark`: prefetch nothing.
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
    /// Format of the layer.
    pub fn format(&self) -> TocFormat {
        self.format
    }

    /// What vouches for this TOC. The caller must know whether the manifest with the annotation is verified.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// SHA-256 of the TOC as JSON.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Size of the uncompressed layer in bytes, from the annotation `io.containers.estargz.uncompressed-size`.
    pub fn uncompressed(&self) -> Option<u64> {
        self.uncompressed
    }

    /// The landmark of the layer. [`replay`](Self::replay) does not emit it.
    pub fn landmark(&self) -> Option<Landmark> {
        self.landmark
    }

    /// Number of entries that [`replay`](Self::replay) emits.
    pub fn entries(&self) -> u64 {
        let hidden = (0..self.listing.len()).filter(|&row| self.is_landmark(row)).count();
        (self.listing.len() - hidden) as u64
    }

    /// Emits the entries in TOC order, as a scan of the archive would: names as stored, whiteouts included. No data
    /// follows ([`Flow::WantData`] acts as [`Flow::Continue`]). The position in the archive is unknown:
    /// [`offset`](crate::tar::Entry::offset) is the index of the entry, which [`open_at`](Self::open_at) takes.
    pub fn replay(&self, sink: &mut impl EntrySink) {
        for row in (0..self.listing.len()).filter(|&row| !self.is_landmark(row)) {
            let entry = Entry { offset: row as u64, ..self.listing.entry(row) };
            if sink.entry(entry) == Flow::Stop {
                return;
            }
        }
    }

    /// Opens the file at `path`, following a hard link. If several entries have that path, the last one counts.
    ///
    /// # Errors
    ///
    /// [`ChunkError`] if there is no such file, if its chunks lie outside the data, or if they have no digests.
    pub fn open(&self, path: &[u8]) -> Result<ChunkReader, ChunkError> {
        self.open_range(path, 0..u64::MAX)
    }

    /// [`open`](Self::open) for the bytes in `range` only. Fetches only the chunks that hold them.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_range(&self, path: &[u8], range: Range<u64>) -> Result<ChunkReader, ChunkError> {
        ChunkReader::new(self, self.file(path)?, range)
    }

    /// [`open_range`](Self::open_range) for the entry that [`replay`](Self::replay) emitted with this offset.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_at(&self, offset: u64, range: Range<u64>) -> Result<ChunkReader, ChunkError> {
        let row = usize::try_from(offset).ok().filter(|&row| row < self.listing.len());
        let row = row.ok_or_else(|| ChunkError::NotFound(format!("entry {offset}")))?;
        match self.listing.kind(row) {
            Kind::File => ChunkReader::new(self, row, range),
            _ => Err(ChunkError::NotAFile(path::escape(self.listing.name(row)).into_owned())),
        }
    }

    /// Finds the row of a file, following hard links.
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

/// Maximum length of a chain of hard links.
const LINKS: usize = 8;
