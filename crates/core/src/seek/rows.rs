//! Entries as columns of numbers and text, in groups that are deflated.
//!
//! Neighbours in an archive are alike: names share their beginning, owners and times repeat. So each field of a group's
//! entries is a column of its own, as differences to the entry before.

use flate2::{Compress, Compression, FlushCompress, Status as Packed};

use super::{
    number::{Rest, put, put_signed, put_text},
    piece::{Before, COLUMNS, Pieces},
};
use crate::{
    decode::inflate::{Inflate, Status},
    limits::INDEX_GROUP_BYTES,
    tar::{Entry, EntryAmbiguity, Kind},
};

/// A group is closed when it has this many entries, or columns or names of this many bytes. A lookup inflates a whole group:
/// larger ones would compress a little better and be slower.
const ENTRIES: usize = 1024;
const BYTES: u64 = 64 << 10;
const NAMES: u64 = 512 << 10;

const GROUP_LEVEL: u32 = 4;

/// Maximum number of bytes that one deflated byte unpacks to (RFC 1951: 258 bytes from two bits).
const MOST_INFLATED: usize = 1032;

/// A complete group of entries, as an index holds it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Entries in the groups before this one.
    pub(super) number: u64,
    /// Entries in the group.
    pub(super) count: u32,
    /// Offset in the archive of its first entry's first header.
    pub(super) start: u64,
    /// Bytes of the columns before they were deflated.
    pub(super) length: u32,
    /// The columns, deflated.
    pub(super) packed: Vec<u8>,
    /// SHA-256 of each regular file's content, if such digests are kept.
    pub(super) digests: Vec<u8>,
}

/// A group that is being written.
pub(super) struct Writer {
    columns: [Vec<u8>; COLUMNS],
    count: u32,
    /// Bytes of names and link targets.
    names: u64,
    start: u64,
    before: Before,
    /// Only if batches are wanted.
    pieces: Option<Pieces>,
}

