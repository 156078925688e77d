//! Foreign layers, which the registry lacks: nothing is fetched from the host that the image names before the person allows it.

use crate::stage::*;
use porthole_core::failure::FailureClass;
use porthole_registry::transport::ErrorKind;
use porthole_testkit::{
    image::{Blob, Content, Image, Layer},
    registry::{Asked, Auth, Fault, Internet, Site},
};
use porthole_viewer::{
    protocol::{FailureCause, LayerState, RelayMode, RelaySettings, Remedy, SearchQuery, ShownContent},
    state::Action,
};

const PUBLISHER: &str = "files.example.net";
const RELAY: &str = "127.0.0.1:8090";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

/// An image whose two lower layers the registry lacks, and the digests of these. `{}` in a URL stands for the digest.
fn lacking(urls: &[&str]) -> (Internet, Content, [String; 2]) {
    let built = Image::new()
        .layer(Layer::new("Base").file("windows/notepad.exe", "the needle\n"))
        .layer(Layer::new("Update").file("windows/update", "two\n"))
        .layer(Layer::new("COPY").file("app", "three\n"))
        .build();
    let digests = [0, 1].map(|layer: usize| built.layers[layer].blob.digest.clone());
    let mut manifest: serde_json::Value = serde_json::from_slice(&built.manifest.bytes).expect("a manifest");
    for (layer, digest) in digests.iter().enumerate() {
        manifest["layers"][layer]["mediaType"] = FOREIGN.into();
        manifest["layers"][layer]["urls"] = urls.iter().map(|url| url.replace("{}", digest)).collect();
    }
    let whole = built.clone().into_content("1");
    let mut content = built.into_content("none");
    content.add_root("1", Blob::new(MANIFEST, manifest.to_string().into_bytes()));
    digests.iter().for_each(|digest| drop(content.blobs.remove(digest)));
    (registry(content), whole, digests)
}

/// As a registry of its own has the layers.
const OF_REGISTRY: &str = "https://files.example.net/v2/x/y/blobs/{}";

fn published(urls: &[&str]) -> (Internet, [String; 2]) {
    let (internet, whole, digests) = lacking(urls);
    internet.site(PUBLISHER, Site::new().repository("x/y", whole));
    (internet, digests)
}

fn asked(internet: &Internet, host: &str) -> Vec<Asked> {
    internet.log().into_iter().filter(|asked| asked.url.contains(host)).collect()
}

fn allow(hosts: &str) -> Action {
    Action::AllowForeign(hosts.into())
}

