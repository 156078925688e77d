//! See `porthole_fuzz::zstd_differential`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| porthole_fuzz::zstd_differential(data));
