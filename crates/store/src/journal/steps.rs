//! The way back.

use super::Entry;
use porthole_core::digest::Digest;

/// The digests that a reference stood for one after the other, and which of them it stands for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Newest first; neighbours differ.
    digests: Vec<Digest>,
    /// Where the present one is; `None` if the journal does not know it.
    present: Option<usize>,
}

impl Steps {
    /// From the entries of one reference, in the order in which they were written, and what it stands for now.
    pub fn new(entries: &[Entry], now: Option<&Digest>) -> Self {
        let mut digests: Vec<Digest> = entries.iter().rev().map(|entry| entry.digest).collect();
        digests.dedup();
        let present = digests.iter().position(|digest| Some(digest) == now);
        Self { digests, present }
    }

    /// The digest so many steps before the present one; 0 is the present one itself. If the journal does not know that, it is newer
    /// than everything else.
    pub fn back(&self, steps: usize) -> Option<&Digest> {
        let newest = self.present.map_or(1, |_| 0);
        self.digests.get((self.present.unwrap_or(0) + steps).checked_sub(newest)?)
    }

    /// How many steps there are before the present one.
    pub fn available(&self) -> usize {
        self.digests.len() - self.present.map_or(0, |present| present + 1)
    }

    /// How many steps back a digest is, the shortest way.
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
        let entry = |name: &str| Entry::new("", "a", digest(name), Writer::Watch);
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
            ("one two one", "one", "two one"),
            ("one", "one", ""),
            ("", "one", ""),
        ] {
            let steps = steps(names, now);
            let back: Vec<_> = back.split_whitespace().map(digest).collect();
            assert_eq!(steps.available(), back.len(), "{names}");
            for (number, digest) in back.iter().enumerate() {
                assert_eq!(steps.back(number + 1), Some(digest), "{names}");
            }
            assert_eq!(steps.back(back.len() + 1), None, "{names}");
        }
    }

    #[test]
    fn a_digest_is_so_many_steps_back() {
        let steps = steps("one two one three two four", "two");
        let to = |name| steps.to(&digest(name));
        assert_eq!([to("two"), to("three"), to("one"), to("four")], [Some(0), Some(1), Some(2), None]);
        assert_eq!(Steps::new(&[], None).to(&digest("one")), None);
    }
}
