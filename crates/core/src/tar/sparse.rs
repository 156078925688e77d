//! Sparse files: GNU's header format, and the three forms that GNU tar writes as PAX records.

use super::{
    error::Field,
    header::{BLOCK, Block, integer, number},
};

/// A run of data in the logical file. The gaps between segments are holes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) start: u64,
    pub(super) length: u64,
}

impl Segment {
    /// The offset after the segment. A checked map keeps it within `i64`.
    pub(super) fn end(self) -> u64 {
        self.start + self.length
    }
}

/// Where the map of a PAX sparse file is stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Map {
    /// In the records (versions 0.0 and 0.1).
    Records,
    /// In front of the data (version 1.0).
    Data,
}

/// The `GNU.sparse.*` records of an entry.
#[derive(Debug, Default)]
pub(super) struct PaxSparse {
    /// Whether there is any such record.
    pub(super) any: bool,
    major: Vec<u8>,
    minor: Vec<u8>,
    name: Vec<u8>,
    size: Vec<u8>,
    real_size: Vec<u8>,
    segments: Vec<u8>,
    map: Vec<u8>,
    /// Offsets and lengths of version 0.0, one record each.
    pairs: Vec<Vec<u8>>,
}

impl PaxSparse {
    /// Stores a record. Returns whether it is allowed at this position.
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8]) -> bool {
        self.any = true;
        let field = match name {
            b"major" => &mut self.major,
            b"minor" => &mut self.minor,
            b"name" => &mut self.name,
            b"size" => &mut self.size,
            b"realsize" => &mut self.real_size,
            b"numblocks" => &mut self.segments,
            b"map" => &mut self.map,
            b"offset" | b"numbytes" => {
                let offset_next = self.pairs.len().is_multiple_of(2);
                if offset_next != (name == b"offset") || value.contains(&b',') {
                    return false;
                }
                self.pairs.push(value.to_vec());
                return true;
            }
            _ => return true,
        };
        *field = value.to_vec();
        true
    }

    /// Ends the records: converts the pairs of version 0.0 to the map of version 0.1.
    pub(super) fn end(&mut self) {
        if !self.pairs.is_empty() {
            self.map = std::mem::take(&mut self.pairs).join(&b',');
        }
    }

    /// Where the map is stored, if the version is a known one.
    pub(super) fn kind(&self) -> Option<Map> {
        match (self.major.as_slice(), self.minor.as_slice()) {
            (b"0", b"0" | b"1") => Some(Map::Records),
            (b"1", b"0") => Some(Map::Data),
            (b"", b"") if !self.map.is_empty() => Some(Map::Records),
            _ => None,
        }
    }

    pub(super) fn name(&self) -> Option<&[u8]> {
        Some(self.name.as_slice()).filter(|name| !name.is_empty())
    }

    /// Logical size, if a record states it.
    pub(super) fn size(&self) -> Result<Option<i64>, Field> {
        match [&self.size, &self.real_size].into_iter().find(|size| !size.is_empty()) {
            Some(size) => integer(size).map(Some).ok_or(Field::PaxValue("sparse size")),
            None => Ok(None),
        }
    }

    /// The map in the records. `Ok(None)` if it has more than `limit` segments.
    pub(super) fn map(&self, limit: usize) -> Result<Option<Vec<Raw>>, Field> {
        let count = integer(&self.segments).and_then(|n| usize::try_from(n).ok()).ok_or(Field::SparseMap)?;
        let numbers = match self.map.as_slice() {
            b"" => 0,
            map => map.iter().filter(|&&byte| byte == b',').count() + 1,
        };
        if count.checked_mul(2) != Some(numbers) {
            return Err(Field::SparseMap);
        }
        if count > limit {
            return Ok(None);
        }
        let mut numbers = self.map.split(|&byte| byte == b',').map(|text| integer(text).ok_or(Field::SparseMap));
        let mut map = Vec::with_capacity(count);
        for _ in 0..count {
            let (Some(start), Some(length)) = (numbers.next(), numbers.next()) else { return Err(Field::SparseMap) };
            map.push((start?, length?));
        }
        Ok(Some(map))
    }
}

