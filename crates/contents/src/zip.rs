//! The central directory of a zip archive (APPNOTE 6.3.10, 4.3.12): stored and deflated members.

use flate2::read::DeflateDecoder;
use porthole_core::calendar;
use std::io::Read as _;

const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";
const MEMBER: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// Of the record at the end, without its comment; of what comes before it in a large archive.
const END_BYTES: usize = 22;
const LOCATOR_64_BYTES: usize = 20;
const END_64_BYTES: usize = 56;
const MEMBER_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;
/// The last bytes of an archive that may contain the end record, for a comment of any length.
pub(crate) const TAIL: u64 = (END_BYTES + u16::MAX as usize + LOCATOR_64_BYTES + END_64_BYTES) as u64;

/// Where the directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DirectoryPlace {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) count: u64,
}

/// Reads the record at the end of an archive of `size` bytes. `None` if there is no such record in its last bytes.
pub(crate) fn place(tail: &[u8], size: u64) -> Option<DirectoryPlace> {
    let last = tail.len().checked_sub(END_BYTES)?;
    let first = last.saturating_sub(usize::from(u16::MAX));
    let at = (first..=last).rev().find(|&at| tail[at..].starts_with(&END))?;
    let large = at.checked_sub(LOCATOR_64_BYTES).filter(|&locator| tail[locator..].starts_with(&LOCATOR_64));
    // The locator's offset is wrong if bytes were prepended to the archive.
    let large =
        large.and_then(|locator| locator.checked_sub(END_64_BYTES)).filter(|&end| tail[end..].starts_with(&END_64));
    let (end, count, length) = match large {
        Some(end) => (end, quad(tail, end + 32)?, quad(tail, end + 40)?),
        None => (at, short(tail, at + 10)?.into(), long(tail, at + 12)?.into()),
    };
    // The directory ends where this record starts.
    let offset = (size - tail.len() as u64 + end as u64).checked_sub(length)?;
    Some(DirectoryPlace { offset, length, count })
}

/// The members of an archive. Ends at the first one that is malformed.
pub(crate) struct Directory<'a> {
    rest: &'a [u8],
    left: u64,
}

/// A member of an archive.
pub(crate) struct ZipEntry<'a> {
    pub(crate) name: &'a [u8],
    /// Bytes, unpacked and as stored.
    pub(crate) size: u64,
    pub(crate) packed: u64,
    /// Seconds since 1970, in local time unless an extension states it in UTC.
    pub(crate) modified: Option<i64>,
    method: u16,
    local: u64,
}

impl<'a> Directory<'a> {
    /// Reads the bytes of a directory.
    pub(crate) fn new(bytes: &'a [u8], count: u64) -> Self {
        Self { rest: bytes, left: count }
    }

    /// The directory of an archive. `None` if it has none.
    pub(crate) fn of(archive: &'a [u8]) -> Option<Self> {
        let DirectoryPlace { offset, length, count } = place(archive, archive.len() as u64)?;
        let start = usize::try_from(offset).ok()?;
        Some(Self::new(archive.get(start..start.checked_add(usize::try_from(length).ok()?)?)?, count))
    }
}

impl<'a> Iterator for Directory<'a> {
    type Item = ZipEntry<'a>;

    fn next(&mut self) -> Option<ZipEntry<'a>> {
        self.left = self.left.checked_sub(1)?;
        let header = self.rest;
        if !header.starts_with(&MEMBER) {
            return None;
        }
        let [name, extra, comment] = [28, 30, 32].map(|at| short(header, at).map(usize::from));
        let (end, extra) = (MEMBER_BYTES + name?, extra?);
        self.rest = header.get(end + extra + comment?..)?;
        let mut entry = ZipEntry {
            name: header.get(MEMBER_BYTES..end)?,
            size: long(header, 24)?.into(),
            packed: long(header, 20)?.into(),
            modified: dos_time(short(header, 14)?, short(header, 12)?),
            method: short(header, 10)?,
            local: long(header, 42)?.into(),
        };
        entry.extend(header.get(end..end + extra)?);
        Some(entry)
    }
}

