//! Documents of unsupported kinds, and sources with unusual names.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[allow(dead_code, reason = "other tests use the rest")]
mod scripted;

use porthole_testkit::{
    image::{Blob, Content, Image, Layer},
    registry::Site,
};
use scripted::{Server, ends, porthole};
use std::{fs, process::Command, thread};
use tempfile::TempDir;

const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";

/// Puts a document in a registry, by tag and by digest, and in a layout. Returns the folder of the layout, the registry, and the
/// three sources.
fn kept(document: Blob) -> (TempDir, Server, [String; 3]) {
    let mut content = Content::default();
    let digest = document.digest.clone();
    content.add_root("1", document);
    let home = tempfile::tempdir().unwrap();
    content.write_layout(&home.path().join("layout")).unwrap();
    let server = Server::new(Site::new().repository("a/b", content));
    let name = format!("{}/a/b", server.authority());
    let sources = [format!("{name}:1"), format!("{name}@{digest}"), "oci:layout".to_owned()];
    (home, server, sources)
}

#[test]
fn a_manifest_of_a_kind_that_is_not_read_is_printed_as_it_is() {
    let schema_1 = "{\n   \"schemaVersion\": 1,\n   \"name\": \"x\",\n   \"fsLayers\": [],\n   \"history\": []\n}";
    let artifact = format!("{{\"mediaType\":\"{ARTIFACT}\",\"artifactType\":\"application/x.sbom\",\"blobs\":[]}}");
    for (media_type, document, named) in
        [(SCHEMA_1, schema_1.to_owned(), "Docker's schema 1"), (ARTIFACT, artifact, "an OCI artifact manifest")]
    {
        let (home, _server, sources) = kept(Blob::new(media_type, document.clone().into_bytes()));
        for source in sources {
            let output = porthole(home.path(), &format!("manifest {source}"));
            ends(&output, 0, named);
            assert_eq!(output.stdout, document.as_bytes(), "{source}");
            ends(&porthole(home.path(), &format!("inspect {source}")), 7, named);
            ends(&porthole(home.path(), &format!("manifest --platform linux/amd64 {source}")), 7, named);
        }
    }
}

#[test]
fn a_malformed_manifest_is_printed_as_it_is() {
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    for (document, named) in [
        ("{}", "document.schemaVersion: expected a value, got nothing"),
        ("[]", "document: expected an object"),
        ("{\"schemaVersion\":2,\"config\":", "EOF"),
        ("no JSON \u{1b}[31m", "expected"),
        ("{\"schemaVersion\":2,\"config\":{},\"layers\":[],\"manifests\":[]}", "ambiguous document"),
    ] {
        let (home, _server, sources) = kept(Blob::new(MANIFEST, document.as_bytes().to_vec()));
        for source in sources {
            let output = porthole(home.path(), &format!("manifest {source}"));
            ends(&output, 0, named);
            assert_eq!(output.stdout, document.as_bytes(), "{source}");
            let output = porthole(home.path(), &format!("manifest --pretty {source}"));
            ends(&output, 0, named);
            ends(&porthole(home.path(), &format!("inspect {source}")), 7, named);
        }
    }
}

#[test]
fn a_descriptor_without_a_size_is_the_images_fault() {
    let image = Image::new().layer(Layer::new("ADD a").file("a", b"1")).build();
    for part in ["/config/size", "/layers/0/size"] {
        let content = image.clone().edit_manifest(|manifest| *manifest.pointer_mut(part).unwrap() = 0.into());
        let server = Server::new(Site::new().repository("a/b", content.into_content("1")));
        let home = tempfile::tempdir().unwrap();
        let name = format!("{}/a/b:1", server.authority());
        for command in [format!("pull {name}"), format!("copy {name} oci:there:1")] {
            let output = porthole(home.path(), &command);
            ends(&output, 7, "contradicts itself: expected a size, got 0 bytes, which have another digest");
            assert!(!String::from_utf8_lossy(&output.stderr).contains("registry sent"), "{part} {command}");
        }
        let error = porthole(home.path(), &format!("pull --json {name}")).stderr;
        let error = String::from_utf8(error).unwrap();
        assert!(error.contains("\"blame\":\"image\""), "{error}");
    }
}

