//! Steps back through the journal, for `rollback`.

use super::JournalEntry;
use porthole_core::digest::Digest;
use std::collections::HashSet;

/// The digest that a reference points to, and its earlier digests.
///
/// Every digest counts once, at its latest position. So two rollbacks by one step return to the digest at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    now: Option<Digest>,
    /// Earlier digests, newest first.
    before: Vec<Digest>,
}

impl Steps {
    /// Builds the steps from the entries of one reference in the order of writing, and from the current digest `now`.
    /// Entries after the last one for `now` are ignored: a registry may be ahead of the store.
    pub fn new(entries: &[JournalEntry], now: Option<&Digest>) -> Self {
        let end = entries.iter().rposition(|entry| Some(&entry.digest) == now).unwrap_or(entries.len());
        let mut seen: HashSet<Digest> = now.copied().into_iter().collect();
        let before = entries[..end].iter().rev().map(|entry| entry.digest).filter(|digest| seen.insert(*digest));
        Self { before: before.collect(), now: now.copied() }
    }

    /// The digest `steps` before the current one; 0 is the current one.
    pub fn back(&self, steps: usize) -> Option<&Digest> {
        match steps.checked_sub(1) {
            None => self.now.as_ref(),
            Some(at) => self.before.get(at),
        }
    }

    /// Number of steps before the current digest.
    pub fn available(&self) -> usize {
        self.before.len()
    }

    /// Number of steps back to a digest.
    pub fn to(&self, digest: &Digest) -> Option<usize> {
        (0..=self.available()).find(|steps| self.back(*steps) == Some(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Writer, *};

    fn digest(name: &str) -> Digest {
        Digest::sha256(name.as_bytes())
    }

    fn steps(names: &str, now: &str) -> Steps {
        let entry = |name: &str| JournalEntry::new("", "a", digest(name), Writer::Watch);
        let entries: Vec<_> = names.split_whitespace().map(entry).collect();
        Steps::new(&entries, Some(&digest(now)))
    }

    #[test]
    fn steps_lead_back_from_where_the_name_is() {
        for (names, now, back) in [
            ("one two three", "three", "two one"),
            ("one two two two", "two", "one"),
            ("one two three", "two", "one"),
            ("one two", "elsewhere", "two one"),
            ("one two one", "one", "two"),
            ("one two three two", "two", "three one"),
            ("one two three two three", "three", "two one"),
            ("one two three one two", "three", "two one"),
            ("one", "one", ""),
            ("", "one", ""),
        ] {
            let steps = steps(names, now);
            let back: Vec<_> = back.split_whitespace().map(digest).collect();
            assert_eq!(steps.available(), back.len(), "{names}");
            assert_eq!(steps.back(0), Some(&digest(now)), "{names}");
            for (number, digest) in back.iter().enumerate() {
                assert_eq!(steps.back(number + 1), Some(digest), "{names}");
            }
            assert_eq!(steps.back(back.len() + 1), None, "{names}");
        }
    }

    #[test]
    fn steps_back_to_a_digest_are_counted() {
        let steps = steps("one two one three two four", "two");
        let to = |name| steps.to(&digest(name));
        assert_eq!([to("two"), to("three"), to("one"), to("four")], [Some(0), Some(1), Some(2), None]);
        let unknown = Steps::new(&[JournalEntry::new("", "a", digest("one"), Writer::Pull)], None);
        assert_eq!((unknown.to(&digest("one")), unknown.back(0)), (Some(1), None));
    }
}
