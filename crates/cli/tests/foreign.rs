//! `porthole ls` asks at a terminal before it downloads a foreign layer from a host that the image names.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[allow(dead_code, reason = "other tests use the rest")]
mod scripted;

use porthole_testkit::{
    image::{Blob, Image, Layer},
    registry::Site,
};
use scripted::{Server, ends, porthole};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const QUESTION: &str = "as the image says? [y/N] ";

/// A registry with a manifest whose only layer it lacks, and the host that the manifest names for this layer.
fn foreign() -> (Server, Server) {
    let image = Image::new().layer(Layer::new("ADD kernel32.dll").file("kernel32.dll", "a")).build();
    let layer = image.layers[0].blob.digest.clone();
    let publisher = Server::new(Site::new().repository("x/y", image.clone().into_content("1")));
    let mut manifest: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
    manifest["layers"][0]["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip".into();
    manifest["layers"][0]["urls"] = json!([format!("http://{}/v2/x/y/blobs/{layer}", publisher.authority())]);
    let mut content = image.into_content("none");
    content.add_root("1", Blob::new(MANIFEST, manifest.to_string().into_bytes()));
    content.blobs.remove(&layer);
    (Server::new(Site::new().repository("a/b", content)), publisher)
}

/// Runs `porthole` in a pseudo-terminal, and types an answer to its question. Returns the exit code and what the terminal shows.
fn answers(home: &Path, arguments: &str, answer: &str) -> (Option<i32>, String) {
    let program = format!("{} {arguments}", env!("CARGO_BIN_EXE_porthole"));
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &program, "/dev/null"])
        .current_dir(home)
        .env("HOME", home)
        .env("TERM", "dumb")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut keyboard, mut screen) = (terminal.stdin.take().unwrap(), terminal.stdout.take().unwrap());
    let mut shown = Vec::new();
    let mut byte = [0];
    // A program that asks nothing ends, and so does its output.
    while !shown.ends_with(QUESTION.as_bytes()) && screen.read(&mut byte).unwrap() > 0 {
        shown.push(byte[0]);
    }
    let asked = shown.len();
    keyboard.write_all(answer.as_bytes()).unwrap();
    screen.read_to_end(&mut shown).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown[..asked].ends_with(QUESTION), "nothing was asked: {shown}");
    (terminal.wait().unwrap().code(), shown)
}

#[test]
fn a_layer_is_downloaded_from_the_host_that_the_question_names() {
    let (registry, publisher) = foreign();
    let home = tempfile::tempdir().unwrap();
    let ls = format!("ls --no-cache {}/a/b:1", registry.authority());
    for answer in ["y\n", "YES\n"] {
        let before = publisher.internet.log().len();
        let (code, shown) = answers(home.path(), &ls, answer);
        assert_eq!(code, Some(0), "{shown}");
        assert!(shown.contains(&format!("Download it from {}, as", publisher.authority())), "{shown}");
        assert!(shown.ends_with("kernel32.dll\r\n"), "{shown}");
        assert_eq!(publisher.internet.log().len(), before + 1);
    }
    assert!(publisher.internet.log().iter().all(|asked| asked.authorization().is_none()));
}

#[test]
fn any_other_answer_downloads_nothing() {
    let (registry, publisher) = foreign();
    let home = tempfile::tempdir().unwrap();
    let ls = format!("ls {}/a/b:1", registry.authority());
    // The last one is the end of the input.
    for answer in ["n\n", "\n", "yesterday\n", "\u{4}"] {
        let (code, shown) = answers(home.path(), &ls, answer);
        assert_eq!(code, Some(4), "{answer:?}: {shown}");
        assert!(shown.contains("add --foreign") && !shown.contains("kernel32.dll"), "{shown}");
    }
    assert!(publisher.internet.log().is_empty());
}

#[test]
fn without_a_terminal_nothing_is_asked_or_downloaded() {
    let (registry, publisher) = foreign();
    let home = tempfile::tempdir().unwrap();
    let output = porthole(home.path(), &format!("ls {}/a/b:1", registry.authority()));
    ends(&output, 4, "add --foreign");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("[y/N]"));
    assert!(publisher.internet.log().is_empty());
}
