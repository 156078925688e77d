//! Content digests, and verification of bytes against them.

mod beside;
mod blame;
mod state;

pub use beside::HashBeside;
pub(crate) use beside::Hashing;
pub use state::HashState;

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::quote::quote;

/// Hash algorithms that this crate computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256. Every OCI implementation must support it.
    Sha256,
    /// SHA-384. The OCI specification does not register it, but Docker's reference library accepts it.
    Sha384,
    /// SHA-512. OCI implementations may support it.
    Sha512,
}

impl Algorithm {
    /// The name used in a digest, such as `sha256`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the hash value in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    pub(crate) const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A digest: an algorithm and a hash value of the right length.
///
/// A digest is built only by hashing or parsing, so its text is safe in a path or URL: `algorithm:` and exactly as many
/// lower-case hex digits as the algorithm produces.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: [u8; MAX_SIZE],
}

const MAX_SIZE: usize = 64;
const SHORT_HEX: usize = 12;

impl Digest {
    /// Hashes `bytes` with `algorithm`.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Hashes `bytes` with SHA-256.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::of(Algorithm::Sha256, bytes)
    }

    /// The hash algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash value, [`Algorithm::size`] bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.size()]
    }

    /// The hash value in lower-case hex digits.
    pub fn hex(&self) -> String {
        hex(self.as_bytes())
    }

    /// Makes a digest from a hash value of SHA-256.
    pub fn of_sha256_value(value: &[u8; 32]) -> Self {
        Self::from_value(Algorithm::Sha256, value)
    }

    /// The algorithm and the first 12 hex digits, for display.
    pub fn short(&self) -> String {
        format!("{}:{}", self.algorithm, &self.hex()[..SHORT_HEX])
    }

    pub(crate) fn from_value(algorithm: Algorithm, value: &[u8]) -> Self {
        let mut bytes = [0; MAX_SIZE];
        bytes[..algorithm.size()].copy_from_slice(value);
        Self { algorithm, bytes }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || Error::Malformed { got: quote(text.as_bytes()) };
        let (name, encoded) = text.split_once(':').ok_or_else(malformed)?;
        let Some(algorithm) = Algorithm::named(name) else {
            return Err(if is_algorithm(name) && is_encoded(encoded) {
                Error::Unsupported { algorithm: quote(name.as_bytes()) }
            } else {
                malformed()
            });
        };
        if encoded.len() != 2 * algorithm.size() {
            return Err(Error::Length { algorithm, expected: 2 * algorithm.size(), got: encoded.len() });
        }
        let mut bytes = [0; MAX_SIZE];
        for (byte, pair) in bytes.iter_mut().zip(encoded.as_bytes().chunks_exact(2)) {
            let (Some(high), Some(low)) = (nibble(pair[0]), nibble(pair[1])) else {
                return Err(Error::Encoding { algorithm, got: quote(encoded.as_bytes()) });
            };
            *byte = high << 4 | low;
        }
        Ok(Self { algorithm, bytes })
    }
}

/// Bytes in lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(char::from(HEX[usize::from(byte >> 4)]));
        text.push(char::from(HEX[usize::from(byte & 15)]));
    }
    text
}

/// Decodes hex digits of either case; `None` if there is another character, or an odd number of digits.
pub fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| Some(hex_digit(*high)? << 4 | hex_digit(*low)?);
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}

/// The value of a hex digit of either case.
pub fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

fn nibble(digit: u8) -> Option<u8> {
    hex_digit(digit).filter(|_| !digit.is_ascii_uppercase())
}

/// `algorithm` of the OCI descriptor grammar: components of `[a-z0-9]+`, joined by one of `+._-`.
fn is_algorithm(text: &str) -> bool {
    text.split(['+', '.', '_', '-'])
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}

/// `encoded` of the OCI descriptor grammar: `[a-zA-Z0-9=_-]+`.
fn is_encoded(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'=' | b'_' | b'-'))
}

