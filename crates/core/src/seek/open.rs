//! From an entry to a reader of its bytes.

use super::{
    Ask, Error, FileReader, IndexReader, SPAN, file::Parts, header::Malformed, point::Point, read::Located, span,
};
use std::ops::Range;

use crate::{limits::Limits, media_type::Compression, tar::Kind};

/// Collects what reading one regular file takes: its entry, the checkpoint before it, the chaining values of its spans.
///
/// Put [`step`](Opening::step) to the index until it gives the reader. It keeps what it has, so that no page is needed twice.
#[derive(Debug)]
pub struct Opening {
    limits: Limits,
    wanted: Wanted,
    part: Range<u64>,
    point: Option<Option<Point>>,
    /// End of the range of the blob.
    end: Option<u64>,
    /// Chaining values so far, and the span whose value comes next.
    chains: Vec<u8>,
    next: Option<u64>,
}

#[derive(Debug)]
enum Wanted {
    Number(u64),
    Offset(u64),
    Located(Box<Located>),
}

impl Opening {
    /// Opens an entry by its number, counted from 0 in archive order. The limits are those with which the layer was read, or
    /// larger ones.
    pub fn number(number: u64, limits: &Limits) -> Self {
        Self::new(Wanted::Number(number), limits)
    }

    /// Opens the regular file whose data starts at this offset ([`Entry::offset`](crate::tar::Entry::offset)).
    pub fn at_offset(offset: u64, limits: &Limits) -> Self {
        Self::new(Wanted::Offset(offset), limits)
    }

    /// Opens an entry that was found.
    pub fn located(located: Located, limits: &Limits) -> Self {
        Self::new(Wanted::Located(Box::new(located)), limits)
    }

    /// Reads only these bytes of the file, as far as it has them. What is before them is neither fetched nor compared with the
    /// index, unless the entry is ambiguous: a sparse file is, and the place of a byte in it depends on all that
    /// is before it.
    pub fn part(self, part: Range<u64>) -> Self {
        Self { part, ..self }
    }

    fn new(wanted: Wanted, limits: &Limits) -> Self {
        Self { limits: *limits, wanted, part: 0..u64::MAX, point: None, end: None, chains: Vec::new(), next: None }
    }

    /// The reader of the file. To be called again after each page that it asks for, and not after it gave the reader.
    ///
    /// # Errors
    /// [`Ask`]; [`Error::NoEntry`] or [`Error::NoFileAt`] if there is no such entry, [`Error::NotAFile`] if it is no
    /// regular file. What a hard link leads to is an entry of its own.
    pub fn step(&mut self, index: &mut IndexReader) -> Result<FileReader, Ask> {
        match self.wanted {
            Wanted::Number(number) => self.wanted = Wanted::Located(Box::new(index.entry(number)?)),
            Wanted::Offset(offset) => self.wanted = Wanted::Located(Box::new(index.entry_at(offset)?)),
            Wanted::Located(_) => {}
        }
        let Wanted::Located(located) = &self.wanted else { return Err(Malformed::Part("entries").into()) };
        let entry = &located.entry;
        if entry.kind != Kind::File {
            return Err(Error::NotAFile { number: located.number, kind: entry.kind }.into());
        }
        let plain = index.compression() == Compression::None;
        let size = index.size();
        let part = self.part.start.min(entry.size)..self.part.end.min(entry.size);
        let alone = part.start > 0 && !part.is_empty() && entry.ambiguous.is_none();
        // Where in the archive reading starts, and where it may end.
        let from = if alone { entry.offset.saturating_add(part.start) } else { entry.header };
        let until = match entry.ambiguous {
            None => entry.offset.saturating_add(part.end).min(located.end),
            Some(_) => located.end,
        };
        let point = match &mut self.point {
            Some(point) => point,
            None if plain => self.point.insert(None),
            None => self.point.insert(index.point(from)?),
        };
        let start = match &point {
            Some(point) => point.at.compressed,
            None if plain => from,
            None => 0,
        } / SPAN
            * SPAN;
        let end = match self.end {
            Some(end) => end,
            None if plain => until.div_ceil(SPAN).saturating_mul(SPAN).min(size),
            None => index.edge_after(until)?,
        };
        self.end = Some(end);
        // A blob without a byte is an empty file, if it is one at all.
        if start >= end && size > 0 {
            return Err(Malformed::Part("spans").into());
        }
        // One value where the range starts, and one at each edge behind it, but none where the blob starts or ends.
        let first = (start / SPAN).max(1);
        let last = end.div_ceil(SPAN).min(span::count(size));
        while self.next.unwrap_or(first) <= last {
            self.next = Some(index.chains(self.next.unwrap_or(first), last + 1, &mut self.chains)?);
        }
        let block = match point {
            Some(point) => point.block().ok_or(Malformed::Part("checkpoints"))?,
            None => None,
        };
        Ok(FileReader::new(Parts {
            digest: index.digest(),
            compression: index.compression(),
            at: point.as_ref().map(|point| point.at),
            block,
            range: start..end,
            chains: std::mem::take(&mut self.chains),
            entry: entry.clone(),
            part,
            from,
            limits: self.limits,
        }))
    }
}
