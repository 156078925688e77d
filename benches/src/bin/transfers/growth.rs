//! How time and memory grow with the entries and with the bytes of one layer.
//!
//! `entries`: a layer of empty files is listed from a file, beside `gzip | tar`. `bytes`: one small file is read out of a layer of a
//! registry that was listed before, beside a download of the whole layer. Each prints a table, and draws every figure over the size.

mod image;
mod one_layer;

use self::one_layer::{bytes, entries};
use crate::{
    measure,
    plot::{Line, plot},
};
use porthole_benches::median;
use porthole_tests::{Result, servers::Scratch};
use std::{fs, path::Path};

const ROUNDS: usize = 3;
const COUNTS: [u64; 4] = [10_000, 100_000, 1_000_000, 5_000_000];
/// Packed megabytes.
const SIZES: [u64; 2] = [100, 1_000];

/// Medians of one program at one size.
struct Figures {
    program: &'static str,
    size: u64,
    wall: f64,
    cpu: f64,
    peak: f64,
    moved: Option<f64>,
}

/// One of the figures.
type Figure = fn(&Figures) -> f64;

/// `growth entries|bytes [SIZE]...`
pub(crate) fn run(arguments: &[String], home: &Path) -> Result<()> {
    let (what, sizes) = arguments.split_first().ok_or("expected `entries` or `bytes`")?;
    let sizes = sizes.iter().map(|size| size.parse::<u64>()).collect::<std::result::Result<Vec<_>, _>>()?;
    let scratch = Scratch::within(home, "growth")?;
    let or = |default: &[u64]| if sizes.is_empty() { default.to_vec() } else { sizes.clone() };
    let (figures, unit) = match what.as_str() {
        "entries" => (entries(&or(&COUNTS), home, scratch.path())?, "entries"),
        "bytes" => (bytes(&or(&SIZES), home, scratch.path())?, "MB"),
        other => return Err(format!("expected `entries` or `bytes`, got `{other}`").into()),
    };
    print(&figures, unit);
    let kinds: [(&str, Figure); 2] = [("CPU seconds", |figures| figures.cpu), ("peak MB", |figures| figures.peak)];
    for (kind, figure) in kinds {
        let file = home.join(format!("growth-{what}-{}.svg", kind.split(' ').next().unwrap_or_default()));
        fs::write(&file, plot(kind, unit, &lines(&figures, figure)))?;
        println!("  {}", file.display());
    }
    Ok(())
}

fn lines(figures: &[Figures], figure: Figure) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for one in figures {
        let point = (one.size as f64, figure(one));
        match lines.iter_mut().find(|line| line.name == one.program) {
            Some(line) => line.points.push(point),
            None => lines.push(Line { name: one.program, points: vec![point] }),
        }
    }
    lines
}

fn print(figures: &[Figures], unit: &str) {
    println!(
        "{:>10} {:<14} {:>8} {:>8} {:>8} {:>10} {:>12}",
        unit, "", "wall s", "CPU s", "peak MB", "moved kB", "peak B each"
    );
    for Figures { program, size, wall, cpu, peak, moved } in figures {
        let moved = moved.map_or("-".to_owned(), |moved| format!("{:.1}", moved / 1e3));
        let each = peak * 1e6 / *size as f64;
        println!("{size:>10} {program:<14} {wall:>8.3} {cpu:>8.3} {peak:>8.1} {moved:>10} {each:>12.0}");
    }
}

/// Runs each program in turn, several times.
fn rounds(
    size: u64,
    programs: &[(&'static str, String)],
    scratch: &Path,
    moved: impl Fn() -> Result<Option<u64>>,
) -> Result<Vec<Figures>> {
    let variables =
        [("PATH", std::env::var("PATH")?), ("HOME", scratch.display().to_string()), ("LC_ALL", "C".to_owned())];
    let mut turns: Vec<Vec<[f64; 4]>> = vec![Vec::new(); programs.len()];
    for _ in 0..ROUNDS {
        for ((_, line), turns) in programs.iter().zip(&mut turns) {
            let before = moved()?;
            let usage = measure::run(&["sh".into(), "-ec".into(), line.clone()], &variables, scratch)?;
            let moved = moved()?.zip(before).map_or(f64::NAN, |(after, before)| (after - before) as f64);
            turns.push([usage.wall, usage.cpu, usage.peak as f64 / 1e6, moved]);
        }
    }
    let median = |turns: &[[f64; 4]], figure: usize| median(turns.iter().map(|turn| turn[figure]).collect());
    let figures = programs.iter().zip(&turns).map(|((program, _), turns)| Figures {
        program,
        size,
        wall: median(turns, 0),
        cpu: median(turns, 1),
        peak: median(turns, 2),
        moved: Some(median(turns, 3)).filter(|moved| !moved.is_nan()),
    });
    Ok(figures.collect())
}
