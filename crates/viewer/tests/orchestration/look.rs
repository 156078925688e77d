//! From what was typed to an image: documents, platforms, artifacts, faults.

use crate::stage::*;
use porthole_core::digest::Digest;
use porthole_core::failure::FailureClass;
use porthole_registry::transport::ErrorKind;
use porthole_testkit::{
    image::{Blob, Content, Family, Image, Layer, index, index_of},
    registry::Fault,
};
use porthole_viewer::{
    protocol::{Command, Event, FailureCause, FileView, LayerState, LinkState, ProofStep, Remedy},
    session,
    state::Action,
};
use serde_json::json;

fn on(architecture: &str, file: &str) -> porthole_testkit::image::Built {
    Image::new().platform("linux", architecture, None).layer(Layer::new("COPY x /").file(file, "x")).build()
}

fn both() -> Content {
    Content::of_index("1", &[on("amd64", "intel"), on("arm64", "arm")])
}

#[test]
fn a_single_manifest_is_verified_to_its_files() {
    let stage = Stage::looking(content());
    stage.verified();
    assert_eq!(stage.paths(), ["etc", "srv"]);
    let links: Vec<ProofStep> = stage.state.chain.links.iter().map(|link| link.step).collect();
    assert_eq!(links, [ProofStep::Tag, ProofStep::Manifest, ProofStep::Config, ProofStep::Layers]);
    assert_eq!(stage.state.chain.links[0].label, "1");
    assert_eq!(stage.state.sizes.visible, 24);
    let image = stage.state.image.as_ref().unwrap();
    assert_eq!((image.layers.len(), image.history.len(), image.documents.len()), (2, 2, 2));
    let documents: u64 = image.documents.iter().map(|document| document.text.len() as u64).sum();
    assert_eq!(stage.state.fetched, documents + image.download);
}

#[test]
fn events_come_in_the_order_of_the_chain() {
    let stage = Stage::looking(content());
    let place = |wanted: fn(&Event) -> bool| stage.events.iter().position(wanted).unwrap();
    let connection = place(|event| matches!(event, Event::Connection { .. }));
    let image = place(|event| matches!(event, Event::Image { .. }));
    let rows = place(|event| matches!(event, Event::Rows { .. }));
    let settled = place(|event| matches!(event, Event::Settled { .. }));
    assert!(connection < image && image < rows && rows < settled);
    assert_eq!(stage.events.iter().filter(|event| matches!(event, Event::Settled { .. })).count(), 1);
}

#[test]
fn an_index_is_answered_with_the_default_platform() {
    let stage = Stage::looking(both());
    stage.verified();
    assert_eq!(stage.paths(), ["intel"]);
    assert_eq!(stage.state.platform.as_deref(), Some("linux/amd64"));
    assert_eq!(*stage.state.platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(stage.state.chain.links[1].step, ProofStep::Index);
}

#[test]
fn another_platform_is_another_look() {
    let mut stage = Stage::looking(both());
    stage.act(Action::Platform("linux/arm64".into()));
    stage.verified();
    assert_eq!(stage.paths(), ["arm"]);
    assert_eq!(stage.state.look, 2);
}

#[test]
fn platforms_are_tried_in_their_order() {
    for (available, chosen) in [(both(), "linux/arm64"), (Content::of_index("1", &[on("amd64", "x")]), "linux/amd64")] {
        let mut stage = Stage::new(&registry(available));
        stage.set_platforms(&["linux/arm64", "linux/amd64"]);
        stage.look(REFERENCE);
        stage.verified();
        assert_eq!(stage.state.platform.as_deref(), Some(chosen));
    }
}

#[test]
fn a_platform_that_is_not_there_offers_those_that_are() {
    let mut stage = Stage::new(&registry(both()));
    let look = Command::Look {
        look: 0,
        reference: REFERENCE.into(),
        platform: Some("linux/s390x".into()),
        view: FileView::default(),
        path: None,
    };
    stage.command(look);
    stage.settle();
    let failure = stage.failed_as(FailureClass::Platform);
    let all = vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()];
    assert!(offers(failure, |remedy| *remedy == Remedy::ChoosePlatform { available: all.clone() }));
    assert_eq!(failure.step, Some(ProofStep::Manifest));
    assert_eq!(stage.internet.count("/blobs/"), 0);
}

