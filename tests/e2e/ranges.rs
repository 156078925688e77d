//! Pulls one large blob in several concurrent ranges.

use porthole_tests::{
    Result,
    images::pseudo_random,
    memory::peak,
    program::{ours, run, wait_for},
    servers::{ALWAYS, Fault, Faulty, Nginx, Scratch},
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

const MB: u64 = 1_000_000;

/// A static registry with an image of one layer.
struct Image {
    folder: Scratch,
    /// Path of the layer.
    layer: PathBuf,
    digest: String,
    bytes: u64,
}

impl Image {
    /// A layer of noise, whose period does not match the range size, or of zeros.
    fn new(bytes: u64, noise: bool) -> Result<Self> {
        let folder = Scratch::new("ranges")?;
        let repository = folder.path().join("v2/large/image");
        fs::create_dir_all(repository.join("blobs"))?;
        fs::create_dir_all(repository.join("manifests"))?;
        let layer = repository.join("blobs/layer");
        let file = File::create(&layer)?;
        if noise {
            let noise = pseudo_random(9_999_991);
            while file.metadata()?.len() < bytes {
                (&file).write_all(&noise)?;
            }
        }
        file.set_len(bytes)?;
        let (config, diff_id) = (repository.join("blobs/config"), digest(&layer)?);
        let document = json!({
            "architecture": "amd64", "os": "linux", "config": {}, "rootfs": { "type": "layers", "diff_ids": [diff_id] },
        });
        fs::write(&config, document.to_string())?;
        let blob = |kind: &str, file: &Path| -> Result<Value> {
            let (media_type, digest, size) =
                (format!("application/vnd.oci.image.{kind}"), digest(file)?, fs::metadata(file)?.len());
            fs::rename(file, file.with_file_name(&digest))?;
            Ok(json!({ "mediaType": media_type, "digest": digest, "size": size }))
        };
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": blob("config.v1+json", &config)?, "layers": [blob("layer.v1.tar", &layer)?],
        });
        fs::write(repository.join("manifests/1"), manifest.to_string())?;
        Ok(Self { layer: layer.with_file_name(&diff_id), folder, digest: diff_id, bytes })
    }

    /// Serves the image with these nginx directives.
    fn serve(&self, line: &str) -> Result<Nginx> {
        Nginx::files(self.folder.path(), line)
    }

    /// Bytes of the layer that were sent, and the number of responses.
    fn sent(&self, line: &Nginx) -> Result<(u64, usize)> {
        let mut sent = line.sent()?;
        sent.retain(|(path, _)| path.ends_with(&self.digest));
        Ok((sent.iter().map(|(_, bytes)| bytes).sum(), sent.len()))
    }

    /// Path of the layer in a store.
    fn stored(&self, store: &Path) -> PathBuf {
        store.join("blobs").join(self.digest.replace(':', "/"))
    }

    fn is_stored(&self, store: &Path) -> Result<()> {
        run("cmp", [&self.layer, &self.stored(store)])?;
        assert_eq!(fs::read_dir(store.join("ingest"))?.count(), 0, "nothing is left of the transfer");
        Ok(())
    }
}

fn digest(file: &Path) -> Result<String> {
    let line = run("sha256sum", [file])?;
    Ok(format!("sha256:{}", line.split_whitespace().next().ok_or("sha256sum prints a sum")?))
}

fn pull(store: &Path, line: &Nginx, options: &[&str]) -> Result<Command> {
    pull_from(store, &line.host(), options)
}

fn pull_from(store: &Path, host: &str, options: &[&str]) -> Result<Command> {
    let mut command = Command::new(ours("porthole")?);
    command.arg("--store").arg(store).args(["pull", "--quiet"]).args(options);
    command.arg(format!("{host}/large/image:1")).stdin(Stdio::null()).stdout(Stdio::null());
    Ok(command)
}

fn done(mut command: Command) -> Result<()> {
    let output = command.stderr(Stdio::piped()).output()?;
    assert!(output.status.success(), "{}", talk(&output));
    Ok(())
}

