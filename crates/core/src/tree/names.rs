//! The distinct names of a tree. Each is stored once, for all the paths that end in it.

use hashbrown::HashTable;
use std::hash::{BuildHasher, RandomState};

/// Names by their numbers, which count from 0, the empty name of the root.
#[derive(Clone)]
pub(super) struct Names {
    bytes: Vec<u8>,
    /// Where each name ends in `bytes`; the next one starts there.
    ends: Vec<u32>,
    index: HashTable<u32>,
    hasher: RandomState,
}

/// The number of a name, or the hash of one that is not stored.
pub(super) type Found = Result<u32, u64>;

impl Names {
    /// Only the empty name.
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), ends: vec![0], index: HashTable::new(), hasher: RandomState::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of all names.
    pub(super) fn text_bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn get(&self, number: u32) -> &[u8] {
        part(&self.bytes, &self.ends, number)
    }

    pub(super) fn find(&self, name: &[u8]) -> Found {
        if name.is_empty() {
            return Ok(0);
        }
        let hash = self.hasher.hash_one(name);
        self.index.find(hash, |&number| self.get(number) == name).copied().ok_or(hash)
    }

    /// The number of a name, which is stored if it is new. The caller keeps all names below 4 GiB.
    pub(super) fn intern(&mut self, name: &[u8], found: Found) -> u32 {
        let hash = match found {
            Ok(number) => return number,
            Err(hash) => hash,
        };
        let number = self.ends.len() as u32;
        self.bytes.extend_from_slice(name);
        self.ends.push(self.bytes.len() as u32);
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        self.index.insert_unique(hash, number, |&number| hasher.hash_one(part(bytes, ends, number)));
        number
    }

    /// Discards all names from a number on.
    pub(super) fn cut(&mut self, count: u32) {
        for number in count..self.ends.len() as u32 {
            let hash = self.hasher.hash_one(self.get(number));
            if let Ok(entry) = self.index.find_entry(hash, |&found| found == number) {
                entry.remove();
            }
        }
        self.ends.truncate(count as usize);
        self.bytes.truncate(self.ends.last().map_or(0, |&end| end as usize));
    }
}

fn part<'n>(bytes: &'n [u8], ends: &[u32], number: u32) -> &'n [u8] {
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &bytes[start as usize..ends[number] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_stored_once_until_it_is_cut() {
        let mut names = Names::new();
        let add = |names: &mut Names, name: &str| names.intern(name.as_bytes(), names.find(name.as_bytes()));
        let numbers = ["", "a", "bc", "a", "bc", ""].map(|name| add(&mut names, name));
        assert_eq!(numbers, [0, 1, 2, 1, 2, 0]);
        assert_eq!((names.len(), names.text_bytes(), names.get(2)), (3, 3, &b"bc"[..]));
        names.cut(2);
        assert_eq!((names.find(b"a"), names.find(b"bc").is_err(), names.text_bytes()), (Ok(1), true, 1));
        assert_eq!(["d", "bc", "a"].map(|name| add(&mut names, name)), [2, 3, 1]);
    }
}
