//! Credentials: asked for, refused, verified, and through which relay they may go.

use crate::stage::*;
use porthole_core::failure::FailureClass;
use porthole_testkit::registry::{Auth, Fault, Internet, Site, bearer};
use porthole_viewer::{
    protocol::{RelaySettings, Remedy, Secret},
    state::{Action, Dialog},
};

const ACCOUNT: &str = "me:hunter2";

fn guarded(auth: Auth) -> Internet {
    let internet = Internet::new();
    internet.site(REGISTRY, Site::new().repository("a/b", content()).auth(auth));
    internet
}

fn token() -> Auth {
    Auth::Bearer { challenge: bearer("https://r.example/token", "r.example"), account: Some(ACCOUNT) }
}

fn sign_in(password: &str) -> Action {
    Action::SignIn { registry: REGISTRY.into(), username: "me".into(), password: Secret(password.into()) }
}

fn asks(stage: &Stage, refused: bool) -> bool {
    offers(stage.failed_as(FailureClass::Authentication), |remedy| {
        *remedy == Remedy::SignIn { registry: REGISTRY.into(), refused }
    })
}

#[test]
fn a_registry_that_wants_a_password_gets_it() {
    for auth in [Auth::Basic(ACCOUNT), token()] {
        let internet = guarded(auth);
        let mut stage = Stage::new(&internet);
        stage.look(REFERENCE);
        assert!(asks(&stage, false));
        stage.act(sign_in("hunter2"));
        stage.verified();
        assert_eq!(stage.state.look, 2);
    }
}

#[test]
fn a_wrong_password_is_refused_and_another_may_be_typed() {
    for auth in [Auth::Basic(ACCOUNT), token()] {
        let mut stage = Stage::new(&guarded(auth));
        stage.look(REFERENCE);
        stage.act(sign_in("wrong"));
        assert!(asks(&stage, true));
        stage.act(sign_in("hunter2"));
        stage.verified();
    }
}

#[test]
fn a_password_stays_with_its_registry() {
    let internet = guarded(token());
    internet.site("other.example", Site::new().repository("a/b", content()).auth(Auth::Basic(ACCOUNT)));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.act(sign_in("hunter2"));
    stage.verified();
    stage.look("other.example/a/b:1");
    stage.failed_as(FailureClass::Authentication);
    let elsewhere = internet.log().into_iter().filter(|asked| asked.url.contains("other.example"));
    assert!(elsewhere.into_iter().all(|asked| asked.authorization().is_none()));
}

#[test]
fn no_event_and_no_effect_holds_a_password() {
    let mut stage = Stage::new(&guarded(token()));
    stage.look(REFERENCE);
    stage.act(sign_in("hunter2"));
    stage.verified();
    assert!(!format!("{:?} {:?}", stage.events, stage.effects).contains("hunter2"));
    assert!(!format!("{:?}", stage.orders()).contains("token-"), "requests of workers are not printed");
}

#[test]
fn one_token_serves_every_layer() {
    let internet = guarded(Auth::Bearer { challenge: bearer("https://r.example/token", "r.example"), account: None });
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.verified();
    assert_eq!(internet.count("/token"), 1);
}

#[test]
fn a_worker_whose_token_is_too_old_gets_a_fresh_request() {
    let internet = guarded(token());
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    let layer = &built().layers[0].blob.digest;
    let expired = Fault::Answer {
        status: 401,
        headers: vec![("www-authenticate", bearer("https://r.example/token", "r.example"))],
        body: Vec::new(),
    };
    internet.fault(layer, 2, expired);
    stage.act(sign_in("hunter2"));
    stage.verified();
    assert!(internet.count("/token") >= 2, "{}", internet.count("/token"));
}

#[test]
fn a_blob_that_stays_refused_is_lost_and_asks_to_sign_in() {
    let internet = guarded(token());
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    let layer = &built().layers[0].blob.digest;
    internet.fault(layer, u32::MAX, Fault::Status(403));
    stage.act(sign_in("hunter2"));
    let failure = stage.layer_failure(0);
    assert_eq!(failure.kind, FailureClass::Authentication);
    assert!(offers(failure, |remedy| matches!(remedy, Remedy::SignIn { refused: true, .. })), "{failure:?}");
}

#[test]
fn a_password_for_a_relay_on_another_machine_is_asked_about_first() {
    let mut stage = through_relay("https://relay.example");
    let Some(Dialog::RelayPassword { registry, relay }) = stage.state.dialog.clone() else {
        panic!("{:?}", stage.state.dialog)
    };
    assert_eq!((registry.as_str(), relay.as_str()), (REGISTRY, "https://relay.example"));
    assert_eq!(stage.internet.count("relay.example"), 0, "nothing is sent before the answer");
    stage.act(Action::AllowRelayPassword(true));
    stage.verified();
    assert!(stage.internet.count("https://relay.example/v2/a/b/manifests/1?ns=r.example") > 0);
}

#[test]
fn a_password_that_may_not_go_through_the_relay_is_forgotten() {
    let mut stage = through_relay("https://relay.example");
    stage.act(Action::AllowRelayPassword(false));
    assert!(asks(&stage, false));
    let log = stage.internet.log();
    let relayed = log.iter().filter(|asked| asked.url.contains("relay.example"));
    assert!(relayed.into_iter().all(|asked| asked.authorization().is_none()));
}

#[test]
fn no_password_goes_unencrypted_to_another_machine() {
    let stage = through_relay("http://relay.example");
    let failure = stage.failed_as(FailureClass::Authentication);
    assert!(failure.text.contains("without encryption"), "{failure:?}");
    assert_eq!(stage.internet.count("relay.example"), 0);
}

/// Signed in, and with a relay that a person typed and uses for every registry.
fn through_relay(relay: &str) -> Stage {
    let internet = guarded(Auth::Basic(ACCOUNT));
    internet.site("relay.example", Site::new().repository("a/b", content()).auth(Auth::Basic(ACCOUNT)));
    let mut stage = Stage::new(&internet);
    stage.begin(Action::Look(REFERENCE.into()));
    stage.begin(sign_in("hunter2"));
    let mode = porthole_viewer::protocol::RelayMode::Always;
    stage.act(Action::Relay(RelaySettings { mode, url: relay.into() }));
    stage
}
