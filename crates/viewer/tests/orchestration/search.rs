//! Searching the contents of all layers, by workers with an engine of their own.

use crate::stage::*;
use porthole_testkit::{
    image::{Content, Format, Image, Layer, Prepared, PreparedLayer},
    registry::{Fault, Internet},
};
use porthole_viewer::{
    address::{Address, Tab},
    protocol::{
        Event, FindingLink, ProbeKind, ProbeProgress, ProbeState, SearchHit, SearchQuery, ShownContent, ShownFate,
        ViewMode,
    },
    session,
    session::GivenFile,
    state::{Action, ProbeCost, ProbedRows, command},
    worker::WorkerOrder,
};
use std::sync::Arc;

/// The lower layer has what the upper one deletes, replaces and keeps.
fn searched() -> Image {
    let lower = Layer::new("COPY etc /")
        .file("etc/gone", "first\nthe needle\n")
        .file("etc/other", "needle needle\n")
        .file("etc/stays", "a\tNeedle\nneedle \x1b[0m\n");
    let upper = Layer::new("RUN rm").whiteout("etc/gone").file("etc/other", "nothing\n").file("srv/new", "needle");
    Image::new().layer(lower).layer(upper)
}

fn text(pattern: &str) -> SearchQuery {
    SearchQuery { pattern: pattern.into(), ..SearchQuery::default() }
}

fn found(stage: &Stage) -> &ProbedRows<SearchHit> {
    stage.state.search.as_deref().expect("a search")
}

fn progress(stage: &Stage) -> &ProbeProgress {
    found(stage).progress.as_deref().expect("the search began")
}

