//! The map of a partial blob: a file beside it that lists the ranges present.
//!
//! Without a map, all bytes of the partial file are a prefix. A map is created before the first write that does not
//! extend the prefix. It lists bytes only after they were passed to the kernel: after a kill the file may hold more
//! than the map says, never less. After a power failure the map may be wrong; the digest detects that.
//!
//! Format, numbers little-endian: a magic of 16 bytes, the size of the blob (8), a check (8); then records of 24 bytes:
//! start of a range (8), end (8), a check (8). A record is overwritten in place when its range grows. A check is the first
//! 8 bytes of a SHA-256 over the blob's digest, the record's number (`u64::MAX` for the header) and the fields before the
//! check.

use super::ranges::Ranges;
use crate::Error;
use porthole_core::digest::Digest;
use std::{
    fs::{self, File},
    io::{ErrorKind, Read},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 16] = b"porthole ranges1";
const HEADER: u64 = 32;
const RECORD: u64 = 24;
/// Maximum size of a map. Ranges that do not fit are downloaded again after an interruption.
const MOST: u64 = 1 << 20;
/// Suffix of a map's file name.
pub(crate) const SUFFIX: &str = ".ranges";

/// An open map.
#[derive(Debug)]
pub(super) struct Map {
    path: PathBuf,
    file: File,
    digest: Digest,
    records: u64,
}

/// Result of reading a map.
pub(super) enum Found {
    /// There is no map.
    Nothing,
    /// The ranges in the map.
    Ranges(Ranges),
    /// The map is corrupt.
    Nonsense,
}

impl Map {
    /// Path of the map for a partial blob.
    pub(super) fn beside(blob: &Path) -> PathBuf {
        let mut name = blob.as_os_str().to_owned();
        name.push(SUFFIX);
        name.into()
    }

    /// Reads the map of a partial blob whose file is `length` bytes long.
    pub(super) fn read(path: &Path, digest: &Digest, size: u64, length: u64) -> Result<Found, Error> {
        let mut bytes = Vec::new();
        match File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
            read => read.map_err(Error::io(path))?,
        };
        Ok(parse(&bytes, digest, size, length).map_or(Found::Nonsense, Found::Ranges))
    }

    /// Creates a map with these ranges. Replaces an existing one.
    pub(super) fn start(path: &Path, digest: &Digest, size: u64, there: &Ranges) -> Result<Self, Error> {
        let mut bytes = [MAGIC.as_slice(), &size.to_le_bytes()].concat();
        bytes.extend(check(digest, u64::MAX, &bytes));
        let mut records = 0;
        for (number, range) in (0..).zip(there.as_slice()).take_while(|(number, _)| has_room(*number)) {
            bytes.extend(record(digest, number, range));
            records = number + 1;
        }
        let mut next = path.as_os_str().to_owned();
        next.push(".new");
        let written = fs::write(&next, &bytes).and_then(|()| fs::rename(&next, path));
        let file = written.and_then(|()| File::options().write(true).open(path)).map_err(Error::write(path))?;
        Ok(Self { path: path.to_owned(), file, digest: *digest, records })
    }

    /// Reserves a record for a new range. `None` if the map is full.
    pub(super) fn reserve(&mut self) -> Option<u64> {
        let number = self.records;
        has_room(number).then(|| {
            self.records += 1;
            number
        })
    }

    /// Writes the current range of a record.
    pub(super) fn note(&self, number: u64, range: &Range<u64>) -> Result<(), Error> {
        let at = HEADER + number * RECORD;
        self.file.write_all_at(&record(&self.digest, number, range), at).map_err(Error::write(&self.path))
    }
}

fn has_room(number: u64) -> bool {
    HEADER + (number + 1) * RECORD <= MOST
}

fn record(digest: &Digest, number: u64, range: &Range<u64>) -> Vec<u8> {
    let mut bytes = [range.start.to_le_bytes(), range.end.to_le_bytes()].concat();
    bytes.extend(check(digest, number, &bytes));
    bytes
}

