//! Secrets in files of every layer and in the configuration, masked.

use crate::stage::*;
use porthole_testkit::{
    image::{Content, Image, Layer},
    registry::{Fault, Internet},
};
use porthole_viewer::{
    address::{Address, Tab},
    protocol::{ProbeKind, ProbeProgress, ProbeState, ShownConfidence, ShownFate},
    session::GivenFile,
    state::{Action, SecretsFound, command},
    worker::{WorkerOrder, WorkerReport},
};
use serde_json::json;
use std::sync::Arc;

/// Has the form of a token of GitHub, in halves, so that no scanner of sources finds it.
fn token() -> String {
    ["ghp_16C7e42F292c6912", "E7710c838347Ae178B4a"].concat()
}

fn key() -> String {
    format!(
        "-----BEGIN RSA PRIVATE {}\n{}\n-----END RSA PRIVATE {}\n",
        "KEY-----",
        "MIIEpAIBAAKCAQEAq7Zt9Xc2wL5rPo8sUvBn3dKf1GhYjTeMxWzCaQ4EbRi6".repeat(3),
        "KEY-----"
    )
}

/// The upper layer deletes a key of the lower one and replaces a file with a token.
fn image() -> Image {
    let lower = Layer::new(&format!("RUN |1 A=b /bin/sh -c login {}", token()))
        .file("root/id_rsa", key())
        .file("etc/app.env", format!("# settings\nTOKEN={}\n", token()));
    let upper = Layer::new("RUN rm").whiteout("root/id_rsa").file("etc/app.env", "# nothing\n");
    Image::new().config(json!({ "Env": [format!("GITHUB_TOKEN={}", token())] })).layer(lower).layer(upper)
}

fn found(stage: &Stage) -> &SecretsFound {
    stage.state.secrets.as_deref().expect("secrets")
}

fn progress(stage: &Stage) -> &ProbeProgress {
    found(stage).files.progress.as_deref().expect("the probe began")
}

/// Layer, path, line, rule and fate of each secret in a file.
fn in_files(stage: &Stage) -> Vec<(u32, &str, u64, &str, Option<ShownFate>)> {
    let files = &found(stage).files;
    let rows = files.rows();
    rows.map(|(layer, it)| (layer, &*it.path, it.line, &*it.kind.rule, files.fate(layer, it.content))).collect()
}

fn in_config(stage: &Stage) -> Vec<(&str, &str)> {
    let config = found(stage).config.as_deref().expect("the configuration is read");
    config.iter().map(|secret| (secret.place.as_str(), secret.kind.rule.as_str())).collect()
}

#[test]
fn secrets_are_found_where_they_are_and_never_leave_the_worker() {
    let mut stage = Stage::looking(image().build().into_content("1"));
    let requests = stage.internet.log().len();
    stage.act(Action::Tab(Tab::Secrets));
    assert_eq!((stage.internet.log().len(), &stage.state.secrets), (requests, &None), "nothing is read unasked");
    let before = stage.events.len();
    stage.act(Action::Secrets);
    assert_eq!(
        in_files(&stage),
        [
            (0, "root/id_rsa", 1, "private-key", Some(ShownFate::Deleted(1))),
            (0, "etc/app.env", 2, "github-token", Some(ShownFate::Replaced(1))),
        ]
    );
    assert_eq!(in_config(&stage), [("environment GITHUB_TOKEN", "github-token"), ("history, entry 1", "github-token")]);
    let secret = found(&stage).files.rows().nth(1).unwrap().1;
    assert_eq!(
        (secret.kind.confidence, secret.kind.masked.as_str()),
        (ShownConfidence::High, "ghp_******** (40 bytes)")
    );
    assert_eq!(secret.kind.about, "token of GitHub");
    assert_eq!(
        *found(&stage).instructions,
        ["RUN login ********", "RUN rm"].map(str::to_owned).to_vec(),
        "{:?}",
        found(&stage).instructions
    );
    let progress = progress(&stage);
    assert_eq!((&progress.state, progress.layers, progress.ended), (&ProbeState::Done, 2, 2));
    assert_eq!((progress.sums.found, progress.sums.files, progress.sums.searched, progress.held), (4, 2, 3, 4));
    let events = serde_json::to_string(&stage.events[before..]).unwrap();
    assert!(!events.contains(&token()) && !events.contains("MIIEpAIBAAKCAQEA"), "{events}");
    stage.verified();
}

