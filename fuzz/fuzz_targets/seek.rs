//! See `porthole_fuzz::seek`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| porthole_fuzz::seek(data));
