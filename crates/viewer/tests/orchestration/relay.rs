//! Registries that do not let a page read them, and the relay.

use crate::stage::*;
use porthole_registry::transport::ErrorKind;
use porthole_testkit::registry::{Fault, Internet, Site};
use porthole_viewer::{
    protocol::{Event, FailureCause, RegistryRoute, RelayMode, RelaySettings, Remedy, RouteReason},
    state::Action,
};

const HERE: &str = "http://127.0.0.1:8090";
const BLOCKED: &str = "https://r.example/";

/// A registry whose direct answers are blocked, and a relay on this machine.
fn blocked(kind: ErrorKind) -> Internet {
    let internet = registry(content());
    internet.site("127.0.0.1:8090", Site::new().repository("a/b", content()));
    internet.fault(BLOCKED, u32::MAX, Fault::NoAnswer(kind));
    internet
}

fn with_relay(internet: &Internet) -> Stage {
    let mut stage = Stage::new(internet);
    stage.act(Action::Relay(RelaySettings { mode: RelayMode::Auto, url: HERE.into() }));
    stage
}

fn routes(stage: &Stage) -> Vec<(RegistryRoute, RouteReason)> {
    let connection = |event: &Event| match event {
        Event::Connection { route, reason, .. } => Some((*route, *reason)),
        _ => None,
    };
    stage.events.iter().filter_map(connection).collect()
}

#[test]
fn a_registry_without_cors_is_read_through_the_relay_and_remembered() {
    let internet = blocked(ErrorKind::Cors);
    let mut stage = with_relay(&internet);
    stage.look(REFERENCE);
    stage.verified();
    let way = [(RegistryRoute::Direct, RouteReason::First), (RegistryRoute::Relay, RouteReason::NoCors)];
    assert_eq!(routes(&stage), way);
    let direct = internet.count(BLOCKED);
    stage.act(Action::Retry);
    stage.verified();
    assert_eq!(internet.count(BLOCKED), direct, "the registry is not asked directly again");
    assert!(internet.count("127.0.0.1:8090/v2/a/b/manifests/1?ns=r.example") > 0);
}

#[test]
fn a_refused_preflight_and_a_dead_host_lead_to_the_relay_too() {
    for (kind, reason, stays) in
        [(ErrorKind::Preflight, RouteReason::Preflight, true), (ErrorKind::Resolve, RouteReason::Unreachable, false)]
    {
        let mut stage = with_relay(&blocked(kind));
        stage.look(REFERENCE);
        stage.verified();
        assert_eq!(routes(&stage).last(), Some(&(RegistryRoute::Relay, reason)));
        let known = routes(&stage).len();
        stage.act(Action::Retry);
        assert_eq!(routes(&stage)[known].0 == RegistryRoute::Relay, stays, "{kind:?}");
    }
}

#[test]
fn without_a_relay_a_registry_without_cors_offers_one() {
    let mut stage = Stage::new(&blocked(ErrorKind::Cors));
    stage.look(REFERENCE);
    let failure = stage.failed_by(FailureCause::NoCors);
    assert!(offers(failure, |remedy| *remedy == Remedy::UseRelay { registry: REGISTRY.into(), available: false }));
}

#[test]
fn a_relay_that_is_down_leaves_the_direct_failure_first() {
    let internet = registry(content());
    internet.fault(BLOCKED, u32::MAX, Fault::NoAnswer(ErrorKind::Cors));
    let mut stage = with_relay(&internet);
    stage.look(REFERENCE);
    let failure = stage.failed_by(FailureCause::NoCors);
    assert!(failure.text.contains("CORS") && failure.text.contains("relay"), "{}", failure.text);
    assert!(offers(failure, |remedy| matches!(remedy, Remedy::Retry { .. })));
}

#[test]
fn what_the_relay_itself_refuses_is_said_in_its_words() {
    let internet = blocked(ErrorKind::Cors);
    let body = br#"{"errors":[{"code":"UPSTREAM_UNREACHABLE","message":"no connection"}]}"#.to_vec();
    internet.fault("127.0.0.1:8090", u32::MAX, Fault::Answer { status: 502, headers: Vec::new(), body });
    let mut stage = Stage::new(&internet);
    stage.act(Action::Relay(RelaySettings { mode: RelayMode::Always, url: HERE.into() }));
    stage.look(REFERENCE);
    let failure = stage.failed_by(FailureCause::DeadHost);
    assert!(failure.text.contains("through the relay"), "{}", failure.text);
}

