//! Pulls with injected faults, one per row. The pull either recovers or reports the cause, and the next pull without
//! faults downloads only what is missing.

use porthole_testkit::image::{Compression, Image, Layer};
use porthole_tests::{
    Result,
    images::pseudo_random,
    program::ours,
    servers::{ALWAYS, Access, Fault, Faulty, Registry, Scratch, Served, Storage},
};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// An image with layers of six and three megabytes, in docker-registry.
struct Target {
    storage: Storage,
    /// Digest of the manifest.
    digest: String,
    /// Digest of the larger layer.
    large: String,
    /// Size of all blobs in bytes.
    bytes: u64,
}

fn image() -> &'static Target {
    static IMAGE: OnceLock<Target> = OnceLock::new();
    IMAGE.get_or_init(|| serve().expect("skopeo can push what the testkit built"))
}

fn serve() -> Result<Target> {
    let noise = |name: &str, bytes| Layer::new("COPY").compression(Compression::Gzip).file(name, pseudo_random(bytes));
    let built = Image::new().layer(noise("six", 6_000_000)).layer(noise("three", 3_000_000)).build();
    let blobs = [&built.layers[0].blob, &built.layers[1].blob, &built.config];
    let bytes = blobs.iter().map(|blob| blob.bytes.len() as u64).sum();
    let (large, digest) = (built.layers[0].blob.digest.clone(), built.manifest.digest.clone());
    let layout = Scratch::new("faults")?;
    built.into_content("1").write_layout(layout.path())?;
    let storage = Storage::new()?;
    storage.push(&[(layout.path(), "1", "a/b:1")])?;
    Ok(Target { storage, digest, large, bytes })
}

fn pull(store: &Path, reference: &str) -> Result<Output> {
    let options = ["pull", "--json", "--quiet", "--stall", STALL, reference];
    Ok(Command::new(ours("porthole")?).arg("--store").arg(store).args(options).stdin(Stdio::null()).output()?)
}

fn talk(output: &Output) -> String {
    format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr))
}

/// A fault, how often it occurs, and the expected result.
struct Row {
    name: &'static str,
    /// Substring of affected requests. `LARGE` stands for the larger layer's digest.
    part: &'static str,
    times: u32,
    fault: Fault,
    /// Whether the registry supports ranges.
    ranges: bool,
    /// Whether the image is pulled by digest.
    by_digest: bool,
    /// Exit code of the first pull.
    code: i32,
    /// Maximum blob bytes of the successful pull (the first, else the second), in per cent of the image.
    percent: u64,
}

/// Rows that run concurrently: most of them only wait.
const AT_ONCE: usize = 6;
/// Stall timeout in seconds: longer than any delay on a busy machine, short enough for a test.
const STALL: &str = "20";
const LARGE: &str = "LARGE";
const AT: u64 = 2_000_000;

fn row(name: &'static str, part: &'static str, times: u32, fault: Fault, code: i32, percent: u64) -> Row {
    Row { name, part, times, fault, ranges: true, by_digest: false, code, percent }
}

