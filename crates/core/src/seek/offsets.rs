//! Approximate positions in the blob of the bytes of the archive.

use super::{
    SPAN,
    number::{Rest, put},
};
use std::ops::Range;

/// Maximum number of places that are kept.
const MOST: usize = 4096;

/// A monotone map from bytes of the unpacked archive to bytes of the blob.
///
/// It has the number of unpacked bytes at every 128 KiB of the blob; for a blob larger than 512 MiB, at every 256 KiB, and
/// so on. So it takes at most 32 KiB of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// Bytes of the blob from one place to the next.
    step: u64,
    /// Bytes unpacked at each multiple of `step`, the first at `step`.
    unpacked: Vec<u64>,
    /// Number of spans that were read.
    seen: u64,
    /// The sizes of the blob and of the archive.
    end: (u64, u64),
}

impl Default for Offsets {
    fn default() -> Self {
        Self { step: SPAN, unpacked: Vec::new(), seen: 0, end: (0, 0) }
    }
}

impl Offsets {
    /// A map that assumes an even ratio over the whole blob: an estimate if no places are known.
    pub fn even(compressed: u64, unpacked: u64) -> Self {
        Self { end: (compressed, unpacked), ..Self::default() }
    }

    /// Records the end of the next span of the blob, and the number of bytes unpacked so far.
    pub(crate) fn edge(&mut self, unpacked: u64) {
        self.seen += 1;
        if !(self.seen * SPAN).is_multiple_of(self.step) {
            return;
        }
        if self.unpacked.len() == MOST {
            let mut keep = [false, true].into_iter().cycle();
            self.unpacked.retain(|_| keep.next().unwrap_or(true));
            self.step *= 2;
            // This place is an odd multiple of the old step, so it is dropped too.
            return;
        }
        self.unpacked.push(unpacked);
    }

    /// Sets the sizes of the blob and of the archive.
    pub(crate) fn end(&mut self, compressed: u64, unpacked: u64) {
        self.end = (compressed, unpacked);
    }

    /// Encodes the map as a page of an index, for [`Offsets::from_page`].
    pub(super) fn to_page(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put(&mut bytes, self.step / SPAN);
        put(&mut bytes, self.seen);
        let mut before = 0;
        for &unpacked in &self.unpacked {
            put(&mut bytes, unpacked - before);
            before = unpacked;
        }
        bytes
    }

    /// Decodes a page that [`Offsets::to_page`] wrote for a blob and an archive of these sizes.
    pub(super) fn from_page(bytes: &[u8], compressed: u64, unpacked: u64) -> Option<Self> {
        let mut rest = Rest(bytes);
        let step = rest.number()?.checked_mul(SPAN).filter(|&step| step > 0)?;
        let mut offsets = Self { step, unpacked: Vec::new(), seen: rest.number()?, end: (compressed, unpacked) };
        let mut before = 0u64;
        while !rest.0.is_empty() {
            before = before.checked_add(rest.number()?).filter(|&at| at <= unpacked)?;
            if offsets.unpacked.len() == MOST {
                return None;
            }
            offsets.unpacked.push(before);
        }
        (step.checked_mul(MOST as u64 + 1).is_some()).then_some(offsets)
    }

    /// Estimates how many bytes of the blob lie before byte `unpacked` of the archive. The result never decreases as `unpacked` grows.
    pub fn compressed_at(&self, unpacked: u64) -> u64 {
        let (size, total) = self.end;
        let unpacked = unpacked.min(total);
        let after = self.unpacked.partition_point(|&at| at <= unpacked);
        let place = |number: usize| match number.checked_sub(1) {
            None => (0, 0),
            Some(index) => match self.unpacked.get(index) {
                Some(&at) => ((number as u64 * self.step).min(size), at),
                None => (size, total),
            },
        };
        let (low, high) = (place(after), place(after + 1));
        if unpacked >= total {
            return size;
        }
        let (run, rise) = (high.1.saturating_sub(low.1), high.0.saturating_sub(low.0));
        if run == 0 {
            return low.0;
        }
        let part = u128::from(rise) * u128::from(unpacked.saturating_sub(low.1)) / u128::from(run);
        low.0 + (part as u64).min(rise)
    }

