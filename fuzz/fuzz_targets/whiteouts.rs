//! See `porthole_fuzz::whiteouts`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| porthole_fuzz::whiteouts(data));
