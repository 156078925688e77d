//! Failures, as people and programs see them.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[allow(dead_code, reason = "other tests use the rest")]
mod scripted;
#[allow(dead_code, reason = "other tests use the rest")]
mod snapshot;

use porthole_testkit::{
    image::{Image, Layer},
    registry::{Auth, Site},
};
use scripted::{Server, ends, porthole};
use serde_json::Value;
use std::{fs, process::Output};
use tempfile::TempDir;

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
