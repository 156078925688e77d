use std::{collections::VecDeque, ops::Range};

use super::{Toc, listing::Chunk};
use crate::{
    decode::{self, Decoder, MIN_OUTPUT},
    digest::{Digest, Hasher},
    failure::{Blame, Classify, Failure, FailureClass},
    limits::Limits,
    media_type::Compression,
    path,
};

/// Largest gap between two chunks that is fetched along with them: a second request would cost more.
const GAP: u64 = 16 << 10;

static ZEROS: [u8; 32 << 10] = [0; 32 << 10];

/// Reads a file of a layer with a TOC, or a part of the file, by ranges of the blob. Every chunk is verified before its
/// bytes are returned.
///
/// While [`wants`](ChunkReader::wants) returns a range, [`push`](ChunkReader::push) its bytes in any split. Then call
/// [`finish`](ChunkReader::finish).
pub struct ChunkReader {
    compression: Compression,
    limits: Limits,
    runs: VecDeque<Run>,
    /// The rest of the current range.
    window: Range<u64>,
    member: Option<Member>,
    buffer: Vec<u8>,
    output: Output,
}

/// Consecutive chunks of the file that are read together.
enum Run {
    /// Chunks from one gzip member or zstd frame.
    Member(Range<u64>, VecDeque<Chunk>),
    /// A chunk of zeros, which is not fetched.
    Zeros(Chunk),
}

/// The member or frame being unpacked.
struct Member {
    decoder: Decoder,
    /// Unpacked bytes so far of the first chunk in the queue.
    chunk: Vec<u8>,
}

/// Checks and returns the file's bytes.
struct Output {
    /// The requested part of the file.
    range: Range<u64>,
    /// Hash and digest of the whole file, if all of it is read and the TOC has a digest for it.
    file: Option<(Hasher, Digest)>,
    size: u64,
}

impl ChunkReader {
    pub(super) fn new(toc: &Toc, row: usize, range: Range<u64>) -> Result<Self, Error> {
        let listing = &toc.listing;
        let shown = || path::escape(listing.name(row)).into_owned();
        let size = listing.size(row);
        let chunks = listing.chunks(row).ok_or_else(|| Error::Chunks(shown()))?;
        let range = range.start.min(size)..range.end.min(size);
        let whole = range == (0..size) && (chunks.len() > 1 || size == 0);
        let mut runs: VecDeque<Run> = VecDeque::new();
        let mut member = 0..0;
        let wanted = |chunk: &Chunk| chunk.start < range.end && range.start < chunk.start.saturating_add(chunk.size);
        for chunk in chunks.into_iter().filter(wanted) {
            if chunk.zeros {
                runs.push_back(Run::Zeros(chunk));
                continue;
            }
            if chunk.digest.is_none() {
                return Err(Error::NoDigest(shown()));
            }
            if chunk.size > toc.limits.chunk_bytes {
                return Err(Error::TooLarge { limit: toc.limits.chunk_bytes });
            }
            let blob = chunk.offset..chunk.end;
            match runs.back_mut() {
                Some(Run::Member(same, chunks)) if same.start == blob.start => {
                    let before = chunks.back().map_or(0, |before| before.inner.saturating_add(before.size));
                    if chunk.inner < before {
                        return Err(Error::Chunks(shown()));
                    }
                    chunks.push_back(chunk);
                }
                // Each byte of the blob is unpacked at most once, which bounds the work for a hostile TOC.
                _ if blob.start < member.end || blob.is_empty() || blob.end > toc.data => {
                    return Err(Error::Chunks(shown()));
                }
                _ => {
                    member = blob.clone();
                    runs.push_back(Run::Member(blob, [chunk].into()));
                }
            }
        }
        let file = listing.digest(row).filter(|_| whole);
        let mut reader = Self {
            compression: toc.format.compression(),
            limits: toc.limits,
            runs,
            window: 0..0,
            member: None,
            buffer: vec![0; MIN_OUTPUT],
            output: Output { range, file: file.map(|digest| (Hasher::new(digest.algorithm()), digest)), size },
        };
        reader.next_window();
        Ok(reader)
    }

    /// Size of the whole file in bytes.
    pub fn size(&self) -> u64 {
        self.output.size
    }

    /// The range of the blob to push next. `None` when no more is needed.
    pub fn wants(&self) -> Option<Range<u64>> {
        (!self.window.is_empty()).then(|| self.window.clone())
    }

