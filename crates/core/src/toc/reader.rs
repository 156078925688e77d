use std::{mem, ops::Range};

use super::{
    Error, Landmark, Toc, TocFormat, Trust,
    annotations::{Announced, Position},
    estargz, json, zstd_chunked,
};
use crate::{
    descriptor::Descriptor,
    digest::Digest,
    limits::Limits,
    media_type::{Compression, Role},
    path,
};

/// Fetches the TOC of a layer by ranges of the blob.
///
/// While [`wants`](TocReader::wants) returns a range, [`push`](TocReader::push) its bytes in any split. Then call
/// [`finish`](TocReader::finish). There are at most two ranges: the footer (unless the descriptor states the position) and
/// the TOC.
pub struct TocReader {
    format: Option<TocFormat>,
    announced: Announced,
    limits: Limits,
    size: u64,
    range: Range<u64>,
    part: Part,
    data: u64,
}

/// What the current range holds.
enum Part {
    Nothing,
    Footer(Vec<u8>),
    Member(Box<estargz::Member>),
    Manifest(Box<zstd_chunked::Manifest>),
}

impl TocReader {
    /// A reader for the layer with this descriptor. Without annotations, the media type selects the format to look for.
    ///
    /// # Errors
    ///
    /// [`Error::Both`], [`Error::Annotation`], and the errors of [`push`](Self::push) for a TOC at an impossible
    /// position.
    pub fn new(layer: &Descriptor, limits: &Limits) -> Result<Self, Error> {
        let announced = Announced::read(layer)?;
        let by_type = match layer.media_type.role() {
            Role::Layer(Compression::Gzip) => Some(TocFormat::EStargz),
            Role::Layer(Compression::Zstd) => Some(TocFormat::ZstdChunked),
            _ => None,
        };
        Self::start(announced.format.or(by_type), announced, layer.size, limits)
    }

