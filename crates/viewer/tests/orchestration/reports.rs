//! What is saved of overview, waste, comparison and search: for some of it contents are read first.

use crate::stage::*;
use porthole_testkit::{
    image::{Image, Layer},
    registry::{Fault, Internet, Site},
};
use porthole_viewer::{
    address::Tab,
    protocol::{ExportWish, ProbeKind, SearchQuery},
    state::{Action, export_cost, export_wish},
};
use serde_json::{Value, json};

/// A file is written again, one is copied for its mode, and one has the size of the one that it replaces.
fn wasteful() -> Image {
    let lower =
        Layer::new("COPY a /").file("a", "again").file("b", "12345").file("c", "same bytes").file("d", "same bytes");
    Image::new().layer(lower).layer(Layer::new("RUN b").file("a", "again").file("b", "54321"))
}

fn wish(stage: &Stage) -> ExportWish {
    export_wish(&stage.state).expect("something to save")
}

fn save(stage: &mut Stage) -> Vec<Value> {
    let wish = wish(stage);
    stage.act(Action::Export(wish));
    let text = String::from_utf8(stage.saved().pop().expect("a file")).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("a value on each line")).collect()
}

/// Bytes that are read before the open view can be saved.
fn cost(stage: &Stage) -> Option<u64> {
    export_cost(&stage.state, &wish(stage)).map(|cost| cost.bytes)
}

#[test]
fn contents_are_read_once_for_waste_and_overview() {
    let mut stage = Stage::looking(wasteful().build().into_content("1"));
    stage.act(Action::Tab(Tab::Waste));
    assert!(!stage.state.waste.as_ref().unwrap().compared);
    assert_eq!(cost(&stage), Some(stage.state.sizes.download));
    let rows = save(&mut stage);
    assert_eq!(rows.len(), 1);
    let wastes = &rows[0]["layers"][1]["wastes"];
    assert_eq!((&wastes["duplicated"], &wastes["overwritten"]), (&json!(5), &json!(5)));
    assert_eq!((&rows[0]["copies"][0]["paths"][1]["path"], &rows[0]["copies_total"]), (&json!("d"), &json!(1)));

    let waste = stage.state.waste.as_ref().unwrap();
    assert!(waste.compared && waste.copies_total == 1, "the view knows it as well");
    let requests = stage.internet.log().len();
    assert_eq!((cost(&stage), save(&mut stage).len()), (None, 1));
    stage.act(Action::Tab(Tab::Overview));
    let rows = save(&mut stage);
    assert_eq!(stage.internet.log().len(), requests, "they are known");
    let built = wasteful().build();
    assert_eq!(rows[0]["manifest"]["digest"], json!(built.manifest.digest));
    assert!(rows[0]["resolved"].as_str().is_some_and(|name| name.ends_with(&built.manifest.digest)), "{}", rows[0]);
    assert_eq!((&rows[0]["layers"][1]["modified"], &rows[0]["sizes"]["visible"]), (&json!(2), &json!(30)));
    let findings: Vec<_> = rows[0]["findings"].as_array().unwrap().iter().map(|finding| &finding["kind"]).collect();
    let shown: Vec<_> = stage.state.overview.as_ref().unwrap().findings.iter().map(|of| json!(of.kind)).collect();
    assert_eq!(findings, shown.iter().collect::<Vec<_>>(), "the page shows the same, each once");
}

#[test]
fn a_layer_that_cannot_be_read_again_leaves_no_file() {
    let built = wasteful().build();
    let internet = registry(wasteful().build().into_content("1"));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    stage.act(Action::Tab(Tab::Waste));
    internet.fault(&built.layers[1].blob.digest, u32::MAX, Fault::Status(404));
    let wished = wish(&stage);
    stage.act(Action::Export(wished));
    assert_eq!(stage.saved().len(), 0);
    let notice = stage.state.notice.as_deref().unwrap_or_default();
    assert!(notice.starts_with("porthole-analyze.json was not saved: layer 2: "), "{notice}");
    assert!(!stage.state.waste.as_ref().unwrap().compared);
}

