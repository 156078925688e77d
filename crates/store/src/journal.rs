//! The journal: the digests that each reference pointed to, and since when. It has one line of JSON for each observed change.
//!
//! The file (`journal.jsonl` in the store) is human-readable and append-only. A line is written under a lock and
//! synced. Lines that are torn or not in this format are skipped. When the file exceeds [`JOURNAL_BYTES`], it is
//! rewritten with the newest entries of every reference.

mod entry;
mod steps;

pub use self::{
    entry::{Choice, JournalEntry, Writer},
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
/// Lock file of writers.
const LOCK: &str = "journal.lock";
/// Numbers of entries to keep for each reference when the file is rewritten. The first number whose result fits is used.
const KEPT: [usize; 6] = [100, 40, 16, 6, 3, 1];

/// The journal of a store. Safe for concurrent use by several processes.
#[derive(Clone, Debug)]
pub struct Journal {
    file: PathBuf,
    lock: PathBuf,
    limit: u64,
}

impl Store {
    /// The journal of this store.
    pub fn journal(&self) -> Journal {
        Journal { file: self.path().join(FILE), lock: self.path().join(LOCK), limit: JOURNAL_BYTES }
    }
}

impl Journal {
    /// The same journal with another size limit in bytes.
    #[must_use]
    pub fn with_limit(self, limit: u64) -> Self {
        Self { limit, ..self }
    }

    /// Appends an entry, unless it repeats the last entry of its reference. A missing `previous` is taken from the last
    /// entry. Returns whether an entry was written.
    ///
    /// # Errors
    ///
    /// [`Error`] from the file system.
    pub fn record(&self, mut entry: JournalEntry) -> Result<bool, Error> {
        let _lock = Lock::exclusive(&self.lock)?;
        let text = self.read()?;
        let last = lines(&text).filter_map(JournalEntry::parse).rfind(|known| known.reference == entry.reference);
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

    /// All entries in the order of writing.
    ///
    /// # Errors
    ///
    /// [`Error`] if the file exists and cannot be read.
    pub fn entries(&self) -> Result<Vec<JournalEntry>, Error> {
        Ok(lines(&self.read()?).filter_map(JournalEntry::parse).collect())
    }

    /// The entries of one canonical reference in the order of writing.
    ///
    /// # Errors
    ///
    /// As [`entries`](Self::entries).
    pub fn of(&self, reference: &str) -> Result<Vec<JournalEntry>, Error> {
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
            // Terminate a torn line, so that it does not swallow the new one.
            if last != *b"\n" {
                line.insert(0, '\n');
            }
            file.write_all(line.as_bytes())?;
            file.sync_data()
        };
        write().map_err(Error::write(&self.file))?;
        if first { sync_folder(self.file.parent().unwrap_or(&self.file)) } else { Ok(()) }
    }

    /// Reads the text of the file. If another program made it too large, reads only the end.
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

/// The form of a name in the journal: the canonical reference if it parses, else the name itself.
pub fn canonical(name: &str) -> String {
    name.parse::<Reference>().map_or_else(|_| name.to_owned(), |reference| reference.to_string())
}

fn lines(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.split('\n').filter(|line| !line.is_empty())
}

/// Returns the newest entries of every reference, as many as fit into `most` bytes.
fn shorten(text: &str, most: u64) -> String {
    let entries: Vec<_> = lines(text).filter_map(|line| Some((JournalEntry::parse(line)?.reference, line))).collect();
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
    // One entry for each reference is still too much: keep the references that changed last.
    while size(&kept) > most {
        kept.pop();
    }
    kept.iter().rev().fold(String::new(), |text, line| text + line + "\n")
}

fn size(lines: &[&str]) -> u64 {
    lines.iter().map(|line| line.len() as u64 + 1).sum()
}
