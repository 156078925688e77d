//! One file out of a layer, from a range of its blob.

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
/// Fetch [`range`](FileReader::range), [`push`](FileReader::push) its bytes in any split, then
/// [`finish`](FileReader::finish). A byte is returned only after its span was checked, and at most one span is held.
pub struct FileReader {
    range: Range<u64>,
    /// Bytes of the blob that were pushed so far.
    pushed: u64,
    /// What has arrived of the span, and the hash at its start.
    span: Vec<u8>,
    hasher: Hasher,
    /// Of the blob: what its last span leads to.
    digest: Digest,
    /// The chaining value at each edge inside the blob, one after another, and where that of the next edge starts.
    chains: Vec<u8>,
    edge: usize,
    /// Bytes of the blob in front of the place where decoding starts.
    ahead: u64,
    /// Unpacked bytes in front of the entry's first header, or of the part.
    skip: u64,
    /// Absent where the blob is the archive.
    decoder: Option<Box<Decoder>>,
    buffer: Vec<u8>,
    contents: Contents,
    wanted: Wanted,
    failed: Option<Error>,
}

/// The entry that is read, as the index has it, its offsets counted from its first header.
struct Wanted {
    entry: Entry,
    /// Bytes of the file that are still to come, and those of them that are not returned.
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
    /// The bytes at that place are something else.
    Other,
}

/// What a reader is made of.
pub(super) struct Parts {
    /// Of the blob.
    pub(super) digest: Digest,
    pub(super) compression: Compression,
    /// The checkpoint to start from; `None` for the start of the blob, and where the blob is the archive.
    pub(super) at: Option<Checkpoint>,
    /// The same, if it is the end of a block.
    pub(super) block: Option<BlockEnd>,
    /// The spans of the blob to read.
    pub(super) range: Range<u64>,
    /// The chaining value where the range starts (none where the blob starts), then that at each edge up to its end (none
    /// where the blob ends).
    pub(super) chains: Vec<u8>,
    pub(super) entry: Entry,
    /// Bytes of the file.
    pub(super) part: Range<u64>,
    /// Where reading starts in the archive: at the entry's first header, or inside its data.
    pub(super) from: u64,
    /// Those with which the layer was read, or larger ones.
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
        // The blob was decoded before, within limits.
        let mut decoding = limits;
        (decoding.unpacked_bytes, decoding.expansion_ratio) = (u64::MAX, u64::MAX);
        let decoder = match block {
            _ if plain => None,
            Some(block) => Some(Decoder::resume_block(&block, &decoding)),
            None => Some(Decoder::resume(compression, at, &decoding)),
        };
        // A hole is measured against what comes before it, of which only a part is seen here.
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
                // No header stands before it: the blob itself is the file.
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

    /// Whether all that is wanted of the file was returned. Nothing more need be pushed then.
    pub fn done(&self) -> bool {
        self.wanted.progress == Progress::Done
    }

    /// Takes the next bytes of the range, any number of them, and gives bytes of the file to `out` in order; holes of
    /// sparse files are zeros.
    ///
    /// # Errors
    /// [`Error::Span`] or [`Error::Digest`] if these are not the blob's bytes, [`Error::TooLong`] if there are more than
    /// the range has, the others if the index is not of this blob. The same again if called once more. What was
    /// returned before is right.
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

    /// A whole span is here.
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

    /// Everything was pushed.
    ///
    /// # Errors
    /// [`Error::Truncated`] if it was not; the error of [`push`](FileReader::push) if there was one.
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
    /// Takes the next bytes of the file, and gives those of the part.
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

/// Takes the first entry, if it is the one that is wanted.
struct Sink<'a, F> {
    wanted: &'a mut Wanted,
    out: &'a mut F,
}

impl<F: FnMut(&[u8])> EntrySink for Sink<'_, F> {
    fn entry(&mut self, mut entry: Entry) -> Flow {
        if self.wanted.progress == Progress::Done {
            return Flow::Stop;
        }
        // Whether a global header stood before it cannot be seen from here.
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
    /// There is no such entry.
    #[error("no entry {number}: the layer has {count}")]
    NoEntry {
        /// Counted from 0.
        number: u64,
        /// How many there are.
        count: u64,
    },
    /// No entry's data starts there.
    #[error("no file starts at byte {offset} of the layer")]
    NoFileAt {
        /// In bytes of the unpacked archive.
        offset: u64,
    },
    /// The entry is not a regular file.
    #[error("entry {number} is not a regular file: {kind:?}")]
    NotAFile {
        /// Counted from 0.
        number: u64,
        /// What it is.
        kind: Kind,
    },
    /// A part of the blob is not what it was when the index was made.
    #[error("bytes {} to {} of the layer do not match its digest: expected chaining value {expected}, got {got}", .range.start, .range.end)]
    Span {
        /// In bytes of the blob.
        range: Range<u64>,
        /// From the index.
        expected: String,
        /// Of the bytes.
        got: String,
    },
    /// The last part of the blob does not lead to its digest.
    #[error("bytes {} to {} of the layer do not match its digest: expected {expected}, got {got}", .range.start, .range.end)]
    Digest {
        /// In bytes of the blob.
        range: Range<u64>,
        /// What the index has for the span.
        expected: Digest,
        /// With these bytes.
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
    /// More bytes came than the range has.
    #[error("part of the layer is too long: expected {expected} bytes, got more")]
    TooLong {
        /// Bytes of the range.
        expected: u64,
    },
    /// The bytes are the blob's own, but cannot be decoded from where the index says.
    #[error("part of the layer cannot be decompressed: {0}")]
    Decode(decode::Error),
    /// They are decoded, but are not an archive.
    #[error("part of the layer is not a tar archive: {0}")]
    Tar(tar::Error),
    /// The place has another entry than the index says.
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
