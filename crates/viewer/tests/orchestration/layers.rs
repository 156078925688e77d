//! Layers: verified in parallel, or found to be wrong.

use crate::stage::*;
use porthole_core::failure::FailureClass;
use porthole_core::limits::Limits;
use porthole_registry::transport::ErrorKind;
use porthole_testkit::{
    image::{Blob, Compression, Content, Image, Layer},
    registry::Fault,
};
use porthole_viewer::{
    protocol::{Command, Event, FailureCause, LayerState, LinkState, ProofStep, Remedy, ShownContent, ViewMode},
    session,
    state::Action,
};
use serde_json::json;

fn blob(layer: usize) -> String {
    built().layers[layer].blob.digest.clone()
}

#[test]
fn a_layer_with_other_bytes_is_wrong_and_the_others_are_shown() {
    let internet = registry(content());
    let (upper, lower) = (built().layers[1].blob.clone(), blob(0));
    internet.fault(&lower, u32::MAX, Fault::Body(upper.bytes));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    assert_eq!(stage.layer_states(), [LayerState::Wrong, LayerState::Verified]);
    let failure = stage.layer_failure(0);
    assert_eq!((failure.kind, failure.step), (FailureClass::Malformed, Some(ProofStep::Layers)));
    assert_eq!(failure.mismatch.as_ref().map(|(expected, _)| expected), Some(&lower));
    assert!(failure.text.contains("layer 1"), "people count layers from one: {}", failure.text);
    assert!(offers(failure, |remedy| matches!(remedy, Remedy::Retry { .. })));
    assert_eq!(stage.state.chain.state, LinkState::Wrong);
    assert!(stage.state.settled && stage.paths().contains(&"srv"));
}

#[test]
fn entries_of_a_wrong_layer_are_taken_back() {
    let internet = registry(content());
    let mut bytes = built().layers[1].blob.bytes.clone();
    // The trailer of gzip: everything is unpacked before it is known to be wrong.
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    internet.fault(&blob(1), u32::MAX, Fault::Body(bytes));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.act(Action::ExpandAll(true));
    assert_eq!(stage.layer_states(), [LayerState::Verified, LayerState::Wrong]);
    assert_eq!(stage.paths(), ["etc", "etc/hosts", "etc/motd"]);
}

#[test]
fn a_blob_that_is_too_short_or_too_long_is_wrong() {
    let bytes = built().layers[0].blob.bytes.clone();
    let longer = [bytes.as_slice(), &[0; 100]].concat();
    for body in [bytes[..bytes.len() - 10].to_vec(), longer] {
        let internet = registry(content());
        internet.fault(&blob(0), u32::MAX, Fault::Body(body));
        let mut stage = Stage::new(&internet);
        stage.look(REFERENCE);
        assert_eq!(stage.layer_states(), [LayerState::Wrong, LayerState::Verified]);
        assert_eq!(stage.layer_failure(0).kind, FailureClass::Malformed);
    }
}

#[test]
fn a_layer_that_does_not_match_its_diff_id_is_wrong() {
    let built = built();
    let config = String::from_utf8(built.config.bytes.clone()).unwrap();
    let other = config.replace(&built.layers[0].diff_id, &built.layers[1].diff_id);
    let config = porthole_testkit::image::Blob::new(&built.config.media_type, other.into_bytes());
    let manifest = String::from_utf8(built.manifest.bytes.clone()).unwrap();
    let manifest = manifest.replace(&built.config.digest, &config.digest);
    let manifest = porthole_testkit::image::Blob::new(&built.manifest.media_type, manifest.into_bytes());
    let mut content = Content::default();
    content.add_image(&built).add_blob(config);
    content.add_root("1", manifest);
    let stage = Stage::looking(content);
    assert_eq!(stage.layer_states(), [LayerState::Wrong, LayerState::Verified]);
    let failure = stage.layer_failure(0);
    assert!(failure.text.starts_with("unpacked layer 1 "), "{}", failure.text);
}

