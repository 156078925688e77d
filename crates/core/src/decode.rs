//! Decompression, pushed: gzip (RFC 1952), zstd (RFC 8878) and plain bytes behind one type.

mod gzip;
pub(crate) mod inflate;
mod sniff;
mod zstd;

pub use gzip::Part as GzipPart;
pub use sniff::Format;

use crate::{hint::Hint, limits::Limits, media_type::Compression};

/// The largest number of bytes that one step of a decoder may have to write at once (a zstd block).
pub const MIN_OUTPUT: usize = 128 << 10;

/// An expansion beyond [`Limits::expansion_ratio`] is judged only after this many unpacked bytes.
pub(crate) const RATIO_GRACE: u64 = 64 << 20;

/// A format's decoder, which is fed any split of its input.
trait Decode {
    /// Consumes some of `input` and writes some of `output`. With an error comes what was written before it; nothing
    /// may be asked of the decoder after that.
    fn decode(&mut self, input: &[u8], output: &mut [u8]) -> (Step, Option<Error>);

    /// Whether the input may end here.
    fn finish(&self) -> Result<(), Error>;
}

/// What one call of a decoder did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Bytes consumed of the input.
    pub read: usize,
    /// Bytes written to the output.
    pub written: usize,
    /// Nothing more can be written without more input.
    pub starved: bool,
    /// The bytes read and written so far end where a fresh decoder can take up the stream: the start of a gzip member
    /// or of a zstd frame, any byte of a plain stream. A step always ends at such a place.
    pub resumable: bool,
}

/// A place in a compressed stream where decoding can start anew, without anything that came before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Bytes of the compressed stream before it.
    pub compressed: u64,
    /// Bytes of the unpacked stream before it.
    pub uncompressed: u64,
}

/// A place inside a gzip member where decoding can go on, given what is here: the end of a deflate block.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockEnd {
    /// Where it is. Of the last byte before it some upper bits may belong to the next block.
    pub at: Checkpoint,
    /// Those bits, with one more above them that is set: `1 << number | bits`.
    pub bits: u8,
    /// The last unpacked bytes of the member, at most 32 KiB.
    pub window: Vec<u8>,
}

/// Decodes a stream of one compression within the limits of a layer.
pub struct Decoder {
    inner: Inner,
    read: u64,
    written: u64,
    unpacked_bytes: u64,
    expansion_ratio: u64,
    checkpoint: Option<Checkpoint>,
    block: Option<BlockEnd>,
    /// How far apart places to go on from may be, if block ends are wanted.
    spacing: Option<u64>,
    /// The last place to start or go on from, in unpacked bytes.
    last: u64,
    /// The last block end since, unless a later one is still near enough.
    candidate: Option<BlockEnd>,
    /// An error that waits until the bytes before it are handed over.
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
            checkpoint: None,
            block: None,
            spacing: None,
            last: 0,
            candidate: None,
            failed: None,
        }
    }

    /// A decoder that goes on at a [checkpoint](Decoder::take_checkpoint) of a stream.
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

    /// A decoder that goes on behind a deflate block of a gzip stream. The checksum and the length of the member that
    /// it starts in cannot be checked.
    pub fn resume_block(block: &BlockEnd, limits: &Limits) -> Self {
        let mut decoder = Self::resume(Compression::Gzip, block.at, limits);
        if let Inner::Gzip(gzip) = &mut decoder.inner {
            gzip.resume(block.at.compressed, block.bits, &block.window);
        }
        decoder
    }

    /// Finds ends of deflate blocks from now on, for [`take_block`](Decoder::take_block): as few as are needed for places
    /// to start or go on from that are at most `spacing` unpacked bytes apart. A block that is longer is not cut.
    pub fn find_blocks(&mut self, spacing: u64) {
        self.spacing = Some(spacing);
    }

    /// Consumes some of `input` and writes some of `output`, which has room for [`MIN_OUTPUT`] bytes or more.
    ///
    /// Call again with what is left of the input until the step is [starved](Step::starved).
    ///
    /// # Errors
    /// What makes the stream invalid, or the limit that it exceeds; the same error again if called once more. What
    /// earlier steps wrote is everything that the stream holds before the error.
    pub fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let ahead = self.spacing.map(|spacing| self.until_wanted(spacing));
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
        // What came out before an error may be too much already.
        self.failed = self.excess().or(error);
        if let Some(error) = &self.failed {
            if step.written == 0 {
                return Err(error.clone());
            }
            step.starved = false;
        }
        Ok(step)
    }

    /// Unpacked bytes until the next end of a block is worth a copy of the window: towards the end of the way from the
    /// last place, and some way after the last candidate, so that tiny blocks cost nothing.
    fn until_wanted(&self, spacing: u64) -> u64 {
        let place = self.last.saturating_add(spacing / 4 * 3);
        let candidate = self.candidate.as_ref().map_or(0, |block| block.at.uncompressed.saturating_add(spacing / 32));
        place.max(candidate).saturating_sub(self.written)
    }

    /// Makes the candidate the next place to go on from, if what came since is too far from the last.
    fn settle(&mut self) {
        let spacing = self.spacing.unwrap_or(u64::MAX);
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
        } else if self.written > RATIO_GRACE && self.written / self.expansion_ratio.max(1) > self.read {
            Some(Error::Expansion { limit: self.expansion_ratio })
        } else {
            None
        }
    }

    /// Whether the stream may end here.
    ///
    /// # Errors
    /// [`Error::UnexpectedEof`] when it may not.
    pub fn finish(&self) -> Result<(), Error> {
        match &self.inner {
            Inner::Plain => Ok(()),
            Inner::Gzip(gzip) => gzip.finish(),
            Inner::Zstd(zstd) => zstd.finish(),
        }
    }

    /// The last place reached where decoding can start anew, once for each place; not the start of the stream.
    pub fn take_checkpoint(&mut self) -> Option<Checkpoint> {
        self.checkpoint.take()
    }

    /// The next end of a deflate block to go on from, if one was [found](Decoder::find_blocks), once for each; it may lie
    /// behind what the last step read.
    pub fn take_block(&mut self) -> Option<BlockEnd> {
        self.block.take()
    }

    fn place(&self) -> Checkpoint {
        Checkpoint { compressed: self.read, uncompressed: self.written }
    }

    /// Bytes consumed of the compressed stream.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// Bytes written of the unpacked stream.
    pub fn written(&self) -> u64 {
        self.written
    }
}

