//! Every verb over small images made by code: stdout, stderr and exit code.
//!
//! The expected output lies in `tests/expected`; run with `UPDATE_EXPECTED=1` to rewrite it, and read the difference.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

mod snapshot;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use porthole_testkit::image::{Blob, Built, Compression, Content, Entry, Image, Kind, Layer};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An image with every feature that a row of `ls` can show. Without compression, its digests do not depend on the version of a
/// library.
fn image(compression: Compression) -> Built {
    let layer = |created_by: &str| Layer::new(created_by).compression(compression);
    Image::new()
        .config(json!({
            "User": "keeper",
            "Env": ["PATH=/bin", "EVIL=\u{1b}]0;title\u{7}"],
            "Cmd": ["sh", "-c", "true"],
            "Labels": { "org.example.title": "A small image" },
            "ExposedPorts": { "80/tcp": {} },
        }))
        .layer(
            layer("/bin/sh -c #(nop) ADD rootfs.tar in / ")
                .dir("bin")
                .entry(Entry::file("bin/tool", b"#!/bin/sh\n").mode(0o4755).owner(0, 50))
                .entry(Entry::hardlink("bin/tool-2", "bin/tool").mode(0o4755).owner(0, 50))
                .symlink("bin/sh", "tool")
                .dir("etc")
                .file("etc/passwd", b"root:x:0:0::/root:/bin/sh\n")
                .entry(Entry::file("etc/capable", b"12345").xattr("security.capability", b"\x01\x00\x00\x02"))
                .file(b"etc/odd \x1b[31m\\\xff\n".as_slice(), b"")
                .file("etc/caf\u{e9}", b"au lait")
                .entry(Entry::new("dev/null", Kind::Char(1, 3)).mode(0o666))
                .dir("opt")
                .file("opt/old", b"gone soon"),
        )
        .layer(
            layer("RUN /bin/sh -c adduser keeper && rm etc/capable # buildkit")
                .file("etc/passwd", b"root:x:0:0::/root:/bin/sh\nkeeper:x:1:1::/:/bin/sh\n")
                .whiteout("etc/capable")
                .then("USER keeper"),
        )
        .layer(layer("COPY opt /opt # buildkit").opaque("opt").file("opt/new", b"here").dir("bin"))
        .build()
}

/// A directory with an image in several forms, in which the program runs.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let one = image(Compression::None);
        fs::write(place.path("image.tar"), one.clone().into_content("latest").layout_tar()).unwrap();
        fs::write(place.path("docker.tar"), Content::docker_archive(&[("example/small:1", &one)])).unwrap();
        fs::write(place.path("layer"), &one.layers[1].blob.bytes).unwrap();
        let other = Image::new().platform("linux", "arm64", Some("v8")).layer(Layer::new("ADD a").file("a", b"a"));
        let mut both = Content::of_index("multi", &[one.clone(), other.build()]);
        both.add_root("latest", one.manifest);
        both.write_layout(&place.path("layout")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_porthole"));
        command.args(arguments.split_whitespace()).current_dir(self.0.path()).env_clear();
        command
    }

    fn rows(&self, arguments: &str) -> Vec<Value> {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout.split(|&b| b == b'\n').filter(|line| !line.is_empty()).map(parse).collect()
    }

    /// Compares the output and exit codes of some commands with `tests/expected/<name>.txt`.
    fn expect(&self, name: &str, commands: &[&str]) {
        let told: String = commands.iter().map(|arguments| snapshot::told(arguments, self.run(arguments))).collect();
        snapshot::expect(name, &told);
    }
}

