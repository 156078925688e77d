//! A zstd stream unpacks to the same in every split.
#![no_main]

use std::iter;

use libfuzzer_sys::fuzz_target;
use porthole_core::media_type::Compression;
use porthole_fuzz::{pieces, unpack};

fuzz_target!(|data: &[u8]| {
    let whole = unpack(Compression::Zstd, iter::once(data));
    let split = unpack(Compression::Zstd, pieces(data));
    assert_eq!(whole.2, split.2);
    if whole.2.is_ok() {
        assert!(whole == split, "the split changes what comes out");
    }
});
