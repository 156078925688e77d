//! The part of a file that was already read.

use crate::limits::{FACT_BYTES, FACT_READS};
use object::ReadRef;
use std::{cell::Cell, collections::BTreeMap, ops::Range};

/// Bytes are asked for in blocks: to read two structures close to each other takes one request.
const BLOCK: u64 = 64 << 10;

/// The part of a file that was already read. A reader of facts asks for the ranges that it lacks.
#[derive(Debug)]
pub struct KnownBytes {
    size: u64,
    /// Parts by offset. No two of them touch.
    parts: BTreeMap<u64, Vec<u8>>,
    given: usize,
    reads: u32,
    closed: bool,
    missing: Cell<Option<(u64, u64)>>,
}

impl KnownBytes {
    /// Starts with the size of a file and its first bytes.
    pub fn new(size: u64, start: Vec<u8>) -> Self {
        let (given, parts) = (start.len(), BTreeMap::from([(0, start)]));
        Self { size, parts, given, reads: 0, closed: false, missing: Cell::new(None) }
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds bytes that start at an offset. Beyond [`FACT_BYTES`] or [`FACT_READS`], no more are asked for.
    pub fn give(&mut self, offset: u64, bytes: &[u8]) {
        self.given = self.given.saturating_add(bytes.len());
        self.reads += 1;
        self.closed |= self.given >= FACT_BYTES || self.reads >= FACT_READS;
        let before = self.parts.range_mut(..=offset).next_back();
        let joined = before.filter(|(start, part)| **start + part.len() as u64 >= offset);
        let start = match joined {
            Some((&start, part)) => {
                let overlap = (start + part.len() as u64 - offset).min(bytes.len() as u64);
                part.extend_from_slice(&bytes[overlap as usize..]);
                start
            }
            None => {
                self.parts.insert(offset, bytes.to_vec());
                offset
            }
        };
        // Parts that now touch become one.
        let end = |parts: &BTreeMap<u64, Vec<u8>>| start + parts.get(&start).map_or(0, |part| part.len() as u64);
        while let Some((&next, _)) = self.parts.range(start + 1..=end(&self.parts)).next() {
            let known = (end(&self.parts) - next) as usize;
            if let (Some(rest), Some(part)) = (self.parts.remove(&next), self.parts.get_mut(&start)) {
                part.extend_from_slice(rest.get(known..).unwrap_or_default());
            }
        }
    }

    /// No more bytes will be given. Facts that need others are left out.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// The first range that was missing since the last call, and whether it may be asked for.
    pub(super) fn take_missing(&self) -> Option<(Range<u64>, bool)> {
        let (start, end) = self.missing.take()?;
        let few = end - start <= FACT_BYTES.saturating_sub(self.given) as u64;
        Some((start..end, few && !self.closed))
    }

    /// Bytes of a range. `None`: they are missing, or the file ends before.
    pub(super) fn get(&self, offset: u64, length: u64) -> Option<&[u8]> {
        let end = offset.checked_add(length).filter(|&end| end <= self.size)?;
        if length == 0 {
            return Some(&[]);
        }
        let part = self.parts.range(..=offset).next_back();
        let found = part.and_then(|(start, part)| part.get((offset - start) as usize..)?.get(..length as usize));
        if found.is_none() && self.missing.get().is_none() {
            let known = part.map_or(0, |(start, part)| start + part.len() as u64);
            let start = (offset / BLOCK * BLOCK).max(known.min(offset));
            self.missing.set(Some((start, end.next_multiple_of(BLOCK).min(self.size))));
        }
        found
    }

    /// At most `length` bytes from an offset on, fewer where the file ends.
    pub(super) fn up_to(&self, offset: u64, length: u64) -> Option<&[u8]> {
        self.get(offset, length.min(self.size.checked_sub(offset)?))
    }

    pub(super) fn start(&self, length: u64) -> &[u8] {
        let known = self.parts.get(&0).map_or(&[][..], Vec::as_slice);
        known.get(..length as usize).unwrap_or(known)
    }
}

impl<'a> ReadRef<'a> for &'a KnownBytes {
    fn len(self) -> Result<u64, ()> {
        Ok(self.size)
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        self.get(offset, size).ok_or(())
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        // Names are short: more is read only if the first bytes contain no terminator.
        let mut length = 256;
        loop {
            let whole = range.end.min(self.size).checked_sub(range.start).ok_or(())?;
            let bytes = self.get(range.start, whole.min(length)).ok_or(())?;
            match memchr::memchr(delimiter, bytes) {
                Some(end) => return Ok(&bytes[..end]),
                None if whole <= length || length > 1 << 20 => return Err(()),
                None => length *= 16,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_given_can_be_read(parts in prop::collection::vec((0_usize..500, 1_usize..100), 0..12)) {
            let file: Vec<u8> = (0..600_u32).map(|at| (at % 251) as u8).collect();
            let mut known = KnownBytes::new(600, file[..10].to_vec());
            let mut given = [false; 600];
            given[..10].fill(true);
            for (start, length) in parts {
                known.give(start as u64, &file[start..start + length]);
                given[start..start + length].fill(true);
            }
            for start in (0..600).step_by(7) {
                for length in [1, 13, 90] {
                    let end = start + length;
                    let whole = end <= 600 && given[start..end].iter().all(|given| *given);
                    let expected = whole.then(|| &file[start..end]);
                    prop_assert_eq!(known.get(start as u64, length as u64), expected);
                }
            }
        }
    }

    #[test]
    fn missing_bytes_are_asked_for_in_blocks_until_enough_were_given() {
        let mut known = KnownBytes::new(1 << 30, vec![0; 100]);
        assert_eq!(known.get(90, 20), None);
        assert_eq!(known.take_missing(), Some((90..BLOCK, true)), "from the bytes that are wanted on");
        assert_eq!((known.get((1 << 30) - 1, 2), known.take_missing()), (None, None), "behind the end");
        assert_eq!(known.get(5 * BLOCK - 1, 2), None);
        assert_eq!(known.take_missing(), Some((4 * BLOCK..6 * BLOCK, true)));
        known.give(4 * BLOCK, &vec![7; 2 * BLOCK as usize]);
        assert_eq!(known.get(5 * BLOCK - 1, 2), Some(&[7, 7][..]));
        for read in 0..u64::from(FACT_READS) {
            known.give((10 + 2 * read) * BLOCK, b"x");
        }
        assert_eq!((known.get(BLOCK, 1), known.take_missing()), (None, Some((BLOCK..2 * BLOCK, false))));
    }
}
