//! What a reference stood for, and since when: a line of JSON for each time that a name was seen to move.
//!
//! The file is for people as well (`journal.jsonl` in the store), and only grows: a line is written at once, under a lock, and
//! synced. One that a crash has torn, or that somebody else wrote, is passed over. When the file is larger than
//! [`JOURNAL_BYTES`] it is written anew with the newest entries of every reference.

mod entry;
mod steps;

pub use self::{
    entry::{Choice, Entry, Writer},
    steps::Steps,
};

use crate::{
    Error, Store,
    lock::Lock,
    store::{replace, sync_folder},
};
use porthole_core::{limits::JOURNAL_BYTES, reference::Reference};
use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

const FILE: &str = "journal.jsonl";
/// Held by whoever writes.
const LOCK: &str = "journal.lock";
/// Entries of one reference that stay when the file is written anew: as many as fit of these.
const KEPT: [usize; 6] = [100, 40, 16, 6, 3, 1];

/// The journal of a store. Any number of processes may use it at once.
#[derive(Clone, Debug)]
pub struct Journal {
    file: PathBuf,
    lock: PathBuf,
    limit: u64,
}

impl Store {
    /// What names stood for before.
    pub fn journal(&self) -> Journal {
        Journal { file: self.path().join(FILE), lock: self.path().join(LOCK), limit: JOURNAL_BYTES }
    }
}

impl Journal {
    /// The same file with another limit in bytes, above which it is written anew.
    #[must_use]
    pub fn with_limit(self, limit: u64) -> Self {
        Self { limit, ..self }
    }

    /// Writes an entry, unless the last one of its reference says the same. Where `previous` is not known, it is what the last entry
    /// says. Returns whether it was written.
    ///
    /// # Errors
    ///
    /// [`Error`] of the file system.
    pub fn record(&self, mut entry: Entry) -> Result<bool, Error> {
        let _lock = Lock::exclusive(&self.lock)?;
        let text = self.read()?;
        let last = lines(&text).filter_map(Entry::parse).rfind(|known| known.reference == entry.reference);
        if last.as_ref().is_some_and(|last| last.says_the_same(&entry)) {
            return Ok(false);
        }
        let known = last.map(|last| if last.digest == entry.digest { last.previous } else { Some(last.digest) });
        entry.previous = entry.previous.filter(|previous| *previous != entry.digest).or_else(|| known.flatten());
        self.append(&entry.to_string(), text.is_empty())?;
        if text.len() as u64 > self.limit {
            let kept = shorten(&self.read()?, self.limit / 2);
            replace(&self.file, kept.as_bytes())?;
        }
        Ok(true)
    }

    /// All entries, in the order in which they were written.
    ///
    /// # Errors
    ///
    /// [`Error`] if the file is there, but cannot be read.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        Ok(lines(&self.read()?).filter_map(Entry::parse).collect())
    }

    /// The entries of one canonical reference, in the order in which they were written.
    ///
    /// # Errors
    ///
    /// As [`entries`](Self::entries).
    pub fn of(&self, reference: &str) -> Result<Vec<Entry>, Error> {
        let mut entries = self.entries()?;
        entries.retain(|entry| entry.reference == reference);
        Ok(entries)
    }

    fn append(&self, line: &str, first: bool) -> Result<(), Error> {
        let write = || {
            let mut file = OpenOptions::new().create(true).append(true).read(true).open(&self.file)?;
            let mut line = format!("{line}\n");
            let mut last = [b'\n'];
            if file.seek(SeekFrom::End(0))? > 0 {
                file.seek(SeekFrom::End(-1))?;
                file.read_exact(&mut last)?;
            }
            // What was torn off stays a line of its own.
            if last != *b"\n" {
                line.insert(0, '\n');
            }
            file.write_all(line.as_bytes())?;
            file.sync_data()
        };
        write().map_err(Error::write(&self.file))?;
        if first { sync_folder(self.file.parent().unwrap_or(&self.file)) } else { Ok(()) }
    }

    /// The text; of a file that somebody else made too large, its end.
    fn read(&self) -> Result<String, Error> {
        let mut file = match File::open(&self.file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(String::new()),
            file => file.map_err(Error::io(&self.file))?,
        };
        let mut bytes = Vec::new();
        let read = || {
            let most = self.limit.saturating_mul(2);
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
            file.take(most).read_to_end(&mut bytes)
        };
        read().map_err(Error::io(&self.file))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// A name as the journal knows it: the reference in full, if it is one.
pub fn canonical(name: &str) -> String {
    name.parse::<Reference>().map_or_else(|_| name.to_owned(), |reference| reference.to_string())
}

fn lines(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split('\n').filter(|line| !line.is_empty())
}

/// The newest lines of every reference, as many as fit into so many bytes.
fn shorten(text: &str, most: u64) -> String {
    let entries: Vec<_> = lines(text).filter_map(|line| Some((Entry::parse(line)?.reference, line))).collect();
    let mut kept = Vec::new();
    for each in KEPT {
        let mut left = HashMap::new();
        kept.clear();
        for (reference, line) in entries.iter().rev() {
            let left = left.entry(reference).or_insert(each);
            if *left > 0 {
                *left -= 1;
                kept.push(*line);
            }
        }
        if size(&kept) <= most {
            break;
        }
    }
    // So many references that even one entry of each is too much: those that moved last.
    while size(&kept) > most {
        kept.pop();
    }
    kept.iter().rev().fold(String::new(), |text, line| text + line + "\n")
}

fn size(lines: &[&str]) -> u64 {
    lines.iter().map(|line| line.len() as u64 + 1).sum()
}
