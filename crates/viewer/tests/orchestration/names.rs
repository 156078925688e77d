//! Tags of the image's repository, and repositories of its registry.

use crate::stage::*;
use porthole_testkit::{
    image::{Content, Image, Layer},
    registry::{Fault, Internet, Site},
};
use porthole_viewer::{
    address::{Address, Tab},
    protocol::{NameList, NameQuery, NameSort, NameState, NameWindow, TagFacts},
    session::GivenFile,
    state::{Action, NameAction, command, export_wish},
};
use std::sync::Arc;

const TAGS: [&str; 5] = ["1", "1.10", "1.9", "edge", "latest"];

/// One image under several tags, in pages of two.
fn internet() -> Internet {
    let built = image().build();
    let mut content = built.clone().into_content("1");
    for tag in &TAGS[1..] {
        content.add_root(tag, built.manifest.clone());
    }
    let internet = Internet::new();
    let other = Image::new().layer(Layer::new("a").file("a", "a")).build().into_content("1");
    internet.site(REGISTRY, Site::new().repository("a/b", content).repository("a/c", other).page(2));
    internet
}

fn names(stage: &Stage) -> &NameWindow {
    stage.state.names.as_deref().expect("names")
}

fn shown(stage: &Stage) -> Vec<&str> {
    names(stage).rows.iter().map(|row| row.name.as_str()).collect()
}

fn show(query: NameQuery) -> Action {
    Action::Names(NameAction::Show(query))
}

#[test]
fn tags_are_listed_when_they_are_looked_at() {
    let mut stage = Stage::new(&internet());
    stage.look(REFERENCE);
    assert_eq!((stage.internet.count("/tags/list"), &stage.state.names), (0, &None), "nothing is asked for before");
    stage.act(Action::Tab(Tab::Tags));
    assert_eq!(shown(&stage), TAGS);
    assert_eq!((&names(&stage).state, names(&stage).total), (&NameState::Done, 5));
    assert_eq!(stage.internet.count("/tags/list"), 3, "three pages");
    assert_eq!(command(&stage.state).as_deref(), Some("porthole tags r.example/a/b"));

    stage.act(show(NameQuery { filter: "1.".into(), sort: NameSort::Version, ..NameQuery::default() }));
    assert_eq!(shown(&stage), ["1.10", "1.9"]);
    let address = stage.state.route.to_string();
    assert_eq!(Address::parse(&address).names, stage.state.route.names);
    stage.act(Action::Tab(Tab::Files));
    stage.act(Action::Tab(Tab::Tags));
    assert_eq!(stage.internet.count("/tags/list"), 3, "they are listed once");

    let wish = export_wish(&stage.state).expect("something to save");
    stage.act(Action::Export(wish));
    let lines: String = TAGS.iter().map(|tag| format!("{{\"tag\":\"{tag}\"}}\n")).collect();
    assert_eq!(String::from_utf8(stage.saved().pop().unwrap()).unwrap(), lines, "all of them, as they are listed");

    let mut stage = Stage::new(&internet());
    stage.act(Action::Address(Box::new(Address::parse(&address))));
    assert_eq!(shown(&stage), ["1.10", "1.9"]);
}

#[test]
fn a_tag_says_what_it_stands_for_on_demand() {
    let mut stage = Stage::new(&internet());
    stage.look(REFERENCE);
    stage.act(Action::Tab(Tab::Tags));
    assert!(names(&stage).rows.iter().all(|row| row.facts.is_none()));
    stage.begin(Action::Names(NameAction::Ask("latest".into())));
    stage.begin(Action::Names(NameAction::Ask("nowhere".into())));
    stage.act(Action::Names(NameAction::Ask("edge".into())));
    let digest = built().manifest.digest;
    for row in &names(&stage).rows {
        match &row.facts {
            Some(TagFacts::Known(known, _, Some(bytes))) => {
                assert!(*known == digest && *bytes > 0 && ["edge", "latest"].contains(&row.name.as_str()), "{row:?}");
            }
            facts => assert!(facts.is_none() && row.name.starts_with('1'), "{row:?}"),
        }
    }
    stage.internet.fault("/manifests/1.9", u32::MAX, Fault::Status(404));
    stage.act(Action::Names(NameAction::Ask("1.9".into())));
    assert!(matches!(names(&stage).rows[2].facts, Some(TagFacts::Failed(_))), "{:?}", names(&stage).rows[2]);
}

#[test]
fn repositories_are_listed_where_there_is_a_catalog() {
    let mut stage = Stage::new(&internet());
    stage.look(REFERENCE);
    stage.act(Action::Tab(Tab::Tags));
    stage.act(show(NameQuery { list: NameList::Repositories, ..NameQuery::default() }));
    assert_eq!((names(&stage).list, shown(&stage)), (NameList::Repositories, vec!["a/b", "a/c"]));
    assert_eq!(command(&stage.state).as_deref(), Some("porthole catalog r.example"));

    let refusing = Internet::new();
    refusing.site(REGISTRY, Site::new().repository("a/b", content()).without_catalog(404));
    let mut stage = Stage::new(&refusing);
    stage.look(REFERENCE);
    stage.act(Action::Tab(Tab::Tags));
    stage.act(show(NameQuery { list: NameList::Repositories, ..NameQuery::default() }));
    assert!(matches!(names(&stage).state, NameState::Failed(_)), "{:?}", names(&stage));
    assert_eq!(export_wish(&stage.state), None);
    stage.verified();
}

#[test]
fn a_list_that_broke_is_asked_for_again() {
    let internet = internet();
    let mut stage = Stage::new(&internet);
    stage.look(REFERENCE);
    internet.fault("/tags/list", 1, Fault::Status(404));
    stage.act(Action::Tab(Tab::Tags));
    assert!(matches!(names(&stage).state, NameState::Failed(_)));
    stage.act(Action::Names(NameAction::Again));
    assert_eq!((shown(&stage), &names(&stage).state), (TAGS.to_vec(), &NameState::Done));
    stage.act(Action::Look(REFERENCE.into()));
    assert_eq!(stage.state.names, None, "another look begins without them");
}

#[test]
fn a_file_of_this_machine_has_no_tags() {
    let mut stage = Stage::new(&Internet::new());
    stage.give("app.tar", GivenFile::new(Arc::<[u8]>::from(Content::docker_archive(&[("app:1", &built())]))));
    stage.act(Action::File("app.tar".into()));
    let requests = stage.internet.log().len();
    stage.act(Action::Tab(Tab::Tags));
    assert_eq!((stage.internet.log().len(), &stage.state.names, command(&stage.state)), (requests, &None, None));
}
