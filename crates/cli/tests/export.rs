//! `porthole export`: a deterministic archive, which other programs unpack to the same files.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use porthole_testkit::image::{Built, Entry, Image, Layer};
use tempfile::TempDir;

fn image() -> Built {
    Image::new()
        .layer(
            Layer::new("ADD rootfs.tar")
                .dir("bin")
                .entry(Entry::file("bin/first", vec![b'1'; 70_000]).mode(0o755))
                .entry(Entry::hardlink("bin/second", "bin/first").mode(0o755))
                .file(format!("deep/{}/{}", "n".repeat(120), "m".repeat(120)), b"deep")
                .file("opt/old", b"gone soon"),
        )
        .layer(Layer::new("RUN").whiteout("bin/first").opaque("opt").file("opt/new", b"new").symlink("opt/link", "new"))
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

    fn run(&self, program: &str, arguments: &str) -> Output {
        let mut command = Command::new(program);
        command.args(arguments.split_whitespace()).current_dir(self.0.path());
        command.output().unwrap()
    }

    fn porthole(&self, arguments: &str) -> Output {
        self.run(env!("CARGO_BIN_EXE_porthole"), arguments)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn tar_unpacks_what_was_exported() {
    let place = Place::new();
    let output = place.porthole("export oci:layout -o out.tar");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    fs::create_dir(place.path("out")).unwrap();
    let tar = place.run("tar", "--extract --file out.tar --directory out");
    assert!(tar.status.success() && tar.stderr.is_empty(), "{}", said(&tar));
    let read = |name: &str| fs::read(place.path("out").join(name)).unwrap();
    assert_eq!(read("bin/second"), vec![b'1'; 70_000]);
    assert_eq!(read(&format!("deep/{}/{}", "n".repeat(120), "m".repeat(120))), b"deep");
    assert_eq!(read("opt/link"), b"new");
    assert!(!place.path("out/opt/old").exists() && !place.path("out/bin/first").exists());
    // Exporting again to stdout gives the same bytes.
    assert_eq!(place.porthole("export oci:layout").stdout, fs::read(place.path("out.tar")).unwrap());
    let listed = |source: &str| {
        let rows = place.porthole(&format!("ls {source}"));
        assert!(rows.status.success(), "{}", said(&rows));
        rows.stdout
    };
    assert_eq!(listed("layer:out.tar"), listed("oci:layout"));
}

#[test]
fn a_wrong_layer_writes_nothing() {
    let place = Place::new();
    let layer = &image().layers[0].blob;
    let digest = layer.digest.to_string();
    let mut bytes = layer.bytes.clone();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(place.path("layout/blobs/sha256").join(&digest["sha256:".len()..]), bytes).unwrap();
    for arguments in ["export oci:layout", "export oci:layout -o out.tar"] {
        let output = place.porthole(arguments);
        assert_eq!(output.status.code(), Some(7), "{}", said(&output));
        assert!(output.stdout.is_empty());
        assert_eq!(fs::read_dir(place.path("")).unwrap().count(), 1);
    }
}
