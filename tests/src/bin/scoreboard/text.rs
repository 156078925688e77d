//! Hostile text in an image, and the output of every verb for it.

use crate::{
    Scale,
    attempt::{LIMIT, Row, Verdict, run},
};
use porthole_testkit::image::{Built, Image, Layer};
use porthole_tests::{Result, program::ours, servers::Scratch};
use serde_json::json;
use std::process::Command;

/// Sequences that set a title, colours and the clipboard or clear the screen, and characters that reverse text.
const HOSTILE: &[&str] = &[
    "\u{1b}]0;title\u{7}",
    "\u{1b}[31mred\u{1b}[2J",
    "\u{1b}]52;c;Zm9v\u{7}",
    "\u{9b}31m",
    "\u{9d}0;title\u{9c}",
    "\u{202e}gpj.exe",
    "\u{2066}a\u{2069}\u{200f}",
    "a\rb\u{8}\u{8}c\0d\u{7f}",
    "line\nfeed\u{2028}and\u{85}more",
    "\u{feff}\u{200b}x\u{e0001}",
];

pub(crate) fn rows(_: Scale) -> Result<Vec<Row>> {
    let mut row = Row::new("hostile text in what is printed");
    for text in HOSTILE {
        let home = Scratch::new("text")?;
        let layout = home.path().join("layout");
        hostile(text).into_content("1").write_layout(&layout)?;
        for verb in VERBS {
            for json in [false, true] {
                let mut porthole = Command::new(ours("porthole")?);
                porthole.current_dir(home.path()).env_clear().env("HOME", home.path()).args(["--store", "store"]);
                let words = verb.split_whitespace().map(|word| word.replace("IMAGE", "oci:layout:1"));
                porthole.args(words).args(json.then_some("--json"));
                let ran = run(&mut porthole, LIMIT)?;
                row.add(&Verdict {
                    survived: ran.ended_well(),
                    escaped: ran.escapes(),
                    peak: ran.peak,
                    note: format!("{verb} of {}: {}", text.escape_debug(), ran.said()),
                    ..Verdict::default()
                });
            }
        }
    }
    Ok(vec![row])
}

const VERBS: &[&str] = &[
    "inspect IMAGE",
    "inspect --full IMAGE",
    "config IMAGE",
    "ls IMAGE",
    "ls --long IMAGE",
    "verify IMAGE",
    "analyze IMAGE",
    "diff IMAGE IMAGE",
    "packages IMAGE",
    "secrets IMAGE",
    "search x IMAGE",
    "copy --progress plain IMAGE store:x",
    "unpack IMAGE root",
];

fn hostile(text: &str) -> Built {
    let layer = Layer::new(&format!("RUN {text}"))
        .file(format!("{text}x").replace('\0', ""), "x")
        .file("link", text)
        .symlink("points", text.replace('\0', ""))
        .whiteout("gone");
    let config = json!({
        "Env": [format!("A={text}")],
        "Cmd": [text],
        "User": text,
        "WorkingDir": text,
        "Labels": { text: text },
        "ExposedPorts": { text: {} },
    });
    Image::new()
        .layer(layer)
        .config(config)
        .build()
        .edit_config(|config| {
            config["author"] = text.into();
            config["os.version"] = text.into();
            config["variant"] = text.into();
            config["created"] = text.into();
        })
        .edit_manifest(|manifest| {
            manifest["annotations"] = json!({ text: text, "org.opencontainers.image.title": text });
            manifest["artifactType"] = text.into();
        })
}