#[test]
fn an_archive_for_standard_output_makes_no_file_of_that_name() {
    let home = tempfile::tempdir().unwrap();
    let image = Image::new().layer(Layer::new("ADD a").file("a", b"1")).build();
    image.into_content("1").write_layout(&home.path().join("layout")).unwrap();
    let exported = porthole(home.path(), "export oci:layout");
    ends(&exported, 0, "");
    let named = porthole(home.path(), "export oci:layout -o -");
    ends(&named, 0, "");
    assert!(named.stdout == exported.stdout && !named.stdout.is_empty());
    for kind in ["oci-archive", "docker-archive"] {
        ends(&porthole(home.path(), &format!("copy oci:layout {kind}:-")), 2, "`porthole save -o -` writes an archive");
    }
    assert!(!home.path().join("-").exists());
}

/// Helm writes references so. A layout may have such a path as well.
#[test]
fn a_reference_with_the_scheme_of_helm_is_no_directory() {
    let home = tempfile::tempdir().unwrap();
    for verb in ["inspect", "pull", "digest", "copy oci:layout"] {
        let output = porthole(home.path(), &format!("{verb} oci://r.example/charts/a:1"));
        ends(&output, 2, "expected no URL scheme, got `oci://`");
        ends(&output, 2, "hint: write `r.example/charts/a:1`");
    }
    ends(&porthole(home.path(), "inspect oci:///nowhere/layout"), 4, "cannot read `///nowhere/layout`");
}

#[test]
fn an_archive_without_an_image_may_be_a_layer() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("rootfs.tar"), Layer::new("ADD a").file("etc/motd", "hello\n").tar()).unwrap();
    ends(
        &porthole(home.path(), "ls ./rootfs.tar"),
        7,
        "hint: to list a tar archive as a layer, write `layer:./rootfs.tar`",
    );
    ends(&porthole(home.path(), "ls layer:./rootfs.tar"), 0, "");
}

#[test]
fn the_first_format_of_docker_save_is_named() {
    let home = tempfile::tempdir().unwrap();
    let archive = Layer::new("").file("repositories", "{}").file("0123/layer.tar", "").tar();
    fs::write(home.path().join("old.tar"), archive).unwrap();
    for source in ["./old.tar", "docker-archive:old.tar"] {
        ends(&porthole(home.path(), &format!("inspect {source}")), 7, "the format of `docker save` before Docker 1.10");
    }
}

#[test]
fn an_archive_is_read_from_a_pipe_with_a_name() {
    let home = tempfile::tempdir().unwrap();
    let image = Image::new().layer(Layer::new("COPY a /").file("etc/motd", "hello\n")).build();
    let archive = Content::docker_archive(&[("x:1", &image)]);
    let pipe = home.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for source in ["./pipe", "docker-archive:pipe"] {
        let (pipe, archive) = (pipe.clone(), archive.clone());
        let writer = thread::spawn(move || fs::write(pipe, archive).unwrap());
        let output = porthole(home.path(), &format!("cat {source} etc/motd"));
        ends(&output, 0, "");
        assert_eq!(output.stdout, b"hello\n", "{source}");
        writer.join().unwrap();
    }
}

#[test]
fn an_archive_of_two_images_asks_for_a_name() {
    let home = tempfile::tempdir().unwrap();
    let image = |file: &str| Image::new().layer(Layer::new("COPY a /").file(file, "hello\n")).build();
    let archive = Content::docker_archive(&[("x:1", &image("a")), ("y:1", &image("b"))]);
    fs::write(home.path().join("two.tar"), archive).unwrap();
    ends(&porthole(home.path(), "ls ./two.tar"), 2, "several images: name one of x:1, y:1");
    let output = porthole(home.path(), "ls docker-archive:two.tar:y:1");
    ends(&output, 0, "");
    assert_eq!(output.stdout, b"b\n");
}
