//! The index of a layer.

use super::{
    SPAN, Seekable,
    file::{Error, FileReader, Parts},
    offsets::Offsets,
    point::Point,
    rows::Group,
    span,
};
use crate::{
    digest::{Algorithm, Digest},
    limits::Limits,
    media_type::Compression,
    tar::{Entry, EntrySink, Flow, Kind},
};

/// What reading a part of a layer needs, and all of its entries.
///
/// Made by [`finish_with_index`](crate::layer::LayerReader::finish_with_index). It takes about as much memory as its
/// [bytes](Index::to_bytes): 12 bytes for each entry where names and times are as usual, less where they are alike (and 32 for
/// each file whose digest is kept), 10 to 15 KB for each checkpoint in a gzip member, 40 bytes for each 128 KiB of the
/// blob.
#[derive(Debug, PartialEq, Eq)]
pub struct Index {
    pub(super) head: Head,
    /// The chaining value of the blob's hash at each inner edge of a span, one after another.
    pub(super) chains: Vec<u8>,
    /// Bytes unpacked of what comes before each inner edge.
    pub(super) unpacked: Vec<u64>,
    /// Where decoding can start, in order, apart from the start of the blob.
    pub(super) points: Vec<Point>,
    pub(super) groups: Vec<Group>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) diff_id: Digest,
    pub(super) uncompressed: u64,
    pub(super) compression: Compression,
    pub(super) verified: bool,
    pub(super) file_digests: bool,
    pub(super) entries: u64,
}

/// A layer that unpacks to no more than this needs no checkpoint.
const SMALL: u64 = 4 << 20;

impl Index {
    /// Digest of the blob.
    pub fn digest(&self) -> Digest {
        self.head.digest
    }

    /// Bytes of the blob.
    pub fn size(&self) -> u64 {
        self.head.size
    }

    /// Digest of the unpacked archive.
    pub fn diff_id(&self) -> Digest {
        self.head.diff_id
    }

    /// Bytes of the unpacked archive.
    pub fn uncompressed(&self) -> u64 {
        self.head.uncompressed
    }

    /// How the blob is compressed.
    pub fn compression(&self) -> Compression {
        self.head.compression
    }

    /// Whether digest and size of the blob were expected and matched when the index was made, and its diff_id if one was
    /// expected. For an index that was [read](Index::from_bytes) it is what its bytes say: they are as trustworthy as
    /// the place where they were kept.
    pub fn verified(&self) -> bool {
        self.head.verified
    }

    /// How many entries there are.
    pub fn entry_count(&self) -> u64 {
        self.head.entries
    }

    /// How many places there are where decoding can start, apart from the start of the blob.
    pub fn checkpoint_count(&self) -> usize {
        self.points.len()
    }

    /// How the layer can be read in parts.
    pub fn seekable(&self) -> Seekable {
        if self.head.compression == Compression::None {
            return Seekable::Anywhere;
        }
        // Where the last member or frame ends, another could start, but none does.
        let inside = |point: &Point| point.at.uncompressed < self.head.uncompressed;
        if !self.points.iter().any(inside) && self.head.uncompressed > SMALL {
            return Seekable::FromStart;
        }
        let places = self.points.iter().map(|point| point.at.uncompressed).chain([self.head.uncompressed]);
        let apart = places.scan(0, |before, at| Some(at - std::mem::replace(before, at))).max();
        Seekable::Checkpoints { apart: apart.unwrap_or(0) }
    }

    /// Where in the blob each byte of the archive is, roughly.
    pub fn offsets(&self) -> Offsets {
        let mut offsets = Offsets::default();
        self.unpacked.iter().for_each(|&unpacked| offsets.edge(unpacked));
        offsets.end(self.head.size, self.head.uncompressed);
        offsets
    }

    /// Gives all entries in archive order, exactly as the scan of the layer gave them, until the sink wants no more.
    /// There is no data: [`Flow::WantData`] is the same as [`Flow::Continue`].
    pub fn replay(&self, sink: &mut impl EntrySink) {
        for group in &self.groups {
            let Some(columns) = group.columns() else { return };
            let Some(mut rows) = group.rows(&columns) else { return };
            while let Some(entry) = rows.next() {
                if sink.entry(entry) == Flow::Stop {
                    return;
                }
            }
        }
    }

    /// Whether the digest of each regular file's content [is kept](super::IndexOptions::file_digests).
    pub fn has_file_digests(&self) -> bool {
        self.head.file_digests
    }

    /// Gives all entries in archive order, each regular file with the SHA-256 digest of its content if such digests
    /// [are kept](Index::has_file_digests).
    pub fn replay_with_digests(&self, mut give: impl FnMut(Entry, Option<Digest>)) {
        let size = Algorithm::Sha256.size();
        for group in &self.groups {
            let Some(columns) = group.columns() else { return };
            let Some(mut rows) = group.rows(&columns) else { return };
            let mut digests = group.digests.chunks_exact(size);
            while let Some(entry) = rows.next() {
                let value = if entry.kind == Kind::File { digests.next() } else { None };
                give(entry, value.map(|value| Digest::from_value(Algorithm::Sha256, value)));
            }
        }
    }