#[test]
fn a_dead_relay_is_blamed_and_not_the_registry() {
    for (asked, of_layer) in [("/manifests/", false), ("/blobs/", true)] {
        let internet = registry(content());
        internet.site("127.0.0.1:8090", Site::new().repository("a/b", content()));
        let part = if of_layer { built().layers[0].blob.digest.clone() } else { asked.to_owned() };
        internet.fault(&part, u32::MAX, Fault::NoAnswer(ErrorKind::Connect));
        let mut stage = Stage::new(&internet);
        stage.act(Action::Relay(RelaySettings { mode: RelayMode::Always, url: HERE.into() }));
        stage.look(REFERENCE);
        let failure = if of_layer { stage.layer_failure(0) } else { stage.failure() };
        assert_eq!(failure.cause, Some(FailureCause::DeadRelay), "{failure:?}");
        assert!(failure.text.contains("relay"), "{}", failure.text);
    }
}

#[test]
fn a_device_without_network_is_blamed_and_not_the_relay() {
    let internet = registry(content());
    internet.fault("127.0.0.1:8090", u32::MAX, Fault::NoAnswer(ErrorKind::Offline));
    let mut stage = Stage::new(&internet);
    stage.act(Action::Relay(RelaySettings { mode: RelayMode::Always, url: HERE.into() }));
    stage.look(REFERENCE);
    let failure = stage.failed_by(FailureCause::Offline);
    assert!(failure.text.contains("no network"), "{}", failure.text);
}

#[test]
fn an_unreadable_challenge_leads_to_the_relay() {
    let internet = registry(content());
    internet.site("127.0.0.1:8090", Site::new().repository("a/b", content()));
    internet.fault(BLOCKED, u32::MAX, Fault::Status(401));
    let mut stage = with_relay(&internet);
    stage.look(REFERENCE);
    stage.verified();
    assert_eq!(stage.state.connection.as_ref().map(|it| it.way), Some(RegistryRoute::Relay));
}

#[test]
fn a_blob_on_a_host_without_cors_is_read_through_the_relay() {
    let internet = registry(content());
    internet.site("127.0.0.1:8090", Site::new().repository("a/b", content()));
    let layer = &built().layers[1].blob.digest;
    internet.fault(&format!("{BLOCKED}v2/a/b/blobs/{layer}"), u32::MAX, Fault::NoAnswer(ErrorKind::Cors));
    let mut stage = with_relay(&internet);
    stage.look(REFERENCE);
    stage.verified();
    assert_eq!(routes(&stage).last(), Some(&(RegistryRoute::Relay, RouteReason::NoCors)));
}

#[test]
fn a_blob_on_a_host_without_cors_and_no_relay_is_lost() {
    let internet = registry(content());
    let layer = &built().layers[1].blob.digest;
    internet.fault(layer, u32::MAX, Fault::NoAnswer(ErrorKind::Cors));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    let failure = stage.layer_failure(1);
    assert_eq!(failure.cause, Some(FailureCause::NoCors));
    assert!(offers(failure, |remedy| matches!(remedy, Remedy::UseRelay { available: false, .. })));
}

#[test]
fn a_registry_known_to_send_no_cors_headers_is_not_asked_directly() {
    let internet = Internet::new();
    internet.site("127.0.0.1:8090", Site::new().repository("a/b", content()));
    let mut stage = with_relay(&internet);
    stage.look("ghcr.io/a/b:1");
    stage.verified();
    assert_eq!(routes(&stage), [(RegistryRoute::Relay, RouteReason::KnownWithoutCors)]);
    assert_eq!(internet.count("ghcr.io/v2"), 0);
}

#[test]
fn never_means_never() {
    let internet = blocked(ErrorKind::Cors);
    let mut stage = Stage::new(&internet);
    stage.act(Action::Relay(RelaySettings { mode: RelayMode::Never, url: HERE.into() }));
    stage.look(REFERENCE);
    stage.failed_by(FailureCause::NoCors);
    assert_eq!(internet.count("127.0.0.1"), 0);
    stage.act(Action::UseRelay(REGISTRY.into()));
    stage.verified();
    assert_eq!(routes(&stage).last(), Some(&(RegistryRoute::Relay, RouteReason::Chosen)));
}

