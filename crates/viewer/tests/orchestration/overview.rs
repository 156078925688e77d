//! The overview: facts of the documents first, findings of the layers when they are settled.

use super::stage::{REFERENCE, Stage, content, image, registry};
use porthole_testkit::{
    image::{Entry, Image, Layer},
    registry::{Fault, Site},
};
use porthole_viewer::protocol::{Command, Event, FindingFact, FindingLink, OverviewFacts, ProofStep, ViewMode};
use serde_json::json;

fn overviews(stage: &Stage) -> Vec<&OverviewFacts> {
    let mut overviews = Vec::new();
    for event in &stage.events {
        if let Event::Overview { overview, .. } = event {
            overviews.push(overview.as_ref());
        }
    }
    overviews
}

fn kinds(overview: &OverviewFacts) -> Vec<&str> {
    overview.findings.iter().map(|finding| finding.kind.as_str()).collect()
}

#[track_caller]
fn finding<'o>(overview: &'o OverviewFacts, kind: &str) -> &'o FindingFact {
    overview.findings.iter().find(|finding| finding.kind == kind).expect("a finding of this kind")
}

#[test]
fn documents_are_shown_before_any_layer_and_findings_after_all() {
    let stage = Stage::looking(content());
    let place = |wanted: fn(&Event) -> bool| stage.events.iter().position(wanted).expect("sent");
    let first = place(|event| matches!(event, Event::Overview { .. }));
    assert!(place(|event| matches!(event, Event::Image { .. })) < first);
    assert!(first < place(|event| matches!(event, Event::Layers { .. })));
    let all = overviews(&stage);
    let [before, after] = all[..] else { panic!("two overviews, got {}", all.len()) };
    assert_eq!((before.given.as_str(), before.settled, before.sizes.complete), (REFERENCE, false, false));
    assert_eq!(kinds(before), ["runs-as-root"]);
    assert_eq!(before.sizes.download, stage.state.sizes.download);
    let steps: Vec<_> = before.documents.iter().map(|document| document.step).collect();
    assert_eq!(steps, [ProofStep::Manifest, ProofStep::Config]);
    assert!(before.resolved.contains(&before.documents[0].digest), "{}", before.resolved);

    assert!(after.settled && after.missing.is_empty());
    assert_eq!(after.sizes, stage.state.sizes);
    assert_eq!(kinds(after), ["runs-as-root", "deleted-files", "biggest-waste"]);
    let deleted = finding(after, "deleted-files");
    assert_eq!((deleted.count, deleted.bytes), (Some(1), Some(6)));
    assert_eq!(deleted.target, FindingLink::Files { mode: ViewMode::Deleted, layer: None, path: None });
    assert!(deleted.text.starts_with("1 deleted file is still downloadable"), "{}", deleted.text);
    assert_eq!(stage.state.overview.as_deref(), Some(after));
}

#[test]
fn facts_of_the_config_and_the_annotations() {
    let image = image()
        .config(json!({
            "User": "app:app", "Entrypoint": ["/app"], "Cmd": ["serve"], "WorkingDir": "/srv", "Env": ["A=b"],
            "ExposedPorts": { "80/tcp": {} }, "Volumes": { "/data": {} },
            "Labels": { "org.opencontainers.image.base.name": "docker.io/library/debian:12" },
        }))
        .build();
    let stage = Stage::looking(image.into_content("1"));
    let facts = overviews(&stage)[0];
    assert_eq!((facts.user.as_str(), facts.working_dir.as_str()), ("app:app", "/srv"));
    assert_eq!((&facts.entrypoint[..], &facts.cmd[..]), (&["/app".to_owned()][..], &["serve".to_owned()][..]));
    assert_eq!((&facts.ports[..], &facts.volumes[..]), (&["80/tcp".to_owned()][..], &["/data".to_owned()][..]));
    let base = facts.base.as_ref().and_then(|base| base.name.as_deref());
    assert_eq!(base, Some("docker.io/library/debian:12"));
    assert_eq!(kinds(facts), ["unpinned-base"], "it does not run as root");
}

