//! Splits bytes into pieces, as a network may deliver them.

/// How bytes are split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// One piece.
    Whole,
    /// One byte per piece.
    Bytes,
    /// Pieces of 1 to `most` bytes, determined by the seed.
    Random {
        /// Seed of the pseudo-random sequence.
        seed: u64,
        /// Length of the longest piece in bytes.
        most: usize,
    },
}

/// The splits with which every push reader is tested.
pub const SPLITS: [Split; 3] = [Split::Whole, Split::Bytes, Split::Random { seed: 1, most: 700 }];

impl Split {
    /// The pieces of `bytes` in order, none of them empty.
    pub fn of(self, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut rest = bytes;
        let mut state = match self {
            Self::Random { seed, .. } => seed,
            _ => 0,
        };
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let length = match self {
                Self::Whole => rest.len(),
                Self::Bytes => 1,
                Self::Random { most, .. } => 1 + (next(&mut state) as usize) % most.max(1),
            };
            let (piece, tail) = rest.split_at(length.min(rest.len()));
            rest = tail;
            Some(piece)
        })
    }
}

/// SplitMix64: a small pseudo-random generator with the same output on every platform.
pub fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_whole() {
        let bytes: Vec<u8> = (0..5000u32).map(|n| n as u8).collect();
        for split in SPLITS {
            let joined: Vec<u8> = split.of(&bytes).flatten().copied().collect();
            assert_eq!(joined, bytes, "{split:?}");
        }
        assert_eq!(Split::Bytes.of(b"abc").count(), 3);
        assert_eq!(Split::Whole.of(b"").count(), 0);
    }
}
