//! Searches the lines of one stream of bytes.

use super::{LINE_BYTES, OVERLAP_BYTES, SHOWN_BYTES, SearchPattern, TextEncoding};
use regex_automata::{Anchored, Input, Match, PatternID, meta::Cache};
use std::ops::Range;

/// A line that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedLine {
    /// Its number, counted from 1. Lines end at line feeds.
    pub number: u64,
    /// Where the first match of the line starts, in bytes from the start of the data.
    pub offset: u64,
    /// The line without its line feed; at most [`SHOWN_BYTES`] around the match. UTF-16 is converted to UTF-8.
    pub text: Vec<u8>,
    /// Where the first match is in `text`.
    pub range: Range<usize>,
    /// Whether `text` starts after the start of the line, and whether it stops before its end.
    pub cut: (bool, bool),
    /// How the match is encoded in the file.
    pub encoding: TextEncoding,
}

/// Searches one stream after the other: [`push`](Self::push) takes the data in any split, [`end`](Self::end) ends a stream. Both give
/// matching lines to `found`, in order, each line once.
#[derive(Debug)]
pub struct LineSearch {
    pattern: SearchPattern,
    cache: Cache,
    window: usize,
    overlap: usize,
    buffer: Vec<u8>,
    state: State,
}

/// Where in the stream the buffer starts.
#[derive(Clone, Copy, Debug)]
struct State {
    /// The number of the line.
    line: u64,
    /// Bytes before the buffer.
    offset: u64,
    /// The first byte of the buffer is only context: it belongs to a line whose start was dropped.
    within: bool,
    /// The line that the buffer starts in is reported already.
    reported: bool,
}

impl State {
    const START: Self = Self { line: 1, offset: 0, within: false, reported: false };
}

impl LineSearch {
    /// A search for a pattern.
    pub fn new(pattern: &SearchPattern) -> Self {
        Self::with(pattern, LINE_BYTES, OVERLAP_BYTES)
    }

    pub(super) fn with(pattern: &SearchPattern, window: usize, overlap: usize) -> Self {
        let cache = pattern.regex.create_cache();
        Self { pattern: pattern.clone(), cache, window, overlap, buffer: Vec::new(), state: State::START }
    }