/// An image whose layers are one blob, except for the top one.
fn repeated(times: usize) -> porthole_testkit::image::Built {
    let same = || Layer::new("RUN the same").file("etc/same", "1\n").file("srv/same", "22\n");
    let image = (0..times).fold(Image::new(), |image, _| image.layer(same()));
    image.layer(Layer::new("RUN another").file("etc/other", "3\n")).build()
}

#[test]
fn three_hundred_layers_of_one_blob_cost_one_request() {
    let built = repeated(300);
    let mut content = Content::default();
    content.add_image(&built);
    content.add_root("1", built.manifest.clone());
    let internet = registry(content);
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.verified();
    let blob = |layer: usize| format!("/blobs/{}", built.layers[layer].blob.digest);
    assert_eq!((internet.count(&blob(0)), internet.count(&blob(300))), (1, 1));
    assert_eq!(stage.layer_states().len(), 301);
    assert_eq!(stage.state.layers[299].entries, stage.state.layers[0].entries);
    assert!(stage.state.layers[7].note.as_deref().is_some_and(|note| note.contains("layer 1")));
}

/// What did not come is not wrong: the chain says that it was not checked.
#[test]
fn a_layer_that_is_not_there_is_not_called_wrong() {
    let internet = registry(content());
    internet.fault(&format!("/blobs/{}", built().layers[0].blob.digest), u32::MAX, Fault::Status(404));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    assert_eq!(stage.layer_states(), [LayerState::Lost, LayerState::Verified]);
    assert_eq!(stage.state.chain.links.last().map(|link| link.state), Some(LinkState::Unchecked));
    assert_eq!(stage.layer_failure(0).kind, FailureClass::NotFound);
}

#[test]
fn an_encrypted_layer_is_not_called_empty_and_its_waste_is_not_known() {
    let mut encrypted = built();
    let blob = Blob::new("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", vec![7; 300]);
    encrypted.layers[0].blob = blob.clone();
    let encrypted = encrypted.edit_manifest(|manifest| manifest["layers"][0] = blob.descriptor());
    let mut stage = Stage::looking(encrypted.into_content("1"));
    assert_eq!(stage.state.layers[0].note.as_deref(), Some("is encrypted: its files cannot be read"));
    stage.command(Command::Waste);
    stage.settle();
    assert_eq!(stage.state.waste.as_deref().map(|waste| waste.missing.clone()), Some(vec![0]));
    assert_eq!(stage.state.overview.as_deref().map(|overview| overview.missing.clone()), Some(vec![0]));
}

#[test]
fn layers_of_one_blob_fail_together() {
    for (fault, state) in [(Fault::Status(404), LayerState::Lost), (Fault::Body(vec![7; 40]), LayerState::Wrong)] {
        let built = repeated(3);
        let mut content = Content::default();
        content.add_image(&built);
        content.add_root("1", built.manifest.clone());
        let internet = registry(content);
        internet.fault(&format!("/blobs/{}", built.layers[0].blob.digest), u32::MAX, fault);
        let mut stage = Stage::new(&internet);
        stage.look(REFERENCE);
        assert_eq!(stage.layer_states(), [state, state, state, LayerState::Verified]);
        assert!(stage.layer_failure(2).text.contains("layer 3"), "{}", stage.layer_failure(2).text);
        assert!(stage.state.settled);
    }
}

