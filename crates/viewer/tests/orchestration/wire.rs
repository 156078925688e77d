//! The HTTP exchanges of a look: each once, in words, without secrets, and in no other look.

use crate::stage::*;
use porthole_testkit::{
    image::{Content, Image, Layer},
    registry::{Auth, Fault, Internet, Site, bearer},
};
use porthole_viewer::{
    address::Tab,
    protocol::{Event, WireLine},
    state::{Action, Effect, command},
};
use std::rc::Rc;

fn content() -> Content {
    let image =
        Image::new().layer(Layer::new("ADD a").file("a", vec![7; 5000])).layer(Layer::new("ADD b").file("b", "b"));
    Content::of_index("1", &[image.build()])
}

/// A registry that wants a token, and whose first layer breaks once.
fn internet() -> Internet {
    let internet = Internet::new();
    let challenge = bearer("https://r.example/token?key=canary", REGISTRY);
    let site = Site::new().auth(Auth::Bearer { challenge, account: None }).repository("a/b", content());
    internet.site(REGISTRY, site);
    internet
}

fn lines(stage: &Stage) -> Vec<Rc<WireLine>> {
    stage.state.wire.as_ref().map(|wire| wire.lines.clone()).unwrap_or_default()
}

fn meanings(stage: &Stage) -> Vec<String> {
    lines(stage).iter().map(|line| line.meaning.clone()).collect()
}

#[test]
fn a_look_is_shown_step_by_step() {
    let internet = internet();
    internet.fault("/blobs/", 1, Fault::Status(503));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    assert!(lines(&stage).is_empty(), "nothing is reported before it is asked for");
    stage.act(Action::Tab(Tab::Wire));
    let shown = meanings(&stage).join("\n");
    for part in [
        "the name means: registry r.example; repository a/b; tag 1",
        "asks what the tag 1 stands for: the registry wants a token first",
        "asks r.example for a token: it is granted",
        "asks what the tag 1 stands for again, with authorization: an index, which names an image for each platform",
        "the image for linux/amd64 is chosen from the index",
        "reads the manifest for linux/amd64: the manifest of an image",
        "reads the configuration",
        "reads layer 1 of 2",
        "reads layer 2 of 2",
        "the server failed with status 503",
    ] {
        assert!(shown.contains(part), "expected `{part}`, got:\n{shown}");
    }
    let all = lines(&stage);
    assert!(all.iter().all(|line| line.asked.is_empty() || !line.size.is_empty()), "{all:#?}");
    let text = format!("{all:?}");
    assert!(!text.contains("canary") && !text.contains("token-"), "{text}");
    assert!(text.contains("authorization: ***"), "{text}");
    assert_eq!(command(&stage.state).as_deref().map(|line| line.starts_with("porthole trace --full ")), Some(true));
}

#[test]
fn each_exchange_of_the_network_is_one_line() {
    let internet = internet();
    let mut stage = Stage::new(&internet);
    stage.act(Action::Address(Box::new(porthole_viewer::address::Address::parse(
        "#/v1/r.example%2Fa%2Fb%3A1?tab=wire",
    ))));
    let asked: Vec<_> = lines(&stage).iter().map(|line| line.asked.clone()).filter(|asked| !asked.is_empty()).collect();
    let mut sent: Vec<_> = internet
        .log()
        .iter()
        .filter(|asked| !asked.url.contains(PAGE))
        .map(|asked| format!("{} {}", asked.method, asked.url.replace("=canary", "=***")))
        .collect();
    let mut shown = asked.clone();
    shown.sort();
    sent.sort();
    assert_eq!(shown, sent);
    let bytes: u64 = lines(&stage).iter().filter(|line| line.status == "200").count() as u64;
    assert!(bytes >= 6, "{asked:?}");
}

#[test]
fn another_look_begins_with_an_empty_log() {
    let mut stage = Stage::new(&internet());
    stage.look(REFERENCE);
    stage.act(Action::Tab(Tab::Wire));
    let first = lines(&stage).len();
    assert!(first > 5);
    stage.act(Action::Retry);
    let tokens = meanings(&stage).iter().filter(|meaning| meaning.contains("for a token")).count();
    assert_eq!(tokens, 0, "the token is still held: {:?}", meanings(&stage));
    assert!(lines(&stage).len() < first);
}

#[test]
fn a_look_that_fails_is_shown_as_well() {
    let mut stage = Stage::new(&internet());
    stage.act(Action::Look("r.example/a/b:none".into()));
    stage.act(Action::Tab(Tab::Wire));
    let last = lines(&stage).pop().unwrap();
    assert_eq!((last.status.as_str(), last.wrong), ("404", true));
    assert!(last.meaning.ends_with("it is not there"), "{}", last.meaning);
}

#[test]
fn the_log_is_saved_as_an_archive() {
    let mut stage = Stage::new(&internet());
    stage.look(REFERENCE);
    stage.act(Action::SaveWire);
    let saved = stage.saved().pop().unwrap();
    let har: serde_json::Value = serde_json::from_slice(&saved).unwrap();
    assert_eq!(har["log"]["version"], "1.2");
    let entries = har["log"]["entries"].as_array().unwrap();
    assert_eq!(entries.len() + 2, stage.state.wire.clone().map_or(entries.len() + 2, |wire| wire.lines.len()));
    assert!(entries.iter().any(|entry| entry["comment"] == "reads layer 2 of 2"), "{har:#}");
    let named = |effect: &Effect| matches!(effect, Effect::Save { name, .. } if name == "porthole-trace.har");
    assert!(stage.effects.iter().any(named));
    assert!(stage.events.iter().any(|event| matches!(event, Event::Exported { .. })));
}
