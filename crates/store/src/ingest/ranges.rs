//! Sets of byte ranges.

use std::ops::Range;

/// A set of bytes as sorted ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// The set of one range.
    pub(super) fn of(range: Range<u64>) -> Self {
        let mut ranges = Self::default();
        ranges.insert(range);
        ranges
    }

    pub(super) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|there| there.end < range.start);
        let behind = self.0.partition_point(|there| there.start <= range.end);
        let mut all = range;
        for there in self.0.get(first..behind).unwrap_or_default() {
            all = all.start.min(there.start)..all.end.max(there.end);
        }
        self.0.splice(first..behind, [all]);
    }

    pub(super) fn remove(&mut self, range: &Range<u64>) {
        if range.is_empty() {
            return;
        }
        let parts = self
            .0
            .iter()
            .flat_map(|there| [there.start..there.end.min(range.start), there.start.max(range.end)..there.end]);
        self.0 = parts.filter(|part| !part.is_empty()).collect();
    }

    /// The bytes of `within` that are not in the set.
    pub(super) fn missing(&self, within: &Range<u64>) -> Vec<Range<u64>> {
        let mut missing = Vec::new();
        let mut from = within.start;
        for there in &self.0 {
            if there.start >= within.end {
                break;
            }
            if there.start > from {
                missing.push(from..there.start);
            }
            from = from.max(there.end);
        }
        if from < within.end {
            missing.push(from..within.end);
        }
        missing
    }

    /// Length of the range that starts at 0.
    pub(super) fn prefix(&self) -> u64 {
        self.0.first().filter(|first| first.start == 0).map_or(0, |first| first.end)
    }

    /// Number of bytes in the set.
    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// The ranges in order.
    pub(super) fn as_slice(&self) -> &[Range<u64>] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::single_range_in_vec_init, reason = "sets of one range are what is tested")]

    use super::*;

    #[test]
    fn sets_agree_with_bitmaps() {
        let mut random = 1_u64;
        let mut next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 40) % 33
        };
        for _ in 0..2_000 {
            let (mut set, mut bits) = (Ranges::default(), [false; 32]);
            for _ in 0..6 {
                let (a, b) = (next(), next());
                let range = a.min(b)..a.max(b).min(32);
                let there = next() % 4 > 0;
                if there {
                    set.insert(range.clone())
                } else {
                    set.remove(&range)
                }
                range.for_each(|bit| bits[bit as usize] = there);
            }
            let from_missing = |within: Range<u64>| {
                let mut rest = bits;
                rest[..within.start as usize].fill(true);
                rest[within.end as usize..].fill(true);
                set.missing(&within).into_iter().flatten().for_each(|bit| {
                    assert!(!rest[bit as usize], "{set:?}");
                    rest[bit as usize] = true;
                });
                rest == [true; 32]
            };
            assert!(from_missing(0..32) && from_missing(5..20), "{set:?}");
            assert_eq!(set.total(), bits.iter().filter(|bit| **bit).count() as u64);
            assert_eq!(set.prefix(), bits.iter().take_while(|bit| **bit).count() as u64);
            assert!(set.as_slice().windows(2).all(|pair| pair[0].end < pair[1].start), "{set:?}");
        }
    }

    #[test]
    fn ranges_that_touch_become_one() {
        let mut set = Ranges::of(0..4);
        set.insert(8..12);
        set.insert(4..8);
        assert_eq!(set.as_slice(), [0..12]);
        assert_eq!(Ranges::of(3..3), Ranges::default());
    }
}
