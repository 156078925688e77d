//! `porthole unpack`: the directory appears complete, or not at all.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod attended;
#[allow(dead_code, reason = "each test uses a part of it")]
mod scripted;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
    time::Duration,
};

use porthole_testkit::{
    image::{Built, Compression, Entry, Image, Kind, Layer},
    registry::{Fault, Site},
};
use scripted::Server;
use serde_json::Value;
use tempfile::TempDir;

fn image() -> Built {
    let layer = |created_by: &str| Layer::new(created_by).compression(Compression::Gzip);
    Image::new()
        .layer(
            layer("ADD rootfs.tar")
                .entry(Entry::dir("bin").mode(0o755))
                .entry(Entry::file("bin/tool", b"#!/bin/sh\n").mode(0o4755).mtime(1_700_000_000))
                .entry(Entry::hardlink("bin/other", "bin/tool").mode(0o4755).mtime(1_700_000_000))
                .entry(Entry::new("dev/null", Kind::Char(1, 3)).mode(0o666))
                .entry(Entry::file("owned", b"1").owner(12, 34))
                .file("opt/old", b"gone soon"),
        )
        .layer(layer("COPY").whiteout("bin/tool").opaque("opt").file("opt/new", vec![b'x'; 1 << 20]))
        .build()
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        image().into_content("latest").write_layout(&place.path("layout")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = attended::porthole();
        command.args(arguments.split_whitespace()).current_dir(self.0.path()).env_clear();
        command
    }

    fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Names of the files beside the layout.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "layout");
        names.sort();
        names
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn layers_are_stacked_into_a_new_directory() {
    let place = Place::new();
    let output = place.run("unpack --json oci:layout rootfs");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(place.names(), ["rootfs"]);
    let at = |name: &str| place.path("rootfs").join(name);
    assert_eq!(fs::read(at("bin/other")).unwrap(), b"#!/bin/sh\n");
    let metadata = fs::metadata(at("bin/other")).unwrap();
    assert_eq!((metadata.permissions().mode() & 0o7777, metadata.mtime()), (0o4755, 1_700_000_000));
    assert!(!at("bin/tool").exists() && !at("opt/old").exists() && !at("dev/null").exists());
    assert_eq!(fs::read(at("opt/new")).unwrap().len(), 1 << 20);
    assert_eq!(fs::metadata(place.path("rootfs")).unwrap().permissions().mode() & 0o7777, 0o755);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["path"], "rootfs");
    assert_eq!((&report["layers"], &report["bytes"]), (&2.into(), &((1 << 20) + 20).into()));
    assert_eq!(report["skipped"]["devices"], 1);
    assert_eq!(report["skipped"]["list"][0]["path"], "dev/null");
}

#[test]
fn a_directory_appears_without_a_sync_as_well() {
    let place = Place::new();
    let output = place.run("unpack --no-sync oci:layout rootfs");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(place.names(), ["rootfs"]);
    assert_eq!(fs::read(place.path("rootfs/bin/other")).unwrap(), b"#!/bin/sh\n");
}

#[test]
fn what_is_skipped_is_told() {
    let place = Place::new();
    let output = place.run("unpack --rootless oci:layout rootfs");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(output.stdout.is_empty());
    for note in ["owners not set: ", "devices not made: 1\n"] {
        assert!(said(&output).contains(note), "{}", said(&output));
    }
    let me = fs::metadata(place.path("layout")).unwrap().uid();
    assert_eq!(fs::metadata(place.path("rootfs/owned")).unwrap().uid(), me);
}

#[test]
fn an_empty_directory_is_filled_and_keeps_its_mode() {
    let place = Place::new();
    fs::create_dir(place.path("rootfs")).unwrap();
    fs::set_permissions(place.path("rootfs"), fs::Permissions::from_mode(0o750)).unwrap();
    let output = place.run("unpack oci:layout rootfs/");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(place.path("rootfs/opt/new").exists());
    assert_eq!(fs::metadata(place.path("rootfs")).unwrap().permissions().mode() & 0o7777, 0o750);
    let again = place.run("unpack oci:layout rootfs");
    assert_eq!(again.status.code(), Some(2));
    assert!(said(&again).contains("directory is not empty: `rootfs`"), "{}", said(&again));
    assert_eq!(place.names(), ["rootfs"]);
}

