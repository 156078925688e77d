//! Versions of a path: what each layer did, the content of each, and how two differ.

use super::stage::{REGISTRY, Setup, Stage, content, noise, registry};
use porthole_testkit::{
    image::{Compression, Image, Layer},
    registry::Fault,
};
use porthole_viewer::{
    protocol::{Command, Event, PathVersionFacts, RowChange, ShownContent, ShownSide, VersionDiff},
    session::SessionOptions,
};

#[track_caller]
fn versions<'s>(stage: &'s mut Stage, path: &str) -> &'s [PathVersionFacts] {
    stage.command(Command::Versions { path: path.into() });
    stage.settle();
    let (of, versions) = stage.state.versions.as_ref().expect("versions");
    assert_eq!(of, path);
    versions
}

fn read(stage: &mut Stage, path: &str, layer: u32) -> ShownContent {
    stage.command(Command::ReadVersion { path: path.into(), layer, anyway: false });
    stage.settle();
    let (of, at, content) = stage.state.version.clone().expect("a version");
    assert_eq!((of.as_str(), at), (path, layer));
    (*content).clone()
}

fn diff(stage: &mut Stage, path: &str, before: u32, after: u32) -> VersionDiff {
    stage.command(Command::DiffVersions { path: path.into(), before, after, anyway: false });
    stage.settle();
    let (.., diff) = stage.state.version_diff.clone().expect("a difference");
    (*diff).clone()
}

fn text(content: ShownContent) -> String {
    match content {
        ShownContent::Text { text, .. } => text,
        other => panic!("text, got {other:?}"),
    }
}

#[test]
fn each_layer_has_its_version_and_its_content() {
    let mut stage = Stage::looking(content());
    let seen: Vec<_> = versions(&mut stage, "etc/hosts")
        .iter()
        .map(|of| (of.layer, of.row.change, of.content, of.instruction.as_ref().map(|of| of.keyword.clone())))
        .collect();
    let (copy, run) = (Some("COPY".to_owned()), Some("RUN".to_owned()));
    assert_eq!(seen, [(0, RowChange::Added, Some(4), copy), (1, RowChange::Modified, Some(4), run)]);
    assert_eq!(text(read(&mut stage, "etc/hosts", 0)), "one\n");
    assert_eq!(text(read(&mut stage, "etc/hosts", 1)), "two\n");

    let removed: Vec<_> = versions(&mut stage, "etc/motd").iter().map(|of| of.row.change).collect();
    assert_eq!(removed, [RowChange::Added, RowChange::Removed]);
    assert_eq!(text(read(&mut stage, "etc/motd", 1)), "hello\n", "what a layer removed can be read");
    assert!(versions(&mut stage, "no/such").is_empty());
}

#[test]
fn two_versions_differ_by_lines() {
    let mut stage = Stage::looking(content());
    let VersionDiff::Lines { hunks } = diff(&mut stage, "etc/hosts", 0, 1) else { panic!("lines") };
    let lines: Vec<_> = hunks[0].lines.iter().map(|line| (line.side, line.text.as_str())).collect();
    assert_eq!(lines, [(ShownSide::Before, "one"), (ShownSide::After, "two")]);
    assert_eq!((hunks[0].before, hunks[0].after), ((1, 1), (1, 1)));
    assert_eq!(diff(&mut stage, "etc/hosts", 1, 1), VersionDiff::Same);
}

#[test]
fn what_is_binary_or_large_is_not_compared_by_lines() {
    let layer = |name: &str| Layer::new(name).compression(Compression::None);
    let image = Image::new()
        .layer(layer("a").file("bin", b"a\0b").file("big", vec![b'x'; (1 << 20) + 1]))
        .layer(layer("b").file("bin", b"a\0c").file("big", "small"))
        .build();
    let mut stage = Stage::looking(image.into_content("1"));
    assert_eq!(diff(&mut stage, "bin", 0, 1), VersionDiff::Binary);
    assert_eq!(diff(&mut stage, "big", 0, 1), VersionDiff::TooLarge { limit: 1 << 20 });
}

#[test]
fn a_version_that_costs_much_is_asked_for_first() {
    let image = Image::new().layer(Layer::new("a").file("noise", noise(300_000)).file("x", "1")).build();
    let options = SessionOptions { unasked_bytes: 1000, ..SessionOptions::default() };
    let mut stage = Stage::with(&registry(image.into_content("1")), Setup { options, ..Setup::default() });
    stage.look("r.example/a/b:1");
    let costly = read(&mut stage, "x", 0);
    let from_start = matches!(costly, ShownContent::Costly { bytes } if bytes > 1000);
    assert!(from_start || matches!(costly, ShownContent::Text { .. }), "{costly:?}");
    stage.command(Command::ReadVersion { path: "x".into(), layer: 0, anyway: true });
    stage.settle();
    assert_eq!(text((*stage.state.version.clone().expect("a version").2).clone()), "1");
}

#[test]
fn other_bytes_than_promised_are_refused() {
    let internet = registry(content());
    let mut stage = Stage::new(&internet);
    stage.look("r.example/a/b:1");
    let blob = super::stage::built().layers[0].blob.digest.clone();
    internet.fault(&blob, u32::MAX, Fault::Answer { status: 206, headers: Vec::new(), body: vec![0; 60] });
    let failed = read(&mut stage, "etc/hosts", 0);
    assert!(matches!(failed, ShownContent::Failed { .. }), "{failed:?}");
    let failed = diff(&mut stage, "etc/hosts", 0, 1);
    assert!(matches!(failed, VersionDiff::Failed { .. }), "{failed:?}");
    assert!(internet.look(REGISTRY, |_| ()).is_some());
}

#[test]
fn the_next_look_ends_the_reading_of_a_version() {
    let mut stage = Stage::looking(content());
    stage.command(Command::ReadVersion { path: "etc/hosts".into(), layer: 0, anyway: true });
    stage.command(Command::Cancel);
    stage.settle();
    assert!(!stage.events.iter().any(|event| matches!(event, Event::VersionContent { .. })));
}