#[test]
fn an_index_in_an_index_leads_to_the_image() {
    let built = on("amd64", "deep");
    let inner = index(std::slice::from_ref(&built));
    let mut entry = inner.descriptor();
    entry["platform"] = json!({ "os": "linux", "architecture": "amd64" });
    let mut content = Content::default();
    content.add_image(&built).add_blob(inner);
    content.add_root("1", index_of(Family::Oci, vec![entry]));
    let stage = Stage::looking(content);
    stage.verified();
    assert_eq!(stage.paths(), ["deep"]);
}

#[test]
fn a_digest_is_looked_at_and_what_it_names_is_verified() {
    let digest = built().manifest.digest;
    let mut stage = Stage::new(&registry(content()));
    stage.look(&format!("r.example/a/b@{digest}"));
    stage.verified();
    assert_eq!(stage.state.chain.links[0].label, digest);
    let image = stage.state.image.as_ref().unwrap();
    assert_eq!((image.tag.as_deref(), image.pinned.as_str()), (None, format!("r.example/a/b@{digest}").as_str()));
}

#[test]
fn a_layer_that_is_no_archive_is_wrong_and_the_image_is_shown_all_the_same() {
    let blob = Blob::new("application/vnd.oci.image.layer.v1.tar", b"no archive at all".to_vec());
    let built = Image::new().build().edit_config(|config| config["rootfs"]["diff_ids"] = json!([blob.digest]));
    let built = built.edit_manifest(|manifest| manifest["layers"] = json!([blob.descriptor()]));
    let mut content = Content::default();
    content.add_image(&built).add_blob(blob);
    content.add_root("1", built.manifest);
    let stage = Stage::looking(content);
    assert!(stage.state.image.is_some());
    assert_eq!(stage.layer_states(), [LayerState::Wrong]);
    assert_eq!(stage.state.chain.state, LinkState::Wrong);
    assert!(stage.state.settled && stage.paths().is_empty());
}

#[test]
fn deviations_of_an_image_are_shown_beside_its_configuration() {
    let built = built().edit_config(|config| config["rootfs"]["diff_ids"] = json!([]));
    let stage = Stage::looking(built.into_content("1"));
    stage.verified();
    let image = stage.state.image.as_ref().unwrap();
    assert_eq!(image.deviations, ["the configuration names no diff_ids, expected 2, one for each layer"]);
}

#[test]
fn what_was_typed_is_no_reference() {
    let mut stage = Stage::new(&registry(content()));
    stage.look("not a reference");
    stage.failed_as(FailureClass::Input);
    assert_eq!(stage.internet.count("r.example"), 0);
}

#[test]
fn a_tag_that_is_not_there() {
    let mut stage = Stage::new(&registry(content()));
    stage.look("r.example/a/b:2");
    let failure = stage.failed_as(FailureClass::NotFound);
    assert_eq!((failure.registry.as_deref(), failure.step), (Some(REGISTRY), Some(ProofStep::Tag)));
    assert_eq!(stage.state.chain.state, LinkState::Wrong);
}

#[test]
fn a_manifest_that_does_not_match_its_digest_ends_the_look() {
    let digest = built().manifest.digest;
    let internet = registry(content());
    internet.fault("/manifests/", u32::MAX, Fault::Body(b"{}".to_vec()));
    let mut stage = Stage::new(&internet);
    stage.look(&format!("r.example/a/b@{digest}"));
    let failure = stage.failed_as(FailureClass::Malformed);
    assert_eq!(failure.mismatch.as_ref().map(|(expected, _)| expected.as_str()), Some(digest.as_str()));
    assert_eq!(stage.state.chain.links[0].state, LinkState::Wrong);
    assert!(stage.state.image.is_none());
}

