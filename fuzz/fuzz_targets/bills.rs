//! See `porthole_fuzz::bills`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| porthole_fuzz::bills(data));
