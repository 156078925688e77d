//! Peak memory while large layers are unpacked, measured in this process or wasm instance.
//!
//! Compile with `PORTHOLE_LONG=1` for sizes that take too long for a normal run.

#![allow(clippy::print_stderr, reason = "what was measured is worth reading")]

use porthole_core::{
    decode::{Decoder, Error, MIN_OUTPUT},
    layer::{Expected, Finding, LayerReader, LayerReport},
    limits::Limits,
    media_type::Compression,
    tar::{Entry, EntrySink, Flow},
};
use std::{io::Write as _, iter};
use wasm_bindgen_test::wasm_bindgen_test;

const LONG: bool = option_env!("PORTHOLE_LONG").is_some();
const MIB: u64 = 1 << 20;
const ZEROS: u64 = if LONG { 10 << 30 } else { 256 * MIB };
const ENTRIES: u64 = if LONG { 5_000_000 } else { 500_000 };
const BLOCK: usize = 512;

#[cfg(target_family = "wasm")]
mod memory {
    /// Peak memory of the instance: wasm memory never shrinks.
    pub(crate) fn peak() -> u64 {
        core::arch::wasm32::memory_size(0) as u64 * 65_536
    }

    pub(crate) const MOST: u64 = 128 << 20;
}

#[cfg(not(target_family = "wasm"))]
mod memory {
    /// A peak value of this process from `/proc/self/status`.
    fn status(field: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("a field of the status");
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    pub(crate) fn peak() -> u64 {
        status("VmHWM")
    }

    pub(crate) fn reserved() -> u64 {
        status("VmPeak")
    }

    pub(crate) const MOST: u64 = 64 << 20;
}

/// A sink that counts entries and bytes.
#[derive(Default)]
struct Count {
    entries: u64,
    bytes: u64,
}

impl EntrySink for Count {
    fn entry(&mut self, _: Entry) -> Flow {
        self.entries += 1;
        Flow::WantData
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.bytes += bytes.len() as u64;
        Flow::Continue
    }
}

/// Default limits with a higher expansion ratio, as zeros need.
fn raised() -> Limits {
    let mut limits = Limits::default();
    limits.expansion_ratio = u64::MAX;
    limits
}

fn read<'b>(pieces: impl Iterator<Item = &'b [u8]>, limits: Limits) -> (LayerReport, Count) {
    let mut reader = LayerReader::new(Expected::default(), limits);
    let mut count = Count::default();
    for piece in pieces {
        if reader.push(piece, &mut count).broken {
            break;
        }
    }
    (reader.finish(&mut count), count)
}

fn header(size: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block[..4].copy_from_slice(b"file");
    // From 8 GiB, octal digits do not suffice: use base 256.
    block[124] = 0x80;
    block[128..136].copy_from_slice(&size.to_be_bytes());
    block[156] = b'0';
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("an encoder in memory")
}

/// A zstd frame of zeros in blocks of 128 KiB, with a window of `1 << window` bytes.
fn zstd_zeros(window: u8, blocks: usize) -> Vec<u8> {
    let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (window - 10) << 3];
    for number in 1..=blocks {
        bytes.extend_from_slice(&((128 << 10) << 3 | 1 << 1 | u32::from(number == blocks)).to_le_bytes()[..3]);
        bytes.push(0);
    }
    bytes
}

/// The same frame, stating a content size of 128 MiB.
fn zstd_stated(bytes: &[u8]) -> Vec<u8> {
    let mut frame = zstd_raw(bytes);
    frame.splice(4..6, [0x80, 17 << 3].into_iter().chain((128u32 << 20).to_le_bytes()));
    frame
}

/// A zstd frame of raw blocks with a window of 128 MiB.
fn zstd_raw(bytes: &[u8]) -> Vec<u8> {
    let block = ((bytes.len() as u32) << 3 | 1).to_le_bytes();
    [&[0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3], &block[..3], bytes].concat()
}

#[wasm_bindgen_test(unsupported = test)]
fn memory_does_not_grow_with_unpacked_bytes() {
    a_header_alone_reserves_no_memory();
    let header = header(ZEROS);
    let zeros = gzip(&vec![0; 16 << 20]);
    zeros_scan(&gzip(&header), &zeros, ZEROS / (16 * MIB), Limits::default());
    let zeros = zstd_zeros(17, 128);
    zeros_scan(&zstd_raw(&header), &zeros, ZEROS / (16 * MIB), raised());
    zeros_are_refused_beyond_the_grace(&zstd_raw(&header), &zeros);
    empty_entries_scan();
    // Last, because the peak never falls.
    memory_is_bounded_by_the_window();
}

