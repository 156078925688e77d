//! A second visit: what was kept of the first is used, and nothing that is wrong with it does harm.

use crate::{shelf::Shelf, stage::*};
use porthole_testkit::{
    image::{Compression, Image, Layer},
    registry::{Fault, Internet},
};
use porthole_viewer::{
    protocol::{Command, ComparedFiles, LayerState, ShownContent},
    session::KeptError,
    state::{Action, Dialog},
};
use std::{rc::Rc, time::Duration};

/// A page that keeps its files there.
fn visit(internet: &Internet, shelf: &Shelf) -> Stage {
    let stage = Stage::new(internet);
    stage.keep_in(Rc::new(shelf.clone()));
    stage
}

/// Requests for layers so far.
fn fetches(internet: &Internet) -> usize {
    built().layers.iter().map(|layer| internet.count(&layer.blob.digest)).sum()
}

/// A registry, and what the first visit kept and showed.
fn visited() -> (Internet, Shelf, Vec<String>) {
    let (internet, shelf) = (registry(content()), Shelf::default());
    let mut stage = visit(&internet, &shelf);
    stage.look(REFERENCE);
    stage.verified();
    assert!(stage.state.layers.iter().all(|layer| layer.since.is_none()));
    assert_eq!(shelf.indexes().len(), 2);
    (internet, shelf, rows(&mut stage))
}

/// Every row, in words, and what is known of each layer.
fn rows(stage: &mut Stage) -> Vec<String> {
    stage.act(Action::ExpandAll(true));
    let rows = stage.state.rows.rows.iter().map(|row| format!("{row:?}"));
    let layers = stage.state.layers.iter().map(|layer| {
        let facts = (layer.state, layer.uncompressed, layer.entries, layer.added, layer.removed, layer.ambiguous);
        format!("{facts:?} {:?} {:?}", layer.findings, layer.note)
    });
    rows.chain(layers).collect()
}

#[test]
fn a_second_visit_fetches_no_layer() {
    let (internet, shelf, before) = visited();
    let fetched = fetches(&internet);
    let mut stage = visit(&internet, &shelf);
    stage.look(REFERENCE);
    stage.verified();
    assert_eq!(rows(&mut stage), before);
    assert_eq!(fetches(&internet), fetched, "no layer was fetched");
    assert!(stage.state.layers.iter().all(|layer| layer.since.as_deref().is_some_and(|day| day.len() == 10)));
    assert_eq!(stage.state.chain.links.last().unwrap().label, "2 on an earlier visit");
    // A file is one range.
    stage.act(Action::Select(Some("etc/hosts".into())));
    assert!(matches!(stage.content(), ShownContent::Text { text, .. } if text == "two\n"), "{:?}", stage.content());
    assert_eq!(fetches(&internet), fetched + 1);
    assert_eq!(shelf.writes(), 2, "nothing is written again");
}

/// Looking for what is kept of all layers came before the first one was read.
#[test]
fn a_layer_is_read_while_kept_ones_are_looked_for() {
    let (internet, shelf, _) = visited();
    let upper = built().layers[1].blob.digest.replace(':', "-");
    let upper = shelf.indexes().into_iter().find(|name| name.starts_with(&upper)).unwrap();
    shelf.stick(&upper);
    let mut stage = visit(&internet, &shelf);
    stage.begin(Action::Look(REFERENCE.into()));
    stage.until(|stage| stage.state.layers.first().is_some_and(|layer| layer.state == LayerState::Verified));
    assert_eq!(stage.reads(), 1);
}

/// Listing and writing files of the browser takes its time, while layers are read from others of them.
#[test]
fn uses_are_noted_after_a_second_of_quiet() {
    let (internet, shelf, _) = visited();
    let (lists, slept) = (shelf.lists(), internet.slept().len());
    let mut stage = visit(&internet, &shelf);
    stage.begin(Action::Look(REFERENCE.into()));
    stage.until(|_| shelf.lists() > lists);
    let waits = internet.slept().split_off(slept);
    assert!(waits.contains(&Duration::from_secs(1)), "{waits:?}");
}

