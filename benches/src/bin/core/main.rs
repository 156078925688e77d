//! Benchmarks listing, verifying and indexing of layers, natively and in a worker of Chromium, next to a floor and to
//! other programs.
//!
//! `cargo xtask bench core [LAYER]…` accepts any compression. Without an argument it builds a layer of 200 MB from
//! files of this machine. All candidates run once in each round; results are medians of CPU time.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod browser;
mod cpu;
mod peers;
mod sample;

use porthole_benches::{Work, median};
use porthole_tests::{Result, servers::Scratch};
use std::{env, fs, path::PathBuf};

const ROUNDS: usize = 7;

fn main() -> Result<()> {
    let mut layers: Vec<PathBuf> = env::args().skip(1).map(PathBuf::from).collect();
    let scratch = Scratch::new("bench-core")?;
    if layers.is_empty() {
        layers.push(sample::layer(scratch.path())?);
    }
    for layer in layers {
        let layer = fs::canonicalize(layer)?;
        let blob = fs::read(&layer)?;
        let Some(about) = Work::Verify.run(&blob) else { continue };
        println!("{}", layer.display());
        println!(
            "  {:.1} MB in {} entries, {:.1} MB packed",
            megabytes(about.unpacked),
            about.entries,
            megabytes(blob.len() as u64)
        );
        println!("  natively, one thread:");
        let mut table = Table::new(about.unpacked);
        let peers = peers::on_path(&layer, scratch.path())?;
        for _ in 0..ROUNDS {
            for work in Work::ALL {
                let before = cpu::own()?;
                if let Some(done) = work.run(&blob) {
                    table.add(work.name(), cpu::own()? - before, note(work, done.index, blob.len()));
                }
            }
            for peer in &peers {
                table.add(&peer.name, peer.run()?, String::new());
            }
        }
        table.print();
        println!("  not on PATH: {}", peers::missing().join(", "));
        println!("  in a worker of Chromium:");
        browser::measure(&layer, about.unpacked, ROUNDS, scratch.path())?.print();
    }
    Ok(())
}

/// The remark in the last column.
fn note(work: Work, index: u64, packed: usize) -> String {
    match work {
        _ if index > 0 => format!("index of {index} bytes, {:.2} % of the layer", index as f64 * 100.0 / packed as f64),
        _ => String::new(),
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// CPU times of all candidates. The first row is the baseline.
struct Table {
    unpacked: u64,
    rows: Vec<(String, Vec<f64>, String)>,
}

impl Table {
    fn new(unpacked: u64) -> Self {
        Self { unpacked, rows: Vec::new() }
    }

    fn add(&mut self, name: &str, seconds: f64, note: String) {
        match self.rows.iter_mut().find(|(row, ..)| row == name) {
            Some((_, times, _)) => times.push(seconds),
            None => self.rows.push((name.to_owned(), vec![seconds], note)),
        }
    }

    fn print(&mut self) {
        let mut first = None;
        for (name, times, note) in &self.rows {
            let (low, high) =
                (times.iter().copied().fold(f64::MAX, f64::min), times.iter().copied().fold(0.0, f64::max));
            let median = median(times.clone());
            let ratio = median / *first.get_or_insert(median);
            let speed = megabytes(self.unpacked) / median;
            println!("    {name:<36} {median:6.3} s CPU ({low:.3}-{high:.3})  {speed:5.0} MB/s  x {ratio:.2}  {note}");
        }
    }
}
