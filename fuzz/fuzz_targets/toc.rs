//! See `porthole_fuzz::toc`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| porthole_fuzz::toc(data));
