//! The central directory of a zip archive, as far as Java archives use it: stored and deflated members, no zip64.

use flate2::read::DeflateDecoder;
use std::io::Read as _;

const END: [u8; 4] = *b"PK\x05\x06";
const MEMBER: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// Of the record at the end, without its comment.
const END_BYTES: usize = 22;
const MEMBER_BYTES: usize = 46;
const LOCAL_BYTES: usize = 30;

/// The members of an archive. Ends at the first one that is malformed.
pub(super) struct Directory<'a> {
    archive: &'a [u8],
    rest: &'a [u8],
    left: u16,
}

/// A member of an archive.
pub(super) struct Entry<'a> {
    archive: &'a [u8],
    pub(super) name: &'a [u8],
    method: u16,
    packed: usize,
    local: usize,
}

impl<'a> Directory<'a> {
    /// The directory that the record at the end points to. `None` if there is no such record.
    pub(super) fn read(archive: &'a [u8]) -> Option<Self> {
        let last = archive.len().checked_sub(END_BYTES)?;
        let first = last.saturating_sub(usize::from(u16::MAX));
        let at = (first..=last).rev().find(|&at| archive[at..].starts_with(&END))?;
        let rest = archive.get(long(archive, at + 16)?..at)?;
        Some(Self { archive, rest, left: short(archive, at + 10)? })
    }
}

impl<'a> Iterator for Directory<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        self.left = self.left.checked_sub(1)?;
        let header = self.rest;
        if !header.starts_with(&MEMBER) {
            return None;
        }
        let [name, extra, comment] = [28, 30, 32].map(|at| short(header, at).map(usize::from));
        let end = MEMBER_BYTES + name?;
        self.rest = header.get(end + extra? + comment?..)?;
        Some(Entry {
            archive: self.archive,
            name: header.get(MEMBER_BYTES..end)?,
            method: short(header, 10)?,
            packed: long(header, 20)?,
            local: long(header, 42)?,
        })
    }
}

impl Entry<'_> {
    /// The content, if it can be unpacked and has at most `limit` bytes.
    pub(super) fn unpack(&self, limit: u64) -> Option<Vec<u8>> {
        let header = self.archive.get(self.local..).filter(|header| header.starts_with(&LOCAL))?;
        let start = LOCAL_BYTES + usize::from(short(header, 26)?) + usize::from(short(header, 28)?);
        let packed = header.get(start..)?.get(..self.packed)?;
        let mut content = Vec::new();
        let read = match self.method {
            0 => packed.take(limit + 1).read_to_end(&mut content),
            8 => DeflateDecoder::new(packed).take(limit + 1).read_to_end(&mut content),
            _ => return None,
        };
        (read.is_ok() && content.len() as u64 <= limit).then_some(content)
    }
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?)).ok()
}

#[cfg(test)]
pub(super) mod tests {
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
        let entries: Vec<_> = Directory::read(&archive).unwrap().collect();
        assert_eq!(entries.iter().map(|entry| entry.name).collect::<Vec<_>>(), [b"a".as_slice(), b"b/c"]);
        assert_eq!(entries[0].unpack(7).as_deref(), Some(b"content".as_slice()));
        assert_eq!(entries[0].unpack(6), None);
        assert_eq!(entries[1].unpack(0).as_deref(), Some(b"".as_slice()));
    }

    proptest! {
        #[test]
        fn a_damaged_archive_is_read_without_panic(at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
            let mut archive = archive(&[("META-INF/MANIFEST.MF", b"A: b"), ("c.jar", b"d")]);
            let place = at.index(archive.len());
            archive[place] = byte;
            Directory::read(&archive).into_iter().flatten().for_each(|entry| drop(entry.unpack(100)));
            archive.truncate(place);
            Directory::read(&archive).into_iter().flatten().for_each(|entry| drop(entry.unpack(100)));
        }
    }
}