#[test]
fn the_address_and_the_command_name_the_confidence() {
    let mut stage = Stage::looking(image().build().into_content("1"));
    stage.act(Action::Tab(Tab::Secrets));
    assert!(command(&stage.state).unwrap().starts_with("porthole secrets r.example/"), "{:?}", command(&stage.state));
    stage.act(Action::Confidence(ShownConfidence::High));
    let address = Address::parse(&stage.state.route.to_string());
    assert_eq!((address.tab, address.confidence), (Tab::Secrets, ShownConfidence::High));
    assert!(command(&stage.state).unwrap().starts_with("porthole secrets --confidence high r.example/"));
    assert_eq!(Address::parse("#/v1/a?confidence=none").unknown.len(), 1);
}

#[test]
fn a_layer_that_fails_is_named_and_the_others_are_searched() {
    let built = image().build();
    let internet = registry(image().build().into_content("1"));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    internet.fault(&built.layers[0].blob.digest, u32::MAX, Fault::Status(404));
    stage.act(Action::Secrets);
    assert_eq!(progress(&stage).lost.iter().map(|lost| lost.layer).collect::<Vec<_>>(), [Some(0)]);
    assert_eq!((in_files(&stage).len(), in_config(&stage).len()), (0, 2));
    stage.verified();
}

#[test]
fn a_configuration_that_is_lost_is_named() {
    let mut stage = Stage::looking(image().build().into_content("1"));
    stage.begin(Action::Secrets);
    let is_config = |order: &(usize, WorkerOrder)| matches!(order.1, WorkerOrder::Config { .. });
    stage.until(|stage| stage.orders().iter().any(is_config));
    let (worker, _) = stage.orders().into_iter().find(is_config).unwrap();
    stage.report(worker, WorkerReport::Panicked { text: "internal error".into() });
    stage.settle();
    assert_eq!(progress(&stage).lost.iter().map(|lost| lost.layer).collect::<Vec<_>>(), [None]);
    assert_eq!((in_files(&stage).len(), &found(&stage).config), (2, &None));
    assert_eq!(progress(&stage).state, ProbeState::Done);
}

#[test]
fn a_stop_keeps_what_was_found() {
    let large = Layer::new("COPY").file("a.env", format!("TOKEN={}\n", token())).file("b", noise(3_000_000));
    let mut stage = Stage::looking(Image::new().layer(large).build().into_content("1"));
    stage.begin(Action::Secrets);
    stage.until(|stage| stage.state.secrets.as_ref().is_some_and(|found| found.files.rows().next().is_some()));
    stage.act(Action::StopProbe(ProbeKind::Secrets));
    assert_eq!((&progress(&stage).state, in_files(&stage).len()), (&ProbeState::Stopped, 1));
    stage.verified();
}

#[test]
fn texts_that_are_too_large_are_named() {
    let text = "a line of text\n".repeat(1_200_000);
    let mut stage = Stage::looking(Image::new().layer(Layer::new("COPY").file("log", text)).build().into_content("1"));
    stage.act(Action::Secrets);
    let [unread] = &found(&stage).unread[..] else { panic!("{:?}", found(&stage).unread) };
    assert_eq!((unread.layer, unread.path.as_str()), (0, "log"));
    assert_eq!(unread.why, "18000000 bytes, expected at most 16777216");
}

#[test]
fn an_image_without_layers_has_a_configuration() {
    let config = json!({ "Env": [format!("GITHUB_TOKEN={}", token())] });
    let mut stage = Stage::looking(Image::new().config(config).build().into_content("1"));
    stage.act(Action::Secrets);
    assert_eq!((in_config(&stage).len(), progress(&stage).layers, &progress(&stage).state), (1, 0, &ProbeState::Done));
}

#[test]
fn a_file_of_this_machine_is_searched_without_a_request() {
    let mut stage = Stage::new(&Internet::new());
    stage.give("app.tar", GivenFile::new(Arc::<[u8]>::from(Content::docker_archive(&[("app:1", &image().build())]))));
    stage.act(Action::File("app.tar".into()));
    let requests = stage.internet.log().len();
    stage.act(Action::Secrets);
    assert_eq!((in_files(&stage).len(), in_config(&stage).len(), stage.internet.log().len()), (2, 2, requests));
}
