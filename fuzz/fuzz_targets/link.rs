//! See `porthole_fuzz::link`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| porthole_fuzz::link(data));
