//! Views of the same layers: modes, order, filter, expansion, selection, windows, addresses.

use crate::stage::*;
use porthole_testkit::image::{Content, Entry, Image, Layer};
use porthole_viewer::{
    address::Address,
    protocol::{Command, Event, RowChange, RowSort, ViewMode},
    state::{Action, Effect},
};

fn open(action: Action) -> Stage {
    let mut stage = Stage::looking(content());
    stage.act(Action::ExpandAll(true));
    stage.act(action);
    stage
}

#[test]
fn every_mode_lists_its_own_files() {
    let rows: [(Action, &[&str]); 4] = [
        (Action::View(ViewMode::Merged), &["etc", "etc/hosts", "srv", "srv/app"]),
        (Action::View(ViewMode::Deleted), &["etc", "etc/hosts", "etc/motd"]),
        (Action::Layer(1), &["etc", "etc/hosts", "etc/motd", "srv", "srv/app"]),
        (Action::Layer(0), &["etc", "etc/hosts", "etc/motd"]),
    ];
    for (action, paths) in rows {
        let name = format!("{action:?}");
        assert_eq!(open(action).paths(), paths, "{name}");
    }
}

#[test]
fn as_of_a_layer_nothing_of_the_layers_above_is_there() {
    let mut stage = open(Action::View(ViewMode::UpTo));
    assert_eq!(stage.paths(), ["etc", "etc/hosts", "srv", "srv/app"]);
    stage.act(Action::StepLayer(-1));
    assert_eq!(stage.paths(), ["etc", "etc/hosts", "etc/motd"]);
    let motd = &stage.state.rows.rows[2];
    assert_eq!((motd.size, motd.change, motd.removed_by), (6, RowChange::Added, None));
}

#[test]
fn what_a_layer_did_is_on_its_rows() {
    let stage = open(Action::Layer(1));
    let changes: Vec<_> = stage.state.rows.rows.iter().map(|row| (row.path.as_str(), row.change)).collect();
    assert!(changes.contains(&("etc/hosts", RowChange::Modified)), "{changes:?}");
    assert!(changes.contains(&("etc/motd", RowChange::Removed)), "{changes:?}");
    assert!(changes.contains(&("srv/app", RowChange::Added)), "{changes:?}");
}

#[test]
fn no_view_asks_the_registry_again() {
    let mut stage = Stage::looking(content());
    let before = stage.internet.log().len();
    for action in
        [Action::View(ViewMode::Deleted), Action::Layer(0), Action::Sort(RowSort::Size), Action::Filter("e".into())]
    {
        stage.act(action);
    }
    assert_eq!(stage.internet.log().len(), before);
}

#[test]
fn a_filter_keeps_what_fits_and_its_parents() {
    let mut stage = Stage::looking(content());
    stage.act(Action::Filter("APP".into()));
    assert_eq!(stage.paths(), ["srv", "srv/app"]);
    stage.act(Action::Filter("nothing".into()));
    assert!(stage.paths().is_empty());
    stage.act(Action::Filter(String::new()));
    assert_eq!(stage.paths(), ["etc", "srv"], "what was open before is open again");
}

#[test]
fn what_is_typed_while_a_filter_is_applied_costs_one_list_more() {
    let mut stage = Stage::looking(content());
    let rows = stage.events.iter().rfind(|event| matches!(event, Event::Rows { .. })).unwrap().clone();
    let mut asked = |action| {
        let effects = stage.state.update(action).into_iter();
        let filters = effects.filter_map(|effect| match effect {
            Effect::Send(Command::SetView { view }) => Some(view.filter),
            _ => None,
        });
        filters.collect::<Vec<_>>()
    };
    assert_eq!(asked(Action::Filter("h".into())), ["h"]);
    for typed in ["ho", "hos", "host"] {
        assert!(asked(Action::Filter(typed.into())).is_empty(), "{typed}: the rows of the first are not there yet");
    }
    assert_eq!(asked(Action::Events(vec![rows.clone()])), ["host"], "only the last one counts");
    assert!(asked(Action::Events(vec![rows])).is_empty());
    assert_eq!(asked(Action::Filter(String::new())), [""], "nothing is due: the next one is asked for at once");
}