/// Why text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not of the form `algorithm:encoded`.
    #[error("malformed digest: expected `algorithm:hex`, got `{got}`")]
    Malformed {
        /// The text, escaped and truncated.
        got: String,
    },
    /// The algorithm is not one that this crate computes.
    #[error("unsupported digest algorithm: expected sha256, sha384 or sha512, got `{algorithm}`")]
    Unsupported {
        /// Name of the algorithm.
        algorithm: String,
    },
    /// The hash value has the wrong length.
    #[error("malformed digest: expected {expected} hex digits for {algorithm}, got {got}")]
    Length {
        /// The algorithm in the text.
        algorithm: Algorithm,
        /// Hex digits that the algorithm produces.
        expected: usize,
        /// Characters in the text.
        got: usize,
    },
    /// The hash value is not lower-case hex.
    #[error("malformed digest: expected lower-case hex digits for {algorithm}, got `{got}`")]
    Encoding {
        /// The algorithm in the text.
        algorithm: Algorithm,
        /// The hash value, escaped and truncated.
        got: String,
    },
}

/// An incremental hash: call `update` any number of times, then `finish`.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    /// A hash of zero bytes.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha384 => State::Sha384(Sha384::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Hashes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha384(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The current state. [`Hasher::resume`] continues from it.
    pub fn state(&self) -> HashState {
        match &self.0 {
            State::Sha256(state) => HashState::of(Algorithm::Sha256, state),
            State::Sha384(state) => HashState::of(Algorithm::Sha384, state),
            State::Sha512(state) => HashState::of(Algorithm::Sha512, state),
        }
    }

    /// Continues from a state: the next bytes follow the ones hashed before.
    pub fn resume(state: &HashState) -> Self {
        Self(match state.algorithm() {
            Algorithm::Sha256 => State::Sha256(state.resume()),
            Algorithm::Sha384 => State::Sha384(state.resume()),
            Algorithm::Sha512 => State::Sha512(state.resume()),
        })
    }

    /// The digest of all bytes hashed.
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(state) => Digest::from_value(Algorithm::Sha256, &state.finalize()),
            State::Sha384(state) => Digest::from_value(Algorithm::Sha384, &state.finalize()),
            State::Sha512(state) => Digest::from_value(Algorithm::Sha512, &state.finalize()),
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

/// Checks that a stream has the digest and exactly the size of its descriptor.
#[derive(Clone, Debug)]
pub struct Verifier {
    expected: Digest,
    size: u64,
    seen: u64,
    hasher: Hasher,
}

impl Verifier {
    /// A verifier for `digest` and `size` (in bytes).
    pub fn new(digest: &Digest, size: u64) -> Self {
        Self { expected: *digest, size, seen: 0, hasher: Hasher::new(digest.algorithm()) }
    }

    /// Hashes the next bytes.
    ///
    /// # Errors
    ///
    /// [`Mismatch::TooLong`] once the stream exceeds its size. The excess is not hashed.
    pub fn update(&mut self, bytes: &[u8]) -> Result<(), Mismatch> {
        let seen = self.seen.saturating_add(bytes.len() as u64);
        if seen > self.size {
            return Err(Mismatch::TooLong { expected: self.size });
        }
        self.seen = seen;
        self.hasher.update(bytes);
        Ok(())
    }

    /// Bytes accepted so far.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Ends the stream and checks size and digest.
    ///
    /// # Errors
    ///
    /// [`Mismatch::Size`] if the stream is too short, else [`Mismatch::Digest`].
    pub fn finish(self) -> Result<(), Mismatch> {
        if self.seen != self.size {
            return Err(Mismatch::Size { expected: self.size, got: self.seen });
        }
        let got = self.hasher.finish();
        if got != self.expected {
            return Err(Mismatch::Digest { expected: self.expected, got });
        }
        Ok(())
    }

    /// Checks a complete byte slice.
    ///
    /// # Errors
    ///
    /// [`Mismatch::Size`] if the length differs from `size`, else [`Mismatch::Digest`].
    pub fn check(digest: &Digest, size: u64, bytes: &[u8]) -> Result<(), Mismatch> {
        if bytes.len() as u64 != size {
            return Err(Mismatch::Size { expected: size, got: bytes.len() as u64 });
        }
        let mut verifier = Self::new(digest, size);
        verifier.update(bytes)?;
        verifier.finish()
    }
}

