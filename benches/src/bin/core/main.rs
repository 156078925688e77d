//! How fast a layer is listed with both of its digests, beside `bsdtar tf`, which computes none.
//!
//! `cargo bench -p porthole-core --bench layer -- [LAYER]…` reads layers in any compression; without one, a layer of
//! 200 MB is made of this machine's own files. Both readers run in turn, and the medians of their CPU times count.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    env, error, fs,
    hint::black_box,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use porthole_core::{
    layer::{Expected, LayerReader, LayerReport},
    limits::Limits,
    tar::{Entry, EntrySink, Flow},
};

type Result<T> = std::result::Result<T, Box<dyn error::Error>>;

const ROUNDS: usize = 9;
/// As much as a network hands over at a time.
const CHUNK: usize = 256 << 10;
const SAMPLE_BYTES: u64 = 200 << 20;

struct Names(u64);

impl EntrySink for Names {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.0 += entry.path.len() as u64;
        Flow::Continue
    }
}

fn main() -> Result<()> {
    // Cargo adds `--bench`.
    let mut layers: Vec<PathBuf> = env::args().skip(1).filter(|a| !a.starts_with("--")).map(PathBuf::from).collect();
    let sample = env::temp_dir().join(format!("porthole-bench-{}.tar.gz", std::process::id()));
    if layers.is_empty() {
        make_sample(&sample)?;
        layers.push(sample.clone());
    }
    let outcome = layers.iter().try_for_each(|layer| measure(layer));
    if sample.exists() {
        fs::remove_file(&sample)?;
    }
    outcome
}

fn measure(layer: &Path) -> Result<()> {
    let blob = fs::read(layer)?;
    let (mut ours, mut walls, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    let mut report = read(&blob);
    for _ in 0..ROUNDS {
        let (start, cpu) = (Instant::now(), own_cpu()?);
        report = black_box(read(black_box(&blob)));
        ours.push(own_cpu()? - cpu);
        walls.push(start.elapsed().as_secs_f64());
        theirs.extend(bsdtar(layer)?);
    }
    let megabytes = report.uncompressed as f64 / 1e6;
    let (cpu, wall) = (median(&mut ours), median(&mut walls));
    println!("{}", layer.display());
    println!("  {megabytes:.1} MB in {} entries, {:.1} MB packed", report.entries, report.size as f64 / 1e6);
    println!("  porthole: {cpu:.3} s CPU, {:.0} MB/s (list and both digests; wall {wall:.3} s)", megabytes / cpu);
    if theirs.is_empty() {
        println!("  bsdtar is not installed: nothing to compare with");
    } else {
        let theirs = median(&mut theirs);
        println!("  bsdtar:   {theirs:.3} s CPU, {:.0} MB/s (list only)", megabytes / theirs);
        println!("  ratio of CPU times, porthole to bsdtar: {:.2}", cpu / theirs);
    }
    for finding in &report.findings {
        println!("  {finding}");
    }
    Ok(())
}

fn read(blob: &[u8]) -> LayerReport {
    let mut reader = LayerReader::new(Expected::default(), Limits::default());
    let mut names = Names(0);
    for chunk in blob.chunks(CHUNK) {
        reader.push(chunk, &mut names);
    }
    reader.finish(&mut names)
}

/// CPU seconds of one `bsdtar tf`, if there is such a program.
fn bsdtar(layer: &Path) -> Result<Option<f64>> {
    let before = children_cpu()?;
    let status = Command::new("bsdtar").arg("tf").arg(layer).stdout(Stdio::null()).status();
    match status {
        Ok(_) => Ok(Some(children_cpu()? - before)),
        Err(_) => Ok(None),
    }
}

/// CPU seconds of this thread so far.
fn own_cpu() -> Result<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = text.split_whitespace().next().ok_or("an empty schedstat")?.parse()?;
    Ok(nanoseconds / 1e9)
}

/// CPU seconds of all children that ended: fields 16 and 17 of `stat`, in ticks of 10 ms.
fn children_cpu() -> Result<f64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let fields = text.rsplit_once(')').ok_or("a stat without a name")?.1;
    let ticks: Vec<f64> =
        fields.split_whitespace().skip(13).take(2).map(str::parse).collect::<std::result::Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Packs files of this machine, as many as make a layer of a usual size.
fn make_sample(path: &Path) -> Result<()> {
    let mut encoder = flate2::write::GzEncoder::new(fs::File::create(path)?, flate2::Compression::default());
    let mut folders = vec![PathBuf::from("/usr/lib"), PathBuf::from("/usr/bin"), PathBuf::from("/usr/share")];
    let mut archive = tar::Builder::new(&mut encoder);
    archive.follow_symlinks(false);
    let mut left = SAMPLE_BYTES;
    while let Some(folder) = folders.pop() {
        let Ok(listing) = fs::read_dir(&folder) else { continue };
        for entry in listing.flatten() {
            let (path, kind) = (entry.path(), entry.file_type()?);
            let length = entry.metadata().map_or(u64::MAX, |metadata| metadata.len());
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && length < left.min(SAMPLE_BYTES / 4) {
                let Ok(bytes) = fs::read(&path) else { continue };
                let mut header = tar::Header::new_gnu();
                header.set_mode(0o644);
                header.set_size(bytes.len() as u64);
                archive.append_data(&mut header, path.strip_prefix("/")?, bytes.as_slice())?;
                left -= length;
            }
        }
    }
    archive.into_inner()?;
    encoder.finish()?.flush()?;
    Ok(())
}