#[test]
fn the_blobs_of_an_artifact_need_not_be_archives() {
    let image_config = "application/vnd.oci.image.config.v1+json";
    let rows = [
        (
            "an ORAS artifact",
            "application/vnd.oci.empty.v1+json",
            "application/vnd.oci.image.layer.v1.tar+gzip",
            "text",
        ),
        ("an ORAS artifact", "application/vnd.acme.config", "application/vnd.oci.image.layer.v1.tar", "text"),
        (
            "an attestation",
            image_config,
            "application/vnd.in-toto+json",
            r#"{"_type":"https://in-toto.io/Statement/v1"}"#,
        ),
        ("a signature", image_config, "application/vnd.dev.cosign.simplesigning.v1+json", r#"{"critical":{}}"#),
    ];
    for (what, config, media_type, text) in rows {
        let blob = Blob::new(media_type, text.into());
        let digest = blob.digest.clone();
        let mut built = Image::new().build().edit_config(|config| {
            config["rootfs"]["diff_ids"] = [blob.digest.as_str()].into_iter().collect();
        });
        if config != image_config {
            built.config = Blob::new(config, b"{}".to_vec());
        }
        let built_config = built.config.descriptor();
        let built = built.edit_manifest(|manifest| {
            manifest["config"] = built_config;
            manifest["layers"] = [blob.descriptor()].into_iter().collect();
        });
        let mut content = Content::default();
        content.add_image(&built).add_blob(blob);
        content.add_root("1", built.manifest);
        let mut stage = Stage::looking(content);
        stage.verified();
        let layer = &stage.state.layers[0];
        assert_eq!(layer.state, LayerState::Verified, "{what}: {layer:?}");
        assert!(layer.findings.is_empty() && stage.state.layer_failures.is_empty(), "{what}: {layer:?}");
        let [path] = stage.paths()[..] else { panic!("{what}: {:?}", stage.paths()) };
        assert!(digest.contains(path.split('.').next().unwrap()), "{what}: {path}");
        let path = path.to_owned();
        stage.act(Action::Select(Some(path)));
        assert!(
            matches!(stage.content(), ShownContent::Text { text: shown, .. } if shown == text),
            "{what}: {:?}",
            stage.content()
        );
    }
}

#[test]
fn blobs_of_an_artifact_are_files_with_their_titles() {
    let titled = |blob: &Blob, title: &str| {
        let mut descriptor = blob.descriptor();
        descriptor["annotations"] = json!({ "org.opencontainers.image.title": title });
        descriptor
    };
    let readme = Blob::new("text/markdown", b"# hello\n".to_vec());
    // Larger than a span of the index, so that a part of it is verified alone.
    let data = Blob::new("application/octet-stream", noise(300_000));
    let chart = Image::new().layer(Layer::new("x").dir("app").file("app/Chart.yaml", "name: app\n")).build();
    let chart = Blob::new("application/vnd.cncf.helm.chart.content.v1.tar+gzip", chart.layers[0].blob.bytes.clone());
    let config = Blob::new("application/vnd.oci.empty.v1+json", b"{}".to_vec());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.example",
        "config": config.descriptor(),
        "layers": [titled(&readme, "docs/README.md"), titled(&data, "data.bin"), titled(&chart, "app-1.0.tgz")],
    });
    let manifest = Blob::new("application/vnd.oci.image.manifest.v1+json", manifest.to_string().into_bytes());
    let mut content = Content::default();
    content.add_blob(config).add_blob(readme).add_blob(data).add_blob(chart);
    content.add_root("1", manifest);
    let mut stage = Stage::looking(content);
    stage.verified();
    stage.act(Action::ExpandAll(true));
    assert_eq!(stage.paths(), ["app", "app/Chart.yaml", "data.bin", "docs", "docs/README.md"]);
    stage.act(Action::Select(Some("docs/README.md".into())));
    assert!(matches!(stage.content(), ShownContent::Text { text, .. } if text == "# hello\n"));
    stage.act(Action::Select(Some("app/Chart.yaml".into())));
    assert!(matches!(stage.content(), ShownContent::Text { text, .. } if text == "name: app\n"));
    stage.act(Action::Select(Some("data.bin".into())));
    assert!(matches!(stage.content(), ShownContent::Binary { part, .. } if part.size == 300_000));
}

#[test]
fn a_layer_that_is_lost_is_read_again_by_a_retry() {
    let internet = registry(content());
    internet.fault(&blob(0), 1, Fault::Status(404));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    assert_eq!(stage.layer_failure(0).kind, FailureClass::NotFound);
    stage.act(Action::Retry);
    stage.verified();
}

#[test]
fn upper_layers_wait_for_the_ones_below() {
    let internet = registry(content());
    internet.fault(&blob(0), 1, Fault::Slow(50));
    let mut stage = Stage::new(&internet);
    stage.begin(Action::Look(REFERENCE.into()));
    stage.until(|stage| stage.state.layers.get(1).is_some_and(|layer| layer.state == LayerState::Verified));
    assert!(stage.paths().is_empty(), "nothing is stacked on a layer that is not there: {:?}", stage.paths());
    stage.settle();
    stage.verified();
}

