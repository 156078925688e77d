//! See `porthole_fuzz::content_range`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| porthole_fuzz::content_range(data));