fn talk(output: &Output) -> String {
    format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr))
}

/// Disk space of partial blobs.
fn partial(store: &Path) -> u64 {
    let entries = fs::read_dir(store.join("ingest")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.blocks() * 512).sum()
}

#[test]
fn a_repeatedly_killed_pull_downloads_a_large_blob_once() -> Result<()> {
    let (image, scratch) = (Image::new(320 * MB, true)?, Scratch::new("pull")?);
    let (line, store) = (image.serve("limit_rate 3m;")?, scratch.path().join("store"));
    for kill in 1..=5 {
        let mut child = pull(&store, &line, &[])?.spawn()?;
        wait_for("fifty more megabytes", || Ok((partial(&store) >= kill * 50 * MB).then_some(())))?;
        child.kill()?;
        child.wait()?;
        assert!(!image.stored(&store).exists());
    }
    done(pull(&store, &line, &[])?)?;
    image.is_stored(&store)?;
    let (sent, answers) = image.sent(&line)?;
    assert!(sent >= image.bytes && sent <= image.bytes / 100 * 105, "{sent} bytes were sent for {}", image.bytes);
    assert!(answers > 20, "{answers} ranges");
    Ok(())
}

/// Damages a partial blob or its map.
type Damage<'d> = &'d dyn Fn(&Path, &Path) -> Result<()>;

#[test]
fn damaged_partial_blobs_are_detected() -> Result<()> {
    let image = Image::new(100 * MB, true)?;
    // Slow enough to observe the pull and kill it halfway.
    let line = image.serve("limit_rate 8m;")?;
    let flip = |file: &Path, at: usize| -> Result<()> {
        let mut bytes = fs::read(file)?;
        bytes[at] ^= 1;
        Ok(fs::write(file, bytes)?)
    };
    let damages: [Damage<'_>; 5] = [
        &|blob, _| flip(blob, 1_000_000),
        &|_, map| flip(map, 40),
        &|_, map| Ok(fs::remove_file(map)?),
        &|_, map| Ok(fs::write(map, "nonsense")?),
        &|blob, _| Ok(File::options().write(true).open(blob)?.set_len(1_000_000)?),
    ];
    for (number, damage) in damages.iter().enumerate() {
        let scratch = Scratch::new("pull")?;
        let store = scratch.path().join("store");
        let mut child = pull(&store, &line, &[])?.spawn()?;
        wait_for("thirty megabytes", || Ok((partial(&store) >= 30 * MB).then_some(())))?;
        child.kill()?;
        child.wait()?;
        let blob = store.join("ingest").join(image.digest.replace(':', "-"));
        damage(&blob, &blob.with_extension("ranges"))?;
        done(pull(&store, &line, &[])?)?;
        image.is_stored(&store).map_err(|error| format!("damage {number}: {error}"))?;
    }
    Ok(())
}

#[test]
fn sixteen_processes_pull_a_large_blob_once() -> Result<()> {
    let (image, scratch) = (Image::new(100 * MB, true)?, Scratch::new("pull")?);
    let (line, store) = (image.serve("limit_rate 20m;")?, scratch.path().join("store"));
    let start = |_| -> Result<Child> { Ok(pull(&store, &line, &[])?.stderr(Stdio::piped()).spawn()?) };
    for child in (0..16).map(start).collect::<Result<Vec<_>>>()? {
        let output = child.wait_with_output()?;
        assert!(output.status.success(), "{}", talk(&output));
    }
    image.is_stored(&store)?;
    let (sent, answers) = image.sent(&line)?;
    assert_eq!(sent, image.bytes, "in {answers} ranges");
    assert!(answers > 4, "{answers} ranges");
    Ok(())
}

#[test]
fn a_registry_without_ranges_sends_a_large_blob_once() -> Result<()> {
    let (image, scratch) = (Image::new(100 * MB, true)?, Scratch::new("pull")?);
    let (line, store) = (image.serve("max_ranges 0;")?, scratch.path().join("store"));
    done(pull(&store, &line, &[])?)?;
    image.is_stored(&store)?;
    assert_eq!(image.sent(&line)?, (image.bytes, 1));
    Ok(())
}