fn parse(line: &[u8]) -> Value {
    serde_json::from_slice(line).unwrap()
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_base_is_proved_by_its_layers() {
    let place = Place::new();
    let stated = json!({ "Labels": { "org.opencontainers.image.base.name": "docker.io/library/base:1" } });
    let layer = |created_by: &str, file: &str| Layer::new(created_by).compression(Compression::None).file(file, file);
    let base = Image::new().layer(layer("ADD rootfs / # buildkit", "base"));
    // The same archive, compressed to another blob.
    let zipped = Image::new().layer(layer("ADD rootfs / # buildkit", "base").compression(Compression::Gzip));
    let image = base.clone().config(stated).layer(layer("COPY app /app # buildkit", "app"));
    let other = base.clone().layer(layer("COPY other /", "other"));
    for (name, image) in [("base", base), ("zipped", zipped), ("image", image), ("other", other)] {
        image.build().into_content("latest").write_layout(&place.path(name)).unwrap();
    }
    place.expect(
        "inspect-base",
        &[
            "inspect --base oci:base oci:image",
            "inspect --base oci:other oci:image",
            "inspect --base layer:layer oci:image",
            "inspect --base oci:none oci:image",
        ],
    );
    let rows = place.rows("inspect --json --base oci:zipped oci:image");
    let compared = &rows[0]["base"]["compared"];
    assert_eq!((&compared["proved"], &compared["shared"]), (&json!(true), &json!(1)));
    assert_eq!((&rows[0]["layers"][0]["base"], &rows[0]["layers"][1]["base"]), (&json!(true), &Value::Null));
}

#[test]
fn help() {
    Place::new().expect("help", &["--help", "ls --help", "cat --help", "verify --help"]);
}

#[test]
fn limits_are_set_by_their_names() {
    Place::new().expect(
        "limits",
        &[
            "verify --limit unpacked_bytes=1KiB layer:layer",
            "verify --limit unpacked_bytes=1MiB layer:layer",
            "ls --limit tree_nodes=3 oci:layout:multi",
            "ls --limit entries=2 oci:layout:multi",
            "digest --limit manifest_bytes=100 ./docker.tar",
            "inspect --limit descriptors=1 ./docker.tar",
            "ref --limit no_such_limit=1 nginx",
            "ref --limit entries=many nginx",
        ],
    );
}

#[test]
fn references() {
    Place::new().expect(
        "ref",
        &[
            "ref nginx",
            "ref --json ghcr.io/a/b:1",
            "ref --json nginx:1@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "ref https://ghcr.io/a/b",
            "ref a/B",
        ],
    );
}

#[test]
fn inspecting() {
    Place::new().expect(
        "inspect",
        &[
            "inspect oci:layout:latest",
            "inspect --quick oci:layout:latest",
            "inspect --full oci:layout:latest",
            "inspect --platform linux/arm64 oci:layout:multi",
            "inspect --full --json ./image.tar",
            "inspect --platform linux/s390x oci:layout:multi",
            "inspect --platform linux/s390x oci:layout:latest",
            "inspect layer:layer",
        ],
    );
}

#[test]
fn listing() {
    Place::new().expect(
        "ls",
        &[
            "ls oci:layout:latest",
            "ls --long oci:layout:latest",
            "ls --json --digest oci:layout:latest",
            "ls --long --layer 2 oci:layout:latest",
            "ls --long --deleted oci:layout:latest",
            "ls --json --deleted oci:layout:latest etc",
            "ls --sort size oci:layout:latest bin/",
            "ls oci:layout:latest nowhere",
            "ls --layer 4 oci:layout:latest",
            "ls --raw oci:layout:latest",
            "ls --raw --json layer:layer",
            "ls --raw --long --layer 3 oci:layout:latest",
            "ls --json layer:layer",
        ],
    );
}

/// A program of WebAssembly with one function and no export.
const WASM: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b";

#[test]
fn what_a_file_is() {
    let place = Place::new();
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in [("inner/a", b"a".as_slice()), ("inner/\u{1b}[31mred", b"hostile")] {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, bytes).unwrap();
    }
    let files = Layer::new("COPY . /").compression(Compression::None);
    let files = files.file("run", b"#!/usr/bin/env python3\n").file("program.wasm", WASM).file("empty", b"");
    let files = files.file("inner.tar", archive.into_inner().unwrap()).file("cut.gif", b"GIF89a").dir("folder");
    Image::new().layer(files).build().into_content("latest").write_layout(&place.path("files")).unwrap();
    place.expect(
        "file",
        &[
            "file oci:files run",
            "file oci:files program.wasm",
            "file oci:files empty",
            "file oci:files cut.gif",
            "file oci:files inner.tar",
            "file --list oci:files inner.tar",
            "file --json oci:files inner.tar",
            "file --json oci:files run",
            "file --list oci:files run",
            "file oci:files folder",
            "file oci:files none",
        ],
    );
}

