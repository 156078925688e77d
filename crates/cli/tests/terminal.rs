//! What reaches the terminal of text that an image brings.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up should fail")]

#[allow(dead_code, reason = "other tests use the rest")]
mod scripted;

use porthole_testkit::{
    image::{Image, Layer},
    registry::Site,
};
use scripted::{Server, porthole};

/// The platform of a configuration is text from the image, which a note about it shows.
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
