//! Index from paths to entries.
//!
//! Each entry makes a row: a key from its directory and its path, and its number. Entries arrive in archive order, so rows
//! are collected into runs of a fixed length. A full run is sorted by key and written; nothing is merged later, which bounds
//! memory by one run. A lookup searches each run, the last first.
//!
//! Rows of one directory are adjacent, because the upper bits of a key are the directory's. A directory that the archive
//! implies but does not name (`a/b` where only `a/b/c` has an entry) gets a row that refers to an entry below it.
//!
//! Keys are hashes (FNV-1a), so a reader compares the path of each entry that a row refers to. Many paths with one key,
//! which a hostile archive can have, make a lookup slower but not wrong.

use super::{
    number::{Rest, put},
    tree::{Key, Output, Root, TreeWriter},
};
use crate::{
    path,
    tar::{Entry, Kind},
};

/// Rows of a run, which take 8 MiB of memory while they are collected. The last run may have fewer.
pub(super) const RUN: u64 = if cfg!(test) { 1 << 10 } else { 1 << 19 };
/// A leaf is closed when it reaches this number of bytes: about 600 rows.
const LEAF: usize = 4 << 10;

/// Number of low bits of a key that come from the path itself. The others come from its directory.
const PATH_BITS: u32 = 24;
const PATH_MASK: u64 = (1 << PATH_BITS) - 1;

/// The first row after the run that holds this row.
pub(super) fn run_end(row: u64) -> u64 {
    (row / RUN + 1).saturating_mul(RUN)
}

/// The lowest and the highest key that a path directly in this clean directory can have.
pub(super) fn keys_below(directory: &[u8]) -> (u64, u64) {
    let low = finish(hash(BASIS, directory)) & !PATH_MASK;
    (low, low | PATH_MASK)
}

/// The key of a clean path.
pub(super) fn key_of(path: &[u8]) -> u64 {
    let parent = path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    let parent = hash(BASIS, path.get(..parent).unwrap_or_default());
    key(parent, hash(BASIS, path))
}

