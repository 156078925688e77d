//! Reads one file from the middle of a large layer. Checks the number of bytes read, and that no wrong byte is printed.

use porthole_testkit::image::{Compression, Image, Layer};
use porthole_tests::{
    Result,
    images::pseudo_random,
    program::ours,
    servers::{Access, Nginx, Registry, Scratch, Storage},
};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::OnceLock,
};

const NAME: &str = "porthole/large:1";
/// Number and size of the layer's incompressible files.
const FILES: usize = 32;
const BYTES: usize = 1 << 20;
const MIDDLE: &str = "data/16";
/// Maximum bytes for one file: the file, the distance between two checkpoints, and a span at both ends.
const COST: u64 = (BYTES + (4 << 20) + (256 << 10)) as u64;

/// The image, built once for all tests: its layout, the digest of the layer, and the file in its middle.
struct Large {
    layout: Scratch,
    digest: String,
    size: u64,
    middle: Vec<u8>,
}

fn large() -> &'static Large {
    static LARGE: OnceLock<Large> = OnceLock::new();
    LARGE.get_or_init(|| make().expect("the image can be made"))
}

fn make() -> Result<Large> {
    let noise = pseudo_random(FILES * BYTES);
    let layer = Layer::new("COPY data /data").compression(Compression::Gzip).dir("data");
    let layer = noise
        .chunks(BYTES)
        .enumerate()
        .fold(layer, |layer, (number, content)| layer.file(format!("data/{number}"), content));
    let image = Image::new().layer(layer).build();
    let blob = &image.layers[0].blob;
    let (digest, size) = (blob.digest.clone(), blob.bytes.len() as u64);
    assert!(size > 30_000_000, "{size} bytes are not a large layer");
    let layout = Scratch::new("large")?;
    image.into_content("1").write_layout(layout.path())?;
    Ok(Large { layout, digest, size, middle: noise[16 * BYTES..17 * BYTES].to_vec() })
}

fn storage() -> Result<Storage> {
    let storage = Storage::new()?;
    storage.push(&[(large().layout.path(), "1", NAME)])?;
    Ok(storage)
}

fn porthole(cache: &Path, arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(ours("porthole")?).arg("--cache").arg(cache).args(arguments).output()?)
}

/// Stdout and stderr of a command that must succeed.
fn done(cache: &Path, arguments: &[&str]) -> Result<(Vec<u8>, String)> {
    let output = porthole(cache, arguments)?;
    let talk = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "porthole {arguments:?}: {}\n{talk}", output.status);
    Ok((output.stdout, talk))
}

/// Bytes of the layer that were sent so far.
fn sent(line: &Nginx) -> Result<u64> {
    let sent = line.sent()?;
    Ok(sent.iter().filter(|(path, _)| path.ends_with(&large().digest)).map(|(_, bytes)| bytes).sum())
}

#[test]
fn one_file_costs_one_part_of_its_layer() -> Result<()> {
    let storage = storage()?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let line = Nginx::metered(registry.port(), 1_000_000)?;
    let (cache, reference) = (Scratch::new("cache")?, format!("{}/{NAME}", line.host()));

    let (listed, _) = done(cache.path(), &["ls", &reference])?;
    assert_eq!(sent(&line)?, large().size, "the layer once");
    assert_eq!(done(cache.path(), &["ls", &reference])?.0, listed);
    assert_eq!(sent(&line)?, large().size, "and not again");

    let (printed, talk) = done(cache.path(), &["cat", &reference, MIDDLE])?;
    assert!(printed == large().middle, "{} bytes", printed.len());
    let cost = sent(&line)? - large().size;
    assert!((BYTES as u64..COST).contains(&cost), "{cost} bytes of {}", large().size);
    assert!(talk.contains("read ") && talk.contains(", verified"), "{talk}");
    println!("{cost} bytes of {} for a file of {BYTES}", large().size);
    Ok(())
}

#[test]
fn a_wrong_byte_is_refused_before_it_is_printed() -> Result<()> {
    let storage = storage()?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let (cache, reference) = (Scratch::new("cache")?, format!("{}/{NAME}", registry.host()));
    done(cache.path(), &["ls", &reference])?;

    let blob = storage.blob(&large().digest)?;
    let mut bytes = fs::read(&blob)?;
    // The middle of the middle file; all files have equal size.
    let place = bytes.len() * 33 / 64;
    bytes[place] ^= 0x10;
    fs::write(blob, bytes)?;

    let output = porthole(cache.path(), &["cat", &reference, MIDDLE])?;
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{talk}");
    assert!(talk.contains("do not match its digest"), "{talk}");
    assert!(output.stdout.len() < BYTES && large().middle.starts_with(&output.stdout), "{}", output.stdout.len());
    // Without a seek index, nothing is printed.
    let output = porthole(Scratch::new("cache")?.path(), &["cat", &reference, MIDDLE])?;
    assert_eq!((output.status.code(), output.stdout.len()), (Some(7), 0));
    Ok(())
}

#[test]
fn a_registry_that_ignores_ranges_gives_the_same_file() -> Result<()> {
    let storage = storage()?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let proxy = Nginx::ignores_ranges(registry.port())?;
    let (cache, reference) = (Scratch::new("cache")?, format!("{}/{NAME}", proxy.host()));
    done(cache.path(), &["ls", &reference])?;
    let (printed, talk) = done(cache.path(), &["cat", "--debug", &reference, MIDDLE])?;
    assert!(printed == large().middle, "{} bytes", printed.len());
    assert!(talk.contains("range: bytes=") && !talk.contains(" < 206 "), "the range was not ignored:\n{talk}");
    Ok(())
}
