//! The tar scanner: a state machine that takes bytes and emits entries.

mod sparse_map;

use std::mem;

use super::{
    Entry, EntryAmbiguity, EntrySink, Error, Field, Flow, Kind,
    body::{Body, DataPart},
    header::{self, BLOCK, Block, Header, padding},
    pax::Pax,
    pending::Pending,
    sparse::{MapReader, Raw, Segment},
};
use crate::limits::Limits;
use sparse_map::More;

/// Reads an archive pushed in any split.
///
/// [`push`](Scanner::push) all bytes of the archive, then call [`finish`](Scanner::finish). After an error, the end
/// marker or a sink's [`Flow::Stop`], further bytes are only counted.
pub struct Scanner {
    limits: Limits,
    state: State,
    /// The block being filled.
    block: Box<Block>,
    filled: usize,
    /// Position in the archive: bytes consumed so far.
    position: u64,
    /// Start of the current header.
    start: u64,
    /// Start of the current entry's first header.
    first: u64,
    pending: Pending,
    /// Whether a global header has records for the name, size or sparse map of later entries.
    global: bool,
    lost: bool,
    delivered: u64,
    entries: u64,
    ambiguous: u64,
    after_end: u64,
    after_end_data: bool,
}

enum State {
    /// Before a header, or after one block of zeros.
    Header {
        zero: bool,
    },
    /// In the data of an extension (PAX or GNU).
    Extension {
        header: Box<Header>,
        left: u64,
        data: Vec<u8>,
    },
    /// In the extension blocks of a GNU sparse map.
    GnuMap {
        entry: Box<Upcoming>,
        map: Vec<Raw>,
        blocks: u64,
    },
    /// In the blocks before the data that hold the map of a PAX sparse file.
    PaxMap {
        entry: Box<Upcoming>,
        reader: MapReader,
    },
    Body(Body),
    Padding(u64),
    /// After the end marker.
    End,
    /// The sink returned [`Flow::Stop`].
    Stopped,
    Failed(Error),
}

/// An entry whose sparse map is incomplete.
struct Upcoming {
    header: Header,
    nanoseconds: u32,
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    ambiguous: Option<EntryAmbiguity>,
    /// Bytes of map and data in the archive.
    stored: u64,
    left: u64,
}

/// Go's zero time, which it reports for an entry without a time: the first second of year 1.
const NO_TIME: i64 = -62_135_596_800;

/// Data of a hole.
static ZEROS: [u8; 32 << 10] = [0; 32 << 10];

