//! zstd with any number of frames, skippable frames included. Checksums and content sizes are checked; dictionaries are
//! not supported.

use structured_zstd::decoding::{ContentChecksum, FrameDecoder};

use super::{Decode, Decoded, Error, MIN_OUTPUT};
use crate::limits::Limits;

const MAGIC: u32 = 0xfd2f_b528;
const SKIPPABLE: u32 = 0x184d_2a50;
const MIN_WINDOW: u64 = 1 << 10;

/// Upper bound for the window, however high the user sets the limit. Container runtimes reject more.
pub(super) const MAX_WINDOW: u64 = 512 << 20;

pub(super) struct Zstd {
    state: State,
    /// Bytes read so far of the current field or block.
    pending: Vec<u8>,
    frames: FrameDecoder,
    window_limit: u64,
    read: u64,
    frame: u64,
    window: u64,
    checksum: bool,
    content_size: Option<u64>,
    written: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Magic,
    SkipLength,
    Skip(u64),
    Descriptor,
    Header(usize),
    BlockHeader,
    Block([u8; 3], usize, bool),
    Checksum,
}

/// What to do after one transition of the state machine.
enum ZstdTransition {
    /// Make the next transition.
    Next,
    /// Stop: the machine needs more input.
    Starved,
    /// Stop: the machine needs more output space.
    Full,
    /// A frame ended.
    Frame,
}

impl Zstd {
    pub(super) fn new(limits: &Limits) -> Self {
        let mut frames = FrameDecoder::new();
        frames.set_content_checksum(ContentChecksum::Verify);
        // `check_window` enforces the limit. The value is in the decoder's range, so this cannot fail.
        let _ = frames.set_max_window_size(MAX_WINDOW);
        let window_limit = limits.window_bytes.clamp(MIN_WINDOW, MAX_WINDOW);
        Self {
            state: State::Magic,
            pending: Vec::new(),
            frames,
            window_limit,
            read: 0,
            frame: 0,
            window: 0,
            checksum: false,
            content_size: None,
            written: 0,
        }
    }

    /// Resumes at the start of a frame, `offset` bytes into the stream.
    pub(super) fn resume(&mut self, offset: u64) {
        self.read = offset;
    }

    fn turn(&mut self, input: &mut &[u8], output: &mut [u8], written: &mut usize) -> Result<ZstdTransition, Error> {
        match self.state {
            State::Magic => {
                if self.pending.is_empty() {
                    self.frame = self.read;
                }
                let Some(magic) = self.take::<4>(input) else { return Ok(ZstdTransition::Starved) };
                self.state = match u32::from_le_bytes(magic) {
                    MAGIC => State::Descriptor,
                    magic if magic & !0xf == SKIPPABLE => State::SkipLength,
                    _ => return Err(Error::ZstdMagic { offset: self.frame }),
                };
            }
            State::SkipLength => {
                let Some(length) = self.take::<4>(input) else { return Ok(ZstdTransition::Starved) };
                self.state = State::Skip(u64::from(u32::from_le_bytes(length)));
            }
            State::Skip(left) => {
                let skip = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                self.consume(input, skip);
                let left = left - skip as u64;
                self.state = State::Skip(left);
                if left > 0 {
                    return Ok(ZstdTransition::Starved);
                }
                self.state = State::Magic;
                return Ok(ZstdTransition::Frame);
            }
            State::Descriptor => {
                let Some(&descriptor) = input.first() else { return Ok(ZstdTransition::Starved) };
                if descriptor & 1 << 3 != 0 {
                    return Err(Error::ZstdReserved { offset: self.frame });
                }
                self.state = State::Header(header_length(descriptor));
            }
            State::Header(length) => {
                if !self.collect(length, input) {
                    return Ok(ZstdTransition::Starved);
                }
                self.start_frame()?;
                self.pending.clear();
                self.state = State::BlockHeader;
            }
            State::BlockHeader => {
                let Some(header) = self.take::<3>(input) else { return Ok(ZstdTransition::Starved) };
                let (length, last) = self.frames.block_content_len(header).map_err(|_| self.corrupt(3))?;
                self.state = State::Block(header, length, last);
            }
            State::Block(header, length, last) => {
                if output.len() - *written < MIN_OUTPUT {
                    return Ok(ZstdTransition::Full);
                }
                self.check_window(self.written + MIN_OUTPUT as u64)?;
                let room = output.get_mut(*written..).unwrap_or_default();
                let decoded = if self.pending.is_empty() && input.len() >= length {
                    let decoded = self.frames.decode_block(header, input.get(..length).unwrap_or_default(), room);
                    self.consume(input, length);
                    decoded
                } else {
                    if !self.collect(length, input) {
                        return Ok(ZstdTransition::Starved);
                    }
                    let decoded = self.frames.decode_block(header, &self.pending, room);
                    self.pending.clear();
                    decoded
                };
                let n = decoded.map_err(|_| self.corrupt(3 + length as u64))?;
                *written += n;
                self.written += n as u64;
                if let Some(expected) = self.content_size
                    && (self.written > expected || last && self.written != expected)
                {
                    return Err(Error::ZstdSize { offset: self.frame, expected, got: self.written });
                }
                self.state = match (last, self.checksum) {
                    (false, _) => State::BlockHeader,
                    (true, true) => State::Checksum,
                    (true, false) => {
                        self.state = State::Magic;
                        return Ok(ZstdTransition::Frame);
                    }
                };
            }
            State::Checksum => {
                let Some(checksum) = self.take::<4>(input) else { return Ok(ZstdTransition::Starved) };
                self.frames.read_content_checksum(checksum).map_err(|_| Error::ZstdChecksum { offset: self.frame })?;
                self.state = State::Magic;
                return Ok(ZstdTransition::Frame);
            }
        }
        Ok(ZstdTransition::Next)
    }