#[test]
fn a_wrong_layer_leaves_nothing() {
    let place = Place::new();
    let layer = &image().layers[1].blob;
    let digest = layer.digest.to_string();
    let blob = place.path("layout/blobs/sha256").join(&digest["sha256:".len()..]);
    let mut bytes = layer.bytes.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(blob, bytes).unwrap();
    let output = place.run("unpack oci:layout rootfs");
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert!(said(&output).contains("layer 2 does not match its digest"), "{}", said(&output));
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn a_layer_that_a_runtime_refuses_leaves_nothing() {
    let place = Place::new();
    let wrong = Image::new().layer(Layer::new("ADD").file("a", b"").hardlink("h", "nowhere")).build();
    wrong.into_content("wrong").write_layout(&place.path("layout")).unwrap();
    let output = place.run("unpack oci:layout rootfs");
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert!(said(&output).contains("layer 1 cannot be unpacked: hard link `h` to a file that does not exist"));
    assert_eq!(place.names(), [""; 0]);
}

/// Starts a run that waits for a layer which never arrives. Returns when its hidden directory exists.
fn waiting(place: &Place) -> Child {
    assert!(Command::new("mkfifo").arg(place.path("layer")).status().unwrap().success());
    let mut child = place.command("unpack layer:layer rootfs").stderr(Stdio::piped()).spawn().unwrap();
    while !place.names().iter().any(|name| name.starts_with(".rootfs.porthole-")) {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        thread::sleep(Duration::from_millis(20));
    }
    child
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn an_interrupted_run_leaves_nothing() {
    for (name, code) in [("INT", 130), ("TERM", 143)] {
        let place = Place::new();
        let child = waiting(&place);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains("interrupted"), "{}", said(&output));
        assert_eq!(place.names(), ["layer"]);
    }
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next_one_and_nothing_else() {
    let place = Place::new();
    let mut killed = waiting(&place);
    let mut other = place.command("unpack layer:layer rootfs").spawn().unwrap();
    while place.names().iter().filter(|name| name.starts_with(".rootfs.porthole-")).count() < 2 {
        assert!(other.try_wait().unwrap().is_none());
        thread::sleep(Duration::from_millis(50));
    }
    signal(&killed, "KILL");
    killed.wait().unwrap();
    let left = format!(".rootfs.porthole-{}-0", killed.id());
    assert!(place.names().contains(&left));
    let output = place.run("unpack oci:layout rootfs");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(place.names(), [format!(".rootfs.porthole-{}-0", other.id()), "layer".into(), "rootfs".into()]);
    signal(&other, "TERM");
    other.wait().unwrap();
    assert_eq!(place.names(), ["layer", "rootfs"]);
}

/// A registry with the image, and the command that pulls and unpacks it to `rootfs`.
fn pulling() -> (Place, Server, String) {
    let place = Place::new();
    let server = Server::new(Site::new().repository("a/b", image().into_content("1")));
    let command = format!("pull --store store --unpack rootfs {}/a/b:1", server.authority());
    (place, server, command)
}

/// Names of the files beside the layout and the store.
fn names_without_store(place: &Place) -> Vec<String> {
    place.names().into_iter().filter(|name| name != "store").collect()
}

#[test]
fn a_pull_unpacks_what_it_brings() {
    let (place, server, command) = pulling();
    let output = place.run(&format!("{command} --json --rootless"));
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["digest"], &told["saved"]), (&image().manifest.digest.into(), &0.into()));
    assert_eq!((&told["unpacked"]["layers"], &told["unpacked"]["skipped"]["devices"]), (&2.into(), &1.into()));
    assert_eq!(fs::read(place.path("rootfs/bin/other")).unwrap(), b"#!/bin/sh\n");
    assert!(!place.path("rootfs/opt/old").exists());
    assert_eq!(fs::read(place.path("rootfs/opt/new")).unwrap().len(), 1 << 20);
    assert_eq!(place.run("pull a/b --devices").status.code(), Some(2));
    // Unpacking does not fetch blobs that the store has.
    fs::remove_dir_all(place.path("rootfs")).unwrap();
    let told: Value = serde_json::from_slice(&place.run(&format!("{command} --json")).stdout).unwrap();
    assert!(told["fetched"].as_u64() < Some(2_000), "{told}");
    assert!(place.path("rootfs/opt/new").exists());
    // If the directory cannot be created, nothing is fetched.
    let asked = server.internet.log().len();
    assert_eq!(place.run(&command).status.code(), Some(2));
    assert_eq!(server.internet.log().len(), asked);
}

#[test]
fn what_was_written_of_wrong_bytes_is_written_anew() {
    let (place, server, command) = pulling();
    for layer in &image().layers {
        let mut wrong = layer.blob.bytes.clone();
        *wrong.last_mut().unwrap() ^= 1;
        server.internet.fault(&layer.blob.digest, 1, Fault::Body(wrong));
    }
    let output = place.run(&command);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(names_without_store(&place), ["rootfs"]);
    assert_eq!(fs::read(place.path("rootfs/opt/new")).unwrap().len(), 1 << 20);
}

#[test]
fn nothing_stays_of_a_pull_that_cannot_be_right() {
    for number in 0..2 {
        let (place, server, command) = pulling();
        let blob = &image().layers[number].blob;
        let mut wrong = blob.bytes.clone();
        *wrong.last_mut().unwrap() ^= 1;
        server.internet.fault(&blob.digest, 10, Fault::Body(wrong));
        let output = place.run(&command);
        assert_eq!(output.status.code(), Some(7), "{}", said(&output));
        assert!(said(&output).contains("do not match the descriptor"), "{}", said(&output));
        assert_eq!(names_without_store(&place), [""; 0]);
        assert!(place.run("images --store store").stdout.is_empty());
    }
}

#[test]
fn an_image_that_cannot_be_unpacked_ends_its_pull() {
    let place = Place::new();
    let wrong = Image::new().layer(Layer::new("ADD").file("a", b"").hardlink("h", "nowhere")).build();
    let server = Server::new(Site::new().repository("a/b", wrong.into_content("1")));
    let output = place.run(&format!("pull --store store --unpack rootfs {}/a/b:1", server.authority()));
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert!(said(&output).contains("hard link `h` to a file that does not exist"), "{}", said(&output));
    assert_eq!(names_without_store(&place), [""; 0]);
}