#[track_caller]
fn offered(stage: &Stage, layer: u32) -> &str {
    let failure = stage.layer_failure(layer);
    assert_eq!((failure.kind, failure.registry.as_deref()), (FailureClass::NotFound, Some(REGISTRY)));
    match &failure.remedies[0] {
        Remedy::AllowForeign { hosts } => hosts,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn says(stage: &Stage, layer: u32) -> String {
    let words = stage.layer_failure(layer).remedies.iter().filter_map(|remedy| match remedy {
        Remedy::Text { text } => Some(text.as_str()),
        _ => None,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_foreign_layer_is_fetched_when_the_person_allows_it() {
    let (internet, digests) = published(&[OF_REGISTRY]);
    internet.change(REGISTRY, |site| *site = std::mem::take(site).auth(Auth::Basic("ann:secret")));
    let mut stage = Stage::new(&internet);
    let (registry, username, password) = (REGISTRY.to_owned(), "ann".to_owned(), "secret".to_owned());
    stage.look(REFERENCE);
    stage.act(Action::SignIn { registry, username, password: porthole_viewer::protocol::Secret(password) });
    assert_eq!((offered(&stage, 0), offered(&stage, 1)), (PUBLISHER, PUBLISHER));
    assert!(stage.layer_failure(0).text.contains(&OF_REGISTRY.replace("{}", &digests[0])));
    assert_eq!(stage.layer_states(), [LayerState::Lost, LayerState::Lost, LayerState::Verified]);
    assert!(asked(&internet, PUBLISHER).is_empty(), "no host is asked before it is allowed");

    stage.act(allow(PUBLISHER));
    stage.verified();
    assert_eq!(stage.paths(), ["app", "windows"]);
    let requests = asked(&internet, PUBLISHER);
    assert_eq!(requests.len(), 2, "one for each layer");
    assert!(requests.iter().all(|asked| asked.authorization().is_none() && !asked.headers.contains_key("cookie")));

    stage.act(Action::Select(Some("windows/notepad.exe".into())));
    let ShownContent::Text { text, .. } = stage.content() else { panic!("{:?}", stage.content()) };
    assert_eq!(text, "the needle\n");
    stage.act(Action::Search(SearchQuery { pattern: "needle".into(), ..SearchQuery::default() }));
    let found = stage.state.search.as_deref().expect("a search");
    assert_eq!(
        found.rows().map(|(layer, hit)| (layer, hit.path.as_str())).collect::<Vec<_>>(),
        [(0, "windows/notepad.exe")]
    );
    assert!(asked(&internet, PUBLISHER).iter().all(|asked| asked.authorization().is_none()));
}

#[test]
fn what_was_allowed_for_one_look_is_asked_again_in_the_next() {
    let (internet, _) = published(&[OF_REGISTRY]);
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.act(allow("other.example.net"));
    assert!(asked(&internet, PUBLISHER).is_empty(), "another host was allowed");
    stage.act(allow(PUBLISHER));
    stage.act(Action::Retry);
    stage.verified();
    let before = asked(&internet, PUBLISHER).len();
    stage.look("r.example/a/b:1@sha256:0000000000000000000000000000000000000000000000000000000000000000");
    stage.look(REFERENCE);
    assert_eq!(offered(&stage, 0), PUBLISHER);
    assert_eq!(asked(&internet, PUBLISHER).len(), before);
}

#[test]
fn a_foreign_layer_with_other_bytes_is_wrong() {
    let (internet, digests) = published(&[OF_REGISTRY]);
    internet.fault(&format!("{PUBLISHER}/v2/x/y/blobs/{}", digests[0]), u32::MAX, Fault::Body(noise(100)));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.act(allow(PUBLISHER));
    assert_eq!(stage.layer_states(), [LayerState::Wrong, LayerState::Verified, LayerState::Verified]);
}

#[test]
fn the_next_address_is_asked_where_one_does_not_have_the_layer() {
    let (internet, _) = published(&["https://gone.example.net/{}", OF_REGISTRY]);
    internet.site("gone.example.net", Site::new());
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    assert_eq!(offered(&stage, 0), "gone.example.net, files.example.net");
    stage.act(allow("gone.example.net, files.example.net"));
    stage.verified();
    internet.change(PUBLISHER, |site| *site = Site::new());
    stage.act(Action::Audit);
    let failure = stage.layer_failure(0);
    assert_eq!((failure.kind, failure.registry.as_deref()), (FailureClass::NotFound, Some(PUBLISHER)));
    assert!(!offers(failure, |remedy| matches!(remedy, Remedy::AllowForeign { .. })), "it was allowed: {failure:?}");
}

#[test]
fn a_host_that_lets_no_page_read_it_leaves_the_command_line() {
    let (internet, _) = published(&["https://files.example.net/base.tar.gz"]);
    internet.fault(PUBLISHER, u32::MAX, Fault::NoAnswer(ErrorKind::Cors));
    let mut stage = Stage::new(&internet);
    stage.act(Action::Relay(RelaySettings { mode: RelayMode::Auto, url: format!("http://{RELAY}") }));
    stage.look(REFERENCE);
    stage.act(allow(PUBLISHER));
    let failure = stage.layer_failure(0);
    assert_eq!((failure.cause, failure.registry.as_deref()), (Some(FailureCause::NoCors), Some(PUBLISHER)));
    assert!(says(&stage, 0).contains("porthole pull --foreign r.example/a/b:1"), "{failure:?}");
    assert!(!offers(failure, |remedy| matches!(remedy, Remedy::UseRelay { .. })), "a relay reads registries alone");
    assert!(asked(&internet, RELAY).is_empty());
}

#[test]
fn a_registry_of_a_publisher_is_read_through_the_relay_where_it_sends_no_cors_headers() {
    let (internet, whole, digests) = lacking(&[OF_REGISTRY]);
    internet.site(RELAY, Site::new().repository("x/y", whole));
    internet.fault("https://files.example.net/", u32::MAX, Fault::NoAnswer(ErrorKind::Cors));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.act(allow(PUBLISHER));
    let failure = stage.layer_failure(0);
    assert_eq!(failure.remedies[0], Remedy::UseRelay { registry: PUBLISHER.into(), available: false });
    stage.act(Action::Relay(RelaySettings { mode: RelayMode::Auto, url: format!("http://{RELAY}") }));
    stage.verified();
    let relayed = asked(&internet, RELAY);
    let first = format!("http://{RELAY}/v2/x/y/blobs/{}?ns={PUBLISHER}", digests[0]);
    assert!(relayed.iter().any(|asked| asked.url == first), "{relayed:?}");
    assert!(relayed.iter().all(|asked| asked.authorization().is_none()));
}

#[test]
fn a_distant_relay_is_asked_for_a_foreign_layer_when_the_person_chooses_it() {
    let (internet, whole, _) = lacking(&["https://mcr.microsoft.com/v2/x/y/blobs/{}"]);
    internet.site("relay.example", Site::new().repository("x/y", whole));
    let mut stage = Stage::new(&internet);
    stage.act(Action::Relay(RelaySettings { mode: RelayMode::Auto, url: "https://relay.example".into() }));
    stage.look(REFERENCE);
    stage.act(allow("mcr.microsoft.com"));
    let registry = "mcr.microsoft.com".to_owned();
    let failure = stage.layer_failure(0);
    assert_eq!(failure.remedies, [Remedy::UseRelay { registry: registry.clone(), available: true }]);
    assert!(failure.text.contains("learns which image you open"), "{failure:?}");
    assert!(asked(&internet, "relay.example").is_empty() && asked(&internet, &registry).is_empty());
    stage.act(Action::UseRelay(registry));
    stage.verified();
}

#[test]
fn an_address_that_a_page_does_not_fetch_is_not_offered() {
    for (url, why) in [
        ("http://files.example.net/{}", "mixed content"),
        ("https://169.254.169.254/{}", "an address or a local name"),
        ("https://localhost/{}", "an address or a local name"),
        ("https://page.example/{}", "the host of this page"),
        ("ftp://files.example.net/{}", "scheme"),
    ] {
        let (internet, _) = published(&[url]);
        let mut stage = Stage::new(&internet);
        stage.look(REFERENCE);
        assert!(says(&stage, 0).contains(why), "{url}: {:?}", stage.layer_failure(0));
        assert!(!offers(stage.layer_failure(0), |remedy| matches!(remedy, Remedy::AllowForeign { .. })), "{url}");
        stage.act(allow(PUBLISHER));
        assert!(asked(&internet, PUBLISHER).is_empty(), "{url}");
    }
}
