//! gzip with any number of members, as strict as the readers in container runtimes: header fields, CRC-32 and length
//! are checked, and only another member may follow a member.

use std::fmt;

use flate2::Crc;

use super::{
    Decode, Decoded, Error,
    inflate::{Inflate, Status},
};
use crate::limits::Limits;

const FHCRC: u8 = 1 << 1;
const FEXTRA: u8 = 1 << 2;
const FNAME: u8 = 1 << 3;
const FCOMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

pub(super) struct Gzip {
    state: State,
    /// Bytes read so far of the current fixed-size field.
    field: Vec<u8>,
    flags: u8,
    header_crc: Crc,
    inflate: Inflate,
    crc: Crc,
    length: u32,
    /// Decoding started inside this member, so its checksum and length cannot be checked.
    partial: bool,
    /// Whether to stop at the end of the next block.
    stop: bool,
    /// The unused bits at the block end where decoding stopped.
    block: Option<u8>,
    name_bytes: u32,
    read: u64,
    member: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The ten bytes at the start of every member.
    Fixed,
    ExtraLength,
    Extra(u16),
    /// Length of the name read so far.
    Name(u32),
    Comment(u32),
    HeaderCrc,
    Body,
    Trailer,
}

/// What to do after one transition of the state machine.
enum GzipTransition {
    /// Make the next transition.
    Next,
    /// Stop: the machine needs more input.
    Starved,
    /// Stop: the machine needs more output space.
    Full,
    /// A member ended.
    Member,
    /// Decoding stopped at the end of a block, as requested.
    Block,
}

impl Gzip {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            state: State::Fixed,
            field: Vec::with_capacity(10),
            flags: 0,
            header_crc: Crc::new(),
            inflate: Inflate::new(),
            crc: Crc::new(),
            length: 0,
            partial: false,
            stop: false,
            block: None,
            name_bytes: limits.gzip_name_bytes,
            read: 0,
            member: 0,
        }
    }

    /// Resumes inside a member, after a block: `offset` in the stream, the unused bits and the window.
    pub(super) fn resume(&mut self, offset: u64, bits: u8, window: &[u8]) {
        self.inflate.resume(bits, window);
        self.state = State::Body;
        self.partial = true;
        self.read = offset;
        self.member = offset;
    }

    /// Resumes at the start of a member, `offset` bytes into the stream.
    pub(super) fn resume_member(&mut self, offset: u64) {
        self.read = offset;
        self.member = offset;
    }

    /// Sets whether decoding stops at the end of the next block.
    pub(super) fn stop_at_block(&mut self, stop: bool) {
        self.stop = stop;
    }

    /// The unused bits and the window at the block end where decoding stopped.
    pub(super) fn take_block(&mut self) -> Option<(u8, Vec<u8>)> {
        Some((self.block.take()?, self.inflate.window()))
    }

    /// Reads the next field of a header or trailer.
    fn frame(&mut self, input: &mut &[u8]) -> Result<GzipTransition, Error> {
        let before = input.len();
        let turn = self.field(input);
        self.read += (before - input.len()) as u64;
        if let Ok(GzipTransition::Member) = turn {
            self.member = self.read;
        }
        turn
    }

    /// Inflates into `room`. Returns the number of bytes written and the next action.
    fn inflate(&mut self, input: &mut &[u8], room: &mut [u8]) -> (usize, Result<GzipTransition, Error>) {
        let turn = self.inflate.inflate(input, room, self.stop);
        let (read, written) = (turn.read, turn.written);
        self.read += read as u64;
        *input = input.get(read..).unwrap_or_default();
        if !self.partial {
            self.crc.update(room.get(..written).unwrap_or_default());
        }
        // The length in the trailer is modulo 2³².
        self.length = self.length.wrapping_add(written as u32);
        let turn = match turn.status {
            Status::Corrupt => Err(Error::Deflate { offset: self.read }),
            Status::End => {
                self.state = State::Trailer;
                Ok(GzipTransition::Next)
            }
            Status::Block(bits) => {
                self.stop = false;
                self.block = Some(bits);
                Ok(GzipTransition::Block)
            }
            Status::Going if written == room.len() => Ok(GzipTransition::Full),
            Status::Going if input.is_empty() => Ok(GzipTransition::Starved),
            Status::Going if read == 0 && written == 0 => Err(Error::Deflate { offset: self.read }),
            Status::Going => Ok(GzipTransition::Next),
        };
        (written, turn)
    }

    fn field(&mut self, input: &mut &[u8]) -> Result<GzipTransition, Error> {
        match self.state {
            State::Fixed => {
                let Some(fixed) = self.take::<10>(input) else { return Ok(GzipTransition::Starved) };
                let [id1, id2, method, flags, ..] = fixed;
                if (id1, id2) != (0x1f, 0x8b) {
                    return Err(self.invalid(Part::Magic));
                }
                if method != 8 {
                    return Err(self.invalid(Part::Method));
                }
                if flags & RESERVED != 0 {
                    return Err(self.invalid(Part::Reserved));
                }
                self.header_crc.reset();
                self.header_crc.update(&fixed);
                self.flags = flags;
                self.after(State::Fixed);
            }
            State::ExtraLength => {
                let Some(length) = self.take::<2>(input) else { return Ok(GzipTransition::Starved) };
                self.header_crc.update(&length);
                self.state = State::Extra(u16::from_le_bytes(length));
            }
            State::Extra(left) => {
                let (extra, rest) = input.split_at(usize::from(left).min(input.len()));
                *input = rest;
                self.header_crc.update(extra);
                let left = left.saturating_sub(u16::try_from(extra.len()).unwrap_or(u16::MAX));
                self.state = State::Extra(left);
                if left > 0 {
                    return Ok(GzipTransition::Starved);
                }
                self.after(State::ExtraLength);
            }
            State::Name(have) => match self.text(have, Part::Name, input)? {
                Some(have) => {
                    self.state = State::Name(have);
                    return Ok(GzipTransition::Starved);
                }
                None => self.after(State::Name(0)),
            },
            State::Comment(have) => match self.text(have, Part::Comment, input)? {
                Some(have) => {
                    self.state = State::Comment(have);
                    return Ok(GzipTransition::Starved);
                }
                None => self.after(State::Comment(0)),
            },
            State::HeaderCrc => {
                let Some(crc) = self.take::<2>(input) else { return Ok(GzipTransition::Starved) };
                if u32::from(u16::from_le_bytes(crc)) != self.header_crc.sum() & 0xffff {
                    return Err(self.invalid(Part::Checksum));
                }
                self.after(State::HeaderCrc);
            }
            State::Body => {}
            State::Trailer => {
                let Some([c0, c1, c2, c3, l0, l1, l2, l3]) = self.take::<8>(input) else {
                    return Ok(GzipTransition::Starved);
                };
                let (expected, got) = (u32::from_le_bytes([c0, c1, c2, c3]), self.crc.sum());
                if expected != got && !self.partial {
                    return Err(Error::GzipChecksum { expected, got });
                }
                let (expected, got) = (u32::from_le_bytes([l0, l1, l2, l3]), self.length);
                if expected != got && !self.partial {
                    return Err(Error::GzipLength { expected, got });
                }
                self.state = State::Fixed;
                return Ok(GzipTransition::Member);
            }
        }
        Ok(GzipTransition::Next)
    }

    /// Moves to the header field after `state`, as the flags say.
    fn after(&mut self, state: State) {
        let rank = match state {
            State::Fixed => 0,
            State::ExtraLength | State::Extra(_) => 1,
            State::Name(_) => 2,
            State::Comment(_) => 3,
            _ => 4,
        };
        let next = [
            (FEXTRA, State::ExtraLength),
            (FNAME, State::Name(0)),
            (FCOMMENT, State::Comment(0)),
            (FHCRC, State::HeaderCrc),
        ];
        self.state =
            next.iter().skip(rank).find(|(flag, _)| self.flags & flag != 0).map_or(State::Body, |(_, state)| *state);
        if self.state == State::Body {
            self.inflate.reset();
            self.crc.reset();
            self.length = 0;
            self.partial = false;
        }
    }

    /// Reads a NUL-terminated text, `have` bytes of which were read before. Returns the new count while the text
    /// continues.
    fn text(&mut self, have: u32, part: Part, input: &mut &[u8]) -> Result<Option<u32>, Error> {
        let room = self.name_bytes.saturating_sub(have) as usize;
        let window = input.get(..room.min(input.len())).unwrap_or_default();
        let end = window.iter().position(|&byte| byte == 0);
        let (text, rest) = input.split_at(end.map_or(window.len(), |at| at + 1));
        *input = rest;
        self.header_crc.update(text);
        match end {
            Some(_) => Ok(None),
            None if text.len() == room => Err(self.invalid(part)),
            None => Ok(Some(have.saturating_add(u32::try_from(text.len()).unwrap_or(u32::MAX)))),
        }
    }

    fn take<const N: usize>(&mut self, input: &mut &[u8]) -> Option<[u8; N]> {
        if !super::gather(&mut self.field, N, input) {
            return None;
        }
        let taken = self.field.first_chunk::<N>().copied();
        self.field.clear();
        taken
    }

    fn invalid(&self, part: Part) -> Error {
        Error::GzipHeader { offset: self.member, part }
    }
}