fn zeros_scan(header: &[u8], zeros: &[u8], times: u64, limits: Limits) {
    let (report, count) = read(iter::once(header).chain(iter::repeat_n(zeros, times as usize)), limits);
    assert_eq!(report.findings, []);
    assert_eq!((count.entries, count.bytes), (1, ZEROS));
    assert_eq!(report.uncompressed, ZEROS + BLOCK as u64);
    check("zeros", memory::MOST);
}

fn zeros_are_refused_beyond_the_grace(header: &[u8], zeros: &[u8]) {
    let mut limits = Limits::default();
    limits.expansion_grace = 64 << 20;
    let (report, count) = read(iter::once(header).chain(iter::repeat_n(zeros, 16)), limits);
    let limit = limits.expansion_ratio;
    assert_eq!(report.findings, [Finding::Decode(Error::Expansion { limit })]);
    assert!(count.bytes < 66 * MIB, "{}", count.bytes);
}

fn empty_entries_scan() {
    const AT_ONCE: u64 = 20_000;
    let some = gzip(&header(0).repeat(AT_ONCE as usize));
    let (report, count) = read(iter::repeat_n(some.as_slice(), (ENTRIES / AT_ONCE) as usize), Limits::default());
    assert_eq!(report.findings, []);
    assert_eq!((count.entries, report.entries), (ENTRIES, ENTRIES));
    check("entries", memory::MOST);
}

/// A header that asks for a window of 128 MiB must not reserve it.
fn a_header_alone_reserves_no_memory() {
    #[cfg(not(target_family = "wasm"))]
    let before = memory::reserved();
    let frame = zstd_raw(b"ten bytes.");
    let mut buffer = vec![0; MIN_OUTPUT];
    for end in 1..=frame.len() {
        let mut decoder = Decoder::new(Compression::Zstd, &Limits::default());
        let step = decoder.decode(&frame[..end], &mut buffer).expect("the start of a frame");
        assert_eq!(step.written, if end == frame.len() { 10 } else { 0 });
        assert_eq!(decoder.finish().is_ok(), end == frame.len());
    }
    let mut decoder = Decoder::new(Compression::Zstd, &Limits::default());
    let frame = zstd_stated(b"ten bytes.");
    assert_eq!(decoder.decode(&frame, &mut buffer).expect("ten bytes").written, 10);
    let refused = decoder.decode(&[], &mut buffer);
    assert_eq!(refused, Err(Error::ZstdSize { offset: 0, expected: 128 << 20, got: 10 }));
    #[cfg(not(target_family = "wasm"))]
    assert!(memory::reserved() - before < 32 * MIB, "{} MiB were reserved", (memory::reserved() - before) / MIB);
    assert!(memory::peak() < 64 * MIB, "{} MiB", memory::peak() / MIB);
}

/// The largest allowed window, filled more than twice.
fn memory_is_bounded_by_the_window() {
    let limits = if cfg!(target_family = "wasm") { Limits::of_a_tab() } else { Limits::default() };
    let window = limits.window_bytes;
    let frame = zstd_zeros(window.ilog2() as u8, (window / (128 << 10) * 5 / 2) as usize);
    let mut decoder = Decoder::new(Compression::Zstd, &{
        let mut limits = limits;
        limits.expansion_ratio = u64::MAX;
        limits
    });
    let mut buffer = vec![0; MIN_OUTPUT];
    let mut rest = frame.as_slice();
    loop {
        let step = decoder.decode(rest, &mut buffer).expect("a frame");
        rest = &rest[step.read..];
        if step.starved {
            break;
        }
    }
    assert_eq!((decoder.written(), decoder.finish()), (window * 5 / 2, Ok(())));
    // While the window grows to its final size, the old and the new buffer coexist.
    check("a window", 2 * window + 80 * MIB);
}

fn check(what: &str, most: u64) {
    let peak = memory::peak();
    assert!(peak <= most, "{what} took {} MiB", peak / MIB);
    #[cfg(not(target_family = "wasm"))]
    eprintln!("{what}: {} MiB at most", peak / MIB);
    #[cfg(target_family = "wasm")]
    wasm_bindgen_test::console_log!("{what}: {} MiB at most", peak / MIB);
}