fn rows() -> Vec<Row> {
    let status = |status, headers: &[(&'static str, &str)]| {
        Fault::Status(status, headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
    };
    let wait = |value| [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", value)];
    let other = || Fault::Header("docker-content-digest", format!("sha256:{}", "0".repeat(64)));
    let flipped = || Fault::FlipAt(60);
    vec![
        row("nothing", "", 0, Fault::EndAt(0), 0, 100),
        row("reset at 2 MB, thrice", LARGE, 3, Fault::ResetAt(AT), 0, 105),
        row("reset at 2 MB, always", LARGE, ALWAYS, Fault::ResetAt(AT), 8, 85),
        row("end at 2 MB, thrice", LARGE, 3, Fault::EndAt(AT), 0, 105),
        row("end at 2 MB, always", LARGE, ALWAYS, Fault::EndAt(AT), 8, 85),
        Row { ranges: false, ..row("reset thrice, ranges ignored", LARGE, 3, Fault::ResetAt(AT), 0, 180) },
        row("stall at 2 MB, once", LARGE, 1, Fault::StallAt(AT), 0, 105),
        row("stall at 2 MB, always", LARGE, ALWAYS, Fault::StallAt(AT), 8, 85),
        row("stall of the manifest", "/manifests/", ALWAYS, Fault::StallAt(10), 8, 100),
        row("503 with Retry-After, thrice", "/blobs/", 3, status(503, &wait("1")), 0, 100),
        row("503, always", "/blobs/", ALWAYS, status(503, &[]), 9, 100),
        row("429 with seconds, thrice", "/blobs/", 3, status(429, &wait("1")), 0, 100),
        row("429 with a date", "/", 2, status(429, &wait("Sun, 06 Nov 1994 08:49:38 GMT")), 0, 100),
        row("429 with an hour", "/blobs/", ALWAYS, status(429, &wait("3600")), 6, 100),
        row("500, thrice", "/blobs/", 3, status(500, &[]), 0, 100),
        row("cut to 2 MB, once", LARGE, 1, Fault::CutAt(AT), 0, 105),
        row("cut to 2 MB, always", LARGE, ALWAYS, Fault::CutAt(AT), 8, 85),
        row("a bit flipped, once", LARGE, 1, Fault::FlipAt(AT), 0, 170),
        row("a bit flipped, always", LARGE, ALWAYS, Fault::FlipAt(AT), 7, 100),
        row("a bit of a small blob flipped, once", "/blobs/", 1, Fault::FlipAt(5), 0, 170),
        row("another digest in the header of blobs", "/blobs/", ALWAYS, other(), 0, 100),
        row("another digest in the header of the manifest, once", "/manifests/", 1, other(), 0, 100),
        row("another digest in the header of the manifest, always", "/manifests/", ALWAYS, other(), 7, 100),
        row("a bit of the manifest flipped, once", "/manifests/", 1, flipped(), 0, 100),
        row("a bit of the manifest flipped, always", "/manifests/", ALWAYS, flipped(), 7, 100),
        Row { by_digest: true, ..row("by digest: another in the header", "/manifests/", ALWAYS, other(), 0, 100) },
        Row { by_digest: true, ..row("by digest: a bit flipped, once", "/manifests/", 1, flipped(), 0, 100) },
        Row { by_digest: true, ..row("by digest: a bit flipped, always", "/manifests/", ALWAYS, flipped(), 7, 100) },
    ]
}

fn blobs(served: &[Served]) -> u64 {
    served.iter().filter(|served| served.request.contains("/blobs/")).map(|served| served.bytes).sum()
}

/// Runs a row. The error describes the violated expectation.
fn check(row: &Row, registry: u16) -> Result<String> {
    let (image, scratch) = (image(), Scratch::new("faults")?);
    let store = scratch.path().join("store");
    let line = Faulty::before(registry)?;
    if row.times > 0 {
        line.fault(&row.part.replace(LARGE, &image.large), row.times, row.fault.clone());
    }
    if !row.ranges {
        line.ignore_ranges();
    }
    let name = if row.by_digest { format!("a/b@{}", image.digest) } else { "a/b:1".to_owned() };
    let reference = format!("{}/{name}", line.host());
    let output = pull(&store, &reference)?;
    let mut served = line.heal();
    if output.status.code() != Some(row.code) {
        return Err(format!("expected exit code {}, got {}\n{served:#?}", row.code, talk(&output)).into());
    }
    let first = blobs(&served);
    if row.code != 0 {
        if store.join("index.json").exists() && fs::read_to_string(store.join("index.json"))?.contains(&image.digest) {
            return Err("what is not whole has a name".into());
        }
        let output = pull(&store, &reference)?;
        served = line.heal();
        if !output.status.success() {
            return Err(format!("the second pull: {}", talk(&output)).into());
        }
    }
    let took = blobs(&served);
    if took > image.bytes * row.percent / 100 {
        return Err(format!("{took} bytes for {}\n{served:#?}", image.bytes).into());
    }
    let output = Command::new(ours("porthole")?)
        .args(["verify", "--quiet", "--store"])
        .arg(&store)
        .arg(format!("store:{reference}"))
        .output()?;
    if !output.status.success() {
        return Err(format!("what came is wrong: {}", talk(&output)).into());
    }
    let requests = served.len();
    Ok(format!(
        "exit {}, {first} bytes{}",
        row.code,
        if row.code == 0 { format!(", {requests} requests") } else { format!(", again: {took}") }
    ))
}

#[test]
fn a_pull_recovers_from_faults_or_reports_them() -> Result<()> {
    let registry = Registry::start(&image().storage, &Access::Open)?;
    let (rows, port) = (rows(), registry.port());
    let next = AtomicUsize::new(0);
    let outcomes: Mutex<Vec<(&Row, Result<String>)>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = check(row, port);
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((row, outcome));
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(outcomes.len(), rows.len());
    let mut wrong = 0;
    for (row, outcome) in outcomes {
        match outcome {
            Ok(told) => println!("{}: {told}", row.name),
            Err(error) => {
                wrong += 1;
                println!("WRONG {}: {error}", row.name);
            }
        }
    }
    assert_eq!(wrong, 0, "rows that are wrong");
    Ok(())
}

/// Commands that read without a store recover as well.
#[test]
fn every_command_recovers_from_faults() -> Result<()> {
    let registry = Registry::start(&image().storage, &Access::Open)?;
    let port = registry.port();
    let unavailable = Fault::Status(503, vec![("retry-after", "1".to_owned())]);
    let layers = [
        (vec![(LARGE, 3, Fault::ResetAt(AT)), ("/manifests/", 1, unavailable.clone())], 0),
        (vec![(LARGE, 1, Fault::StallAt(AT)), ("/blobs/", 1, Fault::EndAt(10))], 0),
        (vec![(LARGE, ALWAYS, Fault::StallAt(AT))], 8),
        (vec![(LARGE, ALWAYS, Fault::FlipAt(AT))], 7),
    ];
    let documents = [(vec![("/v2/", 3, unavailable)], 0), (vec![("GET /v2/", ALWAYS, Fault::StallAt(0))], 8)];
    let verbs = [
        (&["verify"][..], &layers[..]),
        (&["ls"], &layers),
        (&["analyze"], &layers),
        (&["export", "--output", "/dev/null"], &layers),
        (&["tags"], &documents),
        (&["manifest"], &documents),
        (&["config"], &documents),
        (&["inspect"], &documents),
        (&["digest"], &documents[..1]),
    ];
    let wrong: Vec<String> = thread::scope(|scope| {
        let threads = verbs.map(|(verb, faults)| scope.spawn(move || try_verb(port, verb, faults)));
        let ended = threads.map(|thread| thread.join().unwrap_or_else(|_| Err("panicked".into())));
        ended.into_iter().filter_map(|outcome| Some(outcome.err()?.to_string())).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Faults during one command, and its exit code.
type Case = (Vec<(&'static str, u32, Fault)>, i32);

fn try_verb(registry: u16, verb: &[&str], cases: &[Case]) -> Result<()> {
    let line = Faulty::before(registry)?;
    let reference = format!("{}/a/b:1", line.host());
    for (faults, code) in cases {
        for (part, times, fault) in faults {
            line.fault(&part.replace(LARGE, &image().large), *times, fault.clone());
        }
        let options = [&["--quiet", "--stall", STALL, "--no-cache"], verb, &[&reference]].concat();
        let output = Command::new(ours("porthole")?).args(options).output()?;
        let served = line.heal();
        if output.status.code() != Some(*code) {
            return Err(format!("{verb:?} {faults:?}: not {code}, {}\n{served:#?}", talk(&output)).into());
        }
    }
    Ok(())
}

/// A wait that the registry requests is reported.
#[test]
fn a_requested_wait_is_shown() -> Result<()> {
    let registry = Registry::start(&image().storage, &Access::Open)?;
    let line = Faulty::before(registry.port())?;
    let wait = vec![("retry-after", "1".to_owned())];
    line.fault("/manifests/", 1, Fault::Status(429, wait));
    let output = Command::new(ours("porthole")?).args(["digest", &format!("{}/a/b:1", line.host())]).output()?;
    assert!(output.status.success(), "{}", talk(&output));
    let told = String::from_utf8(output.stderr)?;
    assert_eq!(told, format!("porthole: {}: status 429; tries again in 1 s, as it asks\n", line.host()));
    let digest: Value = image().digest.clone().into();
    assert_eq!(digest, String::from_utf8(output.stdout)?.trim());
    Ok(())
}