    /// Parses the frame header in `pending` (RFC 8878 §3.1.1.1).
    fn start_frame(&mut self) -> Result<(), Error> {
        let header = FrameHeader::parse(&self.pending);
        if header.window > MAX_WINDOW {
            return Err(Error::ZstdWindow { requested: header.window, limit: self.window_limit });
        }
        if header.dictionary != 0 {
            return Err(Error::ZstdDictionary { id: header.dictionary });
        }
        self.window = header.window;
        self.checksum = header.checksum;
        self.content_size = header.content_size;
        self.written = 0;
        self.check_window(header.content_size.unwrap_or(0))?;
        // The decoder reserves memory for the content size stated in the header. Pass it a header without that size, so
        // that the window grows with the data; this module checks the size.
        let [m0, m1, m2, m3] = MAGIC.to_le_bytes();
        let bytes = [m0, m1, m2, m3, u8::from(header.checksum) << 2, window_descriptor(header.window)];
        self.frames.reset(bytes.as_slice()).map_err(|_| self.corrupt(0))
    }

    /// Rejects a window over the limit once the frame has more than that many unpacked bytes: the decoder uses memory only
    /// for the part of a window that is filled.
    fn check_window(&self, length: u64) -> Result<(), Error> {
        if self.window > self.window_limit && length > self.window_limit {
            return Err(Error::ZstdWindow { requested: self.window, limit: self.window_limit });
        }
        Ok(())
    }

    fn take<const N: usize>(&mut self, input: &mut &[u8]) -> Option<[u8; N]> {
        if !self.collect(N, input) {
            return None;
        }
        let taken = self.pending.first_chunk::<N>().copied();
        self.pending.clear();
        taken
    }

    fn collect(&mut self, want: usize, input: &mut &[u8]) -> bool {
        let before = input.len();
        let whole = super::gather(&mut self.pending, want, input);
        self.read += (before - input.len()) as u64;
        whole
    }

    fn consume(&mut self, input: &mut &[u8], n: usize) {
        *input = input.get(n..).unwrap_or_default();
        self.read += n as u64;
    }

    fn corrupt(&self, block: u64) -> Error {
        Error::ZstdBlock { offset: self.read.saturating_sub(block) }
    }
}

impl Decode for Zstd {
    fn decode(&mut self, mut input: &[u8], output: &mut [u8]) -> (Decoded, Option<Error>) {
        let length = input.len();
        let mut step = Decoded::default();
        let mut error = None;
        loop {
            match self.turn(&mut input, output, &mut step.written) {
                Ok(ZstdTransition::Next) => continue,
                Ok(ZstdTransition::Starved) => step.starved = true,
                Ok(ZstdTransition::Full) => {}
                Ok(ZstdTransition::Frame) => (step.starved, step.resumable) = (input.is_empty(), true),
                Err(fault) => error = Some(fault),
            }
            step.read = length - input.len();
            return (step, error);
        }
    }

    fn finish(&self) -> Result<(), Error> {
        if self.state == State::Magic && self.pending.is_empty() {
            Ok(())
        } else {
            Err(Error::UnexpectedEof { offset: self.read })
        }
    }
}

struct FrameHeader {
    window: u64,
    dictionary: u32,
    checksum: bool,
    content_size: Option<u64>,
}

impl FrameHeader {
    /// Parses a complete header, without its magic number.
    fn parse(bytes: &[u8]) -> Self {
        let mut rest = bytes.iter().copied();
        let mut number = |width: usize| (0..width).fold(0, |n, i| n | u64::from(rest.next().unwrap_or(0)) << (8 * i));
        let descriptor = number(1) as u8;
        let single = descriptor & 1 << 5 != 0;
        let declared = if single {
            0
        } else {
            let byte = number(1);
            let base = 1u64 << (10 + (byte >> 3));
            base + (base >> 3) * (byte & 7)
        };
        let dictionary = number(dictionary_width(descriptor)) as u32;
        let content_size = match size_width(descriptor) {
            0 => None,
            2 => Some(number(2) + 256),
            width => Some(number(width)),
        };
        let window = if single { content_size.unwrap_or(0).max(MIN_WINDOW) } else { declared };
        Self { window, dictionary, checksum: descriptor & 1 << 2 != 0, content_size }
    }
}

/// The smallest window that a header can express and that is at least `window` bytes (RFC 8878 §3.1.1.1.2).
fn window_descriptor(window: u64) -> u8 {
    let window = window.max(MIN_WINDOW);
    let exponent = window.ilog2();
    let eighths = (window - (1 << exponent)).div_ceil((1 << exponent) / 8);
    // A mantissa of 8 carries into the exponent.
    ((exponent - 10) << 3) as u8 + eighths as u8
}

fn dictionary_width(descriptor: u8) -> usize {
    match descriptor & 3 {
        3 => 4,
        width => usize::from(width),
    }
}

fn size_width(descriptor: u8) -> usize {
    match descriptor >> 6 {
        0 => usize::from(descriptor >> 5 & 1),
        exponent => 1 << exponent,
    }
}

/// Length of a frame header without its magic number, from its first byte.
fn header_length(descriptor: u8) -> usize {
    let window = usize::from(descriptor & 1 << 5 == 0);
    1 + window + dictionary_width(descriptor) + size_width(descriptor)
}
