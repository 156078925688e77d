//! Looks that are cancelled or replaced, and layer workers that die.

use crate::stage::*;
use porthole_core::failure::FailureClass;
use porthole_testkit::image::{Image, Layer};
use porthole_viewer::{
    protocol::{Command, LayerState, LinkState},
    state::Action,
    worker::{WorkerOrder, WorkerReport},
};

#[test]
fn cancelled_in_any_phase_a_look_leaves_nothing_behind() {
    type Phase = (&'static str, fn(&Stage) -> bool);
    let phases: [Phase; 6] = [
        ("asked", |stage| stage.internet.count("/manifests/") > 0),
        ("tag", |stage| stage.state.chain.links.first().is_some_and(|link| link.state == LinkState::Verified)),
        ("config", |stage| stage.internet.count("/blobs/") > 0),
        ("image", |stage| stage.state.image.is_some()),
        ("progress", |stage| stage.state.layers.iter().any(|layer| layer.state == LayerState::Progress)),
        ("rows", |stage| !stage.state.rows.rows.is_empty()),
    ];
    for (name, reached) in phases {
        let internet = registry(content());
        internet.latency(3).pieces(64);
        let mut stage = Stage::new(&internet);
        stage.begin(Action::Look(REFERENCE.into()));
        stage.until(reached);
        assert!(!stage.state.settled, "{name}");
        stage.command(Command::Cancel);
        let (events, asked) = (stage.events.len(), internet.log().len());
        stage.settle();
        assert_eq!(stage.events.len(), events, "{name}: {:?}", stage.events[events..].first());
        assert_eq!(internet.log().len(), asked, "{name}: nothing is asked for any more");
        stage.look(REFERENCE);
        stage.verified();
    }
}

#[test]
fn back_to_the_start_page_cancels() {
    let internet = registry(content());
    internet.latency(3);
    let mut stage = Stage::new(&internet);
    stage.begin(Action::Look(REFERENCE.into()));
    stage.until(|stage| stage.state.image.is_some());
    stage.act(Action::Address(Box::default()));
    assert!(stage.state.image.is_none() && stage.state.rows.rows.is_empty());
    assert!(stage.orders().iter().any(|(_, order)| matches!(order, WorkerOrder::Cancel { .. })));
}

#[test]
fn a_second_look_replaces_the_one_that_runs() {
    let internet = registry(content());
    internet.change(REGISTRY, |site| {
        let other = Image::new().layer(Layer::new("COPY").file("other", "x")).build();
        *site.content_mut("c/d") = other.into_content("1");
    });
    internet.latency(3);
    let mut stage = Stage::new(&internet);
    stage.begin(Action::Look(REFERENCE.into()));
    stage.until(|stage| stage.state.image.is_some());
    let from = stage.events.len();
    stage.look("r.example/c/d:1");
    stage.verified();
    assert_eq!(stage.paths(), ["other"]);
    assert!(stage.events_of(1, from).is_empty(), "nothing more of the first look");
}

#[test]
fn late_reports_of_an_old_look_change_nothing() {
    let mut stage = Stage::new(&registry(content()));
    stage.begin(Action::Look(REFERENCE.into()));
    stage.until(|stage| stage.reads() == 2);
    stage.hold(true);
    stage.settle();
    // Everything that the workers found is still on its way when the second look begins.
    stage.begin(Action::Look("r.example/a/b:2".into()));
    stage.hold(false);
    stage.settle();
    stage.failed_as(FailureClass::NotFound);
    assert!(stage.state.image.is_none() && stage.state.layer_failures.is_empty());
    assert_eq!(stage.layer_states(), []);
    stage.report(
        0,
        WorkerReport::Failed { job: 1, kind: FailureClass::Other, cause: None, text: "late".into(), host: None },
    );
    stage.report(9, WorkerReport::Progress { job: 1, compressed: 1, uncompressed: 1, entries: 1 });
    assert!(stage.state.layer_failures.is_empty());
    stage.look(REFERENCE);
    stage.verified();
}

#[test]
fn a_worker_that_dies_loses_its_layer_and_is_replaced() {
    let internet = registry(content());
    internet.latency(5);
    let mut stage = Stage::new(&internet);
    stage.begin(Action::Look(REFERENCE.into()));
    stage.until(|stage| stage.reads() == 2);
    stage.kill(0);
    stage.settle();
    assert_eq!(stage.layer_states(), [LayerState::Lost, LayerState::Verified]);
    assert!(stage.layer_failure(0).text.contains("worker"), "{:?}", stage.layer_failure(0));
    stage.act(Action::Retry);
    stage.verified();
}

#[test]
fn a_worker_that_panics_says_where_and_the_others_go_on() {
    let internet = registry(content());
    internet.latency(5);
    let mut stage = Stage::new(&internet);
    stage.begin(Action::Look(REFERENCE.into()));
    stage.until(|stage| stage.reads() == 2);
    stage.report(1, WorkerReport::Panicked { text: "internal error: here".into() });
    stage.settle();
    assert_eq!(stage.layer_states(), [LayerState::Verified, LayerState::Lost]);
    assert!(stage.layer_failure(1).text.contains("internal error: here"));
}

#[test]
fn without_any_worker_layers_are_lost_and_the_look_ends() {
    let mut stage = Stage::with(&registry(content()), Setup { workers: 0, ..Setup::default() });
    stage.look(REFERENCE);
    assert_eq!(stage.layer_states(), [LayerState::Lost, LayerState::Lost]);
    assert!(stage.state.settled);
    let internet = registry(content());
    internet.latency(5);
    let mut stage = Stage::with(&internet, Setup { workers: 1, ..Setup::default() });
    stage.refuse_workers();
    stage.begin(Action::Look(REFERENCE.into()));
    stage.until(|stage| stage.reads() == 1);
    stage.kill(0);
    stage.settle();
    assert_eq!(stage.layer_states(), [LayerState::Lost, LayerState::Lost], "the one that waited, too");
    assert!(stage.state.settled);
}
