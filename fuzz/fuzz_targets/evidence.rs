//! See `porthole_fuzz::evidence`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| porthole_fuzz::evidence(data));
