//! Reads one file of a layer from a range of the layer's blob.

use std::ops::Range;

use super::{Malformed, SPAN};
use crate::{
    decode::{self, BlockEnd, Checkpoint, Decoder, MIN_OUTPUT},
    digest::{Digest, HashState, Hasher, hex},
    failure::{Classify, Failure},
    layer::contents::Contents,
    limits::Limits,
    media_type::Compression,
    tar::{self, Entry, EntrySink, Flow, Kind},
};

/// Reads one regular file, or [a part](super::Opening::part) of it, from a range of a layer's blob, and verifies each span first.
///
/// Fetch [`range`](FileReader::range), [`push`](FileReader::push) its bytes in any split, then call
/// [`finish`](FileReader::finish). A byte is returned only after its span was checked. The reader holds at most one span.
pub struct FileReader {
    range: Range<u64>,
    /// Bytes of the blob that were pushed so far.
    pushed: u64,
    /// The bytes of the current span that have arrived. `hasher` has the hash up to its start.
    span: Vec<u8>,
    hasher: Hasher,
    /// Digest of the blob, against which its last span is checked.
    digest: Digest,
    /// The chaining values at the edges of the range's spans, one after another. `edge` is the offset in bytes of the next one.
    chains: Vec<u8>,
    edge: usize,
    /// Bytes of the range still to skip before decoding starts.
    ahead: u64,
    /// Unpacked bytes still to skip before the entry's first header, or before the part.
    skip: u64,
    /// `None` if the blob is not compressed.
    decoder: Option<Box<Decoder>>,
    buffer: Vec<u8>,
    contents: Contents,
    wanted: Wanted,
    failed: Option<Error>,
}

/// The entry to read, as the index has it. Its offsets are counted from its first header.
struct Wanted {
    entry: Entry,
    /// Bytes of the file still to skip before the part. `left` counts bytes of the part that are not returned yet.
    before: u64,
    left: u64,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Headers,
    /// The part starts inside the data, and no header is read.
    Part,
    Data,
    Done,
    /// The archive has another entry at this position.
    Other,
}

/// The parts of a reader, which [`Opening`](super::Opening) collects.
pub(super) struct Parts {
    /// Digest of the blob.
    pub(super) digest: Digest,
    pub(super) compression: Compression,
    /// The checkpoint to start from; `None` for the start of the blob, and if the blob is not compressed.
    pub(super) at: Option<Checkpoint>,
    /// The checkpoint, if it lies at the end of a deflate block.
    pub(super) block: Option<BlockEnd>,
    /// The bytes of the blob to read: whole spans.
    pub(super) range: Range<u64>,
    /// The chaining value where the range starts (none where the blob starts), then that at each edge up to its end (none
    /// where the blob ends).
    pub(super) chains: Vec<u8>,
    pub(super) entry: Entry,
    /// The wanted bytes of the file.
    pub(super) part: Range<u64>,
    /// Where reading starts in the archive: at the entry's first header, or inside its data.
    pub(super) from: u64,
    /// The limits with which the layer was read, or larger ones.
    pub(super) limits: Limits,
}

