//! The state of an incremental hash as bytes, so that hashing can resume later or elsewhere.

use std::fmt;

use sha2::digest::common::hazmat::{SerializableState, SerializedState};

use super::Algorithm;

const MAX_CHAIN: usize = 64;
const MAX_BLOCK: usize = 128;

/// State of an incremental hash: the chaining value after the last complete block (FIPS 180-4 §6), the bytes of the
/// incomplete block, and the total length.
///
/// It holds no secret. From a state one can continue the hash and learn the bytes of the incomplete block, nothing
/// else.
#[derive(Clone, PartialEq, Eq)]
pub struct HashState {
    algorithm: Algorithm,
    length: u64,
    chain: [u8; MAX_CHAIN],
    /// The `length % block` bytes of the incomplete block, then zeros.
    pending: [u8; MAX_BLOCK],
}

impl HashState {
    /// The hash algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Bytes hashed so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The chaining value after the last complete block, as little-endian words: 32 bytes for SHA-256, 64 for SHA-384
    /// and SHA-512.
    pub fn chain(&self) -> &[u8] {
        self.chain.get(..self.algorithm.chain_size()).unwrap_or_default()
    }

    /// The state after `length` bytes, a multiple of the block size.
    pub(crate) fn at_block(algorithm: Algorithm, length: u64, chain: &[u8]) -> Self {
        let mut state = Self { algorithm, length, chain: [0; MAX_CHAIN], pending: [0; MAX_BLOCK] };
        copy(chain, state.chain.get_mut(..algorithm.chain_size()).unwrap_or_default());
        state
    }

    /// Serialises the state: algorithm (1 for SHA-256, 2 for SHA-384, 3 for SHA-512), length (eight bytes,
    /// little-endian), chaining value, incomplete block.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.algorithm.code()];
        bytes.extend_from_slice(&self.length.to_le_bytes());
        bytes.extend_from_slice(self.chain());
        bytes.extend_from_slice(self.pending.get(..self.waiting()).unwrap_or_default());
        bytes
    }

    /// Parses the output of [`to_bytes`](HashState::to_bytes). `None` for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&code, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk()?;
        let algorithm = Algorithm::coded(code)?;
        let (chain, pending) = rest.split_at_checked(algorithm.chain_size())?;
        let mut state = Self::at_block(algorithm, u64::from_le_bytes(*length), chain);
        let waiting = state.waiting();
        copy(pending, state.pending.get_mut(..waiting)?);
        (pending.len() == waiting).then_some(state)
    }

    /// Length of the incomplete block in bytes.
    fn waiting(&self) -> usize {
        (self.length % self.algorithm.block_size() as u64) as usize
    }

    /// Converts from the library's serialised form: chaining value, number of blocks, length of the incomplete block,
    /// its bytes.
    pub(super) fn of(algorithm: Algorithm, hasher: &impl SerializableState) -> Self {
        let serialized = hasher.serialize();
        let (chain, rest) = serialized.split_at(algorithm.chain_size());
        let (blocks, rest) = rest.split_at(algorithm.count_size());
        let mut state = Self::at_block(algorithm, 0, chain);
        let mut count = [0; 8];
        copy(blocks, &mut count);
        let waiting = rest.first().copied().unwrap_or(0);
        state.length =
            u64::from_le_bytes(count).wrapping_mul(algorithm.block_size() as u64).wrapping_add(u64::from(waiting));
        let waiting = state.waiting();
        copy(rest.get(1..).unwrap_or_default(), state.pending.get_mut(..waiting).unwrap_or_default());
        state
    }

    pub(super) fn resume<H: SerializableState>(&self) -> H {
        let mut serialized = SerializedState::<H>::default();
        let (chain, rest) = serialized.split_at_mut(self.algorithm.chain_size());
        let (blocks, rest) = rest.split_at_mut(self.algorithm.count_size());
        copy(self.chain(), chain);
        copy(&(self.length / self.algorithm.block_size() as u64).to_le_bytes(), blocks);
        if let Some((count, pending)) = rest.split_first_mut() {
            *count = self.waiting() as u8;
            copy(&self.pending, pending);
        }
        H::deserialize(&serialized).expect("fewer bytes wait than a block has, and zeros follow them")
    }
}

impl fmt::Debug for HashState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashState({} after {} bytes)", self.algorithm, self.length)
    }
}

impl Algorithm {
    /// Length of the chaining value in bytes.
    pub(crate) fn chain_size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 | Self::Sha512 => 64,
        }
    }

    /// Length of a block in bytes.
    pub(crate) fn block_size(self) -> usize {
        2 * self.chain_size()
    }

    /// Length of the library's block counter in bytes.
    fn count_size(self) -> usize {
        self.chain_size() / 4
    }

    /// Number of the algorithm in files.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Sha256 => 1,
            Self::Sha384 => 2,
            Self::Sha512 => 3,
        }
    }

    pub(crate) fn coded(code: u8) -> Option<Self> {
        [Self::Sha256, Self::Sha384, Self::Sha512].into_iter().find(|algorithm| algorithm.code() == code)
    }
}

/// Copies as many bytes as both slices have.
fn copy(from: &[u8], to: &mut [u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Digest, Hasher};

    #[test]
    fn hashing_goes_on_from_bytes() {
        let data: Vec<u8> = (0..1000u32).map(|n| (n * 7) as u8).collect();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
            let expected = Digest::of(algorithm, &data);
            for cut in [0, 1, 63, 64, 65, 127, 128, 129, 640, 999, 1000] {
                let mut hasher = Hasher::new(algorithm);
                hasher.update(&data[..cut]);
                let state = hasher.state();
                assert_eq!(state.length(), cut as u64);
                let bytes = state.to_bytes();
                let read = HashState::from_bytes(&bytes).expect("its own bytes");
                assert_eq!(read, state);
                let mut resumed = Hasher::resume(&read);
                assert_eq!(resumed.state(), state, "{algorithm} at {cut}");
                resumed.update(&data[cut..]);
                assert_eq!(resumed.finish(), expected, "{algorithm} at {cut}");
                assert_eq!(HashState::from_bytes(&bytes[..bytes.len() - 1]), None);
                assert_eq!(HashState::from_bytes(&[bytes.as_slice(), b"x"].concat()), None);
            }
        }
        assert_eq!(HashState::from_bytes(&[4; 41]), None, "an unknown algorithm");
        assert_eq!(HashState::from_bytes(&[]), None);
    }

    #[test]
    fn the_first_chaining_value_is_the_standards_own() {
        let state = Hasher::new(Algorithm::Sha256).state();
        assert_eq!(state.chain()[..4], 0x6a09_e667u32.to_le_bytes(), "H(0) of FIPS 180-4, 5.3.3");
        assert_eq!(format!("{state:?}"), "HashState(sha256 after 0 bytes)");
    }
}
