//! The image that another was built on: named by a person, or opened before.

use crate::stage::*;
use porthole_testkit::{
    image::{Image, Layer},
    registry::{Internet, Site},
};
use porthole_viewer::{
    address::{Address, Tab},
    protocol::BaseLayers,
    state::{Action, command, export_wish},
};
use serde_json::{Value, json};

fn lower() -> Layer {
    Layer::new("ADD rootfs /").file("etc/os", "1")
}

/// A base under `a/base:1`, an image on it under `a/b:1`, and another image under `a/other:1`.
fn registry() -> Internet {
    let base = Image::new().layer(lower().then("CMD sh"));
    let image = base.clone().layer(Layer::new("COPY app /").file("app", "2"));
    let other = Image::new().layer(Layer::new("ADD other /").file("etc/os", "3"));
    let site = Site::new()
        .repository("a/base", base.build().into_content("1"))
        .repository("a/b", image.build().into_content("1"))
        .repository("a/other", other.build().into_content("1"));
    let internet = Internet::new();
    internet.site(REGISTRY, site);
    internet
}

#[track_caller]
fn found(stage: &Stage) -> &BaseLayers {
    stage.state.base.as_deref().expect("an answer").as_ref().expect("a base")
}

#[test]
fn a_base_that_is_named_is_proved_by_its_layers() {
    let internet = registry();
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    assert_eq!(stage.state.base, None, "nothing is guessed");
    let blobs = internet.count("/a/base/blobs/");
    stage.act(Action::Base(" r.example/a/base:1 ".into()));
    let base = found(&stage);
    assert!(base.proved && !base.opened, "{base:?}");
    assert_eq!((base.shared, base.layers, base.history), (1, 1, 2));
    assert_eq!(internet.count("/a/base/blobs/"), blobs + 1, "its configuration, and no layer");
    let address = stage.state.route.to_string();
    assert_eq!(Address::parse(&address).base.as_deref(), Some("r.example/a/base:1"));

    stage.act(Action::Tab(Tab::Overview));
    let line = command(&stage.state).unwrap();
    assert!(line.starts_with("porthole inspect --full --base r.example/a/base:1 r.example/a/b@sha256:"), "{line}");
    let wish = export_wish(&stage.state).expect("something to save");
    stage.act(Action::Export(wish));
    let saved: Value = serde_json::from_slice(&stage.saved().pop().unwrap()).unwrap();
    assert_eq!((&saved["base"]["compared"]["proved"], &saved["layers"][0]["base"]), (&json!(true), &json!(true)));
    assert_eq!(saved["layers"][1]["base"], Value::Null);

    stage.act(Action::Base("r.example/a/other:1".into()));
    assert!(!found(&stage).proved && stage.state.proved_base().is_none());
    stage.act(Action::Base("r.example/a/none:1".into()));
    assert!(stage.state.base.as_deref().unwrap().is_err());
    stage.verified();

    let mut stage = Stage::new(&registry());
    stage.act(Action::Address(Box::new(Address::parse(&address))));
    assert!(found(&stage).proved, "the address names it");
}

#[test]
fn an_image_that_was_opened_before_may_turn_out_to_be_the_base() {
    let internet = registry();
    let mut stage = Stage::new(&internet);
    stage.look("r.example/a/other:1");
    stage.look("r.example/a/base:1");
    assert_eq!(stage.state.base, None);
    let requests = internet.count("/a/base/");
    stage.look(REFERENCE);
    let base = found(&stage);
    assert!(base.proved && base.opened && base.given.starts_with("r.example/a/base@sha256:"), "{base:?}");
    assert_eq!((base.layers, internet.count("/a/base/")), (1, requests));
    stage.act(Action::Tab(Tab::Overview));
    assert!(command(&stage.state).unwrap().contains("--base r.example/a/base@sha256:"));
    stage.look(REFERENCE);
    assert!(found(&stage).given.contains("a/base"), "an image is not its own base");
}