#[test]
fn a_registry_that_allows_two_requests_at_once_gets_no_more() -> Result<()> {
    let (image, scratch) = (Image::new(100 * MB, true)?, Scratch::new("pull")?);
    let (line, store) = (image.serve("limit_conn all 2; limit_rate 20m;")?, scratch.path().join("store"));
    done(pull(&store, &line, &["--jobs", "8"])?)?;
    image.is_stored(&store)?;
    Ok(())
}

#[test]
fn a_large_blob_of_other_bytes_is_fetched_twice_and_never_stored() -> Result<()> {
    let (image, scratch) = (Image::new(100 * MB, true)?, Scratch::new("pull")?);
    let (line, store) = (image.serve("")?, scratch.path().join("store"));
    let mut bytes = fs::read(&image.layer)?;
    bytes[70_000_000] ^= 1;
    fs::write(&image.layer, &bytes)?;
    let output = pull(&store, &line, &[])?.output()?;
    assert_eq!(output.status.code(), Some(7), "{}", talk(&output));
    assert_eq!(image.sent(&line)?.0, 2 * image.bytes);
    assert!(!image.stored(&store).exists());
    assert_eq!(partial(&store), 0, "wrong bytes are not kept for later either");
    bytes[70_000_000] ^= 1;
    fs::write(&image.layer, &bytes)?;
    done(pull(&store, &line, &[])?)?;
    image.is_stored(&store)
}

#[test]
fn a_fault_in_one_range_is_retried_in_that_range() -> Result<()> {
    let image = Image::new(100 * MB, true)?;
    let files = image.serve("")?;
    let port = files.host().rsplit(':').next().ok_or("a host has a port")?.parse()?;
    let odd = || Fault::Header("content-range", "bytes 0-1/2".to_owned());
    // The allowance beyond the blob's size is data in flight on abandoned connections: on one, or on all if each has the fault.
    for (fault, times, more) in [
        (Fault::StallAt(50 * MB), 1, 0),
        (Fault::ResetAt(50 * MB), 3, 0),
        (Fault::EndAt(50 * MB), 1, 0),
        (Fault::Status(503, vec![]), 4, 0),
        (Fault::Status(429, vec![("retry-after", "1".to_owned())]), 2, 0),
        (odd(), 1, image.bytes + 10 * MB),
        (odd(), ALWAYS, image.bytes + 10 * MB),
        (Fault::FlipAt(50 * MB), 1, image.bytes),
    ] {
        let scratch = Scratch::new("pull")?;
        let (line, store) = (Faulty::before(port)?, scratch.path().join("store"));
        line.fault(&image.digest, times, fault.clone());
        let output = pull_from(&store, &line.host(), &["--stall", "20"])?.output()?;
        assert!(output.status.success(), "{fault:?}: {}", talk(&output));
        image.is_stored(&store)?;
        let served = line.heal();
        let sent = served.iter().filter(|served| served.request.contains(&image.digest)).map(|served| served.bytes);
        let sent = sent.sum::<u64>();
        assert!(sent <= image.bytes + more + 5 * MB, "{fault:?}: {sent} bytes were sent: {served:?}");
    }
    Ok(())
}

#[test]
fn a_larger_blob_takes_no_more_memory() -> Result<()> {
    let took = |bytes| -> Result<u64> {
        let (image, scratch) = (Image::new(bytes, false)?, Scratch::new("pull")?);
        let line = image.serve("")?;
        let mut child = pull(&scratch.path().join("store"), &line, &[])?.spawn()?;
        let mut most = 0;
        while child.try_wait()?.is_none() {
            // The process may end between the two checks.
            most = peak(child.id()).map_or(most, |peak| peak.max(most));
        }
        image.is_stored(&scratch.path().join("store"))?;
        Ok(most)
    };
    let (small, large) = (took(100 * MB)?, took(1_000 * MB)?);
    assert!(small > MB && large < small + (8 << 20), "{small} bytes for 100 MB, {large} for 1 GB");
    Ok(())
}
