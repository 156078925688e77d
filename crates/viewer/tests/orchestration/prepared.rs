//! Layers that are listed from their tables of contents, and the audit.

use crate::stage::*;
use porthole_testkit::{
    image::{Format, Layer, Prepared, PreparedLayer},
    registry::{Fault, Internet},
};
use porthole_viewer::{
    protocol::{LayerState, LinkState, ShownContent},
    session,
    state::Action,
};

fn layer() -> Layer {
    Layer::new("COPY").file("big", noise(100_000)).file("etc/motd", "hello\n")
}

fn prepared(format: Format) -> PreparedLayer {
    Prepared::new(&layer(), format).chunks_of(50_000).build()
}

/// A session that lists layers of this size.
fn stage(internet: &Internet, listed_bytes: u64) -> Stage {
    let options = session::SessionOptions { listed_bytes, ..session::SessionOptions::default() };
    Stage::with(internet, Setup { options, ..Setup::default() })
}

fn served(layer: PreparedLayer) -> (Internet, String, u64) {
    let (digest, size) = (layer.blob.digest.clone(), layer.blob.bytes.len() as u64);
    (registry(PreparedLayer::image(&[layer], "1")), digest, size)
}

#[test]
fn a_prepared_layer_is_listed_without_reading_it() {
    for format in [Format::EStargz, Format::ZstdChunked] {
        let (internet, _, size) = served(prepared(format));
        let mut stage = stage(&internet, 1_000);
        stage.look(REFERENCE);
        assert_eq!(stage.layer_states(), [LayerState::Listed], "{format:?}");
        assert_eq!(stage.state.chain.state, LinkState::Listed, "a listing is no proof");
        assert!(stage.paths().contains(&"etc") && stage.state.settled);
        assert!(stage.state.fetched < size / 4, "{} of {size}", stage.state.fetched);
        assert_eq!(stage.reads(), 0);
        assert!(stage.state.layers[0].note.as_ref().unwrap().contains("table of contents"));
    }
}

#[test]
fn a_file_of_a_listed_layer_is_read_chunk_by_chunk() {
    let (internet, ..) = served(prepared(Format::EStargz));
    let mut stage = stage(&internet, 1_000);
    stage.look(REFERENCE);
    stage.act(Action::Select(Some("etc/motd".into())));
    let ShownContent::Text { text, part, .. } = stage.content() else { panic!("{:?}", stage.content()) };
    assert_eq!(text, "hello\n");
    assert!(part.fetched < 10_000, "{part:?}");
}

#[test]
fn an_audit_reads_the_layer_and_verifies_it() {
    let (internet, ..) = served(prepared(Format::EStargz));
    let mut stage = stage(&internet, 1_000);
    stage.look(REFERENCE);
    stage.act(Action::Audit);
    stage.verified();
    assert_eq!((stage.state.look, stage.reads()), (2, 1));
    assert!(stage.state.layers[0].note.as_ref().unwrap().contains("agrees with the archive"));
}

#[test]
fn an_audit_reads_the_table_of_contents_over_a_break() {
    let (internet, digest, _) = served(prepared(Format::EStargz));
    let mut stage = stage(&internet, 1_000);
    stage.look(REFERENCE);
    internet.fault(&digest, 1, Fault::ResetAfter(10));
    internet.fault(&digest, 1, Fault::Status(503));
    stage.act(Action::Audit);
    stage.verified();
    assert!(stage.state.layers[0].note.as_ref().unwrap().contains("agrees with the archive"));
}

#[test]
fn an_audit_finds_a_table_of_contents_that_lies() {
    let lie = |toc: &mut serde_json::Value| {
        for entry in toc["entries"].as_array_mut().unwrap() {
            if entry["name"] == "etc/motd" {
                entry["mode"] = 0o777.into();
            }
        }
    };
    let layer = layer();
    let lying = Prepared::new(&layer, Format::EStargz).chunks_of(50_000).edit(lie).build();
    let (internet, ..) = served(lying);
    let mut stage = stage(&internet, 1_000);
    stage.look(REFERENCE);
    assert_eq!(stage.layer_states(), [LayerState::Listed]);
    stage.act(Action::Audit);
    let progress = &stage.state.layers[0];
    assert!(progress.findings.iter().any(|text| text.contains("disagrees")), "{progress:?}");
}

#[test]
fn a_table_of_contents_that_cannot_be_read_costs_the_whole_layer_and_nothing_more() {
    let (internet, digest, _) = served(prepared(Format::EStargz));
    // The table is asked for first, with two small ranges.
    internet.fault(&digest, 1, Fault::Status(404));
    let mut stage = stage(&internet, 1_000);
    stage.look(REFERENCE);
    stage.verified();
    assert_eq!(stage.reads(), 1);
}

#[test]
fn a_small_prepared_layer_is_read_whole() {
    let small = Layer::new("COPY").file("etc/motd", "hello\n");
    let (internet, _, size) = served(Prepared::new(&small, Format::EStargz).build());
    let mut stage = stage(&internet, size + 1);
    stage.look(REFERENCE);
    stage.verified();
    assert_eq!(stage.reads(), 1);
}

#[test]
fn a_listed_layer_is_cancelled_like_any_other() {
    let (internet, digest, _) = served(prepared(Format::EStargz));
    internet.latency(4);
    let mut stage = stage(&internet, 1_000);
    stage.begin(Action::Look(REFERENCE.into()));
    stage.until(|stage| stage.internet.count(&digest) > 0);
    stage.command(porthole_viewer::protocol::Command::Cancel);
    let (events, asked) = (stage.events.len(), internet.log().len());
    stage.settle();
    assert_eq!((stage.events.len(), internet.log().len()), (events, asked));
}

#[test]
fn a_table_of_contents_is_read_over_a_break() {
    let (internet, digest, _) = served(prepared(Format::EStargz));
    internet.fault(&digest, 1, Fault::ResetAfter(10));
    let mut stage = stage(&internet, 1_000);
    stage.look(REFERENCE);
    assert_eq!(stage.layer_states(), [LayerState::Listed], "{:?}", stage.state.layers[0].note);
    assert_eq!(stage.reads(), 0);
}

#[test]
fn a_page_in_place_of_a_table_of_contents_is_named() {
    let small = Layer::new("COPY").file("etc/motd", "hello\n");
    let (internet, digest, size) = served(Prepared::new(&small, Format::EStargz).build());
    let body = b"<!DOCTYPE html><title>Sign in to the network</title>".to_vec();
    internet.fault(&digest, 1, Fault::Answer { status: 200, headers: Vec::new(), body });
    let mut stage = stage(&internet, size + 1);
    stage.look(REFERENCE);
    assert_eq!(stage.layer_states(), [LayerState::Verified]);
    let finding = &stage.state.layers[0].findings[0];
    assert!(finding.contains("an HTML page with the title `Sign in to the network`"), "{finding}");
}
