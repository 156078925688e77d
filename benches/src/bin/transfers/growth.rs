//! How time and memory grow with the entries and with the bytes of one layer.
//!
//! `entries`: a layer of empty files is listed from a file, beside `gzip | tar`. `bytes`: one small file is read out of a layer of a
//! registry that was listed before, beside a download of the whole layer. Each prints a table, and draws every figure over the size.

use crate::{
    measure,
    plot::{Line, plot},
    round::REPOSITORY,
};
use porthole_benches::median;
use porthole_core::digest::{Algorithm, Digest, Hasher};
use porthole_tests::{
    Result,
    images::pseudo_random,
    program::ours,
    servers::{Access, Registry, Scratch, Storage},
};
use serde_json::json;
use std::{
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

const ROUNDS: usize = 3;
const COUNTS: [u64; 4] = [10_000, 100_000, 1_000_000, 5_000_000];
/// Packed megabytes.
const SIZES: [u64; 2] = [100, 1_000];
/// The lowest level at which the compressor ends deflate blocks before the end: where there is one block, a reader starts at its start.
const LEVEL: u32 = 2;
const SMALL: &[u8] = b"a small file\n\n";
const SMALL_PATH: &str = "srv/small";

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

fn entries(counts: &[u64], home: &Path, scratch: &Path) -> Result<Vec<Figures>> {
    let porthole = ours("porthole")?;
    let mut figures = Vec::new();
    for &count in counts {
        let layer = home.join(format!("entries-{count}.tar.gz"));
        if !layer.exists() {
            write_layer(&layer, |builder| {
                (0..count).try_for_each(|number| {
                    let folder = number / 80;
                    let path = format!("usr/lib/part-{}/folder-{folder}/file-{number}.so", folder / 80);
                    append(builder, &path, &[])
                })
            })?;
        }
        let layer = layer.display();
        let programs = [
            ("gzip, tar", format!("gzip -dc {layer} | tar -t | wc -l")),
            ("porthole", format!("{} --quiet ls layer:{layer} | wc -l", porthole.display())),
            ("porthole long", format!("{} --quiet ls --long layer:{layer} | wc -l", porthole.display())),
        ];
        figures.extend(rounds(count, &programs, scratch, || Ok(None))?);
    }
    Ok(figures)
}

fn bytes(sizes: &[u64], home: &Path, scratch: &Path) -> Result<Vec<Figures>> {
    let porthole = ours("porthole")?.display().to_string();
    let mut figures = Vec::new();
    for &size in sizes {
        let layout = home.join(format!("bytes-{size}"));
        if !layout.join("index.json").exists() {
            write_layout(&layout, size)?;
        }
        let place = Scratch::within(home, "bytes")?;
        let storage = Storage::within(place.path())?;
        storage.push(&[(&layout, "bench", &format!("{REPOSITORY}:bench"))])?;
        let registry = Registry::start(&storage, &Access::Open)?;
        let image = format!("{}/{REPOSITORY}:bench", registry.host());
        let blob = layer_digest(&layout)?;
        let programs = [
            (
                "curl, tar",
                format!("curl -fsS http://{}/v2/{REPOSITORY}/blobs/{blob} | tar -xzO {SMALL_PATH}", registry.host()),
            ),
            ("porthole", format!("{porthole} --quiet cat {image} {SMALL_PATH}")),
        ];
        let variables =
            [("PATH", std::env::var("PATH")?), ("HOME", scratch.display().to_string()), ("LC_ALL", "C".to_owned())];
        let list = format!("{porthole} --quiet ls {image}");
        measure::run(&["sh".into(), "-ec".into(), list], &variables, scratch)?;
        let moved = || Ok(Some(measure::traffic(registry.process())?.1));
        figures.extend(rounds(size, &programs, scratch, moved)?);
        if fs::read(scratch.join(measure::OUTPUT))? != SMALL {
            return Err(format!("expected the content of {SMALL_PATH}").into());
        }
    }
    Ok(figures)
}

type Builder<'w> = tar::Builder<Box<dyn Write + 'w>>;

fn append(builder: &mut Builder<'_>, path: &str, content: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_mtime(1_700_000_000);
    header.set_size(content.len() as u64);
    builder.append_data(&mut header, path, content)
}

/// Writes a gzip layer. Returns the digest of its archive.
fn write_layer(path: &Path, fill: impl FnOnce(&mut Builder<'_>) -> io::Result<()>) -> Result<Digest> {
    let half = path.with_extension("half");
    let packed = flate2::write::GzEncoder::new(BufWriter::new(File::create(&half)?), flate2::Compression::new(LEVEL));
    let mut hashing = Hashing { inner: packed, hasher: Hasher::new(Algorithm::Sha256) };
    let mut builder: Builder<'_> = tar::Builder::new(Box::new(&mut hashing));
    fill(&mut builder)?;
    builder.into_inner()?.flush()?;
    let Hashing { inner, hasher } = hashing;
    inner.finish()?.flush()?;
    fs::rename(half, path)?;
    Ok(hasher.finish())
}

struct Hashing<W> {
    inner: W,
    hasher: Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// An image of one layer: files of 10 MB, of which half is incompressible, then a small one.
fn write_layout(layout: &Path, megabytes: u64) -> Result<()> {
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let noise = pseudo_random(2_000_000);
    let text = b"a text that compresses well, unlike the noise before it\n".repeat(90_000);
    let layer = blobs.join("layer");
    let diff_id = write_layer(&layer, |builder| {
        for number in 0..megabytes.div_ceil(5) as usize {
            let start = number * 65_537 % 1_400_000;
            let content = [&noise[start..start + 500_000], &text[..500_000]].concat().repeat(10);
            append(builder, &format!("srv/data/file-{number}"), &content)?;
        }
        append(builder, SMALL_PATH, SMALL)
    })?;
    let (size, digest) = (fs::metadata(&layer)?.len(), digest_of(&layer)?);
    fs::rename(&layer, blobs.join(digest.hex()))?;
    let document = |value: serde_json::Value| -> Result<(String, usize)> {
        let bytes = serde_json::to_vec(&value)?;
        let digest = Digest::sha256(&bytes);
        fs::write(blobs.join(digest.hex()), &bytes)?;
        Ok((digest.to_string(), bytes.len()))
    };
    let media = |what: &str| format!("application/vnd.oci.image.{what}");
    let (config, config_size) = document(json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [diff_id.to_string()] },
    }))?;
    let (manifest, manifest_size) = document(json!({
        "schemaVersion": 2, "mediaType": media("manifest.v1+json"),
        "config": { "mediaType": media("config.v1+json"), "digest": config, "size": config_size },
        "layers": [{ "mediaType": media("layer.v1.tar+gzip"), "digest": digest.to_string(), "size": size }],
    }))?;
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let index = json!({ "schemaVersion": 2, "manifests": [{
        "mediaType": media("manifest.v1+json"), "digest": manifest, "size": manifest_size,
        "annotations": { "org.opencontainers.image.ref.name": "bench" },
    }] });
    Ok(fs::write(layout.join("index.json"), index.to_string())?)
}

/// The digest of the largest blob.
fn layer_digest(layout: &Path) -> Result<String> {
    let mut blobs: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(layout.join("blobs/sha256"))? {
        let entry = entry?;
        blobs.push((entry.metadata()?.len(), entry.path()));
    }
    let (_, layer) = blobs.into_iter().max().ok_or("a layout without blobs")?;
    Ok(format!("sha256:{}", layer.file_name().unwrap_or_default().to_string_lossy()))
}

fn digest_of(path: &Path) -> Result<Digest> {
    let (mut file, mut hasher, mut buffer) = (File::open(path)?, Hasher::new(Algorithm::Sha256), vec![0; 1 << 20]);
    while let read @ 1.. = file.read(&mut buffer)? {
        hasher.update(&buffer[..read]);
    }
    Ok(hasher.finish())
}
