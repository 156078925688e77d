//! Pulls into the store: complete, each byte downloaded once, and robust against interruption.

use crate::images::{self, SEVEN_LAYERS, THREE_PLATFORMS};
use porthole_tests::{
    Result,
    images::pseudo_random,
    program::{ours, run, wait_for},
    servers::{Access, Nginx, Registry, Scratch, Storage},
};
use serde_json::Value;
use std::{
    collections::HashMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

fn porthole(store: &Path, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(ours("porthole")?);
    command.arg("--store").arg(store).args(arguments).stdin(Stdio::null());
    Ok(command)
}

/// Stdout of a command that must succeed.
fn done(store: &Path, arguments: &[&str]) -> Result<String> {
    let output = porthole(store, arguments)?.output()?;
    assert!(output.status.success(), "porthole {arguments:?}: {}", talk(&output));
    Ok(String::from_utf8(output.stdout)?)
}

fn talk(output: &Output) -> String {
    format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr))
}

fn pull(store: &Path, arguments: &[&str]) -> Result<Value> {
    Ok(serde_json::from_str(&done(store, &[&["pull", "--json"], arguments].concat())?)?)
}

/// The digest that skopeo reports.
fn skopeo_digest(source: &str) -> Result<String> {
    Ok(run("skopeo", ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", source])?.trim().to_owned())
}

#[test]
fn a_pull_writes_a_layout_that_other_tools_read() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let (scratch, reference) = (Scratch::new("pull")?, format!("{}/{SEVEN_LAYERS}", registry.host()));
    let store = scratch.path().join("store");
    let pulled = pull(&store, &[&reference])?;
    assert_eq!(pulled["digest"], skopeo_digest(&format!("docker://{reference}"))?);
    assert_eq!(pulled["digest"], skopeo_digest(&format!("oci:{}:{reference}", store.display()))?);
    assert_eq!(pulled["saved"], 0);
    let again = pull(&store, &[&reference])?;
    assert!(again["fetched"].as_u64() < Some(10_000), "only the manifest is asked for again: {again}");

    let bundle = scratch.path().join("bundle");
    let image = format!("{}:{reference}", store.display());
    run("umoci", ["unpack", "--image", &image, &bundle.display().to_string()])?;
    done(&store, &["verify", &format!("store:{reference}")])?;
    let listed = done(&store, &["ls", "--json", &format!("store:{reference}")])?;
    assert!(listed.lines().count() > 7_000, "{} rows", listed.lines().count());
    Ok(())
}

#[test]
fn every_platform_is_pulled_and_copied_unchanged() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let (scratch, reference) = (Scratch::new("pull")?, format!("{}/{THREE_PLATFORMS}", registry.host()));
    let layout = scratch.path().join("layout");
    let pulled = pull(scratch.path(), &["--all-platforms", &reference, &format!("oci:{}:all", layout.display())])?;
    assert_eq!(pulled["manifests"].as_array().map(Vec::len), Some(3), "{pulled}");
    let elsewhere = Storage::new()?;
    elsewhere.push(&[(&layout, "all", "copied/here:1")])?;
    let other = Registry::start(&elsewhere, &Access::Open)?;
    let raw = |host: &str, name: &str| {
        run("skopeo", ["inspect", "--raw", "--tls-verify=false", &format!("docker://{host}/{name}")])
    };
    assert_eq!(raw(&registry.host(), THREE_PLATFORMS)?, raw(&other.host(), "copied/here:1")?);
    Ok(())
}

/// A registry on a slow connection, with an image of one layer that takes many seconds. The rate is so low that few bytes are in the
/// sockets of a process that is killed.
fn slow(scratch: &Path) -> Result<(Registry, Nginx, Storage, u64)> {
    let (rootfs, layout) = (scratch.join("rootfs"), scratch.join("layout").display().to_string());
    fs::create_dir_all(&rootfs)?;
    fs::write(rootfs.join("noise"), pseudo_random(24_000_000))?;
    let (archive, image) = (scratch.join("layer.tar").display().to_string(), format!("{layout}:1"));
    run("tar", ["--create", "--file", &archive, "--directory", &rootfs.display().to_string(), "noise"])?;
    run("umoci", ["init", "--layout", &layout])?;
    run("umoci", ["new", "--image", &image])?;
    run("umoci", ["raw", "add-layer", "--image", &image, &archive])?;
    let storage = Storage::new()?;
    storage.push(&[(Path::new(&layout), "1", "slow/image:1")])?;
    let manifest: Value = serde_json::from_str(&run("skopeo", ["inspect", "--raw", &format!("oci:{image}")])?)?;
    let blobs = [&manifest["config"], &manifest["layers"][0]];
    let bytes = blobs.iter().filter_map(|blob| blob["size"].as_u64()).sum();
    let registry = Registry::start(&storage, &Access::Open)?;
    let line = Nginx::metered(registry.port(), 2_000)?;
    Ok((registry, line, storage, bytes))
}

/// Number of bytes of blobs that were sent.
fn blobs(line: &Nginx) -> Result<u64> {
    Ok(line.sent()?.iter().filter(|(path, _)| path.contains("/blobs/")).map(|(_, bytes)| bytes).sum())
}