#[test]
fn more_layers_than_workers_are_read_one_after_the_other() {
    let layers = (0..9).map(|n| {
        Layer::new("COPY")
            .file(format!("file-{n}"), "x")
            .compression([Compression::Gzip, Compression::Zstd, Compression::None][n % 3])
    });
    let content = layers.fold(Image::new(), Image::layer).build().into_content("1");
    for workers in [1, 2, 4] {
        let mut stage = Stage::with(&registry(content.clone()), Setup { workers, ..Setup::default() });
        stage.look(REFERENCE);
        stage.verified();
        assert_eq!((stage.paths().len(), stage.reads()), (9, 9));
        let order: Vec<usize> = stage.orders().iter().map(|(worker, _)| *worker).collect();
        assert!(order.iter().all(|worker| *worker < workers));
    }
}

#[test]
fn a_layer_that_does_not_fit_with_the_others_is_listed_by_itself() {
    let many = (0..30).fold(Layer::new("COPY many"), |layer, n| layer.file(format!("many-{n:02}"), "x"));
    let content = Image::new().layer(Layer::new("COPY few").file("few", "x")).layer(many).build().into_content("1");
    let mut limits = Limits::default();
    limits.tree_nodes = 31;
    let mut stage = Stage::with(
        &registry(content),
        Setup { options: session::SessionOptions { limits, ..session::SessionOptions::default() }, ..Setup::default() },
    );
    stage.look(REFERENCE);
    assert!(
        stage.state.layers[1].findings.iter().any(|text| text.contains("can hold no more")),
        "{:?}",
        stage.state.layers[1]
    );
    assert_eq!(stage.reads(), 2);
    stage.act(Action::Layer(1));
    assert_eq!((stage.reads(), stage.paths().len()), (3, 30));
    assert!(stage.state.rows.complete);
    stage.act(Action::View(ViewMode::Merged));
    assert!(stage.paths().contains(&"few"));
    assert_eq!(stage.reads(), 3, "nothing is read for a view that needs nothing");
}

#[test]
fn a_path_too_deep_for_a_disk_is_a_finding_and_the_files_before_it_are_listed() {
    let deep = "d".repeat(200) + "/";
    for (name, path) in [("path", deep.repeat(25) + "f"), ("name", "n".repeat(300))] {
        let layer = Layer::new("COPY").file("before", "1").file(&path, "2").file("behind", "3");
        let stage = Stage::looking(Image::new().layer(layer).build().into_content("1"));
        let [layer] = &stage.state.layers[..] else { panic!("{name}: {:?}", stage.state.layers) };
        let finding = layer.findings.iter().find(|finding| finding.contains("file name too long")).expect(name);
        assert!(finding.contains("a container runtime stops unpacking here"), "{name}: {finding}");
        assert_eq!(stage.paths(), ["before"], "{name}");
        assert_eq!(layer.state, LayerState::Verified, "{name}: its bytes are what was promised");
    }
}

#[test]
fn a_dead_host_of_a_blob_is_named() {
    let internet = registry(content());
    internet.fault(&blob(0), u32::MAX, Fault::NoAnswer(ErrorKind::Connect));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    let failure = stage.layer_failure(0);
    assert_eq!((failure.cause, failure.registry.as_deref()), (Some(FailureCause::DeadHost), Some(REGISTRY)));
}

#[test]
fn progress_counts_bytes_entries_and_changes() {
    let stage = Stage::looking(content());
    let (lower, upper) = (&stage.state.layers[0], &stage.state.layers[1]);
    assert_eq!((lower.compressed, upper.compressed), (lower.total, upper.total));
    assert_eq!((lower.entries, lower.added), (3, 3));
    assert_eq!((upper.modified, upper.removed), (1, 1));
    assert_eq!(upper.uncompressed, built().layers[1].tar.len() as u64);
    let layers = |event: &&Event| matches!(event, Event::Layers { .. });
    assert!(stage.events.iter().filter(layers).count() >= 1);
    assert_eq!(stage.state.listing.mode, ViewMode::Merged);
}