#[test]
fn a_copy_that_changes_the_owner_names_its_instruction() {
    let app = |owner| Entry::file("srv/app", vec![7; 3000]).owner(owner, 0);
    let image = Image::new()
        .layer(Layer::new("COPY app /srv").entry(app(0)).entry(Entry::file("bin/su", "s").mode(0o4755)))
        .layer(Layer::new("RUN /bin/sh -c chown 7 /srv/app # buildkit").entry(app(7)))
        .build();
    let stage = Stage::looking(image.into_content("1"));
    let facts = overviews(&stage)[1];
    let copied = finding(facts, "metadata-copies");
    assert_eq!((copied.count, copied.bytes), (Some(1), Some(3000)));
    assert!(copied.text.contains("by layer 2 to change owner"), "{}", copied.text);
    assert!(copied.text.contains("RUN chown 7 /srv/app"), "{}", copied.text);
    assert!(copied.text.contains("probably"), "the tab does not compare contents: {}", copied.text);
    let su = FindingLink::Files { mode: ViewMode::Merged, layer: None, path: Some("bin/su".into()) };
    assert_eq!(finding(facts, "set-uid").target, su);
}

#[test]
fn a_file_that_only_a_hard_link_keeps_has_the_size_of_the_listing() {
    let image = Image::new()
        .layer(Layer::new("COPY a /").file("a", vec![1; 700]).entry(Entry::hardlink("b", "a")))
        .layer(Layer::new("RUN rm a").whiteout("a"))
        .build();
    let stage = Stage::looking(image.into_content("1"));
    let facts = overviews(&stage)[1];
    assert_eq!(facts.sizes, stage.state.sizes);
    assert!(!kinds(facts).contains(&"deleted-files"), "the link keeps it: {:?}", facts.findings);
}

#[test]
fn a_layer_that_is_missing_is_named() {
    let internet = registry(content());
    let broken = super::stage::built().layers[1].blob.digest.clone();
    internet.fault(&broken, u32::MAX, Fault::Answer { status: 404, headers: Vec::new(), body: Vec::new() });
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    let facts = overviews(&stage)[1];
    assert_eq!((&facts.missing[..], facts.sizes.complete), (&[1][..], false));
    assert_eq!(kinds(facts), ["runs-as-root"]);
}

#[test]
fn a_cancelled_look_sends_no_findings() {
    let mut stage = Stage::new(&registry(content()));
    stage.begin(porthole_viewer::state::Action::Look(REFERENCE.into()));
    stage.until(|stage| stage.events.iter().any(|event| matches!(event, Event::Settled { .. })));
    stage.command(porthole_viewer::protocol::Command::Cancel);
    stage.settle();
    assert_eq!(overviews(&stage).len(), 1);
}

/// A token of the form of GitHub's, which ends in these four letters.
fn token(end: &str) -> String {
    ["ghp_", &"a1B2c3D4".repeat(4), end].concat()
}

/// The command line masks the same.
#[test]
fn secrets_of_a_configuration_are_masked_and_still_differ() {
    let with = |first: &str, second: &str| {
        let env = [format!("A_TOKEN={}", token(first)), format!("B_TOKEN={}", token(second)), "PATH=/bin".into()];
        image().config(json!({ "Env": env, "Labels": { "org.example.token": token(first) } }))
    };
    let internet = registry(with("aaaa", "bbbb").build().into_content("1"));
    internet.site("s.example", Site::new().repository("a/b", with("aaaa", "cccc").build().into_content("1")));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    let overview = stage.state.overview.as_deref().unwrap();
    assert_eq!(overview.env, ["A_TOKEN=********", "B_TOKEN=********2", "PATH=/bin"]);
    assert_eq!(overview.labels, [("org.example.token".to_owned(), "********".to_owned())]);
    let image = stage.state.image.as_deref().unwrap();
    let masked = format!("{:?}", (&image.config, &image.history, &image.layers));
    assert!(masked.contains("********2") && !masked.contains("ghp_"), "{masked}");
    assert!(image.documents[1].text.contains("ghp_"), "a document is shown as it was served");

    let reference = "s.example/a/b:1".to_owned();
    stage.command(Command::Compare { reference, platform: None, ignore: Vec::new() });
    stage.settle();
    let settings = &stage.state.comparison.as_deref().unwrap().settings;
    let changed: Vec<_> = settings.iter().filter(|change| change.key == "env").collect();
    let [only] = changed[..] else { panic!("{settings:?}") };
    let values = [&only.before, &only.after].map(|value| value.as_deref().unwrap_or_default());
    assert_eq!((only.name.as_deref(), values), (Some("B_TOKEN"), ["********2", "********3"]));
}