/// Bytes do not match their descriptor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The digest differs.
    #[error("expected {expected}, got {got}")]
    Digest {
        /// Digest in the descriptor.
        expected: Digest,
        /// Digest of the bytes.
        got: Digest,
    },
    /// The size differs.
    #[error("expected {expected} bytes, got {got}")]
    Size {
        /// Size in the descriptor, in bytes.
        expected: u64,
        /// Bytes that were received.
        got: u64,
    },
    /// There are more bytes than the descriptor says.
    #[error("expected {expected} bytes, got more")]
    TooLong {
        /// Size in the descriptor, in bytes.
        expected: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn known_values() {
        assert_eq!(Digest::sha256(b"").to_string(), EMPTY);
        assert_eq!(Digest::sha256(b"").short(), "sha256:e3b0c44298fc");
        assert_eq!(
            Digest::of(Algorithm::Sha512, b"abc").hex(),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        );
        assert_eq!(
            Digest::of(Algorithm::Sha384, b"abc").hex(),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
        );
    }

    #[test]
    fn text_goes_both_ways() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512] {
            let digest = Digest::of(algorithm, b"porthole");
            assert_eq!(digest.as_bytes().len(), algorithm.size());
            assert_eq!(digest.to_string().parse(), Ok(digest));
        }
    }

    #[test]
    fn hex_digits_are_of_either_case_without_signs() {
        assert_eq!(unhex(b"00fFA9"), Some(vec![0, 0xff, 0xa9]));
        assert_eq!(unhex(b""), Some(Vec::new()));
        for wrong in ["0", "0g", "+f", "0x", " 1"] {
            assert_eq!(unhex(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn refusals_name_the_rule() {
        let refused = |text: &str| text.parse::<Digest>().unwrap_err().to_string();
        assert_eq!(refused("sha256"), "malformed digest: expected `algorithm:hex`, got `sha256`");
        assert_eq!(refused("sha256:ab"), "malformed digest: expected 64 hex digits for sha256, got 2");
        assert_eq!(
            refused(&EMPTY.to_uppercase()),
            format!("malformed digest: expected `algorithm:hex`, got `{}`", EMPTY.to_uppercase())
        );
        assert!(refused(&EMPTY.replace("e3b0", "E3B0")).contains("lower-case"));
        assert!(refused(&EMPTY.replace("e3b0", "../.")).contains("lower-case"));
        for text in ["", ":", ":ab", "sha256+foo+-b:ab", "a:", "a:b/c", "sha256:\u{e9}"] {
            assert!(!matches!(text.parse::<Digest>(), Ok(_) | Err(Error::Unsupported { .. })), "{text}");
        }
        for text in ["sha256+b64:c86f", "sha256.foo-bar:c86f", "multihash+base58:QmRZ", "sha256+b64u:LCa0a2j_xo-="] {
            assert!(matches!(text.parse::<Digest>(), Err(Error::Unsupported { .. })), "{text}");
        }
    }

    #[test]
    fn a_verifier_checks_size_and_digest() {
        let digest = Digest::sha256(b"abc");
        assert_eq!(Verifier::check(&digest, 3, b"abc"), Ok(()));
        assert_eq!(Verifier::check(&digest, 4, b"abc"), Err(Mismatch::Size { expected: 4, got: 3 }));
        assert_eq!(
            Verifier::check(&digest, 3, b"abd"),
            Err(Mismatch::Digest { expected: digest, got: Digest::sha256(b"abd") })
        );
        let mut verifier = Verifier::new(&digest, 3);
        assert_eq!(verifier.update(b"ab"), Ok(()));
        assert_eq!(verifier.update(b"cd"), Err(Mismatch::TooLong { expected: 3 }));
        assert_eq!(verifier.update(b"c"), Ok(()));
        assert_eq!(verifier.seen(), 3);
        assert_eq!(verifier.finish(), Ok(()));
    }
}
