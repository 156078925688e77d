//! Layers over broken connections: what is resumed, what is requested again, what is lost.

use crate::stage::*;
use porthole_core::failure::FailureClass;
use porthole_registry::transport::ErrorKind;
use porthole_testkit::registry::Fault;
use porthole_viewer::protocol::LayerState;

fn blob(layer: usize) -> String {
    built().layers[layer].blob.digest.clone()
}

#[test]
fn a_break_in_the_middle_goes_on_from_the_byte_that_was_reached() {
    let internet = registry(content());
    internet.fault(&blob(0), 1, Fault::ResetAfter(50));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.verified();
    let asked = internet.log();
    let ranges: Vec<_> =
        asked.iter().filter(|asked| asked.url.ends_with(&blob(0))).map(|asked| asked.headers.get("range")).collect();
    assert_eq!(ranges.len(), 2);
    assert_eq!(ranges[1].unwrap(), "bytes=50-");
}

#[test]
fn a_body_that_ends_early_without_an_error_is_resumed() {
    let internet = registry(content());
    internet.fault(&blob(0), 1, Fault::EndAfter(50));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.verified();
    assert_eq!(internet.count(&blob(0)), 2);
}

#[test]
fn an_empty_answer_for_a_layer_is_asked_for_again() {
    let internet = registry(content());
    internet.fault(&blob(0), 1, Fault::EndAfter(0));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.verified();
    internet.fault(&blob(0), u32::MAX, Fault::EndAfter(0));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    assert_eq!(stage.layer_states(), [LayerState::Wrong, LayerState::Verified]);
    assert!(stage.layer_failure(0).text.contains("after 0 bytes"), "{}", stage.layer_failure(0).text);
}

#[test]
fn a_busy_registry_is_asked_again_when_it_said_so() {
    let internet = registry(content());
    let headers = vec![("retry-after", "9".to_owned())];
    internet.fault(&blob(0), 2, Fault::Answer { status: 429, headers, body: Vec::new() });
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.verified();
    assert_eq!(internet.count(&blob(0)), 3);
}

#[test]
fn another_range_than_was_asked_for_is_not_taken() {
    let internet = registry(content());
    internet.fault(&blob(0), 1, Fault::ResetAfter(50));
    let headers = vec![("content-range", "bytes 40-49/50".to_owned())];
    internet.fault(&blob(0), u32::MAX, Fault::Answer { status: 206, headers, body: vec![0; 10] });
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    assert_eq!(stage.layer_states(), [LayerState::Lost, LayerState::Verified]);
    let failure = stage.layer_failure(0);
    assert_eq!(failure.kind, FailureClass::Protocol, "the registry's fault, not that of the network");
    assert!(failure.text.contains("expected the range"), "{}", failure.text);
}

#[test]
fn a_page_in_place_of_a_layer_is_named() {
    let internet = registry(content());
    let body = b"<!DOCTYPE html><html><head><title>Sign in to the network</title></head></html>".to_vec();
    let headers = vec![("content-type", "application/octet-stream".to_owned())];
    internet.fault(&blob(0), u32::MAX, Fault::Answer { status: 200, headers, body });
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    assert_eq!(stage.layer_states(), [LayerState::Lost, LayerState::Verified]);
    let text = &stage.layer_failure(0).text;
    assert!(text.contains("an HTML page with the title `Sign in to the network`"), "{text}");
    assert_eq!(internet.count(&blob(0)), 1);
}

#[test]
fn a_relay_that_is_restarted_costs_no_layer() {
    for kind in [ErrorKind::Resolve, ErrorKind::Connect] {
        let internet = registry(content());
        internet.fault(&blob(0), 1, Fault::ResetAfter(50));
        internet.fault(&blob(0), 3, Fault::NoAnswer(kind));
        internet.fault(&blob(1), 2, Fault::NoAnswer(kind));
        let mut stage = Stage::new(&internet);
        stage.look(REFERENCE);
        stage.verified();
    }
}

#[test]
fn a_device_without_network_is_told_so() {
    let internet = registry(content());
    internet.fault(&blob(0), u32::MAX, Fault::NoAnswer(ErrorKind::Offline));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    assert!(stage.layer_failure(0).text.contains("no network"), "{}", stage.layer_failure(0).text);
    assert_eq!(internet.count(&blob(0)), 1);
    internet.fault("/v2/", u32::MAX, Fault::NoAnswer(ErrorKind::Offline));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    let failure = stage.state.failure.as_deref().expect("a failure");
    assert!(failure.text.starts_with("This device has no network"), "{}", failure.text);
}

#[test]
fn a_registry_without_ranges_sends_the_first_bytes_again() {
    let internet = registry(content());
    internet.fault(&blob(0), 1, Fault::ResetAfter(50));
    internet.fault(&blob(0), 1, Fault::IgnoreRange);
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.verified();
}

#[test]
fn a_layer_that_breaks_again_and_again_is_lost() {
    let internet = registry(content());
    internet.fault(&blob(0), u32::MAX, Fault::ResetAfter(0));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    assert_eq!(stage.layer_states(), [LayerState::Lost, LayerState::Verified]);
    assert!(stage.layer_failure(0).text.contains("connection broke"));
    assert!(stage.state.settled);
    assert!(internet.count(&blob(0)) <= 5);
}
