//! Failures: messages, hints, exit codes and JSON.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[allow(dead_code, reason = "other tests use the rest")]
mod scripted;
#[allow(dead_code, reason = "other tests use the rest")]
mod snapshot;

use porthole_testkit::{
    image::{Image, Layer},
    registry::{Auth, Fault, Site},
};
use scripted::{Server, ends, porthole};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    process::{Command, Output},
};
use tempfile::TempDir;

#[test]
fn every_kind_has_an_exit_code() {
    let place = Place::new();
    place.server.internet.fault("/busy/", 9, answer(429, "retry-after", "3600"));
    place.server.internet.fault("/strange/", 9, answer(302, "x-none", ""));
    for (command, code, kind, blame) in [
        ("digest Nginx", 2, "input", "input"),
        ("manifest layer:text", 2, "input", "input"),
        ("ls --long=5 oci:layout", 2, "input", "input"),
        ("ls --limit entries=many oci:layout", 2, "input", "input"),
        ("digest LOCKED/a/b:1", 3, "authentication", "input"),
        ("digest REGISTRY/a/b:2", 4, "not-found", "input"),
        ("digest oci:nowhere", 4, "not-found", "input"),
        ("cat oci:layout nothing", 4, "not-found", "input"),
        ("config --platform plan9/mips oci:layout", 5, "platform", "input"),
        ("digest REGISTRY/busy/b:1", 6, "rate-limit", "registry"),
        ("digest oci-archive:text", 7, "malformed", "image"),
        ("ls layer:text", 7, "malformed", "image"),
        ("digest 127.0.0.1:1/x", 8, "network", "network"),
        ("config --limit manifest_bytes=100 oci:layout", 9, "limit", "porthole"),
        ("digest REGISTRY/strange/b:1", 9, "protocol", "registry"),
        ("unpack oci:layout text/below", 9, "other", "machine"),
    ] {
        ends(&place.run(command), code, "");
        let error = place.error(command);
        let got = (error["exit_code"].as_i64(), error["kind"].as_str(), error["blame"].as_str());
        assert_eq!(got, (Some(i64::from(code)), Some(kind), Some(blame)), "{command}: {error}");
    }
}

#[test]
fn a_name_that_is_no_registry_is_quoted_as_it_was_given() {
    let place = Place::new();
    for name in ["http://", "/", "a//b", "A_B", "localhost:x"] {
        for verb in ["login", "logout", "catalog", "doctor"] {
            let command = format!("{verb} {name}");
            let error = place.error(&command);
            let message = error["message"].as_str().unwrap_or_default();
            assert_eq!(error["exit_code"], 2, "{command}: {error}");
            assert!(message.contains(&format!("`{name}`")) && !message.contains("porthole/"), "{command}: {error}");
        }
    }
}

#[test]
fn an_error_in_json_names_its_layer() {
    let place = Place::new();
    let bare = place.error("ls layer:text");
    assert_eq!((&bare["layer"], bare.get("layer_digest")), (&1.into(), None));
    let error = place.error("digest oci:nowhere");
    assert_eq!((error.get("layer"), error.get("layer_digest")), (None, None));
    let digest = place.layer();
    let blob = place.home.path().join("layout/blobs/sha256").join(&digest[7..]);
    fs::write(&blob, vec![0; fs::metadata(&blob).unwrap().len() as usize]).unwrap();
    for command in
        ["ls oci:layout", "cat oci:layout a", "packages oci:layout", "export oci:layout", "unpack oci:layout new"]
    {
        let error = place.error(command);
        assert_eq!(
            (&error["layer"], &error["layer_digest"]),
            (&1.into(), &digest.as_str().into()),
            "{command}: {error}"
        );
    }
}

#[test]
fn a_dead_proxy_is_blamed_and_not_the_registry() {
    let output = Command::new(env!("CARGO_BIN_EXE_porthole"))
        .args(["digest", "--json", "registry.example/a/b"])
        .env_clear()
        .env("https_proxy", "http://127.0.0.1:1")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(8));
    let stderr: Value = serde_json::from_slice(&output.stderr).unwrap();
    let error = &stderr["error"];
    assert_eq!(error["blame"], "proxy", "{error}");
    assert!(error["message"].as_str().unwrap().contains("cannot connect to the proxy 127.0.0.1:1"), "{error}");
    assert_eq!(error["hints"], serde_json::json!(["check the proxy, or list registry.example in NO_PROXY"]));
}

