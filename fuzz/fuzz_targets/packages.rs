//! See `porthole_fuzz::packages`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| porthole_fuzz::packages(data));