#[test]
fn parts_of_files() {
    let place = Place::new();
    place.expect(
        "cat-range",
        &[
            "cat --range 0:4 oci:layout:latest etc/passwd",
            "cat --range 5:1 oci:layout:latest etc/passwd",
            "cat --range 26: oci:layout:latest etc/passwd",
            "cat --range 1000:5 oci:layout:latest etc/passwd",
            "cat --range 0:0 oci:layout:latest etc/passwd",
            "cat --range 5-9 oci:layout:latest etc/passwd",
            "cat --range 18446744073709551615:2 oci:layout:latest etc/passwd",
        ],
    );
}

#[test]
fn printing() {
    let place = Place::new();
    place.expect(
        "cat",
        &[
            "cat oci:layout:latest etc/passwd",
            "cat --layer 1 oci:layout:latest /etc/passwd",
            "cat oci:layout:latest bin/sh",
            "cat --no-follow oci:layout:latest bin/sh",
            "cat oci:layout:latest bin/tool-2",
            "cat ./image.tar opt/../bin//tool",
            "cat docker-archive:docker.tar opt/new",
            "cat layer:layer etc/passwd",
            "cat layer:layer etc/capable",
            "cat oci:layout:latest etc",
            "cat oci:layout:latest dev/null",
            "cat oci:layout:latest etc/capable",
            "cat oci:layout:latest opt/old",
            "cat --layer 2 oci:layout:latest etc/capable",
            "cat --layer 2 oci:layout:latest bin/tool",
            "cat oci:layout:latest etc/Passwrd",
            "cat oci:layout:latest etc/passwd/x",
            "cat oci:layout:latest nowhere/at/all",
            "cat --layer 8 oci:layout:latest etc/passwd",
        ],
    );
}

#[test]
fn content_is_printed_byte_for_byte() {
    let place = Place::new();
    let noise: Vec<u8> = (0..3_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let layer = Layer::new("ADD")
            .compression(compression)
            .file("small", b"1")
            .file("big", &noise)
            .file("empty", b"")
            .symlink("link", "big");
        fs::write(place.path("big.tar"), Image::new().layer(layer).build().into_content("x").layout_tar()).unwrap();
        let output = place.run("cat ./big.tar big");
        assert!(output.status.success() && output.stdout == noise, "{compression:?}");
        let linked = place.run("cat ./big.tar link");
        assert!(linked.status.success() && linked.stdout == noise, "{compression:?}");
        assert_eq!(place.run("cat ./big.tar small").stdout, b"1");
        assert_eq!(place.run("cat ./big.tar empty").stdout, b"");
    }
}

#[test]
fn nothing_unverified_is_printed() {
    let place = Place::new();
    let layer = &image(Compression::None).layers[1].blob.digest;
    flip(&place.path("layout/blobs").join(layer.replace(':', "/")), 600);
    for arguments in ["cat oci:layout:latest etc/passwd", "cat --layer 2 oci:layout:latest etc/passwd"] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(7));
        assert!(output.stdout.is_empty());
    }
    assert!(place.run("cat --layer 1 oci:layout:latest etc/passwd").status.success());
}

#[test]
fn verifying() {
    let place = Place::new();
    place.expect("verify", &["verify --quiet ./image.tar", "verify --json oci:layout:latest", "verify layer:layer"]);
    let layer = &image(Compression::None).layers[1].blob.digest;
    flip(&place.path("layout/blobs").join(layer.replace(':', "/")), 600);
    place.expect(
        "verify-wrong",
        &[
            "verify oci:layout:latest",
            "verify --json oci:layout:latest",
            "ls oci:layout:latest",
            "inspect oci:layout:latest",
            "inspect --full oci:layout:latest",
        ],
    );
}