#[test]
fn errors_in_json() {
    let place = Place::new();
    let commands = [
        "digest Nginx",
        "ls --lnog oci:layout",
        "digest REGISTRY/a/b:2",
        "config --platform plan9/mips oci:layout",
        "digest oci-archive:text",
        "config --limit manifest_bytes=100 oci:layout",
        "digest 127.0.0.1:1/x",
    ];
    let told: String =
        commands.iter().map(|command| format!("$ porthole {command} --json\n{:#}\n\n", place.error(command))).collect();
    snapshot::expect("errors-json", &told.replace(place.server.authority(), "REGISTRY"));
}

#[test]
fn arguments_of_another_program_ask_for_no_json() {
    let place = Place::new();
    ends(&place.run("watch --nonsense REGISTRY/a/b:1 -- program --json"), 2, "error: unexpected argument");
}

#[test]
fn a_local_blob_that_is_longer_than_its_descriptor_is_reported() {
    let place = Place::new();
    let blobs = place.home.path().join("layout/blobs/sha256");
    let layer = place.layer();
    let size = fs::metadata(blobs.join(&layer[7..])).unwrap().len();
    fs::OpenOptions::new().append(true).open(blobs.join(&layer[7..])).unwrap().write_all(b"more").unwrap();
    for command in ["verify oci:layout", "ls oci:layout", "copy oci:layout store:kept"] {
        let output = place.run(command);
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(7), "{command}: {said}");
        assert!(said.contains(&format!("expected {size} bytes, got")), "{command}: {said}");
    }
}

/// The base layer of a Windows image need not be in a registry.
#[test]
fn a_layer_above_a_missing_one_can_be_listed_and_read() {
    let top = Layer::new("COPY b /").file("dir/b", "from above");
    let image = Image::new().platform("linux", "amd64", None).layer(Layer::new("ADD a").file("dir/a", "a")).layer(top);
    let image = image.build();
    let base = image.layers[0].blob.digest.clone();
    let mut content = image.into_content("1");
    content.blobs.remove(&base);
    let home = tempfile::tempdir().unwrap();
    content.write_layout(&home.path().join("layout")).unwrap();
    let server = Server::new(Site::new().repository("a/b", content));
    let registry = format!("{}/a/b:1", server.authority());
    for (source, code) in [("oci:layout", 7), (&registry, 4)] {
        let run = |command: &str| porthole(home.path(), &command.replace("SRC", source));
        let output = run("ls --layer 2 SRC");
        ends(&output, 0, "layer 2 is listed alone");
        ends(&output, 0, &base);
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "dir/\ndir/b\n", "{source}");
        let output = run("ls --json --layer 2 SRC dir/b");
        let row: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&row["layer"], row["layer_digest"].is_string()), (&2.into(), true), "{source}: {row}");
        assert_eq!(String::from_utf8(run("ls --raw --layer 2 SRC").stdout).unwrap(), "dir/b\n", "{source}");
        assert_eq!(run("cat --layer 2 SRC dir/b").stdout, b"from above", "{source}");
        ends(&run("inspect SRC"), 0, "");
        ends(&run("ls SRC"), code, &base);
        ends(&run("ls --layer 1 SRC"), code, &base);
    }
}