fn key(parent: u64, path: u64) -> u64 {
    finish(parent) & !PATH_MASK | finish(path) & PATH_MASK
}

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// Continues FNV-1a from the hash of the bytes before.
fn hash(before: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(before, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

/// Spreads a hash over all its bits: the upper ones of FNV-1a depend little on the last bytes. (The finaliser of
/// MurmurHash3.)
fn finish(hash: u64) -> u64 {
    let hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ hash >> 33
}

/// The entry that a row refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    /// The number of an entry.
    pub(super) number: u64,
    /// Whether the entry lies below the path: the archive implies the directory.
    pub(super) implied: bool,
}

#[derive(Default)]
pub(super) struct NameWriter {
    tree: TreeWriter,
    /// Key and target of each row of the run; the target is twice the number, and one more if it is implied.
    run: Vec<(u64, u64)>,
    /// Rows in runs that were written.
    before: u64,
    /// The clean path of the last entry, and whether it is a directory.
    last: (Vec<u8>, bool),
}

impl NameWriter {
    pub(super) fn push(&mut self, out: &mut Output, entry: &Entry, number: u64) {
        if entry.kind == Kind::Global {
            return;
        }
        let path = path::clean(&entry.path);
        let (last, was_directory) = &self.last;
        let shared = path.iter().zip(last).take_while(|(a, b)| a == b).count();
        // Ancestors of the last entry have rows already, and so does the entry itself.
        let ends = |path: &[u8]| path.get(shared).is_none_or(|&byte| byte == b'/');
        let known = if ends(last) && ends(&path) && (shared < last.len() || *was_directory) {
            shared
        } else {
            path.get(..shared).and_then(|shared| shared.iter().rposition(|&byte| byte == b'/')).unwrap_or(0)
        };
        let (mut parent, mut running) = (BASIS, BASIS);
        for (at, &byte) in path.iter().enumerate() {
            if byte == b'/' {
                if at > known {
                    self.run.push((key(parent, running), number << 1 | 1));
                }
                parent = running;
            }
            running = hash(running, &[byte]);
        }
        self.run.push((key(parent, running), number << 1));
        self.last = (path, entry.kind == Kind::Directory);
        while self.run.len() as u64 >= RUN {
            self.close(out);
        }
    }

    /// Writes a full run, or the rest at the end.
    fn close(&mut self, out: &mut Output) {
        let later = self.run.split_off(self.run.len().min(RUN as usize));
        self.run.sort_unstable();
        let base = self.run.iter().map(|(_, target)| target >> 1).min().unwrap_or(0);
        let mut leaf = Vec::new();
        let mut key = Key::default();
        let mut before = 0;
        for (row, &(hash, target)) in (self.before..).zip(&self.run) {
            if leaf.len() >= LEAF {
                self.tree.leaf(out, key, &leaf);
                leaf.clear();
            }
            if leaf.is_empty() {
                key = Key { ordinal: row, place: hash };
                before = hash;
                put(&mut leaf, base);
            }
            put(&mut leaf, hash - before);
            put(&mut leaf, target - (base << 1));
            before = hash;
        }
        if !leaf.is_empty() {
            self.tree.leaf(out, key, &leaf);
        }
        self.before += self.run.len() as u64;
        self.run.clear();
        self.run.extend(later);
    }

    /// Writes the last run. Returns the number of rows, and the root of their tree.
    pub(super) fn finish(mut self, out: &mut Output) -> (u64, Option<Root>) {
        self.close(out);
        (self.before, self.tree.finish(out))
    }
}

/// Adds to `found` the targets of a leaf's rows with keys from `low` to `high`. Returns whether rows after the leaf may have
/// such keys too; `None` if the leaf is malformed. `count`: rows of the leaf. `entries`: entries of the layer.
pub(super) fn targets(
    bytes: &[u8],
    key: Key,
    count: u64,
    entries: u64,
    (low, high): (u64, u64),
    found: &mut Vec<Target>,
) -> Option<bool> {
    let mut rest = Rest(bytes);
    let base = rest.number().filter(|&base| base < entries)?;
    let mut hash = key.place;
    for row in 0..count {
        let step = rest.number()?;
        hash = hash.checked_add(step)?;
        let target = base.checked_mul(2)?.checked_add(rest.number()?)?;
        let target = Target { number: target >> 1, implied: target & 1 == 1 };
        if target.number >= entries || row == 0 && step != 0 {
            return None;
        }
        if (low..=high).contains(&hash) {
            found.push(target);
        }
    }
    rest.0.is_empty().then_some(hash <= high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_as_they_are() {
        // Indexes are kept in files: another hash needs another version of the format.
        assert_eq!(key_of(b""), key(BASIS, BASIS));
        assert_eq!(hash(BASIS, b"foobar"), 0x8594_4171_f739_67e8, "FNV-1a as published");
        assert_eq!(key_of(b"etc/passwd") & !PATH_MASK, keys_below(b"etc").0);
        assert_eq!(key_of(b"etc") & !PATH_MASK, keys_below(b"").0);
        let (low, high) = keys_below(b"usr/bin");
        assert!((low..=high).contains(&key_of(b"usr/bin/env")) && !(low..=high).contains(&key_of(b"usr/bin")));
    }

    /// The rows for these entries: keys and targets, in the order in which they are made.
    fn rows(entries: &[(&str, Kind)]) -> Vec<(u64, u64)> {
        let mut names = NameWriter::default();
        let mut out = Output::default();
        for (number, (path, kind)) in entries.iter().enumerate() {
            names.push(&mut out, &Entry::new(*path, *kind), number as u64);
        }
        names.run
    }

    #[test]
    fn directories_that_have_no_entry_get_rows() {
        let file = Kind::File;
        let written = rows(&[
            ("./", Kind::Directory),
            ("a/", Kind::Directory),
            ("a/b/c", file),
            ("a/b/d", file),
            ("a/bc/d", file),
            ("global", Kind::Global),
            ("x", file),
            ("x/y", file),
            ("../x/y/../z", file),
        ]);
        let row = |path: &str, number: u64, implied: u64| (key_of(path.as_bytes()), number << 1 | implied);
        let expected = [
            row("", 0, 0),
            row("a", 1, 0),
            row("a/b", 2, 1),
            row("a/b/c", 2, 0),
            row("a/b/d", 3, 0),
            row("a/bc", 4, 1),
            row("a/bc/d", 4, 0),
            row("x", 6, 0),
            row("x", 7, 1),
            row("x/y", 7, 0),
            row("x/z", 8, 0),
        ];
        assert_eq!(written, expected);
    }

    #[test]
    fn a_leaf_gives_the_targets_between_two_keys() {
        let mut names = NameWriter::default();
        let mut out = Output::default();
        for number in 0..300 {
            names.push(&mut out, &Entry::new(format!("d/{}", number % 100), Kind::File), number);
        }
        let (rows, root) = names.finish(&mut out);
        let root = root.expect("rows");
        assert_eq!((rows, root.height), (301, 0));
        let bytes = out.take();
        let find = |keys, entries| {
            let mut found = Vec::new();
            let key = Key { ordinal: 0, place: root.place };
            targets(&bytes, key, rows, entries, keys, &mut found).map(|_| found)
        };
        let path = key_of(b"d/7");
        let numbers: Vec<u64> = find((path, path), 300).expect("a leaf").iter().map(|target| target.number).collect();
        assert_eq!(numbers, [7, 107, 207]);
        assert_eq!(find(keys_below(b"d"), 300).expect("a leaf").len(), 300);
        assert_eq!(find(keys_below(b""), 300), Some(vec![Target { number: 0, implied: true }]));
        assert_eq!(find((0, 1), 299), None, "a number that no entry has");
    }
}