impl FileReader {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { digest, compression, at, block, range, chains, mut entry, part, from, limits } = parts;
        let algorithm = digest.algorithm();
        let plain = compression == Compression::None;
        let at = match at {
            None if plain => Checkpoint { compressed: from, uncompressed: from },
            at => at.unwrap_or_default(),
        };
        let start = chains.get(..algorithm.chain_size()).filter(|_| range.start > 0);
        let hasher = match start {
            Some(chain) => Hasher::resume(&HashState::at_block(algorithm, range.start, chain)),
            None => Hasher::new(algorithm),
        };
        // These limits do not apply: the blob was decoded within limits when the index was made.
        let mut decoding = limits;
        (decoding.unpacked_bytes, decoding.expansion_ratio) = (u64::MAX, u64::MAX);
        let decoder = match block {
            _ if plain => None,
            Some(block) => Some(Decoder::resume_block(&block, &decoding)),
            None => Some(Decoder::resume(compression, at, &decoding)),
        };
        // The expansion ratio counts all bytes of the archive before a hole of a sparse file. Here the scanner sees only some of them.
        let mut scanning = limits;
        scanning.expansion_ratio = u64::MAX;
        let skip = from.saturating_sub(at.uncompressed);
        let inside = from > entry.header;
        let (before, left) = (if inside { 0 } else { part.start }, part.end.saturating_sub(part.start));
        let progress = match (left == 0 && entry.size > 0, inside) {
            (true, _) => Progress::Done,
            (false, true) => Progress::Part,
            (false, false) => Progress::Headers,
        };
        entry.offset -= entry.header;
        entry.header = 0;
        Self {
            digest,
            pushed: 0,
            span: Vec::new(),
            hasher,
            edge: start.map_or(0, <[u8]>::len),
            chains,
            ahead: at.compressed.saturating_sub(range.start),
            range,
            skip,
            buffer: if plain { Vec::new() } else { vec![0; MIN_OUTPUT] },
            decoder: decoder.map(Box::new),
            contents: match entry.offset {
                // The data has no header: the blob itself is the file.
                0 => Contents::file(entry.path.clone(), entry.size),
                _ => Contents::archive(&scanning),
            },
            wanted: Wanted { entry, before, left, progress },
            failed: None,
        }
    }

    /// The bytes of the blob to push.
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Bytes of the whole file.
    pub fn size(&self) -> u64 {
        self.wanted.entry.size
    }

    /// Whether all wanted bytes of the file were returned. No more bytes of the range are needed then.
    pub fn done(&self) -> bool {
        self.wanted.progress == Progress::Done
    }

    /// Takes the next bytes of the range, any number of them, and passes bytes of the file to `out` in order. Holes of
    /// sparse files are zeros.
    ///
    /// # Errors
    /// [`Error::Span`] or [`Error::Digest`] if these are not the blob's bytes, [`Error::TooLong`] if there are more than the
    /// range has, the others if the index does not match this blob. Every later call returns the same error. The bytes
    /// returned before it are verified.
    pub fn push(&mut self, chunk: &[u8], out: &mut impl FnMut(&[u8])) -> Result<(), Error> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.take(chunk, out);
        self.failed = result.as_ref().err().cloned();
        result
    }

    fn take(&mut self, mut chunk: &[u8], out: &mut impl FnMut(&[u8])) -> Result<(), Error> {
        while !chunk.is_empty() {
            let start = self.range.start + self.pushed - self.span.len() as u64;
            let length = SPAN.min(self.range.end.saturating_sub(start)) as usize;
            if length == 0 {
                return Err(Error::TooLong { expected: self.range.end - self.range.start });
            }
            let (part, rest) = chunk.split_at(chunk.len().min(length - self.span.len()));
            chunk = rest;
            self.pushed += part.len() as u64;
            if part.len() == length {
                self.checked(part, start, out)?;
                continue;
            }
            self.span.extend_from_slice(part);
            if self.span.len() == length {
                let mut span = std::mem::take(&mut self.span);
                self.checked(&span, start, out)?;
                span.clear();
                self.span = span;
            }
        }
        Ok(())
    }

    /// Checks a whole span, then decodes it.
    fn checked(&mut self, span: &[u8], start: u64, out: &mut impl FnMut(&[u8])) -> Result<(), Error> {
        self.hasher.update(span);
        let range = start..start + span.len() as u64;
        let algorithm = self.digest.algorithm();
        let next = self.edge + algorithm.chain_size();
        if let Some(chain) = self.chains.get(self.edge..next) {
            let (expected, got) = (HashState::at_block(algorithm, range.end, chain), self.hasher.state());
            if got != expected {
                return Err(Error::Span { range, expected: hex(expected.chain()), got: hex(got.chain()) });
            }
            self.edge = next;
        } else {
            let (expected, got) = (self.digest, self.hasher.clone().finish());
            if got != expected {
                return Err(Error::Digest { range, expected, got });
            }
        }
        let ahead = self.ahead.min(span.len() as u64);
        self.ahead -= ahead;
        self.decode(span.get(ahead as usize..).unwrap_or_default(), out)
    }

    fn decode(&mut self, mut input: &[u8], out: &mut impl FnMut(&[u8])) -> Result<(), Error> {
        let Some(mut decoder) = self.decoder.take() else { return self.scan(input, out) };
        let mut buffer = std::mem::take(&mut self.buffer);
        while !self.done() {
            let step = decoder.decode(input, &mut buffer).map_err(Error::Decode)?;
            input = input.get(step.read..).unwrap_or_default();
            self.scan(buffer.get(..step.written).unwrap_or_default(), out)?;
            if step.starved {
                break;
            }
        }
        self.decoder = Some(decoder);
        self.buffer = buffer;
        Ok(())
    }

    fn scan(&mut self, bytes: &[u8], out: &mut impl FnMut(&[u8])) -> Result<(), Error> {
        let skip = self.skip.min(bytes.len() as u64);
        self.skip -= skip;
        let bytes = bytes.get(skip as usize..).unwrap_or_default();
        if self.wanted.progress == Progress::Part {
            self.wanted.give(bytes, out);
            return Ok(());
        }
        let mut sink = Sink { wanted: &mut self.wanted, out };
        let result = self.contents.push(bytes, &mut sink);
        match self.wanted.progress {
            Progress::Done => Ok(()),
            Progress::Other => Err(Error::Entry),
            Progress::Headers | Progress::Part | Progress::Data => result.map_err(Error::Tar),
        }
    }

    /// Ends the range.
    ///
    /// # Errors
    /// [`Error::Truncated`] if bytes of the range are missing, [`Error::Entry`] if the archive ends before the file does, or
    /// the error of [`push`](FileReader::push). No error if all wanted bytes were returned.
    pub fn finish(self) -> Result<(), Error> {
        let expected = self.range.end - self.range.start;
        match self.failed {
            _ if self.wanted.progress == Progress::Done => Ok(()),
            Some(error) => Err(error),
            None if self.pushed < expected => Err(Error::Truncated { expected, got: self.pushed }),
            None => Err(Error::Entry),
        }
    }
}