#[test]
fn a_relay_on_another_machine_is_used_only_when_a_person_asks() {
    let internet = registry(content());
    internet.site("relay.example", Site::new().repository("a/b", content()));
    internet.fault(BLOCKED, u32::MAX, Fault::NoAnswer(ErrorKind::Cors));
    let mut stage = Stage::new(&internet);
    stage.act(Action::Relay(RelaySettings { mode: RelayMode::Auto, url: "https://relay.example".into() }));
    stage.look(REFERENCE);
    let failure = stage.failed_by(FailureCause::NoCors);
    assert!(offers(failure, |remedy| matches!(remedy, Remedy::UseRelay { available: true, .. })));
    assert_eq!(internet.count("relay.example"), 0);
    stage.act(Action::UseRelay(REGISTRY.into()));
    stage.verified();
}

#[test]
fn a_relay_that_serves_the_page_is_found_and_used() {
    let internet = blocked(ErrorKind::Cors);
    let setup = || Setup { relay: Some(r#" {"relay":true}"#), ..Setup::default() };
    let stage = Stage::with(&internet, setup());
    assert_eq!(stage.state.relay.as_deref(), Some("https://page.example"));
    assert!(stage.state.relay_serves_page);
    internet.change(PAGE, |site| *site.content_mut("a/b") = content());
    let mut stage = Stage::with(&blocked(ErrorKind::Cors), setup());
    stage.internet.change(PAGE, |site| *site.content_mut("a/b") = content());
    stage.look(REFERENCE);
    stage.verified();
    assert!(stage.internet.count("https://page.example/v2/a/b/") > 0);
}

#[test]
fn a_page_of_a_static_host_has_no_relay() {
    for note in [None, Some("<!doctype html>")] {
        let stage = Stage::with(&Internet::new(), Setup { relay: note, ..Setup::default() });
        assert_eq!((stage.state.relay.as_deref(), stage.state.relay_serves_page), (None, false));
        assert_eq!(stage.internet.count("/relay.json"), 1);
    }
}

#[test]
fn an_image_of_the_relays_own_disk_needs_a_relay() {
    let mut stage = Stage::new(&Internet::new());
    stage.look("layout.localhost/a/b:1");
    let failure = stage.failed_by(FailureCause::NoCors);
    assert!(offers(failure, |remedy| matches!(remedy, Remedy::UseRelay { available: false, .. })));
    let mut stage = with_relay(&blocked(ErrorKind::Cors));
    stage.look("layout.localhost/a/b:1");
    stage.verified();
    assert_eq!(routes(&stage), [(RegistryRoute::Relay, RouteReason::Local)]);
}

/// A proxy in front of the relay that serves the page answers in its place: with its own page, a refusal, or a redirect to another host.
#[test]
fn an_expired_sign_in_of_the_page_is_named() {
    let html = || Fault::Answer {
        status: 200,
        headers: vec![("content-type", "text/html".to_owned())],
        body: b"<!doctype html><title>Sign in</title>".to_vec(),
    };
    for (answer, expired) in [
        (html as fn() -> Fault, true),
        (|| Fault::Status(401), true),
        (|| Fault::NoAnswer(ErrorKind::Cors), true),
        (|| Fault::NoAnswer(ErrorKind::Connect), false),
        (|| Fault::Status(502), false),
    ] {
        let internet = blocked(ErrorKind::Cors);
        let note = Fault::Answer { status: 200, headers: Vec::new(), body: br#"{"relay":true}"#.to_vec() };
        internet.fault("/relay.json", 1, note);
        let mut stage = Stage::new(&internet);
        assert!(stage.state.relay_serves_page);
        internet.fault(PAGE, u32::MAX, answer());
        stage.look(REFERENCE);
        let failure = stage.failure();
        assert_eq!(offers(failure, |remedy| *remedy == Remedy::Reload), expired, "{failure:?}");
        assert_eq!(failure.text.starts_with("The sign-in of this page has expired"), expired, "{failure:?}");
    }
}
