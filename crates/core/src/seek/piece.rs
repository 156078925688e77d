//! The part of a group's columns that is in no batch yet.

use super::number::{put, put_signed, put_text};
use crate::tar::{Entry, Kind};

/// Number of columns: one for each field of an entry. `header.rs` has their contents.
pub(super) const COLUMNS: usize = 16;

/// The fields of the entry before. The next entry is written as the difference from them.
#[derive(Clone, Default)]
pub(super) struct Before {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    pub(super) mode: i64,
    pub(super) uid: i64,
    pub(super) gid: i64,
    pub(super) mtime: i64,
    /// Offset in the archive where its data ends, if it is not a sparse file.
    pub(super) end: u64,
}

impl Before {
    pub(super) fn set(&mut self, entry: &Entry) {
        let size = if entry.kind == Kind::File { entry.size } else { 0 };
        self.name.clone_from(&entry.path);
        self.link.clone_from(&entry.link);
        (self.mode, self.uid, self.gid, self.mtime) = (entry.mode, entry.uid, entry.gid, entry.mtime);
        self.end = entry.offset.saturating_add(size.checked_next_multiple_of(512).unwrap_or(size));
    }
}

/// The part of a group that is in no batch yet, and the pieces that are ready.
#[derive(Default)]
pub(super) struct Pieces {
    /// The entry before the first of the next piece.
    before: Before,
    /// Where the next piece starts in each column.
    starts: [usize; COLUMNS],
    count: u64,
    ready: Vec<u8>,
}

impl Pieces {
    /// Counts an entry that is about to be written after `before`.
    pub(super) fn entry(&mut self, before: &Before) {
        if self.count == 0 {
            self.before = before.clone();
        }
        self.count += 1;
    }

    /// Ends the piece, if it has entries.
    pub(super) fn cut(&mut self, columns: &[Vec<u8>; COLUMNS]) {
        if self.count == 0 {
            return;
        }
        let (out, before) = (&mut self.ready, &self.before);
        put(out, self.count);
        put_text(out, &before.name);
        put_text(out, &before.link);
        [before.mode, before.uid, before.gid, before.mtime].into_iter().for_each(|number| put_signed(out, number));
        put(out, before.end);
        let parts = || columns.iter().zip(&self.starts).filter_map(|(column, &start)| column.get(start..));
        parts().for_each(|part| put(out, part.len() as u64));
        parts().for_each(|part| out.extend_from_slice(part));
        for (start, column) in self.starts.iter_mut().zip(columns) {
            *start = column.len();
        }
        self.count = 0;
    }

    /// Starts again at the front of the columns, which are empty now.
    pub(super) fn restart(&mut self) {
        self.starts = [0; COLUMNS];
    }

    /// Bytes of the pieces that are ready.
    pub(super) fn length(&self) -> usize {
        self.ready.len()
    }

    /// Bytes of all columns before the next piece.
    pub(super) fn start(&self) -> usize {
        self.starts.iter().sum()
    }

    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        (!self.ready.is_empty()).then(|| std::mem::take(&mut self.ready))
    }
}
