//! Push decompression: gzip (RFC 1952), zstd (RFC 8878) and uncompressed bytes behind one type.

mod gzip;
pub(crate) mod inflate;
mod sniff;
mod unpack;
mod zstd;

pub use gzip::Part as GzipPart;
pub use sniff::Format;
pub use unpack::Unpacker;

use crate::{
    failure::{Classify, Failure},
    hint::Hint,
    limits::Limits,
    media_type::Compression,
};

/// Output space that one step of a decoder may need at once (the maximum size of a zstd block).
pub const MIN_OUTPUT: usize = 128 << 10;

/// Decoder of one format. It accepts any split of its input.
trait Decode {
    /// Consumes part of `input` and writes part of `output`. An error comes with the output written before it; after
    /// that the decoder must not be called again.
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> (Decoded, Option<Error>);

    /// Checks that the input may end here.
    fn finish(&self) -> Result<(), Error>;
}

/// Result of one call of a decoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decoded {
    /// Bytes consumed from the input.
    pub read: usize,
    /// Bytes written to the output.
    pub written: usize,
    /// Whether the decoder needs more input to write more.
    pub starved: bool,
    /// Whether a fresh decoder can start at this position: the start of a gzip member or of a zstd frame, or any byte of an
    /// uncompressed stream. The decoder ends its step at every such position.
    pub resumable: bool,
}

/// A position in a compressed stream where decoding can start without any earlier bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Position in the compressed stream, in bytes.
    pub compressed: u64,
    /// Position in the unpacked stream, in bytes.
    pub uncompressed: u64,
}

/// The end of a deflate block inside a gzip member. Decoding can resume there with the saved bits and window.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockEnd {
    /// Position of the block end. Some upper bits of the byte before it may belong to the next block.
    pub at: Checkpoint,
    /// Those bits, with one set bit above them: `1 << number | bits`.
    pub bits: u8,
    /// The last unpacked bytes of the member, at most 32 KiB (the deflate window).
    pub window: Vec<u8>,
}

/// Decodes one stream of one compression within [`Limits`].
pub struct Decoder {
    inner: Inner,
    read: u64,
    written: u64,
    unpacked_bytes: u64,
    expansion_ratio: u64,
    expansion_grace: u64,
    checkpoint: Option<Checkpoint>,
    block: Option<BlockEnd>,
    /// Maximum distance between resume points, if block ends are wanted.
    spacing: Option<u64>,
    /// Position of the last resume point in the unpacked stream, in bytes.
    last: u64,
    /// The latest block end since `last`. It becomes a resume point only if no later one is close enough.
    candidate: Option<BlockEnd>,
    /// An error to return once the bytes decoded before it are handed over.
    failed: Option<Error>,
}

enum Inner {
    Plain,
    Gzip(Box<gzip::Gzip>),
    Zstd(Box<zstd::Zstd>),
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new(compression: Compression, limits: &Limits) -> Self {
        let inner = match compression {
            Compression::None => Inner::Plain,
            Compression::Gzip => Inner::Gzip(Box::new(gzip::Gzip::new(limits))),
            Compression::Zstd => Inner::Zstd(Box::new(zstd::Zstd::new(limits))),
        };
        Self {
            inner,
            read: 0,
            written: 0,
            unpacked_bytes: limits.unpacked_bytes,
            expansion_ratio: limits.expansion_ratio,
            expansion_grace: limits.expansion_grace,
            checkpoint: None,
            block: None,
            spacing: None,
            last: 0,
            candidate: None,
            failed: None,
        }
    }

    /// A decoder that starts at a [checkpoint](Decoder::take_checkpoint) of a stream.
    pub fn resume(compression: Compression, at: Checkpoint, limits: &Limits) -> Self {
        let mut decoder = Self::new(compression, limits);
        (decoder.read, decoder.written, decoder.last) = (at.compressed, at.uncompressed, at.uncompressed);
        match &mut decoder.inner {
            Inner::Plain => {}
            Inner::Gzip(gzip) => gzip.resume_member(at.compressed),
            Inner::Zstd(zstd) => zstd.resume(at.compressed),
        }
        decoder
    }

