//! An archive is listed the same in every split.
#![no_main]

use std::iter;

use libfuzzer_sys::fuzz_target;
use porthole_core::tar::{Error, Scanner};
use porthole_fuzz::{Record, limits, pieces};

fn read<'d>(pieces: impl Iterator<Item = &'d [u8]>) -> (Record, Result<(), Error>, u64) {
    let mut scanner = Scanner::new(&limits());
    let mut record = Record::default();
    for piece in pieces {
        if let Err(error) = scanner.push(piece, &mut record) {
            return (record, Err(error), scanner.ambiguous());
        }
    }
    let verdict = scanner.finish();
    (record, verdict, scanner.ambiguous())
}

fuzz_target!(|data: &[u8]| {
    let whole = read(iter::once(data));
    assert_eq!(whole, read(pieces(data)));
    for (entry, (length, _, complete)) in whole.0.entries.iter().zip(&whole.0.data) {
        assert!(*length <= entry.size);
        assert!(!complete || *length == entry.size || *length == 0);
    }
});
