//! How time and memory grow with the entries and bytes of one layer, with the number of layers, and with the time of a round trip.
//!
//! `entries`: a layer of empty files is listed from a file, beside `gzip | tar`. `bytes`: one small file is read out of a layer of a
//! registry that was listed before, beside a download of the whole layer. `layers`: an image of small layers is pulled and listed.
//! `delay`: an image of 16 MB is inspected and pulled over a link with a rate of 1 Gbit/s, which takes root. Each prints a table
//! with the slopes, and draws every figure over the size.

mod image;
mod many_layers;
mod one_layer;
mod round_trip;

use self::{
    many_layers::layers,
    one_layer::{bytes, entries},
    round_trip::delay,
};
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
const LAYERS: [u64; 3] = [1, 10, 100];
/// Milliseconds.
const ROUND_TRIPS: [u64; 4] = [10, 50, 100, 200];

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

/// `growth entries|bytes|layers|delay [SIZE]...`
pub(crate) fn run(arguments: &[String], home: &Path) -> Result<()> {
    let expected = "expected `entries`, `bytes`, `layers` or `delay`";
    let (what, sizes) = arguments.split_first().ok_or(expected)?;
    let sizes = sizes.iter().map(|size| size.parse::<u64>()).collect::<std::result::Result<Vec<_>, _>>()?;
    let scratch = Scratch::within(home, "growth")?;
    let or = |default: &[u64]| if sizes.is_empty() { default.to_vec() } else { sizes.clone() };
    let (figures, unit, each) = match what.as_str() {
        "entries" => (entries(&or(&COUNTS), home, scratch.path())?, "entries", "entry"),
        "bytes" => (bytes(&or(&SIZES), home, scratch.path())?, "MB", "MB"),
        "layers" => (layers(&or(&LAYERS), home, scratch.path())?, "layers", "layer"),
        "delay" => (delay(&or(&ROUND_TRIPS), home)?, "ms of a round trip", "ms"),
        other => return Err(format!("{expected}, got `{other}`").into()),
    };
    print(&figures, unit);
    slopes(&figures, each);
    let kinds: [(&str, Figure); 3] = [
        ("wall seconds", |figures| figures.wall),
        ("CPU seconds", |figures| figures.cpu),
        ("peak MB", |figures| figures.peak),
    ];
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
    println!("{unit:>18} {:<14} {:>8} {:>8} {:>8} {:>10}", "", "wall s", "CPU s", "peak MB", "moved kB");
    for Figures { program, size, wall, cpu, peak, moved } in figures {
        let moved = moved.map_or("-".to_owned(), |moved| format!("{:.1}", moved / 1e3));
        println!("{size:>18} {program:<14} {wall:>8.3} {cpu:>8.3} {peak:>8.1} {moved:>10}");
    }
}

/// Prints what each further unit costs: the difference between the largest size and the smallest, divided by that of the sizes.
fn slopes(figures: &[Figures], each: &str) {
    let of = |figure: Figure| lines(figures, figure).into_iter().map(|line| slope(&line.points));
    let programs = lines(figures, |figures| figures.wall).into_iter().map(|line| line.name);
    for (program, ((wall, cpu), peak)) in
        programs.zip(of(|figures| figures.wall).zip(of(|figures| figures.cpu)).zip(of(|figures| figures.peak)))
    {
        if let (Some(wall), Some(cpu), Some(peak)) = (wall, cpu, peak) {
            let (wall, cpu, peak) = (time(wall), time(cpu), peak * 1e6);
            println!("each further {each}, {program}: wall {wall}, CPU {cpu}, memory {peak:.0} B");
        }
    }
}

/// None for a single size.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let by_size = |one: &&(f64, f64), other: &&(f64, f64)| one.0.total_cmp(&other.0);
    let (low, high) = (points.iter().min_by(by_size)?, points.iter().max_by(by_size)?);
    (high.0 > low.0).then(|| (high.1 - low.1) / (high.0 - low.0))
}

fn time(seconds: f64) -> String {
    if seconds.abs() < 1e-3 { format!("{:.1} µs", seconds * 1e6) } else { format!("{:.1} ms", seconds * 1e3) }
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

#[cfg(test)]
mod tests {
    use super::{slope, time};

    #[test]
    fn a_slope_is_between_the_smallest_and_the_largest_size() {
        assert_eq!(slope(&[(100.0, 7.0), (10.0, 2.0), (20.0, 50.0), (110.0, 12.0)]), Some(0.1));
        assert_eq!(slope(&[(10.0, 2.0)]), None);
        assert_eq!(slope(&[(10.0, 2.0), (10.0, 3.0)]), None);
        assert_eq!(slope(&[]), None);
    }

    #[test]
    fn times_are_in_readable_units() {
        assert_eq!([time(0.0041), time(0.000_002_4)], ["4.1 ms", "2.4 µs"]);
    }
}