/// Offset and length of a segment as stored, not yet checked.
pub(super) type Raw = (i64, i64);

/// Checks a map against the logical size: segments in order, within the file, not overlapping. Empty segments are
/// dropped.
pub(super) fn check(map: &[Raw], size: i64) -> Result<Vec<Segment>, Field> {
    let mut segments = Vec::with_capacity(map.len());
    let mut end = 0;
    if size < 0 {
        return Err(Field::SparseMap);
    }
    for &(start, length) in map {
        let stop = start.checked_add(length).filter(|stop| *stop <= size && start >= end).ok_or(Field::SparseMap)?;
        if length < 0 {
            return Err(Field::SparseMap);
        }
        if length > 0 {
            segments.push(Segment { start: start.unsigned_abs(), length: length.unsigned_abs() });
        }
        end = stop;
    }
    Ok(segments)
}

/// Bytes of the map in a GNU sparse header.
pub(super) const GNU_HEADER_MAP: u64 = 97;

/// Logical size in an old GNU sparse header.
pub(super) fn gnu_size(block: &Block) -> Option<i64> {
    number(&block[483..495])
}

/// Adds the segments in a header. Returns whether an extension block follows.
pub(super) fn gnu_header(block: &Block, map: &mut Vec<Raw>) -> Result<bool, Field> {
    segments(&block[386..482], map)?;
    Ok(block[482] > 0)
}

/// Adds the segments in an extension block. Returns whether another follows.
pub(super) fn gnu_extension(block: &Block, map: &mut Vec<Raw>) -> Result<bool, Field> {
    segments(&block[..504], map)?;
    Ok(block[504] > 0)
}

fn segments(entries: &[u8], map: &mut Vec<Raw>) -> Result<(), Field> {
    for entry in entries.chunks_exact(24) {
        let (start, length) = entry.split_at(12);
        if start.first() == Some(&0) {
            break;
        }
        map.push((number(start).ok_or(Field::SparseMap)?, number(length).ok_or(Field::SparseMap)?));
    }
    Ok(())
}

/// Parses the map of version 1.0, stored in whole blocks before the data: decimal lines, starting with their count.
#[derive(Debug, Default)]
pub(super) struct MapReader {
    line: Vec<u8>,
    count: Option<u64>,
    numbers: Vec<i64>,
    blocks: u64,
}

/// Result of adding a block to a map.
pub(super) enum MapStep {
    More,
    Done(Vec<Raw>),
    /// The map exceeds the limit; holds the limit and its unit.
    TooLong(u64, &'static str),
}

impl MapReader {
    pub(super) fn block(&mut self, block: &Block, bytes: u64, segments: u32) -> Result<MapStep, Field> {
        for &byte in block {
            if byte != b'\n' {
                self.line.push(byte);
                continue;
            }
            let number = integer(&self.line);
            self.line.clear();
            match self.count {
                None => {
                    let count = number.and_then(|n| u64::try_from(n).ok()).filter(|n| *n <= i64::MAX as u64 / 2);
                    self.count = Some(count.ok_or(Field::SparseMap)?);
                }
                // Like Go, validate only when all lines have been read.
                Some(_) => self.numbers.push(number.unwrap_or(-1)),
            }
            let wanted = self.count.unwrap_or(0).saturating_mul(2);
            if self.numbers.len() as u64 >= wanted {
                return Ok(MapStep::Done(self.numbers.chunks_exact(2).filter_map(pair).collect()));
            }
        }
        self.blocks += 1;
        if (self.blocks + 1) * BLOCK as u64 > bytes {
            return Ok(MapStep::TooLong(bytes, "bytes"));
        }
        if self.numbers.len() as u64 > 2 * u64::from(segments) {
            return Ok(MapStep::TooLong(u64::from(segments), "segments"));
        }
        Ok(MapStep::More)
    }
}

fn pair(numbers: &[i64]) -> Option<Raw> {
    match numbers {
        [start, length] => Some((*start, *length)),
        _ => None,
    }
}