#[test]
fn toggles_hide_kinds_of_change() {
    let mut stage = open(Action::Layer(1));
    stage.act(Action::Toggle(RowChange::Added));
    assert_eq!(stage.paths(), ["etc", "etc/hosts", "etc/motd"]);
    stage.act(Action::Toggle(RowChange::Removed));
    assert_eq!(stage.paths(), ["etc", "etc/hosts"]);
}

#[test]
fn siblings_are_ordered_by_size() {
    let layer = Layer::new("COPY").file("a", "1").file("b", "333").file("c", "22");
    let mut stage = Stage::looking(Image::new().layer(layer).build().into_content("1"));
    stage.act(Action::Sort(RowSort::Size));
    assert_eq!(stage.paths(), ["b", "c", "a"]);
}

#[test]
fn directories_open_and_close() {
    let mut stage = Stage::looking(content());
    stage.act(Action::Expand("etc".into(), true));
    assert_eq!(stage.paths(), ["etc", "etc/hosts", "srv"]);
    stage.act(Action::Expand("etc".into(), false));
    assert_eq!(stage.paths(), ["etc", "srv"]);
    stage.act(Action::ExpandAll(true));
    assert_eq!(stage.paths().len(), 4);
    stage.act(Action::ExpandAll(false));
    assert_eq!(stage.paths(), ["etc", "srv"]);
}

#[test]
fn a_selection_opens_what_is_above_it() {
    let mut stage = Stage::looking(content());
    stage.act(Action::Select(Some("srv/app".into())));
    assert_eq!(stage.paths(), ["etc", "srv", "srv/app"]);
    let selection = stage.state.selection.clone().unwrap();
    assert_eq!((selection.row.path.as_str(), selection.index), ("srv/app", Some(2)));
    stage.act(Action::Filter("hosts".into()));
    assert_eq!(stage.state.selection.as_ref().and_then(|it| it.index), None, "a filter hides it");
    stage.act(Action::Select(None));
    assert_eq!(stage.state.selection, None);
}

#[test]
fn a_path_that_is_not_in_the_view_is_no_selection() {
    let mut stage = Stage::looking(content());
    stage.act(Action::Select(Some("etc/motd".into())));
    assert_eq!(stage.state.selection, None);
    stage.act(Action::View(ViewMode::Deleted));
    assert_eq!(stage.state.selection.as_ref().map(|it| it.row.removed_by), Some(Some(1)));
}

#[test]
fn an_address_leads_to_view_layer_and_path() {
    let layer = built().layers[0].blob.digest.clone();
    let mut stage = Stage::new(&registry(content()));
    let address = format!("#/v1/r.example%2Fa%2Fb%3A1?view=only&layer={layer}&path=etc/motd");
    stage.act(Action::Address(Box::new(Address::parse(&address))));
    stage.verified();
    assert_eq!(stage.paths(), ["etc", "etc/hosts", "etc/motd"]);
    assert_eq!(stage.state.selection.as_ref().map(|it| it.row.path.as_str()), Some("etc/motd"));
    assert_eq!(stage.state.chosen_layer(), Some(0));
}

#[test]
fn windows_are_answered_at_once_and_again_when_rows_change() {
    let layer = (0..500).fold(Layer::new("COPY"), |layer, n| layer.file(format!("f{n:03}"), "x"));
    let mut stage = Stage::looking(Image::new().layer(layer).build().into_content("1"));
    assert_eq!((stage.state.rows.total, stage.state.rows.rows.len()), (500, 100));
    let revision = stage.state.rows.revision;
    stage.begin(Action::Window(480, 520));
    assert_eq!((stage.state.rows.from, stage.paths()[0], stage.paths().len()), (480, "f480", 20));
    assert_eq!(stage.state.rows.revision, revision);
    stage.act(Action::Filter("f4".into()));
    assert!(stage.state.rows.revision > revision);
    stage.act(Action::Window(0, 5));
    assert_eq!((stage.paths()[0], stage.state.rows.total), ("f400", 100));
}

#[test]
fn commands_without_a_look_do_nothing() {
    let mut stage = Stage::new(&registry(Content::default()));
    let before = stage.events.len();
    for command in [
        Command::Cancel,
        Command::ExpandAll,
        Command::Retry { look: 1 },
        Command::Audit { look: 1 },
        Command::Rows { from: 0, to: 10 },
        Command::Read { path: "etc".into(), from: None, anyway: true },
        Command::Select { path: Some("etc".into()) },
    ] {
        stage.command(command);
        stage.settle();
    }
    assert_eq!(stage.events.len(), before, "{:?}", stage.events[before..].first());
}

