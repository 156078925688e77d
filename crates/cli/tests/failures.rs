//! Failures, as people and programs see them.

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
use std::{fs, process::Output};
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
fn an_error_in_json_names_its_layer() {
    let place = Place::new();
    assert_eq!(place.error("ls layer:text")["layer"], 1);
    assert_eq!(place.error("digest oci:nowhere").get("layer"), None);
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

/// The image `a/b:1` of a registry, the same in the layout `layout`, and a file of text.
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
