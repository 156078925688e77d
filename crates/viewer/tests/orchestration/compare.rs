//! Two images compared: documents at once, files when both are read, shared layers fetched once.

use super::stage::{REFERENCE, REGISTRY, Stage, content, image, registry};
use porthole_core::failure::FailureClass;
use porthole_testkit::{
    image::{Image, Layer},
    registry::{Fault, Internet, Site},
};
use porthole_viewer::protocol::{
    Command, ComparedFiles, ComparisonFacts, Event, LayerRelation, ShownSide, VersionDiff,
};
use serde_json::json;

/// The image of the stage under `a/b:1`, and another one under `a/other:1`.
fn two(other: Image) -> Internet {
    let internet = Internet::new();
    let site = Site::new().repository("a/b", content()).repository("a/other", other.build().into_content("1"));
    internet.site(REGISTRY, site);
    internet
}

/// The lower layer of the stage's image, with another one above it.
fn rebased() -> Image {
    Image::new()
        .config(json!({ "User": "app" }))
        .layer(Layer::new("COPY rootfs /").dir("etc").file("etc/hosts", "one\n").file("etc/motd", "hello\n"))
        .layer(Layer::new("RUN other").file("etc/hosts", "three\n").file("srv/new", vec![1; 7]))
}

fn compare(stage: &mut Stage, reference: &str) {
    stage.command(Command::Compare { reference: reference.into(), platform: None, ignore: Vec::new() });
    stage.settle();
}

fn looking(internet: &Internet) -> Stage {
    let mut stage = Stage::new(internet);
    stage.look(REFERENCE);
    stage
}

#[track_caller]
fn facts(stage: &Stage) -> &ComparisonFacts {
    stage.state.comparison.as_deref().expect("a comparison")
}

#[test]
fn equal_layers_are_not_downloaded_again() {
    let internet = two(rebased());
    let mut stage = looking(&internet);
    let (own, other) = (super::stage::built(), rebased().build());
    let requests = |digest: &str| internet.count(&format!("/blobs/{digest}"));
    assert_eq!(own.layers[0].blob.digest, other.layers[0].blob.digest);
    compare(&mut stage, "r.example/a/other:1");
    assert_eq!(requests(&own.layers[0].blob.digest), 1, "both have it");
    assert_eq!(requests(&other.layers[1].blob.digest), 1);

    let facts = facts(&stage);
    assert!(!facts.same && facts.resolved.contains(&other.manifest.digest));
    assert_eq!((facts.given.as_str(), facts.shared), ("r.example/a/other:1", 1));
    let relations: Vec<_> = facts.layers.iter().map(|layer| layer.relation).collect();
    assert_eq!(relations, [LayerRelation::Same, LayerRelation::Removed, LayerRelation::Added]);
    let users: Vec<_> = facts.settings.iter().filter(|change| change.key == "user").collect();
    assert_eq!(users[0].after.as_deref(), Some("app"));
    assert!(!facts.history.is_empty());

    let ComparedFiles::Done { sums, rows, total, fetched, missing_before, missing_after } = &facts.files else {
        panic!("{:?}", facts.files)
    };
    let paths: Vec<_> = rows.iter().map(|row| (row.path.as_str(), row.before.is_some(), row.after.is_some())).collect();
    let expected =
        [("etc/hosts", true, true), ("etc/motd", false, true), ("srv/app", true, false), ("srv/new", false, true)];
    assert_eq!(paths, expected);
    assert!(rows[0].aspects.contains(&"content".to_owned()), "{:?}", rows[0].aspects);
    assert_eq!((sums.added, sums.added_bytes, sums.removed, sums.removed_bytes), (2, 13, 1, 20));
    assert_eq!((sums.changed, sums.grown_bytes, sums.shrunk_bytes, sums.unsure, *total), (1, 2, 0, 0, 4));
    assert_eq!(*fetched, other.layers[1].blob.bytes.len() as u64);
    assert!(missing_before.is_empty() && missing_after.is_empty());
}

#[test]
fn leaving_something_out_fetches_nothing() {
    let mut stage = looking(&two(rebased()));
    compare(&mut stage, "r.example/a/other:1");
    let before = stage.reads();
    for (ignore, changed) in [(&["content", "links"][..], 0), (&["owner"], 1), (&["no such"], 1), (&[], 1)] {
        let ignore: Vec<String> = ignore.iter().map(|&name| name.into()).collect();
        stage.command(Command::Compare { reference: " r.example/a/other:1".into(), platform: None, ignore });
        stage.settle();
        let ComparedFiles::Done { sums, .. } = &facts(&stage).files else { panic!("{:?}", facts(&stage).files) };
        assert_eq!((sums.changed, sums.added, stage.reads()), (changed, 2, before));
    }
}