/// Layer, path, line and fate of each hit.
fn hits(stage: &Stage) -> Vec<(u32, &str, u64, Option<ShownFate>)> {
    let found = found(stage);
    let hit = |(layer, hit): (u32, &'_ SearchHit)| (layer, found.fate(layer, hit.content));
    found.rows().map(|row| (row.0, row.1.path.as_str(), row.1.line, hit(row).1)).collect()
}

#[test]
fn every_layer_is_searched_and_every_fate_is_known() {
    let mut stage = Stage::looking(searched().build().into_content("1"));
    let before = stage.state.fetched;
    assert_eq!(stage.state.probe_cost(), Some(ProbeCost { layers: 2, bytes: stage.state.sizes.download, here: false }));
    stage.act(Action::Search(text("needle")));
    assert_eq!(
        hits(&stage),
        [
            (0, "etc/gone", 2, Some(ShownFate::Deleted(1))),
            (0, "etc/other", 1, Some(ShownFate::Replaced(1))),
            (0, "etc/stays", 2, Some(ShownFate::Visible)),
            (1, "srv/new", 1, Some(ShownFate::Visible)),
        ]
    );
    let progress = progress(&stage);
    assert_eq!((&progress.state, progress.ended, progress.layers), (&ProbeState::Done, 2, 2));
    assert_eq!((progress.read, progress.total), (stage.state.sizes.download, stage.state.sizes.download));
    let sums = progress.sums;
    assert_eq!((sums.found, sums.files, sums.searched, sums.bytes, progress.held), (4, 4, 5, 66, 4));
    let (_, hit) = found(&stage).rows().nth(2).unwrap();
    assert_eq!([hit.before.as_str(), &hit.matched, &hit.after], ["", "needle", " \\u001b[0m"]);
    assert_eq!(stage.state.fetched, before + stage.state.sizes.download, "layers were fetched once more");
    stage.verified();
}

#[test]
fn a_query_has_options_and_an_address_and_a_command() {
    let mut stage = Stage::looking(searched().build().into_content("1"));
    let query = SearchQuery {
        pattern: "^(the )?needle$".into(),
        expression: true,
        ignore_case: true,
        utf16: true,
        glob: "etc/*".into(),
    };
    stage.act(Action::Search(query.clone()));
    assert_eq!(hits(&stage).iter().map(|hit| (hit.1, hit.2)).collect::<Vec<_>>(), [("etc/gone", 2)]);
    assert_eq!((stage.state.route.tab, &stage.state.route.search), (Tab::Search, &query));
    let address = stage.state.route.to_string();
    assert_eq!(Address::parse(&address).search, query);
    let line = command(&stage.state).unwrap();
    assert!(line.starts_with("porthole search -i --utf16 --glob 'etc/*' r.example/a/b@sha256:"), "{line}");
    assert!(line.ends_with(" '^(the )?needle$'"), "{line}");
    stage.act(Action::Search(text("needle")));
    assert!(command(&stage.state).unwrap().contains("search -F r.example"), "{:?}", command(&stage.state));

    // An address fills in the form, and fetches nothing.
    let mut stage = Stage::new(&registry(searched().build().into_content("1")));
    stage.act(Action::Address(Box::new(Address::parse(&address))));
    stage.verified();
    assert_eq!((stage.state.search.is_none(), stage.reads()), (true, 2));
}

#[test]
fn nothing_is_read_for_a_pattern_that_is_refused() {
    let mut stage = Stage::looking(searched().build().into_content("1"));
    let requests = stage.internet.log().len();
    for (query, why) in [
        (
            SearchQuery { expression: true, ..text("a(") },
            "expected a regular expression: unclosed group, at character 2",
        ),
        (SearchQuery { glob: "[".into(), ..text("a") }, "expected a glob of paths: `[`"),
    ] {
        stage.act(Action::Search(query));
        assert_eq!(progress(&stage).state, ProbeState::Refused(why.into()));
    }
    assert_eq!(stage.internet.log().len(), requests);
    stage.act(Action::Search(text("")));
    assert_eq!(found(&stage).run, 2, "an empty pattern begins nothing");
    stage.act(Action::Search(text("needle")));
    assert_eq!(hits(&stage).len(), 4, "the next one is searched for");
}

#[test]
fn hits_come_before_the_layer_ends_and_a_stop_keeps_them() {
    let large = Layer::new("COPY").file("a", "needle\n").file("b", noise(3_000_000)).file("c", "needle\n");
    let mut stage = Stage::looking(Image::new().layer(large).build().into_content("1"));
    stage.begin(Action::Search(text("needle")));
    stage.until(|stage| stage.state.search.as_ref().is_some_and(|found| found.rows().next().is_some()));
    assert_eq!(progress(&stage).state, ProbeState::Running);
    stage.act(Action::StopProbe(ProbeKind::Search));
    let progress = progress(&stage);
    assert_eq!((&progress.state, progress.ended), (&ProbeState::Stopped, 0));
    assert!(progress.read < progress.total);
    assert_eq!(hits(&stage), [(0, "a", 1, Some(ShownFate::Visible))]);
    stage.verified();
}

#[test]
fn the_next_search_replaces_the_one_before() {
    let mut stage = Stage::looking(searched().build().into_content("1"));
    stage.begin(Action::Search(text("first")));
    stage.act(Action::Search(text("nothing")));
    assert_eq!(hits(&stage), [(1, "etc/other", 1, Some(ShownFate::Visible))]);
    // What the session sent for the first one is too late.
    let late = vec![SearchHit { content: 0, line: 1, ..found(&stage).rows().next().unwrap().1.clone() }];
    stage.act(Action::Events(vec![Event::Hits { look: stage.state.look, run: 1, layer: 0, hits: late }]));
    assert_eq!(hits(&stage).len(), 1);
    stage.act(Action::Look(REFERENCE.into()));
    assert_eq!(stage.state.search, None, "another look was not searched");
}

#[test]
fn a_layer_that_fails_is_named_and_the_others_are_searched() {
    let built = searched().build();
    for (fault, why) in [
        (Fault::Answer { status: 404, headers: Vec::new(), body: Vec::new() }, "blob not found"),
        (Fault::Body(searched().build().layers[1].blob.bytes.clone()), "expected"),
    ] {
        let internet = registry(searched().build().into_content("1"));
        let mut stage = Stage::new(&internet);
        stage.look(REFERENCE);
        internet.fault(&built.layers[0].blob.digest, u32::MAX, fault);
        stage.act(Action::Search(text("needle")));
        assert_eq!(hits(&stage), [(1, "srv/new", 1, Some(ShownFate::Visible))]);
        let progress = progress(&stage);
        let [lost] = &progress.lost[..] else { panic!("{progress:?}") };
        assert_eq!((lost.layer, &progress.state, progress.sums.found), (Some(0), &ProbeState::Done, 1));
        assert!(lost.text.contains(why), "{}", lost.text);
        stage.verified();
    }
}

#[test]
fn a_token_that_expired_is_renewed() {
    let internet = registry(searched().build().into_content("1"));
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    internet.fault(&searched().build().layers[0].blob.digest, 1, Fault::Status(401));
    stage.act(Action::Search(text("needle")));
    assert_eq!((hits(&stage).len(), progress(&stage).lost.len()), (4, 0));
}

#[test]
fn without_workers_every_layer_is_lost() {
    let mut stage = Stage::looking(searched().build().into_content("1"));
    stage.refuse_workers();
    stage.act(Action::Search(text("needle")));
    let progress = progress(&stage);
    assert_eq!((&progress.state, progress.lost.len()), (&ProbeState::Done, 2));
    assert_eq!(progress.lost[0].text, "no worker could be started for it");
    stage.verified();
}

#[test]
fn a_worker_that_ends_loses_its_layer_alone() {
    let mut stage = Stage::looking(searched().build().into_content("1"));
    stage.begin(Action::Search(text("needle")));
    let reads = |stage: &Stage| {
        let orders = stage.orders();
        orders.iter().filter(|(_, order)| matches!(order, WorkerOrder::Read(_))).map(|(worker, _)| *worker).nth(2)
    };
    stage.until(|stage| reads(stage).is_some());
    let worker = reads(&stage).unwrap();
    assert!(worker >= 2, "another worker than those that list layers");
    stage.kill(worker);
    stage.settle();
    let progress = progress(&stage);
    assert_eq!((progress.lost.len(), &progress.state), (1, &ProbeState::Done));
    assert_eq!(hits(&stage).len(), 1);
}

#[test]
fn a_file_of_this_machine_is_searched_without_a_request() {
    let mut stage = Stage::new(&Internet::new());
    let archive = Content::docker_archive(&[("app:1", &searched().build())]);
    stage.give("app.tar", GivenFile::new(Arc::<[u8]>::from(archive)));
    stage.act(Action::File("app.tar".into()));
    let requests = stage.internet.log().len();
    assert!(stage.state.probe_cost().is_some_and(|cost| cost.here));
    stage.act(Action::Search(text("needle")));
    assert_eq!((hits(&stage).len(), stage.internet.log().len()), (4, requests));
    assert_eq!(command(&stage.state).as_deref(), Some("porthole search -F ./app.tar needle"));
}

#[test]
fn images_without_files_are_searched_in_no_time() {
    let mut stage = Stage::looking(Image::new().build().into_content("1"));
    stage.act(Action::Search(text("needle")));
    let progress = progress(&stage);
    assert_eq!((&progress.state, progress.layers, progress.total), (&ProbeState::Done, 0, 0));
    assert_eq!(stage.reads(), 0);
}

#[test]
fn encrypted_layers_are_left_out_with_a_word() {
    let encrypted = searched().build().edit_manifest(|manifest| {
        manifest["layers"][0]["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip+encrypted".into();
    });
    let mut stage = Stage::looking(encrypted.into_content("1"));
    assert_eq!(stage.state.probe_cost().map(|cost| cost.layers), Some(1));
    stage.act(Action::Search(text("needle")));
    let progress = progress(&stage);
    assert_eq!((progress.layers, &progress.skipped[..]), (1, &[(0, "it is encrypted".to_owned())][..]));
    assert_eq!(hits(&stage).iter().map(|hit| hit.1).collect::<Vec<_>>(), ["srv/new"]);
}

#[test]
fn files_of_a_listed_layer_have_their_fates() {
    let lower = Layer::new("COPY").file("big", noise(100_000)).file("gone", "needle\n").file("stays", "needle\n");
    let layers: Vec<PreparedLayer> = [lower, Layer::new("RUN").file("big2", noise(100_000)).whiteout("gone")]
        .iter()
        .map(|layer| Prepared::new(layer, Format::EStargz).chunks_of(50_000).build())
        .collect();
    let options = session::SessionOptions { listed_bytes: 1_000, ..session::SessionOptions::default() };
    let internet = registry(PreparedLayer::image(&layers, "1"));
    let mut stage = Stage::with(&internet, Setup { options, ..Setup::default() });
    stage.look(REFERENCE);
    assert_eq!(stage.reads(), 0, "both are listed");
    stage.act(Action::Search(text("needle")));
    let expected = [(0, "gone", 1, Some(ShownFate::Deleted(1))), (0, "stays", 1, Some(ShownFate::Visible))];
    assert_eq!(hits(&stage), expected);
}

#[test]
fn a_hit_leads_to_its_file_and_line() {
    let mut stage = Stage::looking(searched().build().into_content("1"));
    stage.act(Action::Search(text("needle")));
    let links = links(&stage);
    let expected = [
        (ViewMode::Deleted, None, "first\nthe needle\n"),
        (ViewMode::Deleted, None, "needle needle\n"),
        (ViewMode::Merged, None, "a\tNeedle\nneedle \\u001b[0m\n"),
        (ViewMode::Merged, None, "needle"),
    ];
    for (link, (mode, layer, content)) in links.into_iter().zip(expected) {
        let FindingLink::Files { mode: to, layer: of, .. } = &link else { panic!("{link:?}") };
        assert_eq!((*to, *of), (mode, layer));
        stage.act(Action::Open(link, Some(2)));
        assert_eq!((stage.state.route.tab, stage.state.route.line), (Tab::Files, Some(2)));
        assert!(matches!(stage.content(), ShownContent::Text { text, .. } if text == content), "{:?}", stage.content());
    }
}

/// Where each hit leads.
fn links(stage: &Stage) -> Vec<FindingLink> {
    let found = found(stage);
    found.rows().map(|(layer, hit)| found.link(layer, hit.content, &hit.path)).collect()
}

#[test]
fn a_version_that_another_one_hides_is_shown_in_its_layer() {
    let layers = [
        Layer::new("COPY").file("a", "needle 1").file("name", "needle 3").hardlink("link", "name"),
        Layer::new("COPY").file("a", "needle 2").file("name", "nothing"),
        Layer::new("RUN").whiteout("a"),
    ];
    let image = layers.into_iter().fold(Image::new(), Image::layer);
    let mut stage = Stage::looking(image.build().into_content("1"));
    stage.act(Action::Search(text("needle")));
    let fates: Vec<_> = hits(&stage).iter().map(|hit| (hit.0, hit.1.to_owned(), hit.3)).collect();
    let fate = |layer, path: &str, fate| (layer, path.to_owned(), Some(fate));
    let expected = [
        fate(0, "a", ShownFate::Replaced(1)),
        fate(0, "name", ShownFate::Visible),
        fate(1, "a", ShownFate::Deleted(2)),
    ];
    assert_eq!(fates, expected, "the content of name is visible at link");
    for (link, content) in links(&stage).into_iter().zip(["needle 1", "needle 3", "needle 2"]) {
        stage.act(Action::Open(link, Some(1)));
        let shown = matches!(stage.content(), ShownContent::Text { text, .. } if text == content);
        assert!(shown, "{content}: {:?}", stage.content());
    }
}

#[test]
fn hits_beyond_the_limit_are_counted() {
    let lines = "needle\n".repeat(10_010);
    let mut stage = Stage::looking(Image::new().layer(Layer::new("COPY").file("a", lines)).build().into_content("1"));
    stage.act(Action::Search(text("needle")));
    let progress = progress(&stage);
    assert_eq!((progress.sums.found, progress.held, found(&stage).rows().count()), (10_010, 10_000, 10_000));
}

#[test]
fn a_search_that_is_begun_early_has_its_fates_in_the_end() {
    let mut stage = Stage::new(&registry(searched().build().into_content("1")));
    stage.begin(Action::Look(REFERENCE.into()));
    stage.until(|stage| stage.state.image.is_some());
    stage.act(Action::Search(text("needle")));
    assert!(hits(&stage).iter().all(|hit| hit.3.is_some()), "{:?}", hits(&stage));
    stage.verified();
}

#[test]
fn stopping_the_look_stops_the_search() {
    let mut stage = Stage::looking(searched().build().into_content("1"));
    stage.begin(Action::Search(text("needle")));
    stage.act(Action::Stop);
    assert_eq!(progress(&stage).state, ProbeState::Stopped);
}

#[test]
fn a_blob_that_several_layers_are_is_searched_once() {
    let layer = || Layer::new("COPY").file("a", "the needle\n");
    let image = Image::new().layer(layer()).layer(Layer::new("COPY").file("b", "needle")).layer(layer()).build();
    let (digest, size) = (image.layers[0].blob.digest.clone(), |n: usize| image.layers[n].blob.bytes.len() as u64);
    let bytes = size(0) + size(1);
    let mut stage = Stage::looking(image.into_content("1"));
    assert_eq!(stage.state.probe_cost(), Some(ProbeCost { layers: 3, bytes, here: false }));
    let before = stage.internet.count(&digest);
    stage.act(Action::Search(text("needle")));
    assert_eq!(stage.internet.count(&digest), before + 1);
    let found: Vec<_> = hits(&stage).into_iter().map(|(layer, path, ..)| (layer, path)).collect();
    assert_eq!(found, [(0, "a"), (1, "b"), (2, "a")]);
    let progress = progress(&stage);
    assert_eq!((progress.state.clone(), progress.ended, progress.layers), (ProbeState::Done, 3, 3));
    assert_eq!((progress.read, progress.total), (bytes, bytes));
}

#[test]
fn workers_that_look_into_contents_end_when_idle_and_come_back() {
    let mut stage = Stage::looking(searched().build().into_content("1"));
    stage.act(Action::Search(text("needle")));
    let before = hits(&stage).len();
    assert_eq!(stage.contents_workers(), 0, "they ended");
    stage.act(Action::Search(text("needle")));
    assert_eq!((hits(&stage).len(), stage.contents_workers()), (before, 0));
    stage.begin(Action::Search(text("needle")));
    assert!(stage.contents_workers() > 0, "they came back");
    stage.settle();
    assert_eq!(hits(&stage).len(), before);
}