    /// A reader for a blob of `size` bytes whose descriptor is unknown.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn probe(compression: Compression, size: u64, limits: &Limits) -> Result<Self, Error> {
        let format = match compression {
            Compression::None => None,
            Compression::Gzip => Some(TocFormat::EStargz),
            Compression::Zstd => Some(TocFormat::ZstdChunked),
        };
        Self::start(format, Announced::default(), size, limits)
    }

    fn start(format: Option<TocFormat>, announced: Announced, size: u64, limits: &Limits) -> Result<Self, Error> {
        let position = announced.position;
        let mut reader = Self { format, announced, limits: *limits, size, range: 0..0, part: Part::Nothing, data: 0 };
        let footer = match (format, position) {
            (Some(TocFormat::ZstdChunked), Some(position)) => {
                reader.manifest(position)?;
                return Ok(reader);
            }
            (Some(TocFormat::ZstdChunked), None) => zstd_chunked::FOOTER,
            (Some(TocFormat::EStargz), _) => estargz::FOOTER,
            (None, _) => return Ok(reader),
        };
        reader.range = size.saturating_sub(footer)..size;
        reader.part = Part::Footer(Vec::new());
        reader.complete()?;
        Ok(reader)
    }

    /// Whether the descriptor announces a TOC. If not, the layer may still have one.
    pub fn announced(&self) -> bool {
        self.announced.format.is_some()
    }

    /// The range of the blob to push next. `None` when no more is needed.
    pub fn wants(&self) -> Option<Range<u64>> {
        (!self.range.is_empty()).then(|| self.range.clone())
    }

    /// Takes the next bytes of the requested range.
    ///
    /// # Errors
    ///
    /// The reason why the TOC is invalid, or the limit that it exceeds. Do not push more after that.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let expected = self.range.end - self.range.start;
        if bytes.len() as u64 > expected {
            return Err(Error::Excess { expected });
        }
        self.range.start += bytes.len() as u64;
        match &mut self.part {
            Part::Nothing => {}
            Part::Footer(footer) => footer.extend_from_slice(bytes),
            Part::Member(member) => member.push(bytes)?,
            Part::Manifest(manifest) => manifest.push(bytes),
        }
        self.complete()
    }

    /// Returns the TOC; `None` if the layer has none.
    ///
    /// # Errors
    ///
    /// The reason why the TOC is invalid, or the limit that it exceeds; [`Error::Incomplete`] while
    /// [`wants`](Self::wants) returns a range.
    pub fn finish(self) -> Result<Option<Toc>, Error> {
        if let Some(range) = self.wants() {
            return Err(Error::Incomplete { expected: range.end - range.start });
        }
        let (format, json) = match self.part {
            Part::Nothing | Part::Footer(_) => return Ok(None),
            Part::Member(member) => (TocFormat::EStargz, member.finish()?),
            Part::Manifest(manifest) => (TocFormat::ZstdChunked, manifest.finish()?),
        };
        if let Some(expected) = self.announced.json {
            let got = Digest::of(expected.algorithm(), &json);
            if got != expected {
                return Err(Error::Digest { expected, got });
            }
        }
        let mut listing = json::parse(&json, &self.limits)?;
        listing.finish(self.data);
        let digest = Digest::sha256(&json);
        drop(json);
        let landmark = (0..listing.len()).find_map(|row| Landmark::of(&path::clean(listing.name(row))));
        Ok(Some(Toc {
            format,
            trust: self.announced.packed.or(self.announced.json).map_or(Trust::Nothing, Trust::Annotation),
            digest,
            data: self.data,
            uncompressed: self.announced.uncompressed,
            landmark: landmark.filter(|_| format == TocFormat::EStargz),
            listing,
            limits: self.limits,
        }))
    }

    /// Requests the TOC when the footer is complete.
    fn complete(&mut self) -> Result<(), Error> {
        let Part::Footer(footer) = &mut self.part else { return Ok(()) };
        if !self.range.is_empty() {
            return Ok(());
        }
        let footer = mem::take(footer);
        self.part = Part::Nothing;
        match self.format {
            Some(TocFormat::EStargz) => {
                if let Some((offset, length)) = estargz::footer(&footer) {
                    return self.member(offset, self.size - length);
                }
            }
            Some(TocFormat::ZstdChunked) => {
                if let Some(position) = zstd_chunked::footer(&footer) {
                    return self.manifest(position);
                }
            }
            None => {}
        }
        match self.announced.format {
            Some(format) => Err(Error::NoFooter { format }),
            None => Ok(()),
        }
    }

    /// Requests the TOC of eStargz, which reaches from an offset to the footer.
    fn member(&mut self, start: u64, end: u64) -> Result<(), Error> {
        self.ask(start, start, Some(end), end)?;
        self.part = Part::Member(Box::new(estargz::Member::new(&self.limits)));
        Ok(())
    }

    /// Requests the manifest of zstd:chunked. The header of its skippable frame lies before the stated position.
    fn manifest(&mut self, position: Position) -> Result<(), Error> {
        let start = position.offset.checked_sub(zstd_chunked::FRAME_HEADER).unwrap_or(u64::MAX);
        self.ask(start, position.offset, position.offset.checked_add(position.length), self.size)?;
        if position.unpacked > self.limits.toc_bytes {
            return Err(Error::TooLarge { limit: self.limits.toc_bytes });
        }
        let manifest = zstd_chunked::Manifest::new(position, self.announced.packed, &self.limits);
        self.part = Part::Manifest(Box::new(manifest));
        Ok(())
    }

    /// Requests the bytes of the TOC, which must lie within the first `size` bytes.
    fn ask(&mut self, first: u64, start: u64, end: Option<u64>, size: u64) -> Result<(), Error> {
        let end = end.unwrap_or(u64::MAX);
        if first > start || start >= end || end > size {
            return Err(Error::Outside { start, end, size });
        }
        let limit = self.limits.toc_bytes;
        if end - start > limit {
            return Err(Error::TooLarge { limit });
        }
        self.data = first;
        self.range = first..end;
        Ok(())
    }
}