#[test]
fn a_manifest_that_the_index_does_not_list_ends_the_look() {
    let (amd64, arm64) = (on("amd64", "intel"), on("arm64", "arm"));
    let internet = registry(Content::of_index("1", &[amd64.clone(), arm64.clone()]));
    internet.fault(&format!("/manifests/{}", amd64.manifest.digest), u32::MAX, Fault::Body(arm64.manifest.bytes));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    let failure = stage.failed_as(FailureClass::Malformed);
    assert_eq!(failure.step, Some(ProofStep::Manifest));
    let expected = Some((amd64.manifest.digest, arm64.manifest.digest));
    assert_eq!(failure.mismatch, expected);
}

#[test]
fn a_config_that_does_not_match_its_digest_ends_the_look() {
    let config = built().config;
    let internet = registry(content());
    let other = vec![b' '; config.bytes.len()];
    internet.fault(&format!("/blobs/{}", config.digest), u32::MAX, Fault::Body(other.clone()));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    let failure = stage.failed_as(FailureClass::Malformed);
    assert_eq!(failure.step, Some(ProofStep::Config));
    assert_eq!(failure.mismatch, Some((config.digest, Digest::sha256(&other).to_string())));
    assert_eq!(stage.reads(), 0);
}

#[test]
fn wrong_bytes_that_come_once_are_fetched_once_more() {
    let config = built().config;
    let internet = registry(content());
    internet.fault(&format!("/blobs/{}", config.digest), 1, Fault::Body(b"{}".to_vec()));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.verified();
}

#[test]
fn a_rate_limit_says_when_to_try_again() {
    let internet = registry(content());
    let limited = Fault::Answer { status: 429, headers: vec![("retry-after", "3600".into())], body: Vec::new() };
    internet.fault("/manifests/1", u32::MAX, limited);
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    let failure = stage.failed_as(FailureClass::RateLimit);
    assert!(offers(failure, |remedy| *remedy == Remedy::Retry { after: Some(3600) }), "{failure:?}");
    assert!(offers(failure, |remedy| matches!(remedy, Remedy::SignIn { refused: false, .. })));
}

#[test]
fn a_rate_limit_that_passes_soon_is_waited_for() {
    let internet = registry(content());
    let limited = Fault::Answer { status: 429, headers: vec![("retry-after", "2".into())], body: Vec::new() };
    internet.fault("/manifests/1", 1, limited);
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.verified();
}

#[test]
fn a_host_that_does_not_exist() {
    let mut stage = Stage::new(&registry(content()));
    stage.look("dead.example/a/b:1");
    let failure = stage.failed_by(FailureCause::DeadHost);
    assert_eq!(failure.registry.as_deref(), Some("dead.example"));
    assert!(offers(failure, |remedy| matches!(remedy, Remedy::Retry { after: None })));
}

#[test]
fn a_retry_after_a_failure_knows_what_was_asked_for() {
    let internet = registry(content());
    internet.fault("/manifests/1", 1, Fault::NoAnswer(ErrorKind::Resolve));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.failed_by(FailureCause::DeadHost);
    stage.act(Action::Retry);
    stage.verified();
    assert_eq!(stage.state.look, 2);
}

#[test]
fn an_image_without_layers_is_whole_at_once() {
    let stage = Stage::looking(Image::new().build().into_content("1"));
    stage.verified();
    assert_eq!((stage.reads(), stage.paths().len()), (0, 0));
}

#[test]
fn the_image_of_the_page_needs_no_network() {
    let page = built().into_content("sample.localhost/porthole/sample:latest").layout_tar();
    let internet = registry(content());
    let page = page.into();
    let mut stage = Stage::with(
        &internet,
        Setup { options: session::SessionOptions { page, ..session::SessionOptions::default() }, ..Setup::default() },
    );
    let before = internet.log().len();
    stage.look("sample.localhost/porthole/sample:latest");
    stage.verified();
    assert_eq!(stage.paths(), ["etc", "srv"]);
    stage.act(Action::Select(Some("etc/hosts".into())));
    assert!(matches!(stage.content(), porthole_viewer::protocol::ShownContent::Text { text, .. } if text == "two\n"));
    assert_eq!(internet.log().len(), before);
    stage.look("sample.localhost/porthole/sample:other");
    stage.failed_as(FailureClass::NotFound);
}