/// An image with correct digests that two readers may nevertheless interpret differently.
fn doubtful() -> Built {
    let layer = |created_by: &str| Layer::new(created_by).compression(Compression::None);
    let mut built = Image::new()
        .layer(layer("ADD odd names").file("plain", b"1").entry(Entry::file("slash/", b"")).file("\x1b/", b""))
        .layer(layer("ADD and remove").dir("d").file("d/kept", b"2").file("d/gone", b"3").whiteout("d/gone"))
        .layer(layer("ADD a tail").file("last", b"4").tail(&b"more than padding ".repeat(60)))
        .build();
    let manifest = String::from_utf8(built.manifest.bytes).unwrap().replacen("layer.v1.tar", "layer.v1.tar+gzip", 1);
    built.manifest = Blob::new(&built.manifest.media_type, manifest.into_bytes());
    built
}

#[test]
fn doubts_are_told_and_refused_on_request() {
    let place = Place::new();
    doubtful().into_content("latest").write_layout(&place.path("doubtful")).unwrap();
    place.expect(
        "verify-doubtful",
        &[
            "verify oci:doubtful",
            "verify --json oci:doubtful",
            "verify --strict --quiet oci:doubtful",
            "verify --strict oci:layout:latest",
            "verify --strict --limit tree_nodes=2 layer:layer",
            "ls oci:doubtful",
        ],
    );
}

#[test]
fn where_a_runtime_stops_is_a_failure() {
    let place = Place::new();
    let layer = |created_by: &str| Layer::new(created_by).compression(Compression::None);
    let stops =
        layer("ADD below a file").file("before", b"1").file("file", b"2").file("file/below", b"3").file("after", b"4");
    let image = Image::new().layer(layer("ADD a").file("a", b"a")).layer(stops).layer(layer("ADD b").file("b", b"b"));
    image.build().into_content("latest").write_layout(&place.path("stops")).unwrap();
    place.expect(
        "verify-stopped",
        &["verify oci:stops", "verify --json oci:stops", "ls oci:stops", "cat oci:stops before", "cat oci:stops after"],
    );
}

#[test]
fn an_artifact_is_no_file_system() {
    let place = Place::new();
    let config = Blob::new("application/vnd.oci.empty.v1+json", b"{}".to_vec());
    let bill = Blob::new("application/spdx+json", br#"{"spdxVersion":"SPDX-2.3"}"#.to_vec());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/spdx+json",
        "config": config.descriptor(),
        "layers": [bill.descriptor()],
    });
    let mut content = Content::default();
    content
        .add_blob(config)
        .add_blob(bill)
        .add_root("bill", Blob::new("application/vnd.oci.image.manifest.v1+json", manifest.to_string().into_bytes()));
    content.write_layout(&place.path("artifact")).unwrap();
    place.expect("artifact", &["inspect oci:artifact", "verify oci:artifact", "ls oci:artifact"]);
}

#[test]
fn failing() {
    let place = Place::new();
    fs::write(
        place.path("text"),
        "just text, and more of it than the five hundred and twelve bytes of a header ".repeat(9),
    )
    .unwrap();
    place.expect(
        "errors",
        &[
            "digest oci:nowhere",
            "digest oci:layout",
            "digest oci:layout:other",
            "digest oci-archive:text",
            "ls layer:text",
            "ls layer:nothing",
            "manifest layer:layer",
            "digest 127.0.0.1:1/x",
            "digest --authfile nothing 127.0.0.1:1/x",
            "ls --digest oci:layout:latest",
            "digest store:x",
            "nonsense",
        ],
    );
}