/// Digest and size of every blob of an image.
fn blob_sizes(store: &Path, reference: &str) -> Result<HashMap<String, u64>> {
    let manifest: Value = serde_json::from_str(&done(store, &["manifest", &format!("store:{reference}")])?)?;
    let blobs = [&manifest["config"]].into_iter().chain(manifest["layers"].as_array().into_iter().flatten());
    blobs.map(|blob| Ok((blob["digest"].as_str().ok_or("a blob has a digest")?.to_owned(), size(blob)?))).collect()
}

fn size(descriptor: &Value) -> Result<u64> {
    Ok(descriptor["size"].as_u64().ok_or("a descriptor has a size")?)
}

/// Disk space of a store's partial blobs.
fn partial(store: &Path) -> u64 {
    let entries = fs::read_dir(store.join("ingest")).into_iter().flatten().flatten();
    let blobs = entries.filter(|entry| !entry.file_name().to_string_lossy().contains(".ranges"));
    blobs.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len().min(metadata.blocks() * 512)).sum()
}

#[test]
fn a_repeatedly_killed_pull_downloads_every_byte_once() -> Result<()> {
    let scratch = Scratch::new("pull")?;
    let (_registry, line, _storage, bytes) = slow(scratch.path())?;
    let (store, reference) = (scratch.path().join("store"), format!("{}/slow/image:1", line.host()));
    for _ in 0..5 {
        let before = partial(&store);
        let mut child = porthole(&store, &["pull", "--quiet", &reference])?.stdout(Stdio::null()).spawn()?;
        wait_for("a few megabytes", || Ok((partial(&store) >= before + 2_000_000).then_some(())))?;
        child.kill()?;
        child.wait()?;
        let named = done(&store, &["images"])?;
        assert_eq!(named, "", "nothing is named before it is complete");
    }
    pull(&store, &[&reference])?;
    done(&store, &["verify", &format!("store:{reference}")])?;
    // Data in the sockets of a killed process is lost.
    let sent = blobs(&line)?;
    assert!(sent >= bytes && sent - bytes < bytes / 4, "{sent} bytes were sent for {bytes}");
    Ok(())
}

#[test]
fn sixteen_processes_pull_an_image_once() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let line = Nginx::metered(registry.port(), 100_000)?;
    let (scratch, reference) = (Scratch::new("pull")?, format!("{}/{SEVEN_LAYERS}", line.host()));
    let store = scratch.path().join("store");
    let children: Vec<Child> = (0..16)
        .map(|_| {
            let mut command = porthole(&store, &["pull", "--quiet", &reference])?;
            Ok(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?)
        })
        .collect::<Result<_>>()?;
    for child in children {
        let output = child.wait_with_output()?;
        assert!(output.status.success(), "{}", talk(&output));
    }
    let sizes: HashMap<String, u64> = blob_sizes(&store, &reference)?;
    let mut sent = HashMap::new();
    for (path, bytes) in line.sent()?.into_iter().filter(|(path, _)| path.contains("/blobs/")) {
        let digest = path.rsplit('/').next().unwrap_or_default().to_owned();
        *sent.entry(digest).or_insert(0) += bytes;
    }
    assert_eq!(sent, sizes, "every byte went over the line once");
    done(&store, &["verify", &format!("store:{reference}")])?;
    Ok(())
}

#[test]
fn wrong_bytes_are_never_stored() -> Result<()> {
    let scratch = Scratch::new("pull")?;
    let (registry, _line, storage, _) = slow(scratch.path())?;
    let (store, reference) = (scratch.path().join("store"), format!("{}/slow/image:1", registry.host()));
    let manifest: Value = serde_json::from_str(&done(&store, &["manifest", &reference])?)?;
    let digest = manifest["layers"][0]["digest"].as_str().ok_or("the layer has no digest")?;
    let blob = storage.blob(digest)?;
    let mut bytes = fs::read(&blob)?;
    bytes[12_000_000] ^= 1;
    fs::write(&blob, &bytes)?;
    let output = porthole(&store, &["pull", &reference])?.output()?;
    assert_eq!(output.status.code(), Some(7), "{}", talk(&output));
    assert_eq!(done(&store, &["images"])?, "");
    assert!(!store.join("blobs").join(digest.replace(':', "/")).exists());
    assert_eq!(partial(&store), 0, "wrong bytes are not kept for later either");

    bytes[12_000_000] ^= 1;
    fs::write(&blob, &bytes)?;
    pull(&store, &[&reference])?;
    Ok(())
}

#[test]
fn removing_a_name_removes_its_blobs() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let (scratch, reference) = (Scratch::new("pull")?, format!("{}/{SEVEN_LAYERS}", registry.host()));
    let store = scratch.path().join("store");
    pull(&store, &[&reference])?;
    done(&store, &["tag", &reference, "other.example/name:2"])?;
    done(&store, &["rm", &reference])?;
    assert!(done(&store, &["gc"])?.starts_with("removed 0 blobs"), "the other name still needs them");
    done(&store, &["verify", "store:other.example/name:2"])?;
    done(&store, &["rm", "other.example/name:2"])?;
    assert!(done(&store, &["gc"])?.starts_with("removed 9 blobs"));
    assert_eq!(porthole(&store, &["rm", "other.example/name:2"])?.output()?.status.code(), Some(4));
    Ok(())
}
