//! Sources of kinds that are not read, or come in an unusual way.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[allow(dead_code, reason = "other tests use the rest")]
mod scripted;

use porthole_testkit::{
    image::{Blob, Content, Image, Layer},
    registry::Site,
};
use scripted::{Server, ends, porthole};
use std::{fs, process::Command, thread};

const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";

#[test]
fn a_manifest_of_a_kind_that_is_not_read_is_printed_as_it_is() {
    let schema_1 = "{\n   \"schemaVersion\": 1,\n   \"name\": \"x\",\n   \"fsLayers\": [],\n   \"history\": []\n}";
    let artifact = format!("{{\"mediaType\":\"{ARTIFACT}\",\"artifactType\":\"application/x.sbom\",\"blobs\":[]}}");
    for (media_type, document, named) in
        [(SCHEMA_1, schema_1.to_owned(), "Docker's schema 1"), (ARTIFACT, artifact, "an OCI artifact manifest")]
    {
        let mut content = Content::default();
        let blob = Blob::new(media_type, document.clone().into_bytes());
        let digest = blob.digest.clone();
        content.add_root("1", blob);
        let home = tempfile::tempdir().unwrap();
        content.write_layout(&home.path().join("layout")).unwrap();
        let server = Server::new(Site::new().repository("a/b", content));
        let name = format!("{}/a/b", server.authority());
        for source in [format!("{name}:1"), format!("{name}@{digest}"), "oci:layout".to_owned()] {
            let output = porthole(home.path(), &format!("manifest {source}"));
            ends(&output, 0, named);
            assert_eq!(output.stdout, document.as_bytes(), "{source}");
            ends(&porthole(home.path(), &format!("inspect {source}")), 7, named);
            ends(&porthole(home.path(), &format!("manifest --platform linux/amd64 {source}")), 7, named);
        }
    }
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
    ends(&porthole(home.path(), "inspect ./old.tar"), 7, "the format of `docker save` before Docker 1.10");
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
