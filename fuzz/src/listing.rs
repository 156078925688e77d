//! A sink that records entries for comparison.

use porthole_core::tar::{Entry, EntrySink, Error, Flow, Scanner};

use crate::split::limits;

/// Every entry, with a checksum of its data.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    pub(crate) entries: Vec<Entry>,
    pub(crate) data: Vec<Sum>,
}

/// Length and checksum of an entry's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) length: u64,
    pub(crate) sum: u64,
    pub(crate) complete: bool,
}

impl Sum {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.sum = bytes.iter().fold(self.sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    }
}

impl EntrySink for Listing {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.entries.push(entry);
        self.data.push(Sum::default());
        Flow::WantData
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        let Some(sum) = self.data.last_mut() else { return Flow::Stop };
        sum.add(bytes);
        Flow::Continue
    }

    fn end_of_data(&mut self) {
        if let Some(sum) = self.data.last_mut() {
            sum.complete = true;
        }
    }
}

/// Reads an archive. Returns the entries before an error, and the error.
pub(crate) fn list<'d>(pieces: impl Iterator<Item = &'d [u8]>) -> (Listing, Result<(), Error>) {
    let mut scanner = Scanner::new(&limits());
    let mut listing = Listing::default();
    for piece in pieces {
        if let Err(error) = scanner.push(piece, &mut listing) {
            return (listing, Err(error));
        }
    }
    let verdict = scanner.finish();
    let ambiguous = listing.entries.iter().filter(|entry| entry.ambiguous.is_some()).count();
    assert_eq!(scanner.ambiguous(), ambiguous as u64);
    assert_eq!(scanner.entries(), listing.entries.len() as u64);
    (listing, verdict)
}