impl Decode for Gzip {
    fn decode(&mut self, mut input: &[u8], output: &mut [u8]) -> (Decoded, Option<Error>) {
        let length = input.len();
        let mut step = Decoded::default();
        let mut error = None;
        loop {
            let (written, turn) = match self.state {
                State::Body => self.inflate(&mut input, output.get_mut(step.written..).unwrap_or_default()),
                _ => (0, self.frame(&mut input)),
            };
            step.written += written;
            match turn {
                Ok(GzipTransition::Next) => continue,
                Ok(GzipTransition::Starved) => step.starved = true,
                Ok(GzipTransition::Full | GzipTransition::Block) => {}
                Ok(GzipTransition::Member) => (step.starved, step.resumable) = (input.is_empty(), true),
                Err(fault) => error = Some(fault),
            }
            step.read = length - input.len();
            return (step, error);
        }
    }

    fn finish(&self) -> Result<(), Error> {
        // An empty stream is invalid: gzip requires at least one member.
        if self.state == State::Fixed && self.field.is_empty() && self.member > 0 {
            Ok(())
        } else {
            Err(Error::UnexpectedEof { offset: self.read })
        }
    }
}

/// A part of a gzip member's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// ID1 and ID2, the magic number.
    Magic,
    /// CM, which must be 8 (deflate).
    Method,
    /// Reserved bits of FLG, which must be zero.
    Reserved,
    /// The original file name, which is longer than the limit.
    Name,
    /// The comment, which is longer than the limit.
    Comment,
    /// CRC16 of the header, which does not match.
    Checksum,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Magic => "no magic number",
            Self::Method => "unknown compression method",
            Self::Reserved => "reserved flag set",
            Self::Name => "file name too long (limit gzip_name_bytes)",
            Self::Comment => "comment too long (limit gzip_name_bytes)",
            Self::Checksum => "header checksum does not match",
        })
    }
}
