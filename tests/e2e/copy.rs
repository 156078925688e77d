//! Copies between registries over connections that break, stall or are slow on either side. No byte that arrived is
//! sent twice, and memory stays bounded.

use porthole_testkit::registry::{Internet, Site, Socket};
use porthole_tests::{
    Result,
    images::pseudo_random,
    memory::peak,
    program::{free_port, ours, run},
    servers::{Access, Fault, Faulty, Narrow, Nginx, Registry, Scissors, Scratch, Storage},
};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::Write,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Command, Stdio},
};

const MB: u64 = 1_000_000;

/// A layout with one layer of this size, of noise or of zeros.
struct Large {
    folder: Scratch,
    digest: String,
    bytes: u64,
}

impl Large {
    fn new(bytes: u64, noise: bool) -> Result<Self> {
        let folder = Scratch::new("copy")?;
        let blobs = folder.path().join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        let layer = File::create(blobs.join("layer"))?;
        if noise {
            let noise = pseudo_random(9_999_991);
            while layer.metadata()?.len() < bytes {
                (&layer).write_all(&noise)?;
            }
        }
        layer.set_len(bytes)?;
        let layer = named(&blobs, "layer", "layer.v1.tar")?;
        let digest = layer["digest"].as_str().unwrap_or_default().to_owned();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {}, "rootfs": { "type": "layers", "diff_ids": [digest] },
        });
        fs::write(blobs.join("config"), config.to_string())?;
        let config = named(&blobs, "config", "config.v1+json")?;
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
        fs::write(blobs.join("manifest"), manifest.to_string())?;
        let mut manifest = named(&blobs, "manifest", "manifest.v1+json")?;
        manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": "1" });
        let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
        fs::write(folder.path().join("index.json"), index.to_string())?;
        fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(Self { folder, digest, bytes })
    }

    fn source(&self) -> String {
        format!("oci:{}:1", self.folder.path().display())
    }

    /// A registry that serves the image as `large/image:1`.
    fn served(&self, storage: &Storage) -> Result<Registry> {
        let registry = Registry::start(storage, &Access::Open)?;
        done(&["push", &self.source(), &format!("{}/large/image:1", registry.host())])?;
        Ok(registry)
    }
}

/// Renames a blob to its digest. Returns its descriptor.
fn named(blobs: &Path, file: &str, kind: &str) -> Result<Value> {
    let file = blobs.join(file);
    let line = run("sha256sum", [&file])?;
    let hex = line.split_whitespace().next().ok_or("sha256sum prints a sum")?;
    fs::rename(&file, blobs.join(hex))?;
    let size = fs::metadata(blobs.join(hex))?.len();
    Ok(
        json!({ "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": format!("sha256:{hex}"), "size": size }),
    )
}

/// The JSON report of a command that must succeed, and its peak memory.
fn measured(arguments: &[&str]) -> Result<(Value, u64)> {
    let mut command = Command::new(ours("porthole")?);
    command.args(arguments).arg("--json").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut most = 0;
    while child.try_wait()?.is_none() {
        // The process may end between the two checks.
        most = peak(child.id()).map_or(most, |peak| peak.max(most));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let output = child.wait_with_output()?;
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "porthole {arguments:?}: {}\n{talk}", output.status);
    Ok((serde_json::from_slice(&output.stdout)?, most))
}

fn done(arguments: &[&str]) -> Result<Value> {
    measured(arguments).map(|(value, _)| value)
}

#[test]
fn a_copy_resumes_a_broken_source_without_restarting_the_upload() -> Result<()> {
    let (image, here) = (Large::new(40 * MB, true)?, Storage::new()?);
    let here = image.served(&here)?;
    for (fault, times) in [
        (Fault::ResetAt(13 * MB), 3),
        (Fault::EndAt(13 * MB), 1),
        (Fault::StallAt(13 * MB), 1),
        (Fault::Status(503, vec![]), 2),
    ] {
        let there = Storage::new()?;
        let there = Registry::start(&there, &Access::Open)?;
        let (from, to) = (Faulty::before(here.port())?, Scissors::before(there.port(), vec![])?);
        from.fault(&image.digest, times, fault.clone());
        let (source, target) = (format!("{}/large/image:1", from.host()), format!("{}/large/image:1", to.host()));
        done(&["copy", "--stall", "20", &source, &target])?;
        let served = from.heal();
        let fetched = served.iter().filter(|served| served.request.contains(&image.digest)).map(|served| served.bytes);
        let (fetched, sent) = (fetched.sum::<u64>(), to.up());
        assert!(fetched <= image.bytes + 5 * MB, "{fault:?}: {fetched} bytes were fetched");
        // docker-registry drops an upload whose connection breaks.
        assert!(sent <= image.bytes + MB, "{fault:?}: {sent} bytes were sent");
    }
    Ok(())
}

