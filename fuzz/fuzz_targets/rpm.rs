//! See `porthole_fuzz::rpm`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| porthole_fuzz::rpm(data));