    /// Takes the next bytes of the requested range, and passes verified bytes of the file to `out` in order.
    ///
    /// # Errors
    ///
    /// [`Error`] if a chunk cannot be unpacked or does not match its digest. Do not push more after that.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut impl FnMut(&[u8])) -> Result<(), Error> {
        let expected = self.window.end - self.window.start;
        if bytes.len() as u64 > expected {
            return Err(Error::Excess { expected });
        }
        while !bytes.is_empty() {
            let Some(Run::Member(blob, chunks)) = self.runs.front_mut() else {
                match self.runs.pop_front() {
                    Some(Run::Zeros(chunk)) => self.output.zeros(&chunk, out)?,
                    _ => {
                        // The rest of a member whose chunks are complete.
                        self.window.start += bytes.len() as u64;
                        bytes = &[];
                    }
                }
                continue;
            };
            let at = self.window.start;
            let until = if at < blob.start { blob.start } else { blob.end };
            let length = usize::try_from(until.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
            let (part, rest) = bytes.split_at(length);
            (bytes, self.window.start) = (rest, at + length as u64);
            if at < blob.start {
                continue;
            }
            let over = self.window.start >= blob.end;
            let member = self.member.get_or_insert_with(|| Member {
                decoder: Decoder::new(self.compression, &self.limits),
                chunk: Vec::new(),
            });
            let complete = member.push(part, chunks, &mut self.buffer, &mut self.output, out)?;
            if complete {
                self.member = None;
                self.runs.pop_front();
            } else if over {
                return Err(Error::Short { offset: blob.start });
            }
        }
        if self.window.is_empty() {
            self.next_window();
        }
        Ok(())
    }

    /// Ends the file: passes trailing zeros to `out` and checks the digest of the whole file.
    ///
    /// # Errors
    ///
    /// [`Error::Digest`] if the file does not match its digest; [`Error::Incomplete`] while [`wants`](Self::wants)
    /// returns a range.
    pub fn finish(mut self, out: &mut impl FnMut(&[u8])) -> Result<(), Error> {
        while let Some(run) = self.runs.pop_front() {
            match run {
                Run::Zeros(chunk) => self.output.zeros(&chunk, out)?,
                Run::Member(..) => return Err(Error::Incomplete { expected: self.window.end - self.window.start }),
            }
        }
        match self.output.file {
            Some((hasher, expected)) => check(expected, hasher.finish()),
            None => Ok(()),
        }
    }

    /// Chooses the next range: the next member, and the members that follow it closely.
    fn next_window(&mut self) {
        let mut members = self.runs.iter().filter_map(|run| match run {
            Run::Member(blob, _) => Some(blob),
            Run::Zeros(_) => None,
        });
        let Some(first) = members.next() else {
            self.window = 0..0;
            return;
        };
        self.window = first.clone();
        for next in members {
            if !(self.window.end..=self.window.end.saturating_add(GAP)).contains(&next.start) {
                return;
            }
            self.window.end = next.end;
        }
    }
}

impl Member {
    /// Unpacks bytes of the member. Returns whether all of its chunks are complete.
    fn push(
        &mut self,
        mut bytes: &[u8],
        chunks: &mut VecDeque<Chunk>,
        buffer: &mut [u8],
        output: &mut Output,
        out: &mut impl FnMut(&[u8]),
    ) -> Result<bool, Error> {
        loop {
            let before = self.decoder.written();
            let step = self.decoder.decode(bytes, buffer).map_err(Error::Decode)?;
            bytes = bytes.get(step.read..).unwrap_or_default();
            let mut unpacked = buffer.get(..step.written).unwrap_or_default();
            let mut at = before;
            while !unpacked.is_empty() {
                let Some(chunk) = chunks.front() else { return Ok(true) };
                let want = if at < chunk.inner { chunk.inner - at } else { chunk.size - self.chunk.len() as u64 };
                let length = usize::try_from(want).unwrap_or(usize::MAX).min(unpacked.len());
                let (part, rest) = unpacked.split_at(length);
                if at >= chunk.inner {
                    self.chunk.extend_from_slice(part);
                }
                (unpacked, at) = (rest, at + length as u64);
                if self.chunk.len() as u64 == chunk.size {
                    output.give(chunk, &self.chunk, out)?;
                    self.chunk.clear();
                    chunks.pop_front();
                }
            }
            if chunks.is_empty() {
                return Ok(true);
            }
            if step.starved {
                return Ok(false);
            }
        }
    }
}