#[test]
fn verifying_again_reads_every_layer() {
    let (internet, shelf, before) = visited();
    let mut stage = visit(&internet, &shelf);
    stage.look(REFERENCE);
    let fetched = fetches(&internet);
    stage.act(Action::Audit);
    stage.verified();
    assert_eq!(rows(&mut stage), before);
    assert_eq!(fetches(&internet), fetched + 2);
    assert!(stage.state.layers.iter().all(|layer| layer.since.is_none()));
    assert_eq!(stage.state.chain.links.last().unwrap().label, "");
    assert_eq!(shelf.writes(), 4, "the dates are new");
}

#[test]
fn damage_costs_a_download() {
    // In the record, in the header of the index, in its pages, and at its end.
    for place in [3, 60, 400, 700, 900, usize::MAX] {
        let (internet, shelf, before) = visited();
        let fetched = fetches(&internet);
        shelf.damage(|bytes| {
            let place = place.min(bytes.len() - 1);
            bytes[place] ^= 0x10;
        });
        let mut stage = visit(&internet, &shelf);
        stage.look(REFERENCE);
        stage.verified();
        assert_eq!(rows(&mut stage), before, "at {place}");
        if fetches(&internet) > fetched {
            assert_eq!(shelf.writes(), 4, "at {place}: kept again");
        }
    }
}

#[test]
fn what_a_killed_tab_left_behind_is_not_used() {
    let (internet, shelf, before) = visited();
    let fetched = fetches(&internet);
    shelf.damage(|bytes| bytes.truncate(bytes.len() / 2));
    shelf.put("new-1", "half of an index");
    let mut stage = visit(&internet, &shelf);
    stage.look(REFERENCE);
    stage.verified();
    assert_eq!((rows(&mut stage), fetches(&internet)), (before, fetched + 2));
}

#[test]
fn an_index_that_vanishes_between_two_reads_costs_a_download() {
    let (internet, shelf, _) = visited();
    let mut stage = visit(&internet, &shelf);
    stage.look(REFERENCE);
    shelf.vanish();
    stage.act(Action::Select(Some("srv/app".into())));
    let ShownContent::Failed { wrong: false, text } = stage.content() else { panic!("{:?}", stage.content()) };
    assert_eq!(text, "what was kept of layer 2 is damaged or gone: verify it again");
}

#[test]
fn an_index_of_other_bytes_is_not_used() {
    let (internet, shelf, _) = visited();
    let names = shelf.indexes();
    let files = shelf.files();
    shelf.put(&names[0], files[&names[1]].to_vec());
    shelf.put(&names[1], files[&names[0]].to_vec());
    let fetched = fetches(&internet);
    let mut stage = visit(&internet, &shelf);
    stage.look(REFERENCE);
    stage.verified();
    assert_eq!(fetches(&internet), fetched + 2);
}

#[test]
fn a_layer_that_is_not_verified_is_not_kept() {
    let (internet, shelf) = (registry(content()), Shelf::default());
    internet.fault(&built().layers[0].blob.digest, u32::MAX, Fault::Body(vec![0; 20]));
    let mut stage = visit(&internet, &shelf);
    stage.look(REFERENCE);
    assert_eq!(stage.layer_states(), [LayerState::Wrong, LayerState::Verified]);
    assert_eq!(shelf.indexes().len(), 1);
}