fn check(digest: &Digest, number: u64, bytes: &[u8]) -> Vec<u8> {
    let all = [digest.as_bytes(), &number.to_le_bytes(), bytes].concat();
    Digest::sha256(&all).as_bytes().iter().take(8).copied().collect()
}

fn parse(bytes: &[u8], digest: &Digest, size: u64, length: u64) -> Option<Ranges> {
    if bytes.len() as u64 > MOST {
        return None;
    }
    let (head, mut rest) = bytes.split_at_checked(HEADER as usize)?;
    let (head, checked) = head.split_at_checked(24)?;
    let (magic, told) = head.split_first_chunk::<16>()?;
    if magic != MAGIC || told != size.to_le_bytes() || checked != check(digest, u64::MAX, head) {
        return None;
    }
    let mut there = Ranges::default();
    let mut number = 0;
    while !rest.is_empty() {
        let (record, others) = rest.split_at_checked(RECORD as usize)?;
        // A reserved record that was never written.
        if record.iter().any(|byte| *byte != 0) {
            let (start, end) = (record.first_chunk()?, record.get(8..)?.first_chunk()?);
            let range = u64::from_le_bytes(*start)..u64::from_le_bytes(*end);
            let right = range.start <= range.end && range.end <= size.min(length);
            if !right || record.get(16..)? != check(digest, number, record.get(..16)?) {
                return None;
            }
            there.insert(range);
        }
        (rest, number) = (others, number + 1);
    }
    Some(there)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

    use super::*;

    fn written() -> (Vec<u8>, Digest) {
        let folder = tempfile::tempdir().unwrap();
        let (path, digest) = (folder.path().join("map"), Digest::sha256(b"blob"));
        let mut map = Map::start(&path, &digest, 1000, &Ranges::of(0..100)).unwrap();
        let (first, second) = (map.reserve().unwrap(), map.reserve().unwrap());
        // The second range grows before the first is recorded.
        map.note(second, &(500..600)).unwrap();
        assert_eq!(read(&fs::read(&path).unwrap(), &digest).unwrap().as_slice(), [0..100, 500..600]);
        map.note(first, &(100..150)).unwrap();
        map.note(second, &(500..900)).unwrap();
        (fs::read(&path).unwrap(), digest)
    }

    fn read(bytes: &[u8], digest: &Digest) -> Option<Ranges> {
        parse(bytes, digest, 1000, 900)
    }

    #[test]
    fn a_written_map_is_read_back() {
        let (bytes, digest) = written();
        assert_eq!(read(&bytes, &digest).unwrap().as_slice(), [0..150, 500..900]);
    }

    #[test]
    fn a_foreign_or_damaged_map_is_rejected() {
        let (bytes, digest) = written();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut wrong = bytes.clone();
                wrong[at] ^= 1 << bit;
                assert_eq!(read(&wrong, &digest), None, "bit {bit} of byte {at}");
            }
        }
        for length in (0..bytes.len()).filter(|length| *length < 32 || (length - 32) % 24 != 0) {
            assert_eq!(read(&bytes[..length], &digest), None, "{length} bytes");
        }
        assert_eq!(read(&bytes, &Digest::sha256(b"other")), None);
        assert_eq!(parse(&bytes, &digest, 1001, 900), None, "of a blob of another size");
        assert_eq!(parse(&bytes, &digest, 1000, 899), None, "of a file that lost its end");
        let records = bytes[32..].chunks(24).collect::<Vec<_>>();
        let swapped = [&bytes[..32], records[1], records[0], records[2]].concat();
        assert_eq!(read(&swapped, &digest), None, "a record stands where it was written");
        assert_eq!(read(&vec![0; 2 << 20], &digest), None);
    }

    #[test]
    fn a_full_map_reserves_no_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map");
        let mut map = Map::start(&path, &Digest::sha256(b""), 0, &Ranges::default()).unwrap();
        let mut reserved = 0;
        while let Some(number) = map.reserve() {
            reserved = number + 1;
        }
        assert_eq!(reserved, (MOST - HEADER) / RECORD);
    }
}
