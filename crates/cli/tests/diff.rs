//! `porthole diff`: its output, the layers that it reads, and its exit codes.
//!
//! The expected output lies in `tests/expected`; run with `UPDATE_EXPECTED=1` to write it again, and read the difference.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod place;
mod snapshot;

use std::fs;

use place::Place;
use porthole_testkit::image::{Built, Compression, Entry, Image, Layer};
use serde_json::json;

fn base(compression: Compression) -> Layer {
    Layer::new("/bin/sh -c #(nop) ADD rootfs.tar in / ")
        .compression(compression)
        .dir("bin")
        .entry(Entry::file("bin/tool", b"#!/bin/sh\n").mode(0o755))
        .entry(Entry::hardlink("bin/tool-2", "bin/tool").mode(0o755))
        .symlink("bin/sh", "tool")
        .dir("etc")
        .file("etc/passwd", b"root:x:0:0::/root:/bin/sh\n")
        .file("etc/same-size", b"one")
        .file("etc/touched", b"t")
        .dir("opt")
        .file("opt/old", b"gone soon")
}

fn before(compression: Compression) -> Built {
    Image::new()
        .config(json!({ "User": "keeper", "Env": ["PATH=/bin", "LANG=C"], "Labels": { "b": "2" } }))
        .layer(base(compression))
        .layer(Layer::new("RUN make").compression(compression).file("etc/made", b"made"))
        .build()
}

/// An image that differs in one layer, in every aspect.
fn after() -> Built {
    let none = Compression::None;
    Image::new()
        .config(json!({
            "Env": ["PATH=/bin:/sbin", "LANG=C"],
            "Labels": { "b": "2", "odd\u{1b}[31m": "x" },
            "ExposedPorts": { "80/tcp": {} },
        }))
        .layer(base(none))
        .layer(
            Layer::new("RUN make test")
                .compression(none)
                .then("USER daemon")
                .file("etc/same-size", b"two")
                .entry(Entry::file("etc/touched", b"t").mtime(1))
                .entry(Entry::file("bin/tool", b"#!/bin/bash\n").mode(0o4755).owner(0, 50).xattr("user.k", b"v"))
                .symlink("bin/sh", "bash")
                .whiteout("opt/old")
                .entry(Entry::file("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"))
                .dir("opt/old")
                .file(b"new \x1b[31m\\\xff".as_slice(), b""),
        )
        .build()
}

fn place() -> Place {
    let place = Place::new();
    place.layout("a", &before(Compression::None));
    place.layout("b", &after());
    place.layout("gzip", &before(Compression::Gzip));
    fs::write(place.path("layer-a"), &before(Compression::None).layers[1].blob.bytes).unwrap();
    fs::write(place.path("layer-b"), &after().layers[1].blob.bytes).unwrap();
    place
}

#[test]
fn differences_are_told_kind_by_kind() {
    place().expect(
        "diff",
        &[
            "diff oci:a oci:b",
            "diff oci:a oci:a",
            "diff --json oci:a oci:b",
            "diff oci:a oci:b etc",
            "diff oci:a oci:b bin/tool",
            "diff oci:a oci:b nowhere",
            "diff --only config,history oci:a oci:b",
            "diff --only files --ignore time,mode,owner,xattr,links oci:a oci:b",
            "diff layer:layer-a layer:layer-b",
            "diff layer:layer-a oci:a",
            "diff --only config layer:layer-a oci:a",
            "diff --only files oci:a oci:b etc",
            "diff oci:a",
        ],
    );
}

#[test]
fn other_compression_is_no_other_image() {
    let place = place();
    let (code, rows) = place.json("diff --json oci:a oci:gzip");
    let told: Vec<_> = rows.iter().map(|row| (row["kind"].as_str().unwrap(), row["change"].as_str())).collect();
    assert_eq!(told, [("layers", None), ("layer", Some("recompressed")), ("layer", Some("recompressed"))]);
    assert_eq!((code, &rows[0]["shared"]), (1, &json!(2)));
    assert_eq!(place.json("diff --json --only files,config,history oci:a oci:gzip"), (0, Vec::new()));
}

#[test]
fn layers_are_not_read_where_the_documents_tell_enough() {
    let place = place();
    for name in ["a", "gzip"] {
        for layer in before(if name == "a" { Compression::None } else { Compression::Gzip }).layers {
            fs::remove_file(place.path(name).join("blobs").join(layer.blob.digest.replace(':', "/"))).unwrap();
        }
    }
    assert_eq!(place.run("diff oci:a oci:a").status.code(), Some(0));
    assert_eq!(place.run("diff --only files oci:a oci:gzip").status.code(), Some(0));
    assert_eq!(place.run("diff oci:a oci:gzip").status.code(), Some(1));
    assert_eq!(place.run("diff --only config oci:a oci:b").status.code(), Some(1));
    assert_eq!(place.run("diff --only files oci:a oci:b").status.code(), Some(7));
}

#[test]
fn shared_layers_are_read_once() {
    let place = place();
    let read = |arguments: &str| {
        let stderr = String::from_utf8(place.run(arguments).stderr).unwrap();
        stderr.lines().filter(|line| line.starts_with("layer ")).map(|line| line[..7].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(read("diff --progress plain oci:a oci:b"), ["layer 1", "layer 2", "layer 2"]);
    // A layer that both images have at different positions is read once, too.
    let top = Layer::new("top").file("top", b"top");
    place.layout("c", &Image::new().layer(Layer::new("c").file("c", b"c")).layer(top.clone()).build());
    place.layout(
        "d",
        &Image::new().layer(Layer::new("d").file("d", b"d")).layer(base(Compression::None)).layer(top).build(),
    );
    let mut layers = read("diff --progress plain oci:c oci:d");
    layers.sort();
    assert_eq!(layers, ["layer 1", "layer 1", "layer 2", "layer 2"]);
    let (code, rows) = place.json("diff --json --only files oci:c oci:d");
    let paths: Vec<_> = rows.iter().map(|row| row["path"].as_str().unwrap()).collect();
    assert_eq!(code, 1);
    assert!(paths.contains(&"c") && paths.contains(&"d") && !paths.contains(&"top"), "{paths:?}");
}

#[test]
fn a_wrong_layer_is_told_with_its_image() {
    let place = place();
    let blob = place.path("b/blobs").join(after().layers[1].blob.digest.replace(':', "/"));
    let mut bytes = fs::read(&blob).unwrap();
    bytes[600] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let output = place.run("diff --only files oci:a oci:b");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(7), "{stderr}");
    assert!(stderr.starts_with("porthole: `oci:b` has layers with errors\n"), "{stderr}");
    assert!(output.stdout.is_empty());
}

#[test]
fn times_can_be_left_out() {
    let place = Place::new();
    let image = |mtime| {
        let layer = Layer::new("ADD a").compression(Compression::None).entry(Entry::file("a", b"a").mtime(mtime));
        Image::new().layer(layer).build()
    };
    place.layout("a", &image(1));
    place.layout("b", &image(2));
    assert_eq!(place.run("diff --only files oci:a oci:b").status.code(), Some(1));
    let ignoring = place.run("diff --only files --ignore time oci:a oci:b");
    assert_eq!((ignoring.status.code(), ignoring.stdout.as_slice()), (Some(0), &b""[..]));
}
