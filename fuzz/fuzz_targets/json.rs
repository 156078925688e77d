//! See `porthole_fuzz::json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| porthole_fuzz::json(data));
