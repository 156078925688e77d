//! The rows of a TOC in a compact form.

use super::error::{Error, Fault};
use crate::{
    digest::Digest,
    tar::{Entry, Kind},
};

/// All rows, and the text arena that they refer to.
#[derive(Debug, Default)]
pub(super) struct Listing {
    text: Vec<u8>,
    rows: Vec<Row>,
    pieces: Vec<Piece>,
}

/// A range of the text arena.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    start: u32,
    length: u32,
}

/// An entry of the TOC.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) name: Span,
    pub(super) link: Span,
    /// Names and values, each preceded by its length.
    pub(super) xattrs: Span,
    pub(super) digest: Span,
    pub(super) size: u64,
    pub(super) mode: i64,
    pub(super) uid: i64,
    pub(super) gid: i64,
    pub(super) mtime: i64,
    pub(super) mtime_nsec: u32,
    pub(super) major: i64,
    pub(super) minor: i64,
    /// Index of its first chunk in `pieces`.
    pub(super) first: u32,
    pub(super) count: u32,
}

/// A chunk as the TOC states it. Omitted fields are 0.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) offset: u64,
    pub(super) end: u64,
    pub(super) inner: u64,
    pub(super) start: u64,
    pub(super) size: u64,
    pub(super) digest: Span,
    pub(super) zeros: bool,
}

/// A chunk of a file, with omitted fields filled in.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// Start of its gzip member or zstd frame in the blob.
    pub(super) offset: u64,
    /// Upper bound for the end of that member or frame.
    pub(super) end: u64,
    /// Uncompressed bytes of the member before the chunk.
    pub(super) inner: u64,
    /// Start of the chunk in the file.
    pub(super) start: u64,
    /// Length of the chunk in bytes.
    pub(super) size: u64,
    pub(super) digest: Option<Digest>,
    /// The chunk consists of zeros and is not stored.
    pub(super) zeros: bool,
}

impl Listing {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Appends text to the arena.
    pub(super) fn store(&mut self, text: &[u8]) -> Result<Span, Error> {
        let span = u32::try_from(self.text.len()).ok().zip(u32::try_from(text.len()).ok());
        let (start, length) = span.ok_or_else(|| Error::TooLarge { limit: u32::MAX.into() })?;
        self.text.extend_from_slice(text);
        Ok(Span { start, length })
    }

    /// Appends extended attributes to the arena.
    pub(super) fn store_xattrs(&mut self, xattrs: &[(Vec<u8>, Vec<u8>)]) -> Result<Span, Error> {
        let mut bytes = Vec::new();
        for part in xattrs.iter().flat_map(|(name, value)| [name, value]) {
            // A name or value is a part of the TOC, whose length fits 32 bits.
            bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        self.store(&bytes)
    }

    /// Adds an entry. Its chunks follow.
    pub(super) fn push(&mut self, mut row: Row) {
        // There are fewer chunks than bytes in the TOC.
        row.first = self.pieces.len() as u32;
        row.count = 0;
        self.rows.push(row);
    }

    /// Adds a chunk to the last entry.
    pub(super) fn push_chunk(&mut self, piece: Piece) -> Result<(), Fault> {
        let row = self.rows.last_mut().filter(|row| row.kind == Kind::File).ok_or(Fault::Chunk)?;
        row.count += 1;
        // `endOffset` of an entry applies to all of its chunks together.
        let before = self.pieces.last_mut().filter(|_| row.count > 1);
        let end = before.map_or(piece.end, |before| std::mem::take(&mut before.end).max(piece.end));
        self.pieces.push(Piece { end, ..piece });
        Ok(())
    }

    /// Completes the rows: a chunk without an end offset ends where the next member starts, or at `data`.
    pub(super) fn finish(&mut self, data: u64) {
        let mut next = data;
        for piece in self.pieces.iter_mut().rev() {
            if piece.end == 0 {
                piece.end = next;
            }
            if piece.inner == 0 {
                next = piece.offset;
            }
        }
    }

    pub(super) fn kind(&self, row: usize) -> Kind {
        self.rows.get(row).map_or(Kind::Other, |row| row.kind)
    }

    pub(super) fn name(&self, row: usize) -> &[u8] {
        self.rows.get(row).map_or(&[], |row| self.text(row.name))
    }

    pub(super) fn link(&self, row: usize) -> &[u8] {
        self.rows.get(row).map_or(&[], |row| self.text(row.link))
    }

    pub(super) fn size(&self, row: usize) -> u64 {
        self.rows.get(row).map_or(0, |row| row.size)
    }

    pub(super) fn digest(&self, row: usize) -> Option<Digest> {
        self.rows.get(row).and_then(|row| self.parse_digest(row.digest))
    }

    /// The entry in the form that a scan of the archive emits.
    pub(super) fn entry(&self, row: usize) -> Entry {
        let mut entry = Entry::new(self.name(row), self.kind(row));
        if let Some(row) = self.rows.get(row) {
            entry.link = self.text(row.link).to_vec();
            entry.size = row.size;
            entry.mode = row.mode;
            entry.uid = row.uid;
            entry.gid = row.gid;
            entry.mtime = row.mtime;
            entry.mtime_nsec = row.mtime_nsec;
            entry.major = row.major;
            entry.minor = row.minor;
            entry.xattrs = self.xattrs(row.xattrs);
        }
        entry
    }

    /// The chunks of a file in order. `None` if they do not cover the file.
    pub(super) fn chunks(&self, row: usize) -> Option<Vec<Chunk>> {
        let row = self.rows.get(row)?;
        let (first, count) = (row.first as usize, row.count as usize);
        let pieces = self.pieces.get(first..first + count)?;
        let mut chunks = Vec::with_capacity(pieces.len());
        let mut start = 0;
        for (index, piece) in pieces.iter().enumerate() {
            let last = index + 1 == pieces.len();
            let rest = row.size.checked_sub(start)?;
            let size = if piece.size == 0 && last { rest } else { piece.size };
            if piece.start != start || size == 0 || size > rest || last && size != rest {
                return None;
            }
            let alone = if pieces.len() == 1 { self.parse_digest(row.digest) } else { None };
            chunks.push(Chunk {
                offset: piece.offset,
                end: piece.end,
                inner: piece.inner,
                start,
                size,
                digest: self.parse_digest(piece.digest).or(alone),
                zeros: piece.zeros,
            });
            start += size;
        }
        (start == row.size).then_some(chunks)
    }

    fn text(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        self.text.get(start..start + span.length as usize).unwrap_or_default()
    }

    fn parse_digest(&self, span: Span) -> Option<Digest> {
        std::str::from_utf8(self.text(span)).ok()?.parse().ok()
    }

    fn xattrs(&self, span: Span) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut rest = self.text(span);
        let mut part = || {
            let (length, tail) = rest.split_first_chunk::<4>()?;
            let (part, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            rest = tail;
            Some(part.to_vec())
        };
        std::iter::from_fn(|| Some((part()?, part()?))).collect()
    }
}
