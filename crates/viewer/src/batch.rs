//! Batches of entries, as compact bytes.
//!
//! Each entry has its path as the number of bytes shared with the path before it and the bytes that differ; numbers are
//! LEB128, signed ones zigzag. Both sides are of one build, so there is no version; still nothing in a batch can make the
//! reader panic or overrun.

use porthole_core::tar::{Entry, EntryAmbiguity, Kind};

/// Collects entries.
#[derive(Debug, Default)]
pub struct BatchWriter {
    bytes: Vec<u8>,
    path: Vec<u8>,
    entries: u32,
}

impl BatchWriter {
    /// Takes the batch out, if there is anything in it, and begins the next.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        self.path.clear();
        (std::mem::take(&mut self.entries) > 0).then(|| std::mem::take(&mut self.bytes))
    }

    /// Whether there is enough for a batch.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_BYTES
    }

    /// Adds an entry.
    pub fn push(&mut self, entry: &Entry) {
        let shared = entry.path.iter().zip(&self.path).take_while(|(a, b)| a == b).count();
        self.number(shared as u64);
        self.text(&entry.path[shared..]);
        self.path.truncate(shared);
        self.path.extend_from_slice(&entry.path[shared..]);
        self.bytes.extend_from_slice(&[kind_code(entry.kind), entry.typeflag]);
        self.text(&entry.link);
        self.number(entry.size);
        for value in [entry.mode, entry.uid, entry.gid, entry.mtime, entry.major, entry.minor] {
            self.number((value << 1 ^ value >> 63) as u64);
        }
        self.number(entry.mtime_nsec.into());
        self.number(entry.offset);
        self.number(entry.xattrs.len() as u64);
        for (name, value) in &entry.xattrs {
            self.text(name);
            self.text(value);
        }
        self.bytes.push(entry.ambiguous.map_or(0, ambiguity_code));
        self.entries += 1;
    }

    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    fn text(&mut self, text: &[u8]) {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text);
    }
}

/// About two thousand entries.
const BATCH_BYTES: usize = 128 << 10;

/// Reads the entries of a batch; ends early where the batch makes no sense.
#[derive(Debug)]
pub struct BatchReader {
    bytes: Vec<u8>,
    at: usize,
    path: Vec<u8>,
}

impl BatchReader {
    /// Reads this batch.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0, path: Vec::new() }
    }

    fn entry(&mut self) -> Option<Entry> {
        let shared = usize::try_from(self.number()?).ok()?;
        if shared > self.path.len() {
            return None;
        }
        self.path.truncate(shared);
        let rest = self.range()?;
        self.path.extend_from_slice(&self.bytes[rest]);
        let kind = kind_of(self.byte()?)?;
        let typeflag = self.byte()?;
        let link = self.text()?;
        let size = self.number()?;
        let [mode, uid, gid, mtime, major, minor] =
            [self.signed()?, self.signed()?, self.signed()?, self.signed()?, self.signed()?, self.signed()?];
        let mtime_nsec = u32::try_from(self.number()?).ok()?;
        let offset = self.number()?;
        let mut xattrs = Vec::new();
        for _ in 0..self.number()? {
            xattrs.push((self.text()?, self.text()?));
        }
        let ambiguous = match self.byte()? {
            0 => None,
            code => Some(ambiguity_of(code)?),
        };
        let path = self.path.clone();
        Some(Entry {
            path,
            kind,
            typeflag,
            link,
            size,
            mode,
            uid,
            gid,
            mtime,
            mtime_nsec,
            major,
            minor,
            xattrs,
            // The reader of a batch reads no archive.
            header: 0,
            offset,
            ambiguous,
        })
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let value = self.number()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn range(&mut self) -> Option<std::ops::Range<usize>> {
        let length = usize::try_from(self.number()?).ok()?;
        let end = self.at.checked_add(length).filter(|&end| end <= self.bytes.len())?;
        let range = self.at..end;
        self.at = end;
        Some(range)
    }

    fn text(&mut self) -> Option<Vec<u8>> {
        let range = self.range()?;
        Some(self.bytes[range].to_vec())
    }
}

impl Iterator for BatchReader {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let entry = self.entry();
        if entry.is_none() {
            self.at = self.bytes.len();
        }
        entry
    }
}

const KINDS: [Kind; 9] = [
    Kind::File,
    Kind::Directory,
    Kind::Symlink,
    Kind::Hardlink,
    Kind::Char,
    Kind::Block,
    Kind::Fifo,
    Kind::Global,
    Kind::Other,
];

fn kind_code(kind: Kind) -> u8 {
    KINDS.iter().position(|&known| known == kind).unwrap_or(KINDS.len() - 1) as u8
}

fn kind_of(code: u8) -> Option<Kind> {
    KINDS.get(usize::from(code)).copied()
}

/// 1 and up; 0 means none.
fn ambiguity_code(ambiguity: EntryAmbiguity) -> u8 {
    EntryAmbiguity::ALL.iter().position(|&known| known == ambiguity).map_or(0, |at| at as u8 + 1)
}

fn ambiguity_of(code: u8) -> Option<EntryAmbiguity> {
    EntryAmbiguity::ALL.get(usize::from(code).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: Kind) -> Entry {
        Entry { offset: 512, ..Entry::new(path, kind) }
    }

    fn sample() -> Vec<Entry> {
        vec![
            entry("usr/", Kind::Directory),
            Entry { size: u64::MAX, mtime: -1, mtime_nsec: 999_999_999, ..entry("usr/lib/libc.so.6", Kind::File) },
            Entry {
                link: b"libc.so.6\xff".into(),
                uid: i64::MIN,
                gid: i64::MAX,
                ..entry("usr/lib/libc.so", Kind::Symlink)
            },
            Entry { xattrs: vec![(b"user.a".into(), vec![0; 300])], ..entry("usr/lib/libc.so", Kind::File) },
            Entry { ambiguous: Some(EntryAmbiguity::ALL[0]), major: 8, minor: 1, ..entry("dev/sda", Kind::Block) },
            entry("", Kind::Other),
        ]
    }

    fn batch() -> Vec<u8> {
        let mut writer = BatchWriter::default();
        sample().iter().for_each(|entry| writer.push(entry));
        writer.take().expect("there are entries")
    }

    #[test]
    fn entries_survive_the_trip() {
        assert_eq!(BatchReader::new(batch()).collect::<Vec<_>>(), sample());
    }

    #[test]
    fn a_batch_does_not_depend_on_the_one_before() {
        let mut writer = BatchWriter::default();
        assert_eq!(writer.take(), None);
        writer.push(&entry("usr/lib", Kind::Directory));
        writer.take();
        writer.push(&entry("usr/bin", Kind::Directory));
        let second = writer.take().expect("an entry");
        assert_eq!(BatchReader::new(second).collect::<Vec<_>>(), [entry("usr/bin", Kind::Directory)]);
    }

    #[test]
    fn cut_or_bent_batches_end_early() {
        let batch = batch();
        for cut in 0..batch.len() {
            assert!(BatchReader::new(batch[..cut].to_vec()).count() <= 6);
        }
        for at in 0..batch.len() {
            let mut bent = batch.clone();
            bent[at] ^= 0xff;
            assert!(BatchReader::new(bent).count() <= batch.len());
        }
    }
}
