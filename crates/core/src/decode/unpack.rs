//! Unpacks a whole stream piece by piece.

use super::{Decoder, Error, MIN_OUTPUT};
use crate::{limits::Limits, media_type::Compression};

/// A [`Decoder`] with the space for its output.
///
/// For each piece of the stream, of any size, call [`next`](Self::next) until it returns `None`. Call
/// [`finish`](Self::finish) at the end of the stream.
///
/// ```
/// use porthole_core::{decode::Unpacker, limits::Limits, media_type::Compression};
///
/// let mut unpacker = Unpacker::new(Compression::None, &Limits::default());
/// let mut unpacked = Vec::new();
/// for piece in [b"as it ".as_slice(), b"is"] {
///     let mut left = piece;
///     while let Some(bytes) = unpacker.next(&mut left)? {
///         unpacked.extend_from_slice(bytes);
///     }
/// }
/// unpacker.finish()?;
/// assert_eq!(unpacked, b"as it is");
/// # Ok::<(), porthole_core::decode::Error>(())
/// ```
pub struct Unpacker {
    decoder: Decoder,
    output: Vec<u8>,
}

impl Unpacker {
    /// Unpacks a stream of this compression from its start, within the [`Limits`] of a layer.
    pub fn new(compression: Compression, limits: &Limits) -> Self {
        Self { decoder: Decoder::new(compression, limits), output: vec![0; OUTPUT_BYTES] }
    }

    /// Consumes bytes from the front of `input`, and returns the bytes that they unpack to. `None`: `input` is used up, and more is needed.
    ///
    /// # Errors
    ///
    /// As [`Decoder::decode`].
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<&[u8]>, Error> {
        loop {
            let step = self.decoder.decode(input, &mut self.output)?;
            *input = input.get(step.read..).unwrap_or_default();
            if step.written > 0 {
                return Ok(self.output.get(..step.written));
            }
            if step.starved {
                return Ok(None);
            }
        }
    }

    /// Checks that the stream may end here.
    ///
    /// # Errors
    ///
    /// As [`Decoder::finish`].
    pub fn finish(&self) -> Result<(), Error> {
        self.decoder.finish()
    }
}

const OUTPUT_BYTES: usize = 2 * MIN_OUTPUT;