    /// A decoder that resumes at the end of a deflate block. It cannot check the checksum and length of the gzip member
    /// it starts in.
    pub fn resume_block(block: &BlockEnd, limits: &Limits) -> Self {
        let mut decoder = Self::resume(Compression::Gzip, block.at, limits);
        if let Inner::Gzip(gzip) = &mut decoder.inner {
            gzip.resume(block.at.compressed, block.bits, &block.window);
        }
        decoder
    }

    /// Starts to report ends of deflate blocks through [`take_block`](Decoder::take_block). It reports only as many as keep
    /// resume points at most `spacing` unpacked bytes apart, or a quarter of `spacing` near the start. Inside a longer block
    /// there is no resume point.
    pub fn find_blocks(&mut self, spacing: u64) {
        self.spacing = Some(spacing);
    }

    /// Consumes part of `input` and writes part of `output`, which must have room for at least [`MIN_OUTPUT`] bytes.
    ///
    /// Call again with the rest of the input until the step is [starved](Decoded::starved).
    ///
    /// # Errors
    ///
    /// The reason why the stream is invalid, or the limit that it exceeds; later calls return the same error. Earlier
    /// steps have written everything that the stream holds before the error.
    pub fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Decoded, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let ahead = self.spacing().map(|spacing| self.until_wanted(spacing));
        let (mut step, error) = match &mut self.inner {
            Inner::Plain => (copy(input, output), None),
            Inner::Gzip(gzip) => {
                gzip.stop_at_block(ahead == Some(0));
                let room = ahead.filter(|&ahead| ahead > 0).and_then(|ahead| usize::try_from(ahead).ok());
                let room = room.unwrap_or(usize::MAX).min(output.len());
                gzip.decode(input, output.get_mut(..room).unwrap_or_default())
            }
            Inner::Zstd(zstd) => zstd.decode(input, output),
        };
        self.read += step.read as u64;
        self.written += step.written as u64;
        let block = match &mut self.inner {
            Inner::Gzip(gzip) => gzip.take_block(),
            _ => None,
        };
        self.settle();
        if let Some((bits, window)) = block {
            self.candidate = Some(BlockEnd { at: self.place(), bits, window });
            self.settle();
        }
        if step.resumable {
            self.checkpoint = Some(self.place());
            if self.written - self.last >= fresh_spacing(self.spacing.unwrap_or_default()) {
                self.last = self.written;
                self.candidate = None;
            }
        }
        // The output before the error may exceed a limit already.
        self.failed = self.excess().or(error);
        if let Some(error) = &self.failed {
            if step.written == 0 {
                return Err(error.clone());
            }
            step.starved = false;
        }
        Ok(step)
    }

    /// The maximum distance from the last resume point to the next, in unpacked bytes. It grows with the position: in a
    /// small archive a file is decoded from a nearby point, and in a large one the stored windows stay few.
    fn spacing(&self) -> Option<u64> {
        self.spacing.map(|most| (self.last / GROWTH).clamp(most / 4, most))
    }

    /// Unpacked bytes until a block end is worth a copy of the window. Block ends right after the last resume point or
    /// the last candidate are skipped, so that tiny blocks cost nothing.
    fn until_wanted(&self, spacing: u64) -> u64 {
        let place = self.last.saturating_add(spacing / 4 * 3);
        let candidate = self.candidate.as_ref().map_or(0, |block| block.at.uncompressed.saturating_add(spacing / 32));
        place.max(candidate).saturating_sub(self.written)
    }

    /// Makes the candidate a resume point if the decoder is further than the maximum distance from the last one.
    fn settle(&mut self) {
        let spacing = self.spacing().unwrap_or(u64::MAX);
        if self.written - self.last > spacing
            && self.block.is_none()
            && let Some(block) = self.candidate.take()
        {
            self.last = block.at.uncompressed;
            self.block = Some(block);
        }
    }

    fn excess(&self) -> Option<Error> {
        if self.written > self.unpacked_bytes {
            Some(Error::TooLarge { limit: self.unpacked_bytes })
        } else if self.written > self.expansion_grace && self.written / self.expansion_ratio.max(1) > self.read {
            Some(Error::Expansion { limit: self.expansion_ratio })
        } else {
            None
        }
    }

    /// Checks that the stream may end here.
    ///
    /// # Errors
    ///
    /// [`Error::UnexpectedEof`] if it may not.
    pub fn finish(&self) -> Result<(), Error> {
        match &self.inner {
            Inner::Plain => Ok(()),
            Inner::Gzip(gzip) => gzip.finish(),
            Inner::Zstd(zstd) => zstd.finish(),
        }
    }

    /// Takes the last checkpoint that was reached. Each is returned once; the start of the stream is not reported.
    pub fn take_checkpoint(&mut self) -> Option<Checkpoint> {
        self.checkpoint.take()
    }

    /// Takes the next [block end](Decoder::find_blocks) to resume at. Each is returned once. It may lie before the end of the last step.
    pub fn take_block(&mut self) -> Option<BlockEnd> {
        self.block.take()
    }

    fn place(&self) -> Checkpoint {
        Checkpoint { compressed: self.read, uncompressed: self.written }
    }

    /// Bytes consumed from the compressed stream.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Bytes written of the unpacked stream.
    pub fn written(&self) -> u64 {
        self.written
    }
}

