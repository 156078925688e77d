//! Benchmarks stacking of a million entries: time, and memory per entry; then listing them as the page does, with filters.
//!
//! `cargo xtask bench tree [ENTRIES]`: five layers with an equal number of entries; the upper ones replace and remove
//! files of the lowest. Runs once without and once with content digests. The time to create the entries is measured
//! separately and subtracted; memory is the growth of the resident set.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use porthole_benches::median;
use porthole_core::{
    digest::Digest,
    tar::{Entry, Kind},
    tree::FileTree,
};
use porthole_tests::Result;
use porthole_viewer::{
    listing::{Expansion, RowList},
    protocol::FileView,
};
use std::{env, fs, hint::black_box};

const LAYERS: u64 = 5;
const IN_FOLDER: u64 = 80;

fn main() -> Result<()> {
    let entries = env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse::<u64>())?;
    println!("{entries} entries in {LAYERS} layers:");
    for hashed in [false, true] {
        let start = cpu()?;
        for number in 0..entries {
            black_box(entry(number / (entries / LAYERS).max(1), number, hashed));
        }
        let made = cpu()?;
        let before = resident()?;
        let tree = stack(entries, hashed)?;
        let (stacked, kept) = (cpu()? - made - (made - start), resident()?.saturating_sub(before));
        println!(
            "  {}: {stacked:.2} CPU s, {} nodes, {:.0} bytes resident an entry",
            if hashed { "with digests" } else { "as listed" },
            tree.len(),
            kept as f64 / entries as f64,
        );
        if !hashed {
            list(&tree)?;
        }
    }
    Ok(())
}

/// Lists a tree, all directories open, with filters that keep much, little and nothing; the biggest first.
fn list(tree: &FileTree) -> Result<()> {
    let mut rows = RowList::default();
    let whole = |filter: &str| FileView { filter: filter.into(), ..FileView::default() };
    // The totals of directories are computed once for a tree.
    rows.flatten(tree, &whole("nothing is called so"), LAYERS as u32 - 1, &Expansion::all());
    for filter in FILTERS {
        let mut rounds: Vec<f64> = Vec::new();
        for _ in 0..5 {
            let start = cpu()?;
            rows.flatten(tree, &whole(filter), LAYERS as u32 - 1, &Expansion::all());
            rounds.push(cpu()? - start);
        }
        println!("  filter `{filter}`: {:.0} ms, {} rows", median(rounds) * 1e3, rows.len());
    }
    Ok(())
}

/// Nothing, what every path has, what one in eleven has, text over two components, a glob, an expression.
const FILTERS: &[&str] = &["", "f", "77", "folder-77/file", "*77.so", "/7[0-9]7\\.so$/"];

fn stack(entries: u64, hashed: bool) -> Result<FileTree> {
    let mut tree = FileTree::new(u64::MAX);
    let in_layer = (entries / LAYERS).max(1);
    for number in 0..entries {
        let layer = number / in_layer;
        if number % in_layer == 0 {
            tree.commit();
            tree.begin(layer as u32);
        }
        let (entry, digest) = entry(layer, number, hashed);
        tree.apply_hashed(&entry, digest)?;
    }
    tree.commit();
    Ok(tree)
}

/// Usually a new file. In upper layers one entry in ten replaces a file of the lowest layer, and one in a hundred
/// removes one.
fn entry(layer: u64, number: u64, hashed: bool) -> (Entry, Option<Digest>) {
    let of_lowest = number % 10_007;
    if layer > 0 && number % 100 == 7 {
        return (Entry::new(path(of_lowest, ".wh."), Kind::File), None);
    }
    let again = layer > 0 && number % 10 == 3;
    let mut entry = Entry::new(path(if again { of_lowest } else { number }, ""), Kind::File);
    entry.size = number;
    entry.mtime = 1_700_000_000;
    let digest = hashed.then(|| Digest::sha256(&number.to_le_bytes()));
    (entry, digest)
}

fn path(number: u64, before: &str) -> Vec<u8> {
    let folder = number / IN_FOLDER;
    format!("usr/lib/part-{}/folder-{folder}/{before}file-{number}.so", folder / IN_FOLDER).into_bytes()
}

/// CPU seconds of this process, which has one thread.
fn cpu() -> Result<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().ok_or("an empty schedstat")?.parse::<f64>()?;
    Ok(nanoseconds / 1e9)
}

/// Resident memory in bytes.
fn resident() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/statm")?;
    Ok(text.split_whitespace().nth(1).ok_or("an empty statm")?.parse::<u64>()? << 12)
}
