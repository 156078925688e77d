//! Makes the reader for the bytes of an entry.

use super::{
    Ask, Error, FileReader, IndexReader, SPAN, file::Parts, header::Malformed, point::Point, read::Located, span,
};
use std::ops::Range;

use crate::{limits::Limits, media_type::Compression, tar::Kind};

/// Collects the data that reading one regular file needs: its entry, the checkpoint before it, the chaining values of its spans.
///
/// Call [`step`](Opening::step), and give the index each page that it asks for, until it returns the reader. It keeps its
/// progress, so that no page is needed twice.
#[derive(Debug)]
pub struct Opening {
    limits: Limits,
    wanted: Wanted,
    part: Range<u64>,
    point: Option<Option<Point>>,
    /// End of the range of the blob.
    end: Option<u64>,
    /// Chaining values collected so far. `next` is the span whose value comes next.
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

    /// Reads only these bytes of the file, as far as it has them. Bytes before them are neither fetched nor compared with
    /// the index, unless the entry is ambiguous. Every sparse file is ambiguous: the position of its bytes in the archive
    /// depends on everything before them.
    pub fn part(self, part: Range<u64>) -> Self {
        Self { part, ..self }
    }

    fn new(wanted: Wanted, limits: &Limits) -> Self {
        Self { limits: *limits, wanted, part: 0..u64::MAX, point: None, end: None, chains: Vec::new(), next: None }
    }

    /// Returns the reader of the file. Call again after each page that it asks for, but not after it returned the reader.
    ///
    /// # Errors
    /// [`Ask`]; [`Error::NoEntry`] or [`Error::NoFileAt`] if there is no such entry, [`Error::NotAFile`] if it is not a
    /// regular file. A hard link is not followed: open the entry of its target.
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
        // Positions in the archive where reading starts, and where it may end.
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
        // Only an empty blob has no span: it may be an empty file.
        if start >= end && size > 0 {
            return Err(Malformed::Part("spans").into());
        }
        // One value at the start of the range, and one at each edge after it, but none at the start or the end of the blob.
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