impl Writer {
    /// `batches`: whether the entries are also taken in [batches](Writer::take_batch).
    pub(super) fn new(batches: bool) -> Self {
        let pieces = batches.then(Pieces::default);
        Self { columns: Default::default(), count: 0, names: 0, start: 0, before: Before::default(), pieces }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn push(&mut self, entry: &Entry) {
        if self.count == 0 {
            self.start = entry.header;
            self.before = Before { end: entry.header, ..Before::default() };
        }
        if let Some(pieces) = &mut self.pieces {
            pieces.entry(&self.before);
        }
        let before = &self.before;
        let [
            types,
            ambiguities,
            name_lengths,
            names,
            link_lengths,
            links,
            size,
            mode,
            uid,
            gid,
            mtime,
            nanoseconds,
            device,
            xattrs,
            gap,
            headers,
        ] = &mut self.columns;
        types.push(entry.typeflag);
        let reason = entry.ambiguous.and_then(|reason| EntryAmbiguity::ALL.iter().position(|&known| known == reason));
        ambiguities.push(reason.map_or(0, |place| place as u8 + 1));
        put_shared(&before.name, &entry.path, name_lengths, names);
        put_shared(&before.link, &entry.link, link_lengths, links);
        put(size, entry.size);
        put_signed(mode, entry.mode.wrapping_sub(before.mode));
        put_signed(uid, entry.uid.wrapping_sub(before.uid));
        put_signed(gid, entry.gid.wrapping_sub(before.gid));
        put_signed(mtime, entry.mtime.wrapping_sub(before.mtime));
        put(nanoseconds, u64::from(entry.mtime_nsec));
        put_signed(device, entry.major);
        put_signed(device, entry.minor);
        put(xattrs, entry.xattrs.len() as u64);
        for (name, value) in &entry.xattrs {
            put_text(xattrs, name);
            put_text(xattrs, value);
        }
        put_signed(gap, entry.header.wrapping_sub(before.end) as i64);
        put(headers, entry.offset.saturating_sub(entry.header));
        self.count += 1;
        self.names += (entry.path.len() + entry.link.len()) as u64;
        self.before.set(entry);
    }

    fn length(&self) -> u64 {
        self.columns.iter().map(|column| column.len() as u64).sum()
    }

    pub(super) fn full(&self) -> bool {
        self.count as usize >= ENTRIES || self.names >= NAMES || self.length() >= BYTES
    }

    /// Ends the group, and empties the writer. `entries`: entries of the archive up to the end of this group. `None` if the
    /// group is larger than a reader accepts.
    pub(super) fn close(&mut self, entries: u64) -> Option<Group> {
        let mut columns = Vec::new();
        self.columns.iter().for_each(|column| put(&mut columns, column.len() as u64));
        self.columns.iter().for_each(|column| columns.extend_from_slice(column));
        let (count, names) = (self.count, self.names);
        self.clear();
        let length = u32::try_from(columns.len()).ok()?;
        if u64::from(length) > INDEX_GROUP_BYTES || names > INDEX_GROUP_BYTES {
            return None;
        }
        let packed = Packer::new(GROUP_LEVEL).pack(&columns);
        let number = entries - u64::from(count);
        Some(Group { number, count, start: self.start, length, packed, digests: Vec::new() })
    }

    /// Ends the group, and drops it apart from its batches.
    pub(super) fn clear(&mut self) {
        if let Some(pieces) = &mut self.pieces {
            pieces.cut(&self.columns);
            pieces.restart();
        }
        self.columns.iter_mut().for_each(Vec::clear);
        (self.count, self.names) = (0, 0);
    }

    /// Takes the entries since the last batch, for a [`BatchReader`](super::BatchReader), if they have `bytes` or more.
    pub(super) fn take_batch(&mut self, bytes: usize) -> Option<Vec<u8>> {
        let columns = self.length() as usize;
        let pieces = self.pieces.as_mut()?;
        if pieces.length() + columns - pieces.start() < bytes {
            return None;
        }
        pieces.cut(&self.columns);
        pieces.take()
    }
}

/// Iterator over the entries of a group.
pub(super) struct Rows<'g> {
    columns: [Rest<'g>; COLUMNS],
    left: u64,
    /// Bytes that further names and link targets may take.
    names: u64,
    before: Before,
}

impl Group {
    /// Inflates the columns; `None` if that fails.
    pub(super) fn columns(&self) -> Option<Vec<u8>> {
        inflate(&self.packed, self.length as usize)
    }

    /// Returns the entries in [`Group::columns`]; `None` if the columns do not have their lengths.
    pub(super) fn rows<'c>(&self, columns: &'c [u8]) -> Option<Rows<'c>> {
        let mut rest = Rest(columns);
        let mut lengths = [0; COLUMNS];
        for length in &mut lengths {
            *length = rest.size()?;
        }
        let mut columns = [Rest::default(); COLUMNS];
        for (column, length) in columns.iter_mut().zip(lengths) {
            *column = Rest(rest.take(length)?);
        }
        let before = Before { end: self.start, ..Before::default() };
        rest.0.is_empty().then_some(Rows::new(columns, u64::from(self.count), INDEX_GROUP_BYTES, before))
    }
}