/// The distance to the next resume point is the number of unpacked bytes so far divided by this, but at least a quarter of
/// the requested spacing and at most all of it.
const GROWTH: u64 = 128;

/// Minimum distance of a member or frame start from the last resume point. It is smaller than that of block ends
/// because a checkpoint needs no window.
pub(crate) fn fresh_spacing(spacing: u64) -> u64 {
    spacing / 16
}

fn copy(input: &[u8], output: &mut [u8]) -> Decoded {
    let n = input.len().min(output.len());
    if let (Some(from), Some(to)) = (input.get(..n), output.get_mut(..n)) {
        to.copy_from_slice(from);
    }
    Decoded { read: n, written: n, starved: n == input.len(), resumable: true }
}

/// Moves bytes from the front of `input` into `buffer` until it holds `want` bytes. Returns whether it does.
fn gather(buffer: &mut Vec<u8>, want: usize, input: &mut &[u8]) -> bool {
    let missing = want.saturating_sub(buffer.len());
    let (head, rest) = input.split_at(missing.min(input.len()));
    buffer.extend_from_slice(head);
    *input = rest;
    buffer.len() >= want
}

/// Why a stream cannot be decoded. Offsets count bytes of the compressed stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The stream ends inside a member, a frame or a header.
    #[error("unexpected EOF after {offset} bytes")]
    UnexpectedEof {
        /// Length of the stream in bytes.
        offset: u64,
    },
    /// The header of a gzip member is invalid (RFC 1952 §2.3).
    #[error("gzip: invalid header at byte {offset}: {part}")]
    GzipHeader {
        /// Start of the member.
        offset: u64,
        /// The invalid part of the header.
        part: gzip::Part,
    },
    /// The deflate data of a gzip member is corrupt (RFC 1951).
    #[error("gzip: corrupt deflate data before byte {offset}")]
    Deflate {
        /// Position of the decoder. The corrupt data lies before it.
        offset: u64,
    },
    /// A gzip member does not match the CRC-32 in its trailer.
    #[error("gzip: invalid checksum: expected {expected:08x}, got {got:08x}")]
    GzipChecksum {
        /// CRC-32 in the trailer.
        expected: u32,
        /// CRC-32 of the unpacked bytes.
        got: u32,
    },
    /// A gzip member does not match the length (modulo 2³²) in its trailer.
    #[error("gzip: invalid length: expected {expected} bytes, got {got} (modulo 2^32)")]
    GzipLength {
        /// Length in the trailer.
        expected: u32,
        /// Length of the unpacked bytes.
        got: u32,
    },
    /// Neither a zstd frame nor a skippable frame starts here.
    #[error("zstd: invalid magic number at byte {offset}")]
    ZstdMagic {
        /// Position where a frame should start.
        offset: u64,
    },
    /// A zstd frame header sets its reserved bit (RFC 8878 §3.1.1.1.1.4).
    #[error("zstd: reserved bit set in the frame header at byte {offset}")]
    ZstdReserved {
        /// Start of the frame.
        offset: u64,
    },
    /// A zstd frame uses a larger window than [`Limits::window_bytes`].
    #[error("zstd: window of {requested} bytes exceeds the limit of {limit} bytes (limit window_bytes{})", most(*.requested))]
    ZstdWindow {
        /// Window that the frame asks for, in bytes.
        requested: u64,
        /// Window allowed, in bytes.
        limit: u64,
    },
    /// A zstd frame needs a dictionary.
    #[error("zstd: unknown dictionary: {id}")]
    ZstdDictionary {
        /// ID of the dictionary.
        id: u32,
    },
    /// A zstd block is corrupt.
    #[error("zstd: corrupt block at byte {offset}")]
    ZstdBlock {
        /// Start of the block.
        offset: u64,
    },
    /// A zstd frame does not match the content size in its header.
    #[error("zstd: frame at byte {offset} does not have its size: expected {expected} bytes, got {got}")]
    ZstdSize {
        /// Start of the frame.
        offset: u64,
        /// Content size in the header.
        expected: u64,
        /// Bytes unpacked from the frame.
        got: u64,
    },
    /// A zstd frame does not match its checksum.
    #[error("zstd: invalid checksum of the frame at byte {offset}")]
    ZstdChecksum {
        /// Start of the frame.
        offset: u64,
    },
    /// An xz stream uses a larger dictionary than [`Limits::window_bytes`].
    #[error("xz: the dictionary exceeds the limit of {limit} bytes (limit window_bytes)")]
    Dictionary {
        /// Dictionary allowed, in bytes.
        limit: u64,
    },
    /// The stream unpacks to more than [`Limits::unpacked_bytes`].
    #[error("unpacks to more than {limit} bytes (limit unpacked_bytes)")]
    TooLarge {
        /// Unpacked bytes that the limit allows.
        limit: u64,
    },
    /// The stream expands more than [`Limits::expansion_ratio`] times.
    #[error("unpacks to more than {limit} times its size (limit expansion_ratio)")]
    Expansion {
        /// Unpacked bytes that the limit allows for each compressed byte.
        limit: u64,
    },
}