#[test]
fn both_sides_of_a_copy_may_break() -> Result<()> {
    let (image, here) = (Large::new(40 * MB, true)?, Storage::new()?);
    let here = image.served(&here)?;
    for chunk in [&["--chunk-size", "1MiB"][..], &[]] {
        let (internet, port, from) = (Internet::new(), free_port()?, Faulty::before(here.port())?);
        let there = Socket::serve(TcpListener::bind((Ipv4Addr::LOCALHOST, port))?, &internet)?;
        internet.site(there.authority(), Site::new());
        let to = Scissors::before(port, vec![10 * MB, 20 * MB, 30 * MB])?;
        from.fault(&image.digest, 1, Fault::ResetAt(15 * MB));
        from.fault(&image.digest, 1, Fault::EndAt(25 * MB));
        let (source, target) = (format!("{}/large/image:1", from.host()), format!("{}/large/image:1", to.host()));
        done(&[&["copy", &source, &target], chunk].concat())?;
        assert!(to.up() <= image.bytes * 11 / 10, "{chunk:?}: {} bytes were sent", to.up());
        assert_eq!(internet.count("POST "), 2, "one session for each blob");
    }
    Ok(())
}

#[test]
fn a_slow_side_throttles_the_fast_one() -> Result<()> {
    let (image, here) = (Large::new(12 * MB, true)?, Storage::new()?);
    let here = image.served(&here)?;
    let source = format!("{}/large/image:1", here.host());
    let copy = |from: &str, number: u32, to: &dyn Fn(u16) -> Result<(Option<Narrow>, String)>| -> Result<u64> {
        let there = Storage::new()?;
        let there = Registry::start(&there, &Access::Open)?;
        let (_line, host) = to(there.port())?;
        let (copied, memory) = measured(&["copy", from, &format!("{host}/large/image:{number}")])?;
        // Each byte is sent once, although the waiting side could have closed its connection.
        assert_eq!(copied["sent"], copied["uploaded"]["bytes"], "{copied}");
        Ok(memory)
    };
    let straight = |port| Ok((None, format!("127.0.0.1:{port}")));
    let fast = copy(&source, 1, &straight)?;
    let slow_source = Nginx::metered(here.port(), 2_000)?;
    let slow = copy(&format!("{}/large/image:1", slow_source.host()), 2, &straight)?;
    assert!(slow < fast + (8 << 20), "{fast} bytes between fast registries, {slow} from a slow one");
    let slow = copy(&source, 3, &|port| {
        let line = Narrow::before(port, 2_000)?;
        let host = line.host();
        Ok((Some(line), host))
    })?;
    assert!(slow < fast + (8 << 20), "{fast} bytes between fast registries, {slow} to a slow one");
    Ok(())
}

#[test]
fn a_larger_image_takes_no_more_memory() -> Result<()> {
    let took = |bytes| -> Result<(u64, u64)> {
        let (image, here, there) = (Large::new(bytes, false)?, Storage::new()?, Storage::new()?);
        let (here, there) = (Registry::start(&here, &Access::Open)?, Registry::start(&there, &Access::Open)?);
        let (first, second) = (format!("{}/large/image:1", here.host()), format!("{}/large/image:1", there.host()));
        let (_, pushed) = measured(&["push", &image.source(), &first])?;
        let (_, copied) = measured(&["copy", &first, &second])?;
        Ok((pushed, copied))
    };
    // Set `PORTHOLE_LARGE=1000000000` for a realistic size.
    let large = std::env::var("PORTHOLE_LARGE").ok().and_then(|bytes| bytes.parse().ok()).unwrap_or(300 * MB);
    let (small, large) = (took(30 * MB)?, took(large)?);
    println!("push and copy took at most {small:?} bytes of memory for 30 MB, {large:?} for more");
    assert!(small.0 > MB && large.0 < small.0 + (8 << 20), "pushes took {} and {} bytes", small.0, large.0);
    assert!(small.1 > MB && large.1 < small.1 + (8 << 20), "copies took {} and {} bytes", small.1, large.1);
    Ok(())
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