    /// Returns a lower and an upper bound for the bytes of the blob that hold some ranges of the archive. The ranges are in
    /// order and do not overlap.
    ///
    /// Between two known places, the upper bound is the size of the ranges without compression. The lower bound is what
    /// remains of the blob if everything else there is stored without compression.
    pub fn bounds(&self, ranges: &[Range<u64>]) -> (u64, u64) {
        let (size, total) = self.end;
        let (mut least, mut most) = (0, 0);
        let mut ranges = ranges.iter().peekable();
        let (mut from, mut at) = (0, 0);
        for number in 1..=self.unpacked.len() + 1 {
            let (to, end) = match self.unpacked.get(number - 1) {
                Some(&to) => (to, (number as u64 * self.step).min(size)),
                None => (total, size),
            };
            let mut covered = 0;
            while let Some(range) = ranges.peek() {
                covered += range.end.min(to).saturating_sub(range.start.max(from));
                if range.end > to {
                    break;
                }
                ranges.next();
            }
            let width = end.saturating_sub(at);
            let others = to.saturating_sub(from).saturating_sub(covered);
            most += stored(covered).min(width);
            least += if covered == 0 { 0 } else { width.saturating_sub(stored(others)) };
            (from, at) = (to, end);
        }
        (least, most)
    }
}

/// The maximum number of bytes of a blob that hold this many bytes of the archive: deflate and zstd store data that they cannot compress.
fn stored(bytes: u64) -> u64 {
    if bytes == 0 { 0 } else { bytes.saturating_add(bytes / 1000 + 64) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A blob of `spans` spans that unpack to `ratio` times their size.
    fn even(spans: u64, ratio: u64) -> Offsets {
        let mut offsets = Offsets::default();
        for span in 1..=spans {
            offsets.edge(span * SPAN * ratio);
        }
        offsets.end(spans * SPAN + 100, spans * SPAN * ratio + 1000);
        offsets
    }

    #[test]
    fn places_between_are_interpolated() {
        let offsets = even(10, 3);
        assert_eq!(offsets.compressed_at(0), 0);
        assert_eq!(offsets.compressed_at(3 * SPAN), SPAN);
        assert_eq!(offsets.compressed_at(9 * SPAN / 2), 3 * SPAN / 2);
        assert_eq!(offsets.compressed_at(30 * SPAN + 500), 10 * SPAN + 50);
        assert_eq!(offsets.compressed_at(u64::MAX), 10 * SPAN + 100);
        assert_eq!(Offsets::default().compressed_at(7), 0);
    }

    #[test]
    fn bounds_are_those_of_the_places_around() {
        let offsets = even(10, 3);
        let unit = 3 * SPAN;
        let bounds = |offsets: &Offsets, range: Range<u64>| offsets.bounds(std::slice::from_ref(&range));
        assert_eq!(offsets.bounds(&[]), (0, 0));
        assert_eq!(bounds(&offsets, 0..unit), (SPAN, SPAN));
        assert_eq!(bounds(&offsets, 1..unit), (SPAN - 65, SPAN));
        assert_eq!(bounds(&offsets, unit + 1..3 * unit + 1), (2 * SPAN - 65, 2 * SPAN + 65));
        assert_eq!(offsets.bounds(&[1..2, 3..4, unit..2 * unit, 9 * unit..u64::MAX]), (2 * SPAN + 100, 2 * SPAN + 166));
        let estimate = offsets.compressed_at(3 * unit + 1) - offsets.compressed_at(unit + 1);
        let (least, most) = bounds(&offsets, unit + 1..3 * unit + 1);
        assert!((least..=most).contains(&estimate));
        assert_eq!(bounds(&Offsets::even(100, 1000), 5..10), (0, 69), "no place is known");
    }

    #[test]
    fn memory_is_bounded_and_order_kept() {
        let offsets = even(20_001, 5);
        assert!(offsets.unpacked.len() <= MOST);
        assert_eq!(offsets.step, 8 * SPAN);
        let mut before = 0;
        for unpacked in (0..20_001 * SPAN * 5).step_by(99_999_989) {
            let at = offsets.compressed_at(unpacked);
            assert!(at >= before && at.abs_diff(unpacked / 5) <= 1, "{unpacked} is at {at}");
            before = at;
        }
    }
}
