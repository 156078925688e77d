//! Images with one blob in many layers. No verb fetches it more than once, but each of the layers is listed.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[allow(dead_code, reason = "other tests use the rest")]
mod scripted;

use porthole_testkit::{
    image::{Built, Compression, Image, Layer},
    registry::Site,
};
use scripted::{Server, ends, porthole};
use serde_json::Value;
use std::process::Output;

/// Number of layers with the same blob.
const TIMES: usize = 100;

fn image(last: &str) -> Built {
    let layer = |created_by: &str| Layer::new(created_by).compression(Compression::Gzip);
    // No letter is repeated in succession, so that the text looks like a key.
    let line: String = (0..64).map(|at: usize| char::from(b'A' + (at * 7 % 26) as u8)).collect();
    let key = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{line}\n{line}\n-----END OPENSSH PRIVATE KEY-----\n");
    let status = "Package: tool\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n";
    let repeated = layer("COPY app /")
        .dir("root")
        .file("root/id_rsa", &key)
        .file("srv/app.conf", "debug = true\n")
        .file("var/lib/dpkg/status", status);
    let mut image = Image::new().layer(layer("FROM base").file("etc/motd", "hello\n"));
    for _ in 0..TIMES {
        image = image.layer(repeated.clone());
    }
    image.layer(layer("RUN last").file("etc/last", last)).build()
}

/// Runs a command without a cache. Returns its output, and the number of requests for the repeated blob or a part of it.
fn run(server: &Server, digest: &str, arguments: &str) -> (Output, usize) {
    let home = tempfile::tempdir().unwrap();
    let since = server.internet.log().len();
    let name = |tag: &str| format!("{}/a/b:{tag}", server.authority());
    let output = porthole(home.path(), &arguments.replace("IMAGE", &name("1")).replace("OTHER", &name("2")));
    let log = server.internet.log();
    let fetched = log[since..].iter().filter(|asked| asked.method == "GET" && asked.url.contains(digest)).count();
    (output, fetched)
}

fn rows(output: &Output) -> Vec<Value> {
    let lines = output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

#[test]
fn a_blob_that_is_many_layers_is_fetched_once_by_every_verb() {
    let image = image("1");
    let digest = &image.layers[1].blob.digest;
    assert_eq!(&image.layers[TIMES].blob.digest, digest);
    let mut content = image.clone().into_content("1");
    let other = self::image("2");
    content.add_image(&other).add_root("2", other.manifest.clone());
    let server = Server::new(Site::new().repository("a/b", content));
    for command in [
        "ls IMAGE",
        "ls --long --digest IMAGE",
        "analyze IMAGE",
        "cat IMAGE srv/app.conf",
        "cat --no-cache IMAGE srv/app.conf",
        "cat --layer 5 IMAGE srv/app.conf",
        "search IMAGE debug",
        "secrets IMAGE",
        "packages IMAGE",
        "packages --format spdx IMAGE",
        "report IMAGE",
        "verify IMAGE",
        "verify --no-cache IMAGE",
        "diff IMAGE OTHER",
        "unpack --rootless IMAGE rootfs",
        "export IMAGE -o flat.tar",
        "save IMAGE -o image.tar",
        "pull IMAGE",
        "copy IMAGE oci:copied",
    ] {
        let (output, fetched) = run(&server, digest, command);
        ends(&output, i32::from(command.starts_with("diff")), "");
        assert_eq!(fetched, 1, "{command}");
    }
}

#[test]
fn every_layer_of_a_repeated_blob_is_reported() {
    let image = image("1");
    let digest = &image.layers[1].blob.digest;
    let server = Server::new(Site::new().repository("a/b", image.clone().into_content("1")));
    let json = |command: &str| rows(&run(&server, digest, &format!("{command} --json")).0);

    let steps = json("verify IMAGE");
    let layers: Vec<_> = steps.iter().filter(|step| step["step"] == "layer").collect();
    assert_eq!(layers.len(), TIMES + 2);
    for (step, number) in layers.iter().zip(1..) {
        assert_eq!((&step["layer"], &step["state"]), (&Value::from(number), &"verified".into()));
    }
    assert_eq!(layers[1]["entries"], layers[TIMES]["entries"]);

    let found = json("search IMAGE debug");
    let files: Vec<_> = found.iter().filter(|row| row["type"] == "file").collect();
    assert_eq!(files.len(), TIMES);
    let live: Vec<_> = files.iter().filter(|row| row["state"] == "live").map(|row| &row["layer"]).collect();
    assert_eq!(live, [TIMES + 1], "the topmost one is the one that a container sees");

    let secrets = json("secrets IMAGE");
    assert_eq!(secrets.len(), TIMES);
    let packages = json("packages IMAGE");
    assert_eq!((packages.len(), &packages[0]["name"], &packages[0]["layer"]), (1, &"tool".into(), &2.into()));

    let report = json("report IMAGE").remove(0);
    assert_eq!(report["secrets"].as_array().unwrap().len(), TIMES);

    let listed = json("ls IMAGE");
    let conf = listed.iter().find(|row| row["path"] == "srv/app.conf").unwrap();
    assert_eq!(conf["layer"], TIMES + 1);
    assert_eq!(run(&server, digest, "cat IMAGE srv/app.conf").0.stdout, b"debug = true\n");
}

#[test]
fn a_repeated_blob_that_is_wrong_is_wrong_in_each_layer() {
    let image = image("1");
    let layer = image.layers[1].blob.clone();
    let mut content = image.clone().into_content("1");
    content.blobs.get_mut(&layer.digest).unwrap().bytes.push(0);
    let server = Server::new(Site::new().repository("a/b", content));
    let (output, fetched) = run(&server, &layer.digest, "verify IMAGE --json");
    ends(&output, 7, "");
    assert_eq!(fetched, 1);
    let wrong = rows(&output).iter().filter(|step| step["state"] == "wrong").count();
    assert_eq!(wrong, TIMES);
}