#[test]
fn a_file_of_two_images_is_compared_line_by_line() {
    let mut stage = looking(&two(rebased()));
    compare(&mut stage, "r.example/a/other:1");
    stage.command(Command::DiffFile { path: "etc/hosts".into(), anyway: false });
    stage.settle();
    let Some((path, diff)) = &stage.state.file_diff else { panic!("no differences") };
    let VersionDiff::Lines { hunks } = &**diff else { panic!("{diff:?}") };
    let lines: Vec<_> = hunks[0].lines.iter().map(|line| (line.side, line.text.trim_end())).collect();
    assert_eq!(path, "etc/hosts");
    assert_eq!(lines, [(ShownSide::Before, "two"), (ShownSide::After, "three")]);
    // Only one of them has it, or neither.
    for path in ["srv/new", "no/such"] {
        stage.state.file_diff = None;
        stage.command(Command::DiffFile { path: path.into(), anyway: false });
        stage.settle();
        assert_eq!(stage.state.file_diff, None, "{path}");
    }
}

#[test]
fn documents_come_first() {
    let mut stage = looking(&two(rebased()));
    compare(&mut stage, "r.example/a/other:1");
    let stages: Vec<_> = stage
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Compared { comparison, .. } => Some(matches!(comparison.files, ComparedFiles::Done { .. })),
            _ => None,
        })
        .collect();
    assert!(stages.len() >= 2 && !stages[0] && stages.last() == Some(&true), "{stages:?}");
    let hidden = stage.events.iter().filter(|event| event.look().is_some_and(|look| look != stage.state.look));
    let kinds: Vec<_> = hidden.filter(|event| !matches!(event, Event::Connection { .. })).collect();
    assert!(kinds.is_empty(), "the other image is not shown: {kinds:?}");
    stage.verified();
}

#[test]
fn the_same_image_has_no_differences() {
    let mut stage = looking(&two(image()));
    let before = stage.reads();
    compare(&mut stage, "r.example/a/other:1");
    let facts = facts(&stage);
    assert!(facts.same && facts.settings.is_empty() && facts.layers.is_empty());
    assert_eq!((&facts.files, stage.reads()), (&ComparedFiles::Nothing, before));
}

#[test]
fn layers_that_unpack_to_the_same_are_not_read() {
    let other = image().config(json!({ "Env": ["A=b"] }));
    let mut stage = looking(&two(other));
    let before = stage.reads();
    compare(&mut stage, "r.example/a/other:1");
    let facts = facts(&stage);
    assert_eq!((facts.same, &facts.files, stage.reads()), (false, &ComparedFiles::Nothing, before));
    assert!(facts.settings.iter().any(|change| change.name.as_deref() == Some("A")), "{:?}", facts.settings);
}

#[test]
fn a_comparison_that_fails_leaves_the_look_alone() {
    let mut stage = looking(&registry(content()));
    for (reference, kind) in [("r.example/no/such:1", FailureClass::NotFound), ("No Reference", FailureClass::Input)] {
        compare(&mut stage, reference);
        let failed = stage.state.comparison_failure.as_deref().expect("a failure");
        assert_eq!((failed.failure.kind, failed.given.as_str()), (kind, reference), "{failed:?}");
    }
    stage.verified();
}

#[test]
fn a_layer_of_the_other_image_that_is_missing_is_named() {
    let internet = two(rebased());
    let broken = rebased().build().layers[1].blob.digest.clone();
    internet.fault(&broken, u32::MAX, Fault::Answer { status: 404, headers: Vec::new(), body: Vec::new() });
    let mut stage = looking(&internet);
    compare(&mut stage, "r.example/a/other:1");
    let ComparedFiles::Done { missing_after, missing_before, .. } = &facts(&stage).files else {
        panic!("{:?}", facts(&stage).files)
    };
    assert_eq!((&missing_after[..], &missing_before[..]), (&[1][..], &[][..]));
    stage.verified();
}

#[test]
fn a_comparison_can_be_ended_and_begun_again() {
    let mut stage = looking(&two(rebased()));
    stage.command(Command::Compare { reference: "r.example/a/other:1".into(), platform: None, ignore: Vec::new() });
    stage.until(|stage| stage.state.comparison.is_some());
    stage.command(Command::EndCompare);
    stage.settle();
    assert!(matches!(facts(&stage).files, ComparedFiles::Reading { .. }), "{:?}", facts(&stage).files);
    compare(&mut stage, "r.example/a/other:1");
    assert!(matches!(facts(&stage).files, ComparedFiles::Done { .. }));
    stage.look(REFERENCE);
    assert_eq!(stage.state.comparison, None, "another look is compared with nothing");
    stage.verified();
}