#[test]
fn findings_that_refute_nothing_are_remembered() {
    let layer = Layer::new("COPY").compression(Compression::Gzip).file("a", "b");
    let declared = |manifest: &mut serde_json::Value| {
        manifest["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+zstd".into();
    };
    let content = Image::new().layer(layer).build().edit_manifest(declared).into_content("1");
    let (internet, shelf) = (registry(content), Shelf::default());
    let mut first = visit(&internet, &shelf);
    first.look(REFERENCE);
    let before = rows(&mut first);
    assert!(!first.state.layers[0].findings.is_empty(), "{:?}", first.state.layers);
    let mut second = visit(&internet, &shelf);
    second.look(REFERENCE);
    assert_eq!(rows(&mut second), before);
    assert!(second.state.layers[0].since.is_some());
}

#[test]
fn two_tabs_keep_the_same_files() {
    let (internet, shelf) = (registry(content()), Shelf::default());
    let mut tabs = [visit(&internet, &shelf), visit(&internet, &shelf)];
    tabs.iter_mut().for_each(|tab| tab.begin(Action::Look(REFERENCE.into())));
    while tabs.iter_mut().fold(false, |some, tab| tab.step() | some) {}
    for tab in &mut tabs {
        tab.settle();
        tab.verified();
        tab.act(Action::Select(Some("etc/hosts".into())));
        assert!(matches!(tab.content(), ShownContent::Text { text, .. } if text == "two\n"));
    }
    assert_eq!(shelf.indexes().len(), 2);
}

#[test]
fn settings_count_and_wipe() {
    let (internet, shelf, _) = visited();
    let mut stage = visit(&internet, &shelf);
    stage.act(Action::Dialog(Some(Dialog::Settings)));
    let kept = stage.state.kept.clone().unwrap();
    let bytes: usize = shelf.files().iter().filter(|(name, _)| *name != "used").map(|(_, bytes)| bytes.len()).sum();
    assert_eq!((kept.layers, kept.bytes, &kept.lack), (2, bytes as u64, &None));
    stage.act(Action::WipeKept);
    let kept = stage.state.kept.clone().unwrap();
    assert_eq!((kept.layers, kept.bytes, shelf.files().len()), (0, 0, 0));
    stage.look(REFERENCE);
    stage.verified();
    assert_eq!(shelf.indexes().len(), 2, "and kept again");
}

#[test]
fn a_browser_that_keeps_nothing_loses_nothing() {
    for (error, lack) in [
        (KeptError::Unusable("a private window".into()), Some("a private window")),
        (KeptError::NoRoom, Some("this browser gives this page no more room")),
        (KeptError::Failed, None),
    ] {
        let (internet, shelf) = (registry(content()), Shelf::default());
        shelf.fail(error);
        let mut stage = visit(&internet, &shelf);
        stage.look(REFERENCE);
        stage.verified();
        stage.act(Action::Select(Some("etc/hosts".into())));
        assert!(matches!(stage.content(), ShownContent::Text { text, .. } if text == "two\n"));
        assert_eq!(stage.state.notice, None, "it is no news for each look");
        stage.act(Action::Dialog(Some(Dialog::Settings)));
        assert_eq!(stage.state.kept.as_ref().unwrap().lack.as_deref(), lack);
    }
}

#[test]
fn a_comparison_uses_what_was_kept() {
    let (internet, shelf, _) = visited();
    let fetched = fetches(&internet);
    let other = Image::new().layer(Layer::new("COPY").file("other", "x")).build();
    internet.site("s.example", porthole_testkit::registry::Site::new().repository("a/b", other.into_content("1")));
    let mut stage = visit(&internet, &shelf);
    stage.look("s.example/a/b:1");
    let reference = REFERENCE.to_owned();
    stage.command(Command::Compare { reference, platform: None, ignore: Vec::new() });
    stage.settle();
    assert_eq!(fetches(&internet), fetched);
    let comparison = stage.state.comparison.as_ref().unwrap();
    assert!(matches!(&comparison.files, ComparedFiles::Done { fetched: 0, .. }), "{:?}", comparison.files);
}

#[test]
fn looks_that_keep_and_recall_leave_nothing_behind() {
    let (internet, shelf) = (registry(content()), Shelf::default());
    let mut stage = visit(&internet, &shelf);
    stage.look(REFERENCE);
    stage.look(REFERENCE);
    let held = stage.holdings();
    assert_eq!(held.index_bytes, 0, "indexes are in files");
    for _ in 0..20 {
        stage.look(REFERENCE);
        stage.verified();
    }
    assert_eq!(stage.holdings(), held);
}
