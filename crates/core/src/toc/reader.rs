use std::{mem, ops::Range};

use super::{
    Error, Format, Landmark, Toc, Trust,
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

/// Reads the TOC of a layer, by ranges of the blob.
///
/// As long as [`wants`](Reader::wants) names a range, [`push`](Reader::push) its bytes in any split; then
/// [`finish`](Reader::finish). A range is two at most: the footer, if the descriptor does not make it needless, and the
/// TOC itself.
pub struct Reader {
    format: Option<Format>,
    announced: Announced,
    limits: Limits,
    size: u64,
    range: Range<u64>,
    part: Part,
    data: u64,
}

/// What the range holds.
enum Part {
    Nothing,
    Footer(Vec<u8>),
    Member(Box<estargz::Member>),
    Manifest(Box<zstd_chunked::Manifest>),
}

impl Reader {
    /// A reader for the layer with this descriptor. Without annotations its media type decides what to look for.
    ///
    /// # Errors
    ///
    /// [`Error::Both`], [`Error::Annotation`]; what [`push`](Self::push) says of a TOC in an impossible place.
    pub fn new(layer: &Descriptor, limits: &Limits) -> Result<Self, Error> {
        let announced = Announced::read(layer)?;
        let by_type = match layer.media_type.role() {
            Role::Layer(Compression::Gzip) => Some(Format::EStargz),
            Role::Layer(Compression::Zstd) => Some(Format::ZstdChunked),
            _ => None,
        };
        Self::start(announced.format.or(by_type), announced, layer.size, limits)
    }

    /// A reader for a blob of `size` bytes of which nothing is known but how it is compressed.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new).
    pub fn probe(compression: Compression, size: u64, limits: &Limits) -> Result<Self, Error> {
        let format = match compression {
            Compression::None => None,
            Compression::Gzip => Some(Format::EStargz),
            Compression::Zstd => Some(Format::ZstdChunked),
        };
        Self::start(format, Announced::default(), size, limits)
    }

    fn start(format: Option<Format>, announced: Announced, size: u64, limits: &Limits) -> Result<Self, Error> {
        let position = announced.position;
        let mut reader = Self { format, announced, limits: *limits, size, range: 0..0, part: Part::Nothing, data: 0 };
        let footer = match (format, position) {
            (Some(Format::ZstdChunked), Some(position)) => {
                reader.manifest(position)?;
                return Ok(reader);
            }
            (Some(Format::ZstdChunked), None) => zstd_chunked::FOOTER,
            (Some(Format::EStargz), _) => estargz::FOOTER,
            (None, _) => return Ok(reader),
        };
        reader.range = size.saturating_sub(footer)..size;
        reader.part = Part::Footer(Vec::new());
        reader.complete()?;
        Ok(reader)
    }

    /// Whether the descriptor names a TOC. If not, looking for one may be in vain.
    pub fn announced(&self) -> bool {
        self.announced.format.is_some()
    }

    /// Which bytes of the blob to push next; `None`: no more.
    pub fn wants(&self) -> Option<Range<u64>> {
        (!self.range.is_empty()).then(|| self.range.clone())
    }

    /// Takes the next bytes of the range that was asked for.
    ///
    /// # Errors
    ///
    /// What makes the TOC invalid, or the limit that it exceeds. There is no use in pushing more.
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

    /// The TOC; `None`: the layer has none.
    ///
    /// # Errors
    ///
    /// What makes the TOC invalid, or the limit that it exceeds; [`Error::Incomplete`] while more is
    /// [wanted](Self::wants).
    pub fn finish(self) -> Result<Option<Toc>, Error> {
        if let Some(range) = self.wants() {
            return Err(Error::Incomplete { expected: range.end - range.start });
        }
        let (format, json) = match self.part {
            Part::Nothing | Part::Footer(_) => return Ok(None),
            Part::Member(member) => (Format::EStargz, member.finish()?),
            Part::Manifest(manifest) => (Format::ZstdChunked, manifest.finish()?),
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
            landmark: landmark.filter(|_| format == Format::EStargz),
            listing,
            limits: self.limits,
        }))
    }

    /// Goes on to the TOC when the footer is there.
    fn complete(&mut self) -> Result<(), Error> {
        let Part::Footer(footer) = &mut self.part else { return Ok(()) };
        if !self.range.is_empty() {
            return Ok(());
        }
        let footer = mem::take(footer);
        self.part = Part::Nothing;
        match self.format {
            Some(Format::EStargz) => {
                if let Some((offset, length)) = estargz::footer(&footer) {
                    return self.member(offset, self.size - length);
                }
            }
            Some(Format::ZstdChunked) => {
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

    /// The TOC of eStargz fills the blob from an offset to the footer.
    fn member(&mut self, start: u64, end: u64) -> Result<(), Error> {
        self.ask(start, start, Some(end), end)?;
        self.part = Part::Member(Box::new(estargz::Member::new(&self.limits)));
        Ok(())
    }

    /// The manifest of zstd:chunked is a skippable frame, whose header stands in front of the position.
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

    /// Asks for the bytes of the TOC, which may be anywhere in the first `size` bytes.
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