/// How far the start of a member or a frame must be from the last place to count as one: it costs no window, so that it
/// may be nearer than blocks are.
pub(crate) fn fresh_spacing(spacing: u64) -> u64 {
    spacing / 16
}

fn copy(input: &[u8], output: &mut [u8]) -> Step {
    let n = input.len().min(output.len());
    if let (Some(from), Some(to)) = (input.get(..n), output.get_mut(..n)) {
        to.copy_from_slice(from);
    }
    Step { read: n, written: n, starved: n == input.len(), resumable: true }
}

/// Moves bytes from the front of `input` into `buffer` until it holds `want` of them; says whether it does.
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
        /// Length of the stream.
        offset: u64,
    },
    /// A gzip member's header is not valid (RFC 1952, 2.3).
    #[error("gzip: invalid header at byte {offset}: {part}")]
    GzipHeader {
        /// Where the member starts.
        offset: u64,
        /// The part of the header at fault.
        part: gzip::Part,
    },
    /// The deflate data of a gzip member is corrupt (RFC 1951).
    #[error("gzip: corrupt deflate data before byte {offset}")]
    Deflate {
        /// How far the decoder had read.
        offset: u64,
    },
    /// A gzip member does not have the CRC-32 that its trailer states.
    #[error("gzip: invalid checksum: expected {expected:08x}, got {got:08x}")]
    GzipChecksum {
        /// From the trailer.
        expected: u32,
        /// Of the unpacked bytes.
        got: u32,
    },
    /// A gzip member does not have the length (modulo 2³²) that its trailer states.
    #[error("gzip: invalid length: expected {expected} bytes, got {got} (modulo 2^32)")]
    GzipLength {
        /// From the trailer.
        expected: u32,
        /// Of the unpacked bytes.
        got: u32,
    },
    /// Neither a zstd frame nor a skippable frame starts here.
    #[error("zstd: invalid magic number at byte {offset}")]
    ZstdMagic {
        /// Where a frame should start.
        offset: u64,
    },
    /// A zstd frame header sets its reserved bit (RFC 8878, 3.1.1.1.1.4).
    #[error("zstd: reserved bit set in the frame header at byte {offset}")]
    ZstdReserved {
        /// Where the frame starts.
        offset: u64,
    },
    /// A zstd frame fills a larger window than allowed.
    #[error("zstd: window of {requested} bytes exceeds the limit of {limit} bytes (window_bytes)")]
    ZstdWindow {
        /// Bytes that the frame asks for.
        requested: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A zstd frame needs a dictionary.
    #[error("zstd: unknown dictionary: {id}")]
    ZstdDictionary {
        /// The dictionary's number.
        id: u32,
    },
    /// A zstd block is corrupt.
    #[error("zstd: corrupt block at byte {offset}")]
    ZstdBlock {
        /// Where the block starts.
        offset: u64,
    },
    /// A zstd frame does not have the content size that its header states.
    #[error("zstd: frame at byte {offset} does not have its size: expected {expected} bytes, got {got}")]
    ZstdSize {
        /// Where the frame starts.
        offset: u64,
        /// From the header.
        expected: u64,
        /// So far.
        got: u64,
    },
    /// A zstd frame does not have the checksum that it ends with.
    #[error("zstd: invalid checksum of the frame at byte {offset}")]
    ZstdChecksum {
        /// Where the frame starts.
        offset: u64,
    },
    /// More unpacked bytes than [`Limits::unpacked_bytes`].
    #[error("unpacks to more than {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// Unpacked bytes grow faster than [`Limits::expansion_ratio`].
    #[error("unpacks to more than {limit} times its size")]
    Expansion {
        /// Times allowed.
        limit: u64,
    },
}

impl Error {
    /// What a person can do about it: raise the limit that was met.
    pub fn hint(&self) -> Option<Hint> {
        match *self {
            Self::ZstdWindow { requested, .. } if requested <= zstd::MAX_WINDOW => {
                Some(Hint::RaiseLimit { name: "window_bytes", value: requested })
            }
            Self::TooLarge { limit } => Some(Hint::raise("unpacked_bytes", limit, 0)),
            Self::Expansion { limit } => Some(Hint::raise("expansion_ratio", limit, 0)),
            Self::GzipHeader { part: GzipPart::Name | GzipPart::Comment, .. } => {
                Some(Hint::RaiseLimit { name: "gzip_name_bytes", value: 64 << 10 })
            }
            _ => None,
        }
    }
}
