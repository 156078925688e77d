//! What a session holds does not grow with the number of looks.

use crate::stage::*;
use porthole_testkit::registry::{Auth, Internet, Site, bearer};
use porthole_viewer::{
    protocol::{Command, Secret},
    session::SessionHoldings,
    state::Action,
};

/// Looks of each test.
const LOOKS: usize = 50;

/// Looks at an image again and again, with `visit` after each look. What is held after the second look is held after the last one.
#[track_caller]
fn stays_flat(stage: &mut Stage, mut visit: impl FnMut(&mut Stage)) -> SessionHoldings {
    let mut held = Vec::new();
    for _ in 0..LOOKS {
        stage.look(REFERENCE);
        visit(stage);
        stage.settle();
        held.push((stage.holdings(), weight(stage)));
    }
    assert!(stage.state.look as usize >= LOOKS, "{} looks", stage.state.look);
    let (settled, last) = (held[1], held[LOOKS - 1]);
    assert_eq!(settled.0, last.0, "after {LOOKS} looks");
    assert!(last.1 <= settled.1 + LOOKS, "the page holds {} bytes, and {} before", last.1, settled.1);
    last.0
}

/// How much the page itself holds: its state in words. Numbers of looks get longer.
fn weight(stage: &Stage) -> usize {
    format!("{:?}", stage.state).len()
}

#[test]
fn looks_at_one_image_leave_nothing_behind() {
    let mut stage = Stage::new(&registry(content()));
    let held = stays_flat(&mut stage, |stage| {
        stage.verified();
        stage.act(Action::Select(Some("etc/hosts".into())));
        stage.act(Action::Select(None));
    });
    assert_eq!((held.looks, held.waiting, held.reading, held.errands), (1, 0, 0, 0));
    assert!(held.nodes > 0 && held.index_bytes > 0, "{held:?}");
    stage.command(Command::Cancel);
    stage.settle();
    let held = stage.holdings();
    assert_eq!((held.looks, held.nodes, held.index_bytes, held.errands), (0, 0, 0, 0));
}

#[test]
fn looks_that_are_left_before_their_end_leave_nothing_behind() {
    let internet = registry(content());
    internet.latency(3);
    let mut stage = Stage::new(&internet);
    let orders = |stage: &Stage| stage.orders().len();
    for _ in 0..LOOKS {
        let before = orders(&stage);
        stage.begin(Action::Look(REFERENCE.into()));
        stage.until(|stage| orders(stage) > before);
    }
    stage.command(Command::Cancel);
    stage.settle();
    let SessionHoldings { looks, waiting, reading, errands, nodes, .. } = stage.holdings();
    assert_eq!((looks, waiting, reading, errands, nodes), (0, 0, 0, 0, 0));
}

#[test]
fn comparisons_leave_nothing_behind() {
    let mut stage = Stage::new(&registry(content()));
    let held = stays_flat(&mut stage, |stage| {
        let reference = REFERENCE.to_owned();
        stage.command(Command::Compare { reference, platform: None, ignore: Vec::new() });
        stage.settle();
        stage.command(Command::EndCompare);
    });
    assert_eq!((held.looks, held.errands), (1, 0));
}

#[test]
fn tokens_of_one_repository_take_one_place() {
    let internet = Internet::new();
    let auth = Auth::Bearer { challenge: bearer("https://r.example/token", "r.example"), account: Some("me:hunter2") };
    internet.site(REGISTRY, Site::new().repository("a/b", content()).auth(auth));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.act(Action::SignIn { registry: REGISTRY.into(), username: "me".into(), password: Secret("hunter2".into()) });
    let held = stays_flat(&mut stage, |_| {});
    assert_eq!((held.tokens, held.registries), (1, 1));
}

#[test]
fn workers_that_die_leave_nothing_behind() {
    let mut stage = Stage::new(&registry(content()));
    let held = stays_flat(&mut stage, |stage| {
        stage.kill(0);
        stage.settle();
    });
    assert_eq!((held.waiting, held.reading), (0, 0));
}