impl Output {
    /// Verifies a chunk and returns the requested part of it.
    fn give(&mut self, chunk: &Chunk, bytes: &[u8], out: &mut impl FnMut(&[u8])) -> Result<(), Error> {
        if let Some(expected) = chunk.digest {
            check(expected, Digest::of(expected.algorithm(), bytes))?;
        }
        if let Some((hasher, _)) = &mut self.file {
            hasher.update(bytes);
        }
        let at = |place: u64| usize::try_from(place.saturating_sub(chunk.start)).unwrap_or(usize::MAX);
        let (from, to) = (at(self.range.start), at(self.range.end).min(bytes.len()));
        if let Some(wanted) = bytes.get(from..to).filter(|wanted| !wanted.is_empty()) {
            out(wanted);
        }
        Ok(())
    }

    /// Returns a chunk of zeros, verified if it has a digest.
    fn zeros(&mut self, chunk: &Chunk, out: &mut impl FnMut(&[u8])) -> Result<(), Error> {
        if let Some(expected) = chunk.digest {
            let mut hasher = Hasher::new(expected.algorithm());
            zeros(chunk.size, |bytes| hasher.update(bytes));
            check(expected, hasher.finish())?;
        }
        if let Some((hasher, _)) = &mut self.file {
            zeros(chunk.size, |bytes| hasher.update(bytes));
        }
        let from = chunk.start.max(self.range.start);
        let to = (chunk.start + chunk.size).min(self.range.end);
        zeros(to.saturating_sub(from), out);
        Ok(())
    }
}

fn zeros(mut length: u64, mut each: impl FnMut(&[u8])) {
    while length > 0 {
        let part = usize::try_from(length).unwrap_or(usize::MAX).min(ZEROS.len());
        each(ZEROS.get(..part).unwrap_or_default());
        length -= part as u64;
    }
}

fn check(expected: Digest, got: Digest) -> Result<(), Error> {
    if got == expected { Ok(()) } else { Err(Error::Digest { expected, got }) }
}

/// Why a file cannot be read through the TOC. Paths are escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The TOC lists no such path.
    #[error("no such file in the table of contents: `{0}`")]
    NotFound(String),
    /// The path is not a file, or its hard links form a loop.
    #[error("not a file: `{0}`")]
    NotAFile(String),
    /// The chunks do not cover the file, or lie outside the data.
    #[error("the chunks of `{0}` do not make up the file")]
    Chunks(String),
    /// A chunk has no digest, so it cannot be verified.
    #[error("a chunk of `{0}` has no digest")]
    NoDigest(String),
    /// A chunk is larger than [`Limits::chunk_bytes`].
    #[error("a chunk has more than {limit} bytes (limit chunk_bytes)")]
    TooLarge {
        /// Bytes that a chunk may have when it is unpacked.
        limit: u64,
    },
    /// More bytes were pushed than requested.
    #[error("expected the {expected} bytes that were asked for, got more")]
    Excess {
        /// Bytes still expected before the push.
        expected: u64,
    },
    /// Requested bytes are missing.
    #[error("file is not whole: expected {expected} more bytes of the layer")]
    Incomplete {
        /// Bytes of the range that are missing.
        expected: u64,
    },
    /// A gzip member or zstd frame ends before its last chunk.
    #[error("the chunks at byte {offset} of the layer are not whole")]
    Short {
        /// Start of the member or frame in the blob.
        offset: u64,
    },
    /// A chunk cannot be decompressed.
    #[error("a chunk cannot be decompressed: {0}")]
    Decode(decode::Error),
    /// A chunk or the whole file does not match its digest in the TOC.
    #[error("content does not match its digest: expected {expected}, got {got}")]
    Digest {
        /// Digest in the TOC.
        expected: Digest,
        /// Digest of the bytes.
        got: Digest,
    },
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::NotFound(_) => Failure::new(FailureClass::NotFound, Blame::Input),
            Self::NotAFile(_) => Failure::input(),
            Self::TooLarge { limit } => Failure::named_limit("chunk_bytes", *limit, 0),
            Self::Decode(error) => error.failure(),
            Self::Chunks(_)
            | Self::NoDigest(_)
            | Self::Excess { .. }
            | Self::Incomplete { .. }
            | Self::Short { .. }
            | Self::Digest { .. } => Failure::malformed(),
        }
    }
}