impl Scanner {
    /// A scanner at the start of an archive.
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: *limits,
            state: State::Header { zero: false },
            block: Box::new([0; BLOCK]),
            filled: 0,
            position: 0,
            start: 0,
            first: 0,
            pending: Pending::default(),
            global: false,
            lost: false,
            delivered: 0,
            entries: 0,
            ambiguous: 0,
            after_end: 0,
            after_end_data: false,
        }
    }

    /// Takes the next bytes of the archive and passes entries and data to the sink.
    ///
    /// # Errors
    ///
    /// The reason why the archive is invalid, at the same place as in Go's reader, or the limit that it exceeds.
    /// Entries emitted before the error stay valid; there will be no more.
    pub fn push(&mut self, mut bytes: &[u8], sink: &mut impl EntrySink) -> Result<(), Error> {
        loop {
            match self.turn(&mut bytes, sink) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => {
                    self.state = State::Failed(error.clone());
                    return Err(error);
                }
            }
        }
    }

    /// Skips up to `most` bytes of data that the sink does not want, so that a seekable source need not read them.
    /// Returns the number skipped.
    pub fn skip(&mut self, most: u64) -> u64 {
        let State::Body(body) = &mut self.state else { return 0 };
        let bytes = most.min(body.skippable());
        body.data(bytes);
        self.position += bytes;
        bytes
    }

    /// Checks that the archive may end here.
    ///
    /// # Errors
    ///
    /// [`Error::UnexpectedEof`] inside a header or data; the error of [`push`](Scanner::push) if there was one.
    pub fn finish(&mut self) -> Result<(), Error> {
        let whole = match &self.state {
            State::Header { .. } => self.filled == 0,
            State::Padding(_) | State::End | State::Stopped => true,
            State::Failed(error) => return Err(error.clone()),
            State::Extension { .. } | State::GnuMap { .. } | State::PaxMap { .. } | State::Body(_) => false,
        };
        if whole { Ok(()) } else { Err(Error::UnexpectedEof { offset: self.position }) }
    }

    /// Entries emitted so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Emitted entries with an [`EntryAmbiguity`].
    pub fn ambiguous(&self) -> u64 {
        self.ambiguous
    }

    /// Bytes after the end marker.
    pub fn after_end(&self) -> u64 {
        self.after_end
    }

    /// Whether a byte after the end marker is not zero. Some readers continue there.
    pub fn after_end_data(&self) -> bool {
        self.after_end_data
    }

    /// One transition of the machine. `false` if it needs more bytes.
    fn turn(&mut self, bytes: &mut &[u8], sink: &mut impl EntrySink) -> Result<bool, Error> {
        match &mut self.state {
            State::Header { zero } => {
                let zero = *zero;
                if self.filled == 0 {
                    self.start = self.position;
                    if self.pending.is_empty() {
                        self.first = self.position;
                    }
                }
                if self.fill(bytes) { self.header_block(zero, sink)? } else { return Ok(false) }
            }
            State::Extension { left, data, .. } => {
                let limit = self.limits.extension_bytes;
                let chunk = take(bytes, *left);
                self.position += chunk.len() as u64;
                *left -= chunk.len() as u64;
                data.extend_from_slice(chunk);
                if data.len() as u64 > limit {
                    return Err(Error::FieldTooLong { offset: self.start, limit });
                }
                if *left > 0 {
                    return Ok(false);
                }
                self.extension(sink)?;
            }
            State::GnuMap { .. } => {
                if self.fill(bytes) {
                    self.gnu_map(sink)?
                } else {
                    return Ok(false);
                }
            }
            State::PaxMap { entry, .. } => {
                if entry.left < BLOCK as u64 {
                    return Err(Error::UnexpectedEof { offset: self.position });
                }
                if self.fill(bytes) { self.pax_map(sink)? } else { return Ok(false) }
            }
            State::Body(_) => return self.body(bytes, sink),
            State::Padding(left) => {
                let chunk = take(bytes, *left).len() as u64;
                self.position += chunk;
                *left -= chunk;
                if *left > 0 {
                    return Ok(false);
                }
                self.state = State::Header { zero: false };
            }
            State::End => {
                self.position += bytes.len() as u64;
                self.after_end += bytes.len() as u64;
                if !self.after_end_data {
                    self.after_end_data = bytes.iter().fold(0, |any, byte| any | byte) != 0;
                }
                *bytes = &[];
                return Ok(false);
            }
            State::Stopped => {
                self.position += bytes.len() as u64;
                *bytes = &[];
                return Ok(false);
            }
            State::Failed(error) => return Err(error.clone()),
        }
        Ok(true)
    }

    /// Fills the block. Returns whether it is full.
    fn fill(&mut self, bytes: &mut &[u8]) -> bool {
        let chunk = take(bytes, (BLOCK - self.filled) as u64);
        if let Some(room) = self.block.get_mut(self.filled..self.filled + chunk.len()) {
            room.copy_from_slice(chunk);
        }
        self.filled += chunk.len();
        self.position += chunk.len() as u64;
        if self.filled < BLOCK {
            return false;
        }
        self.filled = 0;
        true
    }

    fn header_block(&mut self, zero: bool, sink: &mut impl EntrySink) -> Result<(), Error> {
        if header::is_zero(&self.block) {
            self.state = if zero { State::End } else { State::Header { zero: true } };
            return Ok(());
        }
        if zero {
            return Err(self.invalid(Field::LoneZeroBlock));
        }
        let header = Header::parse(&self.block).map_err(|field| self.invalid(field))?;
        let stored = self.stored(&header)?;
        match header.typeflag {
            b'x' | b'g' | b'L' | b'K' => {
                self.state = State::Extension { header: Box::new(header), left: stored, data: Vec::new() };
                Ok(())
            }
            _ => self.entry_header(header, sink),
        }
    }

    /// Bytes of data after a header.
    fn stored(&self, header: &Header) -> Result<u64, Error> {
        if Kind::new(header.typeflag).header_only() {
            return Ok(0);
        }
        u64::try_from(header.size).map_err(|_| self.invalid(Field::Size))
    }

    /// Handles the complete data of an extension.
    fn extension(&mut self, sink: &mut impl EntrySink) -> Result<(), Error> {
        let State::Extension { header, data, .. } = mem::replace(&mut self.state, State::End) else { return Ok(()) };
        self.state = State::Padding(padding(data.len() as u64));
        if matches!(header.typeflag, b'L' | b'K') {
            self.pending.long_name(&data, &header);
            return Ok(());
        }
        let pax = Pax::parse(&data).map_err(|invalid| Error::Header {
            offset: self.start + BLOCK as u64 + invalid.at as u64,
            field: Field::PaxRecord(invalid.number),
        })?;
        if header.typeflag == b'x' {
            self.pending.pax_header(pax, &header);
            return Ok(());
        }
        // Go emits a global header as an entry, does not apply it, and drops the extensions before it.
        let pending = mem::take(&mut self.pending);
        self.lost |= !pending.is_empty();
        self.global |= pax.matters();
        let entry = Entry {
            path: pax.path().map_or(header.name, <[u8]>::to_vec),
            kind: Kind::Global,
            typeflag: b'g',
            link: Vec::new(),
            size: 0,
            mode: 0,
            uid: 0,
            gid: 0,
            mtime: NO_TIME,
            mtime_nsec: 0,
            major: 0,
            minor: 0,
            // A global header is not ambiguous; the entries that it affects are.
            ambiguous: None,
            xattrs: pax.into_xattrs(),
            header: self.first,
            offset: self.position,
        };
        self.give(entry, Body::new(data.len() as u64, 0), sink)
    }

    /// Handles a header that is not an extension: with the extensions before it, it makes an entry.
    fn entry_header(&mut self, mut header: Header, sink: &mut impl EntrySink) -> Result<(), Error> {
        let pending = mem::take(&mut self.pending);
        let follows_global = self.lost.then_some(EntryAmbiguity::LostExtension);
        let follows_global = follows_global.or_else(|| self.global.then_some(EntryAmbiguity::GlobalHeader));
        let mut ambiguous = pending.ambiguity(&header).or(follows_global);
        let mut nanoseconds = 0;
        if let Some(pax) = &pending.pax {
            nanoseconds = pax.merge(&mut header).map_err(|field| self.invalid(field))?;
        }
        if !pending.name.is_empty() {
            header.name = pending.name;
        }
        if !pending.link.is_empty() {
            header.link = pending.link;
        }
        let slash = header.name.ends_with(b"/");
        if slash && matches!(header.typeflag, 0 | b'0') && header.name.iter().any(|&byte| byte != b'/') {
            ambiguous = ambiguous.or(Some(EntryAmbiguity::TrailingSlash));
        }
        if header.name.is_empty() {
            ambiguous = ambiguous.or(Some(EntryAmbiguity::NoName));
        }
        if header.typeflag == 0 {
            // Archives older than POSIX mark a directory by a trailing slash.
            header.typeflag = if slash { b'5' } else { b'0' };
        }
        let stored = self.stored(&header)?;
        if Kind::new(header.typeflag).header_only() && header.size != 0 {
            ambiguous = Some(EntryAmbiguity::SizeOnNonFile);
        }
        let map = self.sparse(&mut header, pending.pax.as_ref())?;
        let xattrs = pending.pax.map(Pax::into_xattrs).unwrap_or_default();
        let entry = Upcoming { header, nanoseconds, xattrs, ambiguous, stored, left: stored };
        match map {
            None => self.emit(entry, None, sink),
            Some((map, More::No)) => self.emit_sparse(entry, &map, sink),
            Some((map, More::Blocks)) => {
                self.state = State::GnuMap { entry: Box::new(entry), map, blocks: 0 };
                Ok(())
            }
            Some((_, More::Data)) => {
                self.state = State::PaxMap { entry: Box::new(entry), reader: MapReader::default() };
                Ok(())
            }
        }
    }

    fn emit(
        &mut self,
        upcoming: Upcoming,
        segments: Option<Vec<Segment>>,
        sink: &mut impl EntrySink,
    ) -> Result<(), Error> {
        let Upcoming { header, nanoseconds, xattrs, ambiguous, stored, left } = upcoming;
        // Only entries without data can have a negative size, which is meaningless.
        let size = u64::try_from(header.size).unwrap_or(0);
        let entry = Entry {
            path: header.name,
            kind: Kind::new(header.typeflag),
            typeflag: header.typeflag,
            link: header.link,
            size,
            mode: header.mode,
            uid: header.uid,
            gid: header.gid,
            mtime: header.mtime,
            mtime_nsec: nanoseconds,
            major: header.major,
            minor: header.minor,
            xattrs,
            header: self.first,
            offset: self.position,
            ambiguous,
        };
        let body = Body::new(stored, left);
        match segments {
            Some(segments) => self.give(entry, body.sparse(size, segments), sink),
            None => self.give(entry, body, sink),
        }
    }

    fn give(&mut self, entry: Entry, mut body: Body, sink: &mut impl EntrySink) -> Result<(), Error> {
        let (limit, length) = (self.limits.path_bytes, entry.path.len().max(entry.link.len()) as u64);
        if length > limit {
            return Err(Error::NameTooLong { offset: self.start, length, limit });
        }
        if self.entries >= self.limits.entries {
            return Err(Error::TooManyEntries { limit: self.limits.entries });
        }
        self.entries += 1;
        self.ambiguous += u64::from(entry.ambiguous.is_some());
        if entry.kind != Kind::Global {
            self.lost = false;
        }
        self.state = match sink.entry(entry) {
            Flow::Stop => State::Stopped,
            flow => {
                body.wanted = flow == Flow::WantData;
                State::Body(body)
            }
        };
        Ok(())
    }

    /// One step through the data of an entry. Returns whether there is more to do.
    fn body(&mut self, bytes: &mut &[u8], sink: &mut impl EntrySink) -> Result<bool, Error> {
        let State::Body(body) = &mut self.state else { return Ok(true) };
        let mut flow = Flow::Continue;
        match body.next(self.position)? {
            DataPart::End => {
                if body.wanted {
                    sink.end_of_data();
                }
                self.state = State::Padding(body.padding);
                return Ok(true);
            }
            DataPart::Data(most) => {
                let chunk = take(bytes, most);
                if chunk.is_empty() {
                    return Ok(false);
                }
                self.position += chunk.len() as u64;
                body.data(chunk.len() as u64);
                if body.wanted {
                    self.delivered += chunk.len() as u64;
                    flow = sink.data(chunk);
                }
            }
            DataPart::Hole(length) if !body.wanted => body.hole(length),
            DataPart::Hole(length) => {
                let limit = self.limits.unpacked_bytes;
                if length > limit.saturating_sub(self.delivered) {
                    return Err(Error::TooMuchData { limit });
                }
                let ratio = self.limits.expansion_ratio;
                if self.delivered > self.limits.expansion_grace && self.delivered / ratio.max(1) > self.position {
                    return Err(Error::Expansion { limit: ratio });
                }
                let chunk = length.min(ZEROS.len() as u64);
                body.hole(chunk);
                self.delivered += chunk;
                flow = sink.data(ZEROS.get(..chunk as usize).unwrap_or_default());
            }
        }
        if flow == Flow::Stop {
            self.state = State::Stopped;
        }
        Ok(true)
    }

    fn invalid(&self, field: Field) -> Error {
        Error::Header { offset: self.start, field }
    }
}

fn take<'b>(bytes: &mut &'b [u8], most: u64) -> &'b [u8] {
    let n = usize::try_from(most).unwrap_or(usize::MAX).min(bytes.len());
    let (head, rest) = bytes.split_at(n);
    *bytes = rest;
    head
}