/// Simulates a full disk by a limit on the size of files: both fail in `write`.
#[test]
fn a_full_disk_is_named() {
    let place = Place::new();
    let noise: Vec<u8> = (0..100_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let image = Image::new().layer(Layer::new("ADD noise").file("noise", noise)).build().into_content("1");
    image.write_layout(&place.home.path().join("large")).unwrap();
    fs::write(place.home.path().join("large.tar"), image.layout_tar()).unwrap();
    let server = Server::new(Site::new().repository("a/b", image));
    let gzip = Command::new("gzip").arg("large.tar").current_dir(place.home.path()).status().unwrap();
    assert!(gzip.success());
    let home = place.home.path().canonicalize().unwrap();
    let home = home.display();
    for (command, named) in [
        ("save oci:large -o out.tar", "`out.tar`".to_owned()),
        ("save REGISTRY -o out.tar", format!("`{home}/store/")),
        ("export oci:large -o out.tar", "`.`".to_owned()),
        ("export oci:large", format!("`{home}/scratch`")),
        ("cat --no-cache oci:large noise", "to standard output".to_owned()),
        ("copy oci:large oci:other", format!("`{home}/other/")),
        ("pull REGISTRY", format!("`{home}/store/")),
        ("unpack --rootless oci:large root", "`root`".to_owned()),
        ("ls ./large.tar.gz", format!("`{home}/scratch`")),
    ] {
        let command = command.replace("REGISTRY", &format!("{}/a/b:1", server.authority()));
        let script =
            format!("trap '' XFSZ; ulimit -f 16; exec {} --store store {command}", env!("CARGO_BIN_EXE_porthole"));
        fs::create_dir_all(place.home.path().join("scratch")).unwrap();
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(place.home.path())
            .env_clear()
            .env("HOME", place.home.path())
            .env("TMPDIR", format!("{home}/scratch"))
            .stdout(fs::File::create(place.home.path().join("stdout")).unwrap())
            .output()
            .unwrap();
        ends(&output, 9, &named);
        ends(&output, 9, "cannot write");
        ends(&output, 9, "File too large");
    }
}

#[test]
fn a_wrong_tag_names_near_ones() {
    let image = Image::new().layer(Layer::new("ADD a").file("a", "a")).build();
    let mut content = image.into_content("1.29.3");
    for tag in ["1.29", "v2.0", "stable"] {
        content.add_root(tag, content.roots[0].blob.clone());
    }
    let server = Server::new(Site::new().repository("a/b", content).page(2));
    let home = tempfile::tempdir().unwrap();
    let run = |command: &str| porthole(home.path(), &command.replace("REGISTRY", server.authority()));
    let near = "manifest not found: `REGISTRY/a/b:1.29.4`\n\nhint: did you mean `1.29` or `1.29.3`?\n";
    for verb in ["digest", "inspect", "ls", "pull", "save -o x.tar"] {
        let output = run(&format!("{verb} REGISTRY/a/b:1.29.4"));
        ends(&output, 4, &near.replace("REGISTRY", server.authority()));
    }
    ends(&run("digest REGISTRY/a/b:2.0"), 4, "did you mean `v2.0`?");
    // A tag that is listed but has no manifest is not suggested as its own correction.
    server.internet.fault("/manifests/stable", 9, Fault::Status(404));
    let listed = format!("hint: {} lists the tag `stable`, but has no manifest for it", server.authority());
    ends(&run("inspect REGISTRY/a/b:stable"), 4, &listed);
    for name in
        ["a/b:main", "a/none:1.29", "a/b@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]
    {
        let output = run(&format!("digest REGISTRY/{name}"));
        ends(&output, 4, "not found");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("did you mean"), "{name}");
    }
}

/// The image `a/b:1` of a registry, the same image in the layout `layout`, and a text file.
struct Place {
    server: Server,
    locked: Server,
    home: TempDir,
}

impl Place {
    fn new() -> Self {
        let image = Image::new().platform("linux", "amd64", None).layer(Layer::new("COPY a /").file("a", "b")).build();
        let content = image.into_content("1");
        let home = tempfile::tempdir().unwrap();
        content.write_layout(&home.path().join("layout")).unwrap();
        fs::write(home.path().join("text"), "text that is longer than the header of an archive. ".repeat(20)).unwrap();
        let locked = Site::new().repository("a/b", content.clone()).auth(Auth::Basic("keeper:s3cret"));
        Self { server: Server::new(Site::new().repository("a/b", content)), locked: Server::new(locked), home }
    }

    /// Digest of the layer.
    fn layer(&self) -> String {
        let output = self.run("manifest oci:layout");
        let manifest: Value = serde_json::from_slice(&output.stdout).unwrap();
        manifest["layers"][0]["digest"].as_str().unwrap().to_owned()
    }

    fn run(&self, command: &str) -> Output {
        let command = command.replace("REGISTRY", self.server.authority()).replace("LOCKED", self.locked.authority());
        porthole(self.home.path(), &command)
    }

    /// The error of a command with `--json`, which prints nothing else on stderr.
    #[track_caller]
    fn error(&self, command: &str) -> Value {
        let (verb, rest) = command.split_once(' ').unwrap();
        let output = self.run(&format!("{verb} --json {rest}"));
        let mut stderr: Value = serde_json::from_slice(&output.stderr).unwrap();
        let error = stderr["error"].take();
        assert_eq!(error["exit_code"].as_i64(), output.status.code().map(i64::from), "{command}");
        error
    }
}

fn answer(status: u16, header: &'static str, value: &str) -> Fault {
    Fault::Answer { status, headers: vec![(header, value.to_owned())], body: Vec::new() }
}