#[test]
fn documents_are_printed_byte_for_byte() {
    let place = Place::new();
    let one = image(Compression::None);
    assert_eq!(place.run("manifest oci:layout:latest").stdout, one.manifest.bytes);
    assert_eq!(place.run("config oci:layout:latest").stdout, one.config.bytes);
    assert_eq!(place.run("manifest --platform linux/amd64 oci:layout:multi").stdout, one.manifest.bytes);
    assert_eq!(place.run("digest oci:layout:latest").stdout, format!("{}\n", one.manifest.digest).into_bytes());
    let index = place.run("manifest oci:layout:multi").stdout;
    assert_eq!(parse(&index)["manifests"].as_array().unwrap().len(), 2);
    let pretty = place.run("manifest --pretty oci:layout:latest").stdout;
    assert_eq!(parse(&pretty), parse(&one.manifest.bytes));
}

#[test]
fn layers_count_from_one_at_the_bottom() {
    let place = Place::new();
    for verb in ["ls --layer 0 oci:layout:latest", "cat --layer 0 oci:layout:latest a", "analyze --layer 0 layer:layer"]
    {
        let output = place.run(verb);
        assert_eq!(output.status.code(), Some(2), "{verb}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("layers are numbered from 1, the bottom"), "{verb}: {said}");
    }
    let layers = |arguments: &str| -> Vec<u64> {
        place.rows(arguments).iter().map(|row| row["layer"].as_u64().unwrap()).collect()
    };
    assert!(layers("ls --json --layer 1 oci:layout:latest").iter().all(|layer| *layer == 1));
    assert!(layers("ls --json oci:layout:latest").contains(&3));
    let gone = place.rows("ls --json --deleted oci:layout:latest");
    let capable = gone.iter().find(|row| row["path"] == "etc/capable").unwrap();
    assert_eq!((&capable["layer"], &capable["removed_by"]), (&json!(1), &json!(2)));
}

#[test]
fn every_form_of_an_image_lists_the_same() {
    let place = Place::new();
    // The blobs differ by compression. The files are the same.
    let rows = |arguments: &str| {
        let mut rows = place.rows(arguments);
        for row in &mut rows {
            assert!(row.as_object_mut().unwrap().remove("layer_digest").is_some(), "{row}");
        }
        rows
    };
    let expected = rows("ls --json oci:layout:latest");
    assert_eq!(rows("ls --json ./image.tar"), expected);
    assert_eq!(rows("ls --json oci-archive:image.tar:latest"), expected);
    assert_eq!(rows("ls --json docker-archive:docker.tar:example/small:1"), expected);
    for compression in [Compression::Gzip, Compression::Zstd] {
        let packed = image(compression);
        fs::write(place.path("packed.tar"), packed.into_content("latest").layout_tar()).unwrap();
        assert_eq!(rows("ls --json ./packed.tar"), expected);
        assert!(place.run("verify ./packed.tar").status.success());
    }
}

#[test]
fn progress_goes_to_stderr_in_the_chosen_form() {
    let place = Place::new();
    let output = place.run("verify --progress json oci:layout:latest");
    let events: Vec<_> = String::from_utf8(output.stderr)
        .unwrap()
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| parse(line.as_bytes()))
        .filter(|event| event["event"] == "layer")
        .collect();
    assert_eq!(events.len(), 3);
    let plain = String::from_utf8(place.run("verify --progress plain oci:layout:latest").stderr).unwrap();
    assert_eq!(plain.lines().filter(|line| line.starts_with("layer ")).count(), 3);
    assert!(place.run("verify --quiet oci:layout:latest").stderr.is_empty());
    assert!(place.run("ls oci:layout:latest").stderr.is_empty());
}

#[test]
fn colours_are_for_those_who_want_them() {
    let place = Place::new();
    let escapes = |arguments: &str| place.run(arguments).stdout.contains(&0x1b);
    assert!(!escapes("ls --long oci:layout:latest"));
    assert!(escapes("ls --long --color always oci:layout:latest"));
    assert!(!escapes("inspect oci:layout:latest"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    let many = (0..20_000).fold(Layer::new("many"), |layer, number| layer.file(format!("{number:0>80}"), b""));
    fs::write(place.path("many.tar"), Image::new().layer(many).build().into_content("x").layout_tar()).unwrap();
    let mut child = place.command("ls ./many.tar").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