    /// An entry by its place in the archive, counted from 0.
    pub fn entry(&self, number: u64) -> Option<Entry> {
        self.entry_and_end(number).map(|(entry, _)| entry)
    }

    /// The place in the archive of the entry whose data starts at this offset ([`Entry::offset`]), which no other has.
    pub fn find(&self, offset: u64) -> Option<u64> {
        let after = self.groups.partition_point(|group| group.start < offset);
        let group = self.groups.get(after.checked_sub(1)?)?;
        let columns = group.columns()?;
        let mut rows = group.rows(&columns)?;
        let entries = std::iter::from_fn(|| rows.next());
        let place = entries.take_while(|entry| entry.offset <= offset).position(|entry| entry.offset == offset)?;
        Some(group.number + place as u64)
    }

    /// The SHA-256 digest of a regular file's content, if such digests [are kept](super::IndexOptions::file_digests).
    pub fn file_digest(&self, number: u64) -> Option<Digest> {
        let group = self.group(number)?;
        let columns = group.columns()?;
        let mut rows = group.rows(&columns)?;
        let mut files = 0;
        for _ in group.number..number {
            files += usize::from(rows.next()?.kind == Kind::File);
        }
        if rows.next()?.kind != Kind::File {
            return None;
        }
        let size = Algorithm::Sha256.size();
        let value = group.digests.get(files * size..(files + 1) * size)?;
        Some(Digest::from_value(Algorithm::Sha256, value))
    }

    /// A reader of one regular file: an entry by its place in the archive, counted from 0. The limits are those with which
    /// the layer was read, or larger ones; a sparse file may be as long as a layer unpacked.
    ///
    /// # Errors
    /// [`Error::NoEntry`] if there are fewer entries, [`Error::NotAFile`] if it is something else. What a hard link
    /// leads to is an entry of its own.
    pub fn open(&self, number: u64, limits: &Limits) -> Result<FileReader, Error> {
        let (entry, end) = self.entry_and_end(number).ok_or(Error::NoEntry { number, count: self.head.entries })?;
        if entry.kind != Kind::File {
            return Err(Error::NotAFile { number, kind: entry.kind });
        }
        let plain = self.head.compression == Compression::None;
        let point = self.point(entry.header).filter(|_| !plain);
        let start = point.map_or(if plain { entry.header } else { 0 }, |point| point.at.compressed) / SPAN * SPAN;
        let end = if plain { (end.div_ceil(SPAN) * SPAN).min(self.head.size) } else { self.edge_after(end) };
        let last = end.div_ceil(SPAN).min(span::count(self.head.size));
        let chains = ((start / SPAN).max(1)..=last).filter_map(|span| self.chain(span as usize)).flatten().copied();
        Ok(FileReader::new(Parts {
            digest: self.head.digest,
            compression: self.head.compression,
            at: point.map(|point| point.at),
            block: point.and_then(Point::block).flatten(),
            range: start..end,
            chains: chains.collect(),
            entry,
            limits: *limits,
        }))
    }

    /// A reader of the regular file whose data starts at this offset ([`Entry::offset`]).
    ///
    /// # Errors
    /// [`Error::NoFileAt`] if no entry's data starts there, else as [`Index::open`].
    pub fn open_at(&self, offset: u64, limits: &Limits) -> Result<FileReader, Error> {
        self.open(self.find(offset).ok_or(Error::NoFileAt { offset })?, limits)
    }

    fn group(&self, number: u64) -> Option<&Group> {
        let after = self.groups.partition_point(|group| group.number <= number);
        self.groups.get(after.checked_sub(1)?)
    }

    /// An entry, and where in the archive its data has ended at the latest.
    fn entry_and_end(&self, number: u64) -> Option<(Entry, u64)> {
        let group = self.group(number)?;
        let columns = group.columns()?;
        let mut rows = group.rows(&columns)?;
        for _ in group.number..number {
            rows.next()?;
        }
        let entry = rows.next()?;
        let next = match rows.next() {
            Some(next) => next.header,
            None => self
                .group(number + 1)
                .filter(|other| other.number > number)
                .map_or(self.head.uncompressed, |next| next.start),
        };
        // Data of a sparse file takes no more of the archive than its size.
        let end = entry.offset.saturating_add(entry.size).min(next);
        Some((entry, end))
    }

    /// The chaining value at the edge before a span.
    pub(super) fn chain(&self, span: usize) -> Option<&[u8]> {
        let size = self.head.digest.algorithm().chain_size();
        let start = span.checked_sub(1)? * size;
        self.chains.get(start..start + size)
    }

    /// The last place at or before a byte of the archive where decoding can start.
    pub(super) fn point(&self, unpacked: u64) -> Option<&Point> {
        let after = self.points.partition_point(|point| point.at.uncompressed <= unpacked);
        self.points.get(after.checked_sub(1)?)
    }

    /// The end of the span with which so much of the archive is unpacked.
    pub(super) fn edge_after(&self, unpacked: u64) -> u64 {
        let span = self.unpacked.partition_point(|&at| at < unpacked);
        ((span as u64 + 1) * SPAN).min(self.head.size)
    }
}