    /// Searches the next bytes of the file; `found` gets each line that matches.
    pub fn push(&mut self, mut data: &[u8], found: &mut impl FnMut(MatchedLine)) {
        while !data.is_empty() {
            // The buffer is searched when it is full and not before, so that the split of the data does not matter.
            let (now, later) = data.split_at(data.len().min(self.window - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            data = later;
            if self.buffer.len() == self.window {
                self.search_full(found);
            }
        }
    }

    /// Ends the stream. The next data is that of another one.
    pub fn end(&mut self, found: &mut impl FnMut(MatchedLine)) {
        self.search_lines(self.buffer.len(), found);
        self.reset();
    }

    /// Drops the stream without searching the rest.
    pub fn reset(&mut self) {
        self.buffer.clear();
        self.state = State::START;
    }

    fn search_full(&mut self, found: &mut impl FnMut(MatchedLine)) {
        if let Some(end) = memchr::memrchr(b'\n', &self.buffer) {
            self.search_lines(end + 1, found);
            self.drop_front(end + 1);
            self.state = State { within: false, reported: false, ..self.state };
            return;
        }
        // A line longer than the buffer. The last byte is only context: whatever matches there is in the next piece as well.
        let first = usize::from(self.state.within);
        let last = self.buffer.len() - 1;
        if !self.state.reported
            && let Some(hit) = self.find(self.buffer.len(), first..last)
        {
            found(self.line(&hit, 0..self.buffer.len(), self.state.line, (self.state.within, true)));
            self.state.reported = true;
        }
        let kept = if self.state.reported { 1 } else { self.overlap + 1 };
        self.drop_front(self.buffer.len() - kept);
        self.state.within = true;
    }

    /// Searches whole lines: the buffer up to `end`.
    fn search_lines(&mut self, end: usize, found: &mut impl FnMut(MatchedLine)) {
        let mut at = usize::from(self.state.within);
        if self.state.reported {
            at = memchr::memchr(b'\n', &self.buffer[..end]).map_or(end, |feed| feed + 1);
        }
        let (mut number, mut counted) = (self.state.line, 0);
        while at < end
            && let Some(hit) = self.find(end, at..end)
        {
            let (start, stop) = self.bounds(hit.start(), end);
            if start == end {
                // There is no line after the last line feed.
                break;
            }
            number += feeds(&self.buffer[counted..start]);
            counted = start;
            let cut = self.state.within && start == 0;
            found(self.line(&hit, start..stop, number, (cut, false)));
            at = stop + 1;
        }
        self.state.line = number + feeds(&self.buffer[counted..end]);
    }

    /// The line in which a position is.
    fn bounds(&self, position: usize, end: usize) -> (usize, usize) {
        let start = memchr::memrchr(b'\n', &self.buffer[..position]).map_or(0, |feed| feed + 1);
        let stop = memchr::memchr(b'\n', &self.buffer[position..end]).map_or(end, |feed| position + feed);
        (start, stop)
    }

    /// Finds the first match in `range`. Anchors also see the bytes around it, up to `end`.
    fn find(&mut self, end: usize, range: Range<usize>) -> Option<Match> {
        let input = Input::new(&self.buffer[..end]).range(range);
        let hit = self.pattern.regex.search_with(&mut self.cache, &input)?;
        if self.is_aligned(&hit) {
            return Some(hit);
        }
        // ASCII text in UTF-16 of one byte order, shifted by one byte, reads as text in the other.
        let other = Anchored::Pattern(PatternID::must(3 - hit.pattern().as_usize()));
        let places = [hit.start(), hit.start() + 1].into_iter().filter(|start| *start <= input.end());
        let aligned = places.filter_map(|start| {
            let input = input.clone().range(start..input.end()).anchored(other);
            self.pattern.regex.search_with(&mut self.cache, &input)
        });
        let aligned: Vec<_> = aligned.collect();
        Some(aligned.into_iter().find(|hit| self.is_aligned(hit)).unwrap_or(hit))
    }

    /// Whether the characters of a match in UTF-16 are at even places of the file, as they are in any file of such text.
    fn is_aligned(&self, hit: &Match) -> bool {
        // In little endian an anchor takes one byte of the line feed before.
        let before = if hit.pattern().as_usize() == 1 { hit.len() % 2 } else { 0 };
        let start = self.state.offset + (hit.start() + before) as u64;
        hit.pattern().as_usize() == 0 || start.is_multiple_of(2)
    }

    fn drop_front(&mut self, bytes: usize) {
        self.buffer.drain(..bytes);
        self.state.offset += bytes as u64;
    }

    fn line(&self, hit: &Match, line: Range<usize>, number: u64, cut: (bool, bool)) -> MatchedLine {
        let offset = self.state.offset + hit.start() as u64;
        let (shown, range) = excerpt(line.clone(), hit.range());
        let cut = (cut.0 || shown.start > line.start, cut.1 || shown.end < line.end);
        let encoding = match hit.pattern().as_usize() {
            0 => TextEncoding::Bytes,
            1 => TextEncoding::Utf16Le,
            _ => TextEncoding::Utf16Be,
        };
        let bytes = &self.buffer;
        let (text, range) = match encoding {
            TextEncoding::Bytes => (bytes[shown.clone()].to_vec(), range.start - shown.start..range.end - shown.start),
            wide => narrow(bytes, shown, range, wide == TextEncoding::Utf16Be),
        };
        MatchedLine { number, offset, text, range, cut, encoding }
    }
}

/// The part of a line that is shown, and the part of the match that is in it.
fn excerpt(line: Range<usize>, hit: Range<usize>) -> (Range<usize>, Range<usize>) {
    if line.len() <= SHOWN_BYTES {
        return (line, hit);
    }
    let hit = hit.start..hit.end.min(hit.start + SHOWN_BYTES);
    let around = SHOWN_BYTES - hit.len();
    let start = hit.start.saturating_sub(around / 2).max(line.start).min(line.end - SHOWN_BYTES);
    let start = start.min(hit.start);
    (start..(start + SHOWN_BYTES).min(line.end), hit)
}

/// Converts the shown part of a line, aligned with the match.
fn narrow(bytes: &[u8], shown: Range<usize>, hit: Range<usize>, big_endian: bool) -> (Vec<u8>, Range<usize>) {
    // An anchor may have taken one byte of a line feed into the match.
    let hit = match (hit.len() % 2, big_endian) {
        (0, _) => hit,
        (_, false) => hit.start + 1..hit.end,
        (_, true) => hit.start..hit.end - 1,
    };
    let decode = |bytes: &[u8]| {
        let units = bytes.as_chunks().0.iter().map(|pair| match big_endian {
            true => u16::from_be_bytes(*pair),
            false => u16::from_le_bytes(*pair),
        });
        let text = char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER));
        text.filter(|character| *character != '\u{feff}').collect::<String>()
    };
    let before = &bytes[shown.start.min(hit.start)..hit.start];
    let mut text = decode(&before[before.len() % 2..]);
    let start = text.len();
    text += &decode(&bytes[hit.clone()]);
    let end = text.len();
    text += &decode(&bytes[hit.end..shown.end.max(hit.end)]);
    (text.into_bytes(), start..end)
}

fn feeds(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
