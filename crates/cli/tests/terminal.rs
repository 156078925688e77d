//! Text from an image does not control the terminal.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[allow(dead_code, reason = "other tests use the rest")]
mod scripted;

use porthole_testkit::{
    image::{Image, Layer},
    registry::Site,
};
use scripted::{Server, porthole};
use std::process::Command;

/// The platform in a configuration is text from the image, and a note prints it.
#[test]
fn a_platform_with_escape_sequences_does_not_reach_the_terminal() {
    let evil = "\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}";
    let image = Image::new().layer(Layer::new("ADD a").file("a", b"1")).build().edit_config(|config| {
        config["os"] = "windows".into();
        config["os.version"] = evil.into();
        config["variant"] = evil.into();
    });
    let server = Server::new(Site::new().repository("a/b", image.into_content("1")));
    let mut notes = String::new();
    for command in [
        "pull REGISTRY/a/b:1",
        "pull --json --platform linux/arm64 REGISTRY/a/b:1",
        "pull --progress json REGISTRY/a/b:1",
        "copy REGISTRY/a/b:1 oci:there:1",
        "inspect REGISTRY/a/b:1",
        "inspect --json REGISTRY/a/b:1",
        "ls REGISTRY/a/b:1",
        "verify REGISTRY/a/b:1",
        "verify --platform linux/arm64 REGISTRY/a/b:1",
        "config --pretty REGISTRY/a/b:1",
    ] {
        let home = tempfile::tempdir().unwrap();
        let output = porthole(home.path(), &command.replace("REGISTRY", server.authority()));
        for stream in [output.stdout, output.stderr] {
            let text = String::from_utf8(stream).unwrap();
            let obeyed = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
            assert!(!text.contains(obeyed), "{command}: {text:?}");
            notes.push_str(&text);
        }
    }
    assert!(notes.contains("\\x1b]0;owned\\x07"), "{notes}");
}

/// Emacs' shell and many build servers set `TERM=dumb`. They would show escape sequences as text.
#[test]
fn a_dumb_terminal_gets_no_escape_sequences() {
    let image = Image::new().layer(Layer::new("ADD a").file("a", b"1")).build();
    let server = Server::new(Site::new().repository("a/b", image.into_content("1")));
    for command in ["pull REGISTRY/a/b:1", "verify REGISTRY/a/b:1", "ls -l REGISTRY/a/b:1", "ls REGISTRY/a/b:2"] {
        let drawn = |term: &str| {
            let home = tempfile::tempdir().unwrap();
            let command = command.replace("REGISTRY", server.authority());
            let mut terminal = Command::new("script");
            terminal.args(["-qec", &format!("{} {command}", env!("CARGO_BIN_EXE_porthole")), "/dev/null"]);
            terminal.current_dir(home.path()).env("HOME", home.path()).env("TERM", term).env_remove("NO_COLOR");
            String::from_utf8(terminal.output().unwrap().stdout).unwrap()
        };
        assert!(drawn("xterm").contains('\x1b'), "{command}");
        let plain = drawn("dumb");
        assert!(!plain.is_empty() && !plain.contains('\x1b'), "{command}: {plain:?}");
    }
}