impl Wanted {
    /// Takes the next bytes of the file, and passes on those of the part.
    fn give(&mut self, bytes: &[u8], out: &mut impl FnMut(&[u8])) {
        let before = self.before.min(bytes.len() as u64);
        self.before -= before;
        let bytes = bytes.get(before as usize..).unwrap_or_default();
        let part = bytes.get(..usize::try_from(self.left).unwrap_or(usize::MAX)).unwrap_or(bytes);
        self.left -= part.len() as u64;
        if !part.is_empty() {
            out(part);
        }
        if self.left == 0 {
            self.progress = Progress::Done;
        }
    }
}

/// Takes the first entry, and checks that it is the wanted one.
struct Sink<'a, F> {
    wanted: &'a mut Wanted,
    out: &'a mut F,
}

impl<F: FnMut(&[u8])> EntrySink for Sink<'_, F> {
    fn entry(&mut self, mut entry: Entry) -> Flow {
        if self.wanted.progress == Progress::Done {
            return Flow::Stop;
        }
        // Not compared: a global header before the entry would mark it, and is not read here.
        entry.ambiguous = self.wanted.entry.ambiguous;
        if self.wanted.progress != Progress::Headers || entry != self.wanted.entry {
            self.wanted.progress = Progress::Other;
            return Flow::Stop;
        }
        self.wanted.progress = Progress::Data;
        Flow::WantData
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.wanted.give(bytes, self.out);
        if self.wanted.progress == Progress::Done { Flow::Stop } else { Flow::Continue }
    }

    fn end_of_data(&mut self) {
        self.wanted.progress = Progress::Done;
    }
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The index cannot be read.
    #[error(transparent)]
    Index(#[from] Malformed),
    /// The layer has no entry of this number.
    #[error("no entry {number}: the layer has {count}")]
    NoEntry {
        /// Number of the entry, counted from 0 in archive order.
        number: u64,
        /// Entries of the layer.
        count: u64,
    },
    /// No entry's data starts at the offset.
    #[error("no file starts at byte {offset} of the layer")]
    NoFileAt {
        /// Offset in the unpacked archive, in bytes.
        offset: u64,
    },
    /// The entry is not a regular file.
    #[error("entry {number} is not a regular file: {kind:?}")]
    NotAFile {
        /// Number of the entry, counted from 0 in archive order.
        number: u64,
        /// Kind of the entry.
        kind: Kind,
    },
    /// A span of the blob differs from the bytes from which the index was made.
    #[error("bytes {} to {} of the layer do not match its digest: expected chaining value {expected}, got {got}", .range.start, .range.end)]
    Span {
        /// In bytes of the blob.
        range: Range<u64>,
        /// Chaining value at the end of the span, from the index, in hex digits.
        expected: String,
        /// Chaining value computed from the bytes, in hex digits.
        got: String,
    },
    /// The last span of the blob does not complete the hash to the blob's digest.
    #[error("bytes {} to {} of the layer do not match its digest: expected {expected}, got {got}", .range.start, .range.end)]
    Digest {
        /// In bytes of the blob.
        range: Range<u64>,
        /// Digest of the blob, from the index.
        expected: Digest,
        /// Digest of the blob with these bytes.
        got: Digest,
    },
    /// The range is not complete.
    #[error("part of the layer is cut off: expected {expected} bytes, got {got}")]
    Truncated {
        /// Bytes of the range.
        expected: u64,
        /// Bytes that were pushed before the blob ended.
        got: u64,
    },
    /// More bytes were pushed than the range has.
    #[error("part of the layer is too long: expected {expected} bytes, got more")]
    TooLong {
        /// Bytes of the range.
        expected: u64,
    },
    /// The bytes are verified, but cannot be decoded from the index's checkpoint.
    #[error("part of the layer cannot be decompressed: {0}")]
    Decode(decode::Error),
    /// The bytes are decoded, but are not a tar archive.
    #[error("part of the layer is not a tar archive: {0}")]
    Tar(tar::Error),
    /// The archive has another entry at this position than the index.
    #[error("the seek index does not match this layer, which has another entry at this position")]
    Entry,
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::NoEntry { .. } | Self::NoFileAt { .. } | Self::NotAFile { .. } => Failure::input(),
            Self::Decode(error) => error.failure(),
            Self::Tar(error) => error.failure(),
            Self::Index(_)
            | Self::Span { .. }
            | Self::Digest { .. }
            | Self::Truncated { .. }
            | Self::TooLong { .. }
            | Self::Entry => Failure::malformed(),
        }
    }
}