#[test]
fn reading_contents_can_be_stopped() {
    let large = Layer::new("COPY").file("a", noise(3_000_000)).file("b", "x");
    let mut stage = Stage::looking(Image::new().layer(large).build().into_content("1"));
    stage.act(Action::Tab(Tab::Waste));
    stage.begin(Action::CompareContents);
    stage.until(|stage| stage.state.contents[0].as_ref().is_some_and(|progress| progress.read > 0));
    stage.act(Action::StopProbe(ProbeKind::Digests));
    assert!(!stage.state.waste.as_ref().unwrap().compared);
    stage.act(Action::CompareContents);
    assert!(stage.state.waste.as_ref().unwrap().compared, "another try reads them");
}

/// The image of `wasteful`, and one with the same lower layer.
fn two() -> Internet {
    let lower =
        Layer::new("COPY a /").file("a", "again").file("b", "12345").file("c", "same bytes").file("d", "same bytes");
    let other =
        Image::new().layer(lower).layer(Layer::new("RUN c").file("a", "other").file("b", "54321").file("e", "new"));
    let internet = Internet::new();
    let site = Site::new()
        .repository("a/b", wasteful().build().into_content("1"))
        .repository("a/other", other.build().into_content("1"));
    internet.site(REGISTRY, site);
    internet
}

#[test]
fn a_comparison_is_saved_with_digests_of_both_images() {
    let mut stage = Stage::new(&two());
    stage.look(REFERENCE);
    stage.act(Action::Compare { with: "r.example/a/other:1".into(), platform: None });
    let sizes = |stage: &Stage| {
        let pairs = &stage.state.comparison.as_ref().unwrap().layers;
        pairs
            .iter()
            .filter(|pair| pair.before.is_none())
            .filter_map(|pair| Some(pair.after.as_ref()?.size))
            .sum::<u64>()
    };
    assert_eq!(cost(&stage), Some(stage.state.sizes.download + sizes(&stage)), "the shared layer once");
    let rows = save(&mut stage);
    let files: Vec<_> = rows.iter().filter(|row| row["kind"] == "file").collect();
    let paths: Vec<_> = files.iter().map(|row| row["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["a", "e"], "b has the same content in both");
    let digest = |text: &[u8]| json!(porthole_core::digest::Digest::sha256(text).to_string());
    assert_eq!((&files[0]["before"]["digest"], &files[0]["after"]["digest"]), (&digest(b"again"), &digest(b"other")));
    assert_eq!(files[0]["aspects"], json!(["content"]));
    assert!(rows.iter().any(|row| row["kind"] == "layers" && row["shared"] == 1), "{rows:?}");
    assert_eq!(cost(&stage), None);

    stage.act(Action::Ignore("content".into()));
    let rows = save(&mut stage);
    let files: Vec<_> = rows.iter().filter(|row| row["kind"] == "file").collect();
    assert_eq!((files.len(), &files[0]["path"], &files[0]["after"]["digest"]), (1, &json!("e"), &Value::Null));
}

#[test]
fn what_a_search_found_is_saved_with_what_became_of_the_files() {
    let lower = Layer::new("COPY").file("a", "first\nthe needle \x1b\n").file("b", "needle\n");
    let image = Image::new().layer(lower).layer(Layer::new("RUN").whiteout("b").file("c", "needle needle"));
    let image = image.build();
    let digests = [0, 1].map(|layer| image.layers[layer].blob.digest.to_string());
    let mut stage = Stage::looking(image.into_content("1"));
    let query = SearchQuery { pattern: "needle".into(), ..SearchQuery::default() };
    stage.act(Action::Tab(Tab::Search));
    assert_eq!(export_wish(&stage.state), None, "nothing was searched for");
    stage.act(Action::Search(query));
    let rows = save(&mut stage);
    assert_eq!(cost(&stage), None);
    let kinds: Vec<_> = rows.iter().map(|row| row["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["match", "match", "match", "file", "file", "file", "end"]);
    let line = json!({ "type": "match", "layer": 1, "layer_digest": digests[0], "path": "a", "line": 2, "offset": 10, "text": "the needle \\x1b",
        "match": "needle", "before": "the ", "cut": false });
    assert_eq!(rows[0], line);
    assert_eq!((&rows[4]["state"], &rows[4]["removed_by"]), (&json!("deleted"), &json!(2)));
    assert_eq!(rows[4]["removed_by_digest"], digests[1]);
    let end = json!({ "type": "end", "lines": 3, "files": 3, "searched": 3, "bytes": 39, "printed": 3 });
    assert_eq!(rows[6], end);
}