impl ZipEntry<'_> {
    /// Reads the fields behind the name: large numbers (4.5.3) and Unix times of Info-ZIP.
    fn extend(&mut self, mut extra: &[u8]) {
        while let (Some(kind), Some(length)) = (short(extra, 0), short(extra, 2)) {
            let Some((field, rest)) = extra[4..].split_at_checked(length.into()) else { return };
            extra = rest;
            match kind {
                1 => {
                    let mut numbers = (0..field.len() / 8).filter_map(|at| quad(field, at * 8));
                    for number in [&mut self.size, &mut self.packed, &mut self.local] {
                        if *number == u64::from(u32::MAX) {
                            *number = numbers.next().unwrap_or(*number);
                        }
                    }
                }
                0x5455 if field.first().is_some_and(|flags| flags & 1 != 0) => {
                    self.modified = long(field, 1).map(|time| i64::from(time.cast_signed())).or(self.modified);
                }
                _ => {}
            }
        }
    }

    /// The content, if it can be unpacked and has at most `limit` bytes.
    pub(crate) fn unpack(&self, archive: &[u8], limit: u64) -> Option<Vec<u8>> {
        let header = archive.get(usize::try_from(self.local).ok()?..).filter(|header| header.starts_with(&LOCAL))?;
        let start = LOCAL_BYTES + usize::from(short(header, 26)?) + usize::from(short(header, 28)?);
        let packed = header.get(start..)?.get(..usize::try_from(self.packed).ok()?)?;
        let mut content = Vec::new();
        let read = match self.method {
            0 => packed.take(limit + 1).read_to_end(&mut content),
            8 => DeflateDecoder::new(packed).take(limit + 1).read_to_end(&mut content),
            _ => return None,
        };
        (read.is_ok() && content.len() as u64 <= limit).then_some(content)
    }
}

/// A date and a time of DOS, in steps of two seconds.
fn dos_time(date: u16, time: u16) -> Option<i64> {
    let [year, month, day] = [date >> 9, date >> 5 & 15, date & 31].map(i64::from);
    let [hour, minute, second] = [time >> 11, time >> 5 & 63, (time & 31) * 2].map(i64::from);
    let valid = (1..=12).contains(&month) && day > 0;
    valid.then(|| calendar::days(1980 + year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn quad(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use flate2::{Compression, write::DeflateEncoder};
    use proptest::prelude::*;
    use std::io::Write as _;

    /// An archive of deflated members.
    pub(crate) fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut archive, mut directory) = (Vec::new(), Vec::new());
        for (name, content) in members {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(content).unwrap();
            let packed = encoder.finish().unwrap();
            let sizes = [0, packed.len() as u32, content.len() as u32].map(u32::to_le_bytes).concat();
            let lengths = [name.len() as u16, 0].map(u16::to_le_bytes).concat();
            let common = [[20_u16, 0, 8, 0, 0].map(u16::to_le_bytes).concat(), sizes, lengths].concat();
            let at = (archive.len() as u32).to_le_bytes();
            directory.extend([&MEMBER, &[20, 0][..], &common, &[0; 10], &at, name.as_bytes()].concat());
            archive.extend([&LOCAL, &common[..], name.as_bytes(), &packed].concat());
        }
        let (count, size, at) = (members.len() as u16, directory.len() as u32, archive.len() as u32);
        archive.extend(directory);
        archive.extend([&END[..], &[0; 4], &count.to_le_bytes(), &count.to_le_bytes()].concat());
        archive.extend([&size.to_le_bytes()[..], &at.to_le_bytes(), &[0, 0]].concat());
        archive
    }

    #[test]
    fn members_are_unpacked_within_a_limit() {
        let archive = archive(&[("a", b"content"), ("b/c", b"")]);
        let entries: Vec<_> = Directory::of(&archive).unwrap().collect();
        assert_eq!(entries.iter().map(|entry| entry.name).collect::<Vec<_>>(), [b"a".as_slice(), b"b/c"]);
        assert_eq!(entries[0].unpack(&archive, 7).as_deref(), Some(b"content".as_slice()));
        assert_eq!(entries[0].unpack(&archive, 6), None);
        assert_eq!(entries[1].unpack(&archive, 0).as_deref(), Some(b"".as_slice()));
    }

    proptest! {
        #[test]
        fn a_damaged_archive_is_read_without_panic(at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
            let mut archive = archive(&[("META-INF/MANIFEST.MF", b"A: b"), ("c.jar", b"d")]);
            let place = at.index(archive.len());
            archive[place] = byte;
            Directory::of(&archive).into_iter().flatten().for_each(|entry| drop(entry.unpack(&archive, 100)));
            archive.truncate(place);
            Directory::of(&archive).into_iter().flatten().for_each(|entry| drop(entry.unpack(&archive, 100)));
        }
    }
}