/// Suffix of the message for a window that no setting of the limit allows.
fn most(requested: u64) -> String {
    if requested > zstd::MAX_WINDOW { format!(", at most {}", zstd::MAX_WINDOW) } else { String::new() }
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match *self {
            Self::ZstdWindow { requested, limit } if requested <= zstd::MAX_WINDOW => {
                Failure::named_limit("window_bytes", limit, requested)
            }
            Self::ZstdWindow { .. } => Failure::limit(),
            Self::Dictionary { limit } => Failure::named_limit("window_bytes", limit, 0),
            Self::TooLarge { limit } => Failure::named_limit("unpacked_bytes", limit, 0),
            Self::Expansion { limit } => Failure::named_limit("expansion_ratio", limit, 0),
            Self::GzipHeader { part: GzipPart::Name | GzipPart::Comment, .. } => {
                Failure::limit().hint(Hint::RaiseLimit { name: "gzip_name_bytes", value: 64 << 10 })
            }
            _ => Failure::malformed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resume_points_are_nearer_in_a_small_archive() {
        let mut decoder = Decoder::new(Compression::Gzip, &Limits::default());
        assert_eq!(decoder.spacing(), None);
        decoder.find_blocks(4 << 20);
        for (last, expected) in [(0, 1 << 20), (128 << 20, 1 << 20), (256 << 20, 2 << 20), (512 << 20, 4 << 20)] {
            decoder.last = last;
            assert_eq!(decoder.spacing(), Some(expected), "{last}");
        }
        decoder.last = u64::MAX;
        assert_eq!(decoder.spacing(), Some(4 << 20));
    }
}
