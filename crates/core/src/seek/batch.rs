//! Encodes entries for another thread or process: the columns of the groups of an index, before they are deflated.
//!
//! An entry is written once, into the columns of its group. A *piece* has the part of a group's columns that was added since
//! the piece before, and the fields of the entry before its first, so that a batch is read without the batches before it. A
//! batch is a sequence of pieces. Writer and reader are of one build, so the format has no version. Even so, a malformed
//! batch never makes the reader panic or overrun.
//!
//! ```text
//! count     number: entries of the piece
//! before    texts: name, link target; signed: mode, uid, gid, mtime; number: where its data ends
//! lengths   16 numbers: bytes of each column
//! columns   as in a leaf of entries; see header.rs
//! ```

use super::{
    number::Rest,
    piece::{Before, COLUMNS},
    rows::{Rows, Writer},
};
use crate::tar::Entry;
use std::{ops::Range, vec};

/// Writes entries into batches that a [`BatchReader`] reads.
///
/// A [`LayerReader`](crate::layer::LayerReader) with an index makes batches itself: see
/// [`take_batch`](crate::layer::LayerReader::take_batch). This type is for entries from elsewhere.
pub struct BatchWriter(Writer);

impl Default for BatchWriter {
    fn default() -> Self {
        Self(Writer::new(true))
    }
}

impl BatchWriter {
    /// Adds an entry.
    pub fn push(&mut self, entry: &Entry) {
        if self.0.full() {
            self.0.clear();
        }
        self.0.push(entry);
    }

    /// Takes the entries since the last batch, if they have `bytes` or more. `None` otherwise.
    pub fn take(&mut self, bytes: usize) -> Option<Vec<u8>> {
        self.0.take_batch(bytes)
    }
}

/// Iterator over the entries of a batch, in order. It ends early at malformed bytes.
pub struct BatchReader {
    bytes: Vec<u8>,
    /// Where the next piece starts.
    next: usize,
    columns: [Range<usize>; COLUMNS],
    left: u64,
    before: Before,
    /// Entries that were read ahead.
    ahead: vec::IntoIter<Entry>,
}

/// Entries that are read at once: enough to make the cost of finding the columns small.
const AHEAD: usize = 64;

impl BatchReader {
    /// Reads this batch.
    pub fn new(bytes: Vec<u8>) -> Self {
        let columns = [const { 0..0 }; COLUMNS];
        Self { bytes, next: 0, columns, left: 0, before: Before::default(), ahead: Vec::new().into_iter() }
    }

    fn piece(&mut self) -> Option<()> {
        let mut rest = Rest(self.bytes.get(self.next..)?);
        self.left = rest.number()?;
        self.before = Before {
            name: rest.text()?.to_vec(),
            link: rest.text()?.to_vec(),
            mode: rest.signed()?,
            uid: rest.signed()?,
            gid: rest.signed()?,
            mtime: rest.signed()?,
            end: rest.number()?,
        };
        let mut lengths = [0; COLUMNS];
        for length in &mut lengths {
            *length = rest.size()?;
        }
        for (column, length) in self.columns.iter_mut().zip(lengths) {
            let start = self.bytes.len() - rest.0.len();
            rest.take(length)?;
            *column = start..start + length;
        }
        self.next = self.bytes.len() - rest.0.len();
        Some(())
    }

    /// Reads ahead. `None` at the end, and at malformed bytes.
    fn fill(&mut self) -> Option<()> {
        while self.left == 0 {
            self.piece()?;
        }
        let columns = std::array::from_fn(|at| Rest(self.bytes.get(self.columns[at].clone()).unwrap_or_default()));
        let mut rows = Rows::new(columns, self.left, u64::MAX, std::mem::take(&mut self.before));
        let mut ahead = Vec::with_capacity(AHEAD);
        ahead.extend(std::iter::from_fn(|| rows.next()).take(AHEAD));
        self.ahead = ahead.into_iter();
        let (columns, left, before) = rows.parts();
        for (range, column) in self.columns.iter_mut().zip(columns) {
            range.start = range.end - column.0.len();
        }
        (self.left, self.before) = (left, before);
        (!self.ahead.as_slice().is_empty()).then_some(())
    }
}

impl Iterator for BatchReader {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        let entry = self.ahead.next();
        if entry.is_some() {
            return entry;
        }
        if self.fill().is_none() {
            (self.left, self.next) = (0, self.bytes.len());
        }
        self.ahead.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        digest::Algorithm,
        layer::Notes,
        seek::{IndexOptions, IndexWriter},
        tar::{EntryAmbiguity, Kind},
    };

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
        writer.take(1).expect("there are entries")
    }

    #[test]
    fn entries_survive_the_trip() {
        assert_eq!(BatchReader::new(batch()).collect::<Vec<_>>(), sample());
    }

    #[test]
    fn a_batch_does_not_depend_on_the_one_before() {
        let mut writer = BatchWriter::default();
        assert_eq!(writer.take(1), None);
        writer.push(&entry("usr/lib", Kind::Directory));
        writer.take(1);
        writer.push(&entry("usr/bin", Kind::Directory));
        let second = writer.take(1).expect("an entry");
        assert_eq!(BatchReader::new(second).collect::<Vec<_>>(), [entry("usr/bin", Kind::Directory)]);
    }

    #[test]
    fn batches_may_be_taken_at_any_time() {
        let name = |number: u64| format!("usr/share/{}/{number}", number / 40);
        let entries: Vec<Entry> = (0..5000)
            .map(|number| {
                let (header, size) = (number * 4096, number % 3000);
                Entry { header, offset: header + 512, size, ..Entry::new(name(number), Kind::File) }
            })
            .collect();
        for every in [1, 7, 1024, 1500, 10_000] {
            let mut writer = BatchWriter::default();
            let mut batches = Vec::new();
            for (number, entry) in entries.iter().enumerate() {
                writer.push(entry);
                assert_eq!(writer.take(1 << 20), None, "not as many bytes");
                if number % every == 0 {
                    batches.extend(writer.take(1));
                }
            }
            batches.extend(writer.take(1));
            assert!(batches.into_iter().flat_map(BatchReader::new).eq(entries.iter().cloned()), "{every}");
        }
    }

    #[test]
    fn batches_come_without_an_index() {
        let options = IndexOptions { batches: true, ..IndexOptions::default() };
        let mut writer = IndexWriter::new(options, Algorithm::Sha256);
        let long = Entry { link: vec![b'x'; 9 << 20], ..entry("a", Kind::Symlink) };
        let names = (0..3000).map(|number| entry(&number.to_string(), Kind::File));
        let entries: Vec<Entry> = [long].into_iter().chain(names).collect();
        let mut batches = Vec::new();
        for entry in &entries {
            writer.entry(entry);
            batches.extend(writer.take_batch(1 << 10));
        }
        batches.extend(writer.take_batch(1));
        assert_eq!(writer.take(), [0; 0], "no index takes a name of this length");
        assert!(batches.into_iter().flat_map(BatchReader::new).eq(entries));
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
