//! An index of millions of entries is written and searched in little memory. Runs only natively, where the memory of the
//! process can be measured.
//!
//! Compile with `PORTHOLE_LONG=1` for sizes that take too long for a normal run.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::print_stderr, reason = "what was measured is worth reading")]

use porthole_core::{
    layer::{Expected, LayerReader},
    limits::Limits,
    seek::{Ask, AtPath, Children, Find, HEADER_BYTES, IndexOptions, IndexReader, Opening},
};
use porthole_testkit::sink::Ignore;
use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::FileExt as _,
    time::Instant,
};

const LONG: bool = option_env!("PORTHOLE_LONG").is_some();
const ENTRIES: u64 = if LONG { 5_000_000 } else { 300_000 };
const BLOCK: usize = 512;
const MIB: u64 = 1 << 20;

/// Peak resident memory in bytes since the last reset.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("the status of a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a field of the status");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

fn name(number: u64) -> String {
    format!("usr/lib/node_modules/package-{}/dist/file-{number}.js", number / 40)
}

/// The header and the data of a file of 14 bytes.
fn file(number: u64) -> [u8; 2 * BLOCK] {
    let mut blocks = [0; 2 * BLOCK];
    let name = name(number);
    blocks[..name.len()].copy_from_slice(name.as_bytes());
    blocks[100..107].copy_from_slice(b"0000644");
    blocks[124..135].copy_from_slice(b"00000000016");
    blocks[156] = b'0';
    blocks[257..265].copy_from_slice(b"ustar\x0000");
    blocks[148..156].fill(b' ');
    let sum: u32 = blocks[..BLOCK].iter().map(|&byte| u32::from(byte)).sum();
    blocks[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    blocks[BLOCK..BLOCK + 14].copy_from_slice(format!("{number:014}").as_bytes());
    blocks
}

/// Counts the pages and bytes that questions read.
struct Reading<'f> {
    file: &'f File,
    pages: u64,
    bytes: u64,
}

impl Reading<'_> {
    fn ask<T>(&mut self, index: &mut IndexReader, mut question: impl FnMut(&mut IndexReader) -> Result<T, Ask>) -> T {
        loop {
            match question(index) {
                Ok(answer) => return answer,
                Err(Ask::Failed(error)) => panic!("{error}"),
                Err(Ask::Page(page)) => {
                    let mut bytes = vec![0; page.length()];
                    self.file.read_exact_at(&mut bytes, page.offset()).expect("a page");
                    index.give(page, bytes).expect("its own bytes");
                    self.pages += 1;
                    self.bytes += page.length() as u64;
                }
            }
        }
    }
}

#[test]
fn an_index_of_many_entries_takes_little_memory() {
    let path = std::env::temp_dir().join(format!("porthole-seek-memory-{}", std::process::id()));
    let mut out = File::options().read(true).write(true).create_new(true).open(&path).expect("a temporary file");
    fs::remove_file(&path).expect("it stays open");

    let before = peak();
    let mut reader = LayerReader::new(Expected::default(), Limits::default()).with_index(IndexOptions::default());
    let start = Instant::now();
    let mut taken = 0;
    for number in 0..ENTRIES {
        reader.push(&file(number), &mut Ignore);
        let bytes = reader.take_index();
        taken = taken.max(bytes.len());
        out.write_all(&bytes).expect("a temporary file");
    }
    let (report, end) = reader.finish_index(&mut Ignore);
    let end = end.expect("a whole layer");
    out.write_all(&end.tail).and_then(|()| out.write_all_at(&end.header, 0)).expect("a temporary file");
    let (seconds, tail) = (start.elapsed().as_secs_f32(), end.tail.len());
    drop(end);
    let length = out.metadata().expect("a temporary file").len();
    let writing = peak() - before;
    assert_eq!((report.entries, report.findings.as_slice()), (ENTRIES, &[][..]));
    eprintln!(
        "{ENTRIES} entries: {seconds:.1} s, {:.1} MiB more at most while written (taken {taken} B, tail {tail} B), \
         {:.1} MB on disk, {:.1} B an entry",
        writing as f64 / MIB as f64,
        length as f64 / 1e6,
        length as f64 / ENTRIES as f64,
    );
    assert!(writing < 48 * MIB, "{} MiB", writing / MIB);

    let mut header = [0; HEADER_BYTES];
    out.read_exact_at(&mut header, 0).expect("a header");
    for (what, number) in [("first", 0), ("middle", ENTRIES / 2), ("last", ENTRIES - 1)] {
        let start = Instant::now();
        let mut index = IndexReader::new(&header, length).expect("an index");
        let mut reading = Reading { file: &out, pages: 0, bytes: HEADER_BYTES as u64 };
        let mut find = Find::new(name(number).as_bytes());
        let found = reading.ask(&mut index, |index| find.step(index));
        let AtPath::Entry(located) = found else { panic!("{number} is not found") };
        assert_eq!(located.number, number);
        let mut opening = Opening::located(*located, &Limits::default());
        let file = reading.ask(&mut index, |index| opening.step(index));
        let (pages, bytes, range) = (reading.pages, reading.bytes, file.range());
        eprintln!(
            "{what}: {pages} pages, {bytes} bytes, {:.1} ms to a range of {} bytes",
            start.elapsed().as_secs_f32() * 1e3,
            range.end - range.start
        );
        assert!(bytes < MIB, "{bytes} bytes for one lookup");
    }
    let mut index = IndexReader::new(&header, length).expect("an index");
    let mut reading = Reading { file: &out, pages: 0, bytes: 0 };
    let mut children = Children::new(b"usr/lib/node_modules/package-3/dist");
    let mut names = 0;
    while let Some(some) = reading.ask(&mut index, |index| children.step(index)) {
        names += some.len();
    }
    assert_eq!(names, 40);
    eprintln!("a directory of 40: {} pages, {} bytes", reading.pages, reading.bytes);
    let mut missing = Find::new(b"usr/lib/none");
    let mut reading = Reading { file: &out, pages: 0, bytes: 0 };
    assert_eq!(reading.ask(&mut index, |index| missing.step(index)), AtPath::Nothing);
    eprintln!("a path that is not there: {} pages, {} bytes", reading.pages, reading.bytes);
    let most = peak() - before;
    assert!(most <= writing + MIB, "lookups took {} MiB more", (most - writing) / MIB);
}