impl<'g> Rows<'g> {
    /// Reads `left` entries from these columns, the first after `before`. Their names and link targets may take `names` bytes.
    pub(super) fn new(columns: [Rest<'g>; COLUMNS], left: u64, names: u64, before: Before) -> Self {
        Self { columns, left, names, before }
    }

    /// The columns, the number of entries that are left, and the entry before them.
    pub(super) fn parts(self) -> ([Rest<'g>; COLUMNS], u64, Before) {
        (self.columns, self.left, self.before)
    }

    /// Whether all entries and all bytes were read.
    pub(super) fn over(&self) -> bool {
        self.left == 0 && self.columns.iter().all(|column| column.0.is_empty())
    }

    /// Reads the next entry; `None` if there is none, or the bytes are malformed.
    pub(super) fn next(&mut self) -> Option<Entry> {
        self.left = self.left.checked_sub(1)?;
        let [
            types,
            ambiguities,
            name_lengths,
            names,
            link_lengths,
            links,
            size,
            mode,
            uid,
            gid,
            mtime,
            nanoseconds,
            device,
            xattrs,
            gap,
            headers,
        ] = &mut self.columns;
        let before = &self.before;
        let typeflag = types.byte()?;
        let ambiguous = match ambiguities.byte()?.checked_sub(1) {
            None => None,
            Some(place) => Some(*EntryAmbiguity::ALL.get(usize::from(place))?),
        };
        let path = text(&before.name, name_lengths, names, &mut self.names)?;
        let link = text(&before.link, link_lengths, links, &mut self.names)?;
        let header = before.end.wrapping_add_signed(gap.signed()?);
        let entry = Entry {
            path,
            kind: Kind::new(typeflag),
            typeflag,
            link,
            size: size.number()?,
            mode: before.mode.wrapping_add(mode.signed()?),
            uid: before.uid.wrapping_add(uid.signed()?),
            gid: before.gid.wrapping_add(gid.signed()?),
            mtime: before.mtime.wrapping_add(mtime.signed()?),
            mtime_nsec: u32::try_from(nanoseconds.number()?).ok()?,
            major: device.signed()?,
            minor: device.signed()?,
            xattrs: attributes(xattrs)?,
            header,
            offset: header.checked_add(headers.number()?)?,
            ambiguous,
        };
        self.before.set(&entry);
        Some(entry)
    }
}

/// Writes a text as the length that it shares with the text before, and the rest.
fn put_shared(before: &[u8], text: &[u8], lengths: &mut Vec<u8>, texts: &mut Vec<u8>) {
    let shared = before.iter().zip(text).take_while(|(a, b)| a == b).count();
    let rest = text.get(shared..).unwrap_or_default();
    put(lengths, shared as u64);
    put(lengths, rest.len() as u64);
    texts.extend_from_slice(rest);
}

/// Reads a text that [`put_shared`] wrote. `room`: bytes that texts may still take.
fn text(before: &[u8], lengths: &mut Rest<'_>, texts: &mut Rest<'_>, room: &mut u64) -> Option<Vec<u8>> {
    let (shared, rest) = (lengths.size()?, lengths.size()?);
    let (shared, rest) = (before.get(..shared)?, texts.take(rest)?);
    *room = room.checked_sub((shared.len() + rest.len()) as u64)?;
    Some([shared, rest].concat())
}

fn attributes(column: &mut Rest<'_>) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let count = column.size()?;
    // An attribute takes at least two bytes, which bounds the allocation.
    let mut attributes = Vec::with_capacity(count.min(column.0.len() / 2));
    for _ in 0..count {
        attributes.push((column.text()?.to_vec(), column.text()?.to_vec()));
    }
    Some(attributes)
}

/// Deflates byte strings, one after another.
pub(super) struct Packer(Compress);

impl Packer {
    pub(super) fn new(level: u32) -> Self {
        Self(Compress::new(Compression::new(level), false))
    }

    pub(super) fn pack(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.0.reset();
        let mut packed = Vec::new();
        let mut rest = bytes;
        loop {
            packed.reserve(rest.len() / 2 + 64);
            let before = self.0.total_in();
            let status = self.0.compress_vec(rest, &mut packed, FlushCompress::Finish);
            rest = rest.get((self.0.total_in() - before) as usize..).unwrap_or_default();
            // The reserved room guarantees progress, so the loop ends.
            if !matches!(status, Ok(Packed::Ok | Packed::BufError)) {
                packed.shrink_to_fit();
                return packed;
            }
        }
    }
}

/// Inflates all of `packed`; `None` if it does not unpack to `length` bytes.
pub(super) fn inflate(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    if length / MOST_INFLATED > packed.len() {
        return None;
    }
    let mut bytes = vec![0; length];
    let mut inflate = Inflate::new();
    let (mut read, mut written) = (0, 0);
    loop {
        let turn = inflate.inflate(packed.get(read..)?, bytes.get_mut(written..)?, false);
        (read, written) = (read + turn.read, written + turn.written);
        match turn.status {
            Status::End => return (read == packed.len() && written == length).then_some(bytes),
            Status::Going if turn.read + turn.written > 0 => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Indexes are kept in files: a reason keeps its number, a new one is added at the end, and any other change needs a new
    /// version of the format.
    #[test]
    fn reasons_keep_their_numbers() {
        let names = [
            "SizeOnNonFile",
            "PaxSize",
            "TwoLongNames",
            "SeveralPaxHeaders",
            "ExtensionWithoutMagic",
            "EmptyExtension",
            "RepeatedPaxRecord",
            "SeveralLongNames",
            "NewlineInName",
            "GlobalHeader",
            "LostExtension",
            "NulInName",
            "TrailingSlash",
            "StrayPrefix",
            "SignedChecksum",
            "Sparse",
            "FractionBefore1970",
            "Number",
        ];
        let known: Vec<String> = EntryAmbiguity::ALL.iter().map(|reason| format!("{reason:?}")).collect();
        assert_eq!(known[..names.len()], names);
    }

    fn entries() -> Vec<Entry> {
        let mut state = 1u64;
        let mut number = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 20
        };
        let mut position = 512;
        (0..1000)
            .map(|n| {
                let mut entry =
                    Entry::new(format!("some/folder/{}/name-{n}", n / 30), Kind::new(b"0123456gx7"[n % 10]));
                entry.typeflag = b"0123456gx7"[n % 10];
                entry.link = format!("target/{}", n % 3).into_bytes();
                entry.size = number();
                // Numbers of any size and sign.
                let mut any = || (number().wrapping_mul(number()) as i64).wrapping_shl(n as u32 % 64);
                (entry.mode, entry.uid, entry.gid) = (any(), any(), any());
                (entry.mtime, entry.major, entry.minor) = (any(), any(), any());
                entry.mtime_nsec = n as u32 * 1_000_000;
                entry.xattrs = (0..n % 3).map(|name| (vec![name as u8; name], vec![0xff; n % 100])).collect();
                entry.ambiguous = n.checked_sub(500).and_then(|n| EntryAmbiguity::ALL.get(n)).copied();
                entry.header = position;
                entry.offset = position + 512 * (1 + number() % 5);
                position = entry.offset + number() % 10_000;
                entry
            })
            .collect()
    }

    #[test]
    fn columns_go_both_ways() {
        let entries = entries();
        let mut writer = Writer::new(false);
        entries.iter().for_each(|entry| writer.push(entry));
        let group = writer.close(1000).expect("a small group");
        assert!(writer.is_empty() && !writer.full());
        assert_eq!((group.number, group.count, group.start), (0, 1000, 512));
        let columns = group.columns().expect("its own bytes");
        let mut rows = group.rows(&columns).expect("its own columns");
        let read: Vec<Entry> = std::iter::from_fn(|| rows.next()).collect();
        assert!(read == entries && rows.over());
    }

    #[test]
    fn only_what_was_deflated_is_inflated() {
        let bytes = vec![7; 5000];
        let packed = Packer::new(1).pack(&bytes);
        assert_eq!(inflate(&packed, 5000), Some(bytes));
        assert_eq!(inflate(&packed, 4999), None);
        assert_eq!(inflate(&packed, 5001), None);
        assert_eq!(inflate(&packed, usize::MAX), None, "nothing is allocated for what cannot be");
        assert_eq!(inflate(&packed[1..], 5000), None);
        assert_eq!(inflate(&[&packed[..], b"x"].concat(), 5000), None);
        assert_eq!(inflate(&Packer::new(4).pack(b""), 0), Some(Vec::new()));
    }
}