#[test]
fn a_retry_keeps_the_view_and_the_selection() {
    let mut stage = Stage::looking(content());
    stage.act(Action::Layer(0));
    stage.act(Action::Select(Some("etc/motd".into())));
    stage.act(Action::Retry);
    stage.verified();
    assert_eq!(stage.paths(), ["etc", "etc/hosts", "etc/motd"]);
    assert_eq!(stage.state.selection.as_ref().map(|it| it.row.path.as_str()), Some("etc/motd"));
    let last = stage.events.iter().rev().find_map(Event::look);
    assert_eq!(last, Some(2));
}

#[test]
fn special_files_are_listed_by_a_filter() {
    let layer = Layer::new("COPY")
        .entry(Entry::file("bin/su", b"1").mode(0o4755))
        .entry(Entry::file("bin/plain", b"2").mode(0o755))
        .entry(Entry::file("tmp/open", b"22").mode(0o666))
        .entry(Entry::file("srv/su", b"1").mode(0o6755));
    let mut stage = Stage::looking(Image::new().layer(layer).build().into_content("1"));
    let found = |stage: &mut Stage, filter: &str| {
        stage.act(Action::Filter(filter.into()));
        let paths = stage.paths().into_iter().filter(|path| path.contains('/')).map(str::to_owned).collect::<Vec<_>>();
        (paths, stage.state.rows.matches)
    };
    assert_eq!(found(&mut stage, "is:set-uid"), (vec!["bin/su".to_owned(), "srv/su".to_owned()], 2));
    assert_eq!(found(&mut stage, "is:set-uid bin"), (vec!["bin/su".to_owned()], 1));
    assert_eq!(found(&mut stage, "is:world-writable"), (vec!["tmp/open".to_owned()], 1));
    assert_eq!(found(&mut stage, "is:copied"), (Vec::new(), 0));
    stage.act(Action::CompareContents);
    assert_eq!(found(&mut stage, "is:copied "), (vec!["bin/su".to_owned(), "srv/su".to_owned()], 2));
    assert_eq!(found(&mut stage, "is:new").1, 0);
    let problem = stage.state.rows.problem.as_deref().unwrap_or_default();
    assert!(problem.starts_with("expected one of biggest, newest, set-uid, "), "{problem}");
}

#[test]
fn the_biggest_files_are_a_list() {
    let files: Vec<(String, String)> = (0..150).map(|number| (format!("d/{number:03}"), "x".repeat(number))).collect();
    let layer = files.iter().fold(Layer::new("COPY"), |layer, (path, text)| layer.file(path, text));
    let mut stage = Stage::looking(Image::new().layer(layer).build().into_content("1"));
    stage.act(Action::Filter("is:biggest".into()));
    let paths = stage.paths();
    assert_eq!((paths.first(), paths.get(1), stage.state.rows.total), (Some(&"d"), Some(&"d/050"), 101));
    stage.act(Action::Filter("is:biggest *9".into()));
    assert_eq!(stage.state.rows.matches, 10);
}

#[test]
fn a_row_is_gone_to_by_the_beginning_of_its_name() {
    let mut stage = Stage::looking(content());
    stage.act(Action::ExpandAll(true));
    let rows: Vec<String> = stage.paths().into_iter().map(str::to_owned).collect();
    assert_eq!(rows, ["etc", "etc/hosts", "srv", "srv/app"]);
    stage.act(Action::NameRow("A".into(), 0));
    assert_eq!(stage.state.selection.as_ref().map(|it| (it.row.path.as_str(), it.index)), Some(("srv/app", Some(3))));
    assert_eq!(stage.state.route.path.as_deref(), Some("srv/app"));
    stage.act(Action::NameRow("none".into(), 0));
    assert_eq!(stage.state.route.path.as_deref(), Some("srv/app"), "nothing is selected in place of it");
    stage.act(Action::NameRow("ho".into(), 3));
    assert_eq!(stage.state.route.path.as_deref(), Some("etc/hosts"), "from the top again");
}
