use super::*;
use crate::protocol::{
    ArchiveFormat, ArchiveSaving, FailureNotice, FileRow, ImageLayer, ImageSummary, LayerProgress, LayerState,
    RelaySettings, RowKind, RowWindow, Secret, Selection, Sizes, ViewMode,
};
use crate::state::{SAMPLE, command, pinned_route, worst};

fn layer(index: u32, digest: &str) -> ImageLayer {
    ImageLayer {
        index,
        digest: digest.into(),
        diff_id: None,
        size: 100,
        media_type: "application/vnd.oci.image.layer.v1.tar+gzip".into(),
        archive: true,
        instruction: None,
    }
}

fn image(digests: &[&str]) -> Event {
    let layers = (0..).zip(digests).map(|(index, digest)| layer(index, digest)).collect();
    let image = ImageSummary {
        reference: "docker.io/library/nginx:1".into(),
        familiar: "nginx:1".into(),
        registry: "docker.io".into(),
        repository: "library/nginx".into(),
        tag: Some("1".into()),
        pinned: "docker.io/library/nginx@sha256:aa".into(),
        platform: Some("linux/arm64".into()),
        platforms: vec!["linux/amd64".into(), "linux/arm64".into()],
        layers,
        history: Vec::new(),
        config: Vec::new(),
        deviations: Vec::new(),
        created: None,
        documents: Vec::new(),
        download: 300,
        bare: false,
    };
    Event::Image { look: 1, image: Box::new(image) }
}

fn looking(fragment: &str, digests: &[&str]) -> State {
    let mut state = State::default();
    state.update(Action::Address(Box::new(Address::parse(fragment))));
    state.update(Action::Events(vec![image(digests)]));
    state
}

fn sent(effects: &[Effect]) -> Vec<&Command> {
    effects.iter().filter_map(|effect| if let Effect::Send(command) = effect { Some(command) } else { None }).collect()
}

#[test]
fn an_address_begins_a_look_at_all_that_it_names() {
    let mut state = State::default();
    let effects = state.update(Action::Address(Box::new(Address::parse(
        "#/v1/nginx?platform=linux/arm64&view=only&layer=sha256:b&path=etc",
    ))));
    let [Command::Look { look: 1, reference, platform, view, path }] = sent(&effects)[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((reference.as_str(), platform.as_deref(), path.as_deref()), ("nginx", Some("linux/arm64"), Some("etc")));
    assert_eq!((view.mode, view.layer, view.layer_digest.as_deref()), (ViewMode::Only, None, Some("sha256:b")));
    assert!(effects.contains(&Effect::Entered));
}

#[test]
fn typing_pushes_an_address_and_nothing_else_is_kept() {
    let mut state = looking("#/v1/nginx?view=deleted", &["sha256:a"]);
    let effects = state.update(Action::Look("  debian:12 ".into()));
    assert_eq!(effects[0], Effect::Push(Address::of("debian:12")));
    assert_eq!(state.look, 2);
    assert!(state.image.is_none());
    assert!(state.update(Action::Look(" ".into())).is_empty());
    let effects = state.update(Action::Look("debian:12".into()));
    assert!(matches!(sent(&effects)[..], [Command::Look { look: 3, .. }]), "the same again looks again");
}

#[test]
fn back_to_the_start_page_cancels() {
    let mut state = looking("#/v1/nginx", &["sha256:a"]);
    let effects = state.update(Action::Address(Box::default()));
    assert_eq!(sent(&effects), [&Command::Cancel]);
    assert!(!state.inspects() && state.image.is_none());
}

#[test]
fn back_within_an_image_asks_for_no_request() {
    let mut state = looking("#/v1/nginx", &["sha256:a", "sha256:b"]);
    let effects =
        state.update(Action::Address(Box::new(Address::parse("#/v1/nginx?view=upto&layer=sha256:a&path=etc"))));
    let [Command::SetView { view }, Command::Select { path }] = sent(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((view.mode, view.layer, path.as_deref()), (ViewMode::UpTo, Some(0), Some("etc")));
}

#[test]
fn late_answers_are_dropped() {
    let mut state = looking("#/v1/nginx", &["sha256:a"]);
    state.update(Action::Look("debian".into()));
    state.update(Action::Events(vec![image(&["sha256:a"]), Event::Settled { look: 1 }]));
    assert!(state.image.is_none() && !state.settled);
    let failure = FailureNotice {
        kind: FailureClass::Other,
        cause: None,
        registry: None,
        step: None,
        layer: None,
        text: "no worker".into(),
        mismatch: None,
        remedies: Vec::new(),
    };
    state.update(Action::Events(vec![Event::Failure { look: 0, failure: Box::new(failure) }]));
    assert!(state.failure.is_some(), "a failure of no look is shown in any look");
}

#[test]
fn layers_are_chosen_and_let_go() {
    let mut state = looking("#/v1/nginx", &["sha256:a", "sha256:b"]);
    state.update(Action::Layer(1));
    assert_eq!((state.route.view, state.route.layer.as_deref()), (ViewMode::Only, Some("sha256:b")));
    state.update(Action::View(ViewMode::UpTo));
    state.update(Action::StepLayer(-1));
    assert_eq!((state.route.view, state.chosen_layer()), (ViewMode::UpTo, Some(0)));
    assert!(state.update(Action::StepLayer(-1)).is_empty(), "there is nothing below the bottom");
    state.update(Action::Layer(0));
    assert_eq!((state.route.view, state.chosen_layer()), (ViewMode::Merged, None));
}

#[test]
fn twins_are_named_by_number() {
    let mut state = State::default();
    state.update(Action::Address(Box::new(Address::parse("#/v1/nginx?view=only&layer=3"))));
    let effects = state.update(Action::Events(vec![image(&["sha256:a", "sha256:b", "sha256:a"])]));
    let [Command::SetView { view }] = sent(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(view.layer, Some(2), "the session gets the number as soon as it means something");
    assert_eq!(state.chosen_layer(), Some(2));
    state.update(Action::Layer(0));
    assert_eq!(state.route.layer.as_deref(), Some("1"));
    assert_eq!(state.layer_name(1).as_deref(), Some("sha256:b"));
    assert_eq!(Address::parse("#/v1/nginx?layer=0"), Address { layer: Some("0".into()), ..Address::of("nginx") });
    assert_eq!(looking("#/v1/nginx?layer=0", &["sha256:a"]).chosen_layer(), None);
}

#[test]
fn progress_reaches_its_layer() {
    let mut state = looking("#/v1/nginx", &["sha256:a", "sha256:b"]);
    let progress = LayerProgress { index: 1, state: LayerState::Verified, added: 7, ..LayerProgress::default() };
    let sizes = Sizes { download: 300, unpacked: 900, visible: 800, complete: true };
    state.update(Action::Events(vec![Event::Layers { look: 1, layers: vec![progress], sizes, fetched: 42 }]));
    assert_eq!((state.layers[0].state, state.layers[1].added, state.fetched), (LayerState::Waiting, 7, 42));
    assert_eq!(state.sizes, sizes);
}

#[test]
fn a_layer_that_failed_is_wrong_at_once() {
    let mut state = looking("#/v1/nginx", &["sha256:a", "sha256:b"]);
    let failed = |layer, kind| {
        let text = "layer does not match its digest".to_owned();
        let failure = FailureNotice { layer, ..FailureNotice::plain(kind, text) };
        Event::Failure { look: 1, failure: Box::new(failure) }
    };
    let events = vec![failed(Some(0), FailureClass::Other), failed(Some(1), FailureClass::Malformed)];
    state.update(Action::Events(events));
    assert_eq!(state.layers[1].state, LayerState::Wrong);
    let worst = worst(state.failure.as_deref(), &state.layer_failures);
    assert_eq!(worst.and_then(|failure| failure.layer), Some(1), "wrong bytes are worse than none");
    assert!(state.failure.is_none(), "the others continue");
}

#[test]
fn a_selection_that_is_no_longer_wanted_is_dropped() {
    let row = |path: &str| FileRow {
        path: path.into(),
        name: path.into(),
        depth: 0,
        kind: RowKind::File,
        size: 1,
        total: 1,
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: 0,
        mtime_nsec: 0,
        link: String::new(),
        major: 0,
        minor: 0,
        xattrs: Vec::new(),
        layer: 0,
        change: RowChange::Added,
        removed_by: None,
        ambiguous: None,
        implied: false,
        has_children: false,
        expanded: false,
        place: 1,
        siblings: 1,
    };
    let selected = |path: &str| Event::Selected {
        look: 1,
        selection: Some(Box::new(Selection { row: row(path), index: Some(0) })),
    };
    let mut state = looking("#/v1/nginx", &["sha256:a"]);
    state.update(Action::Select(Some("b".into())));
    state.update(Action::Events(vec![selected("a")]));
    assert!(state.selection.is_none());
    state.update(Action::Events(vec![
        selected("b"),
        Event::Rows { look: 1, window: RowWindow { total: 9, ..RowWindow::default() } },
    ]));
    assert_eq!((state.selection.as_ref().map(|it| it.row.path.as_str()), state.rows.total), (Some("b"), 9));
}

#[test]
fn credentials_and_relays_are_followed_by_another_try() {
    let mut state = looking("#/v1/nginx", &["sha256:a"]);
    let password = Secret("hunter2".into());
    let effects = state.update(Action::SignIn { registry: "docker.io".into(), username: "me".into(), password });
    assert!(matches!(sent(&effects)[..], [Command::SignIn { .. }, Command::Retry { look: 2 }]));
    assert!(!format!("{effects:?}").contains("hunter2"));
    state.dialog = Some(Dialog::RelayPassword { registry: "docker.io".into(), relay: "https://relay.example".into() });
    let effects = state.update(Action::AllowRelayPassword(false));
    assert!(matches!(
        sent(&effects)[..],
        [Command::AllowRelayPassword { allow: false, .. }, Command::Retry { look: 3 }]
    ));
    let relay = RelaySettings { url: "http://127.0.0.1:8090".into(), ..RelaySettings::default() };
    assert_eq!(state.update(Action::Relay(relay.clone())).len(), 4);
    assert!(state.update(Action::Relay(relay)).is_empty());
}

#[test]
fn links_pin_the_digest() {
    let state = looking("#/v1/nginx?path=etc/passwd&line=3", &["sha256:a"]);
    let link = pinned_route(&state).map(|route| route.to_string());
    let expected = "#/v1/docker.io%2Flibrary%2Fnginx%40sha256%3Aaa?platform=linux/arm64&path=etc/passwd&line=3";
    assert_eq!(link.as_deref(), Some(expected));
    assert_eq!(pinned_route(&State::default()), None);
}

#[test]
fn commands_say_what_the_page_shows() {
    let nginx = "docker.io/library/nginx@sha256:aa";
    let rows = [
        ("#/v1/nginx", format!("porthole ls --platform linux/arm64 {nginx}")),
        (
            "#/v1/nginx?view=only&layer=sha256:a&path=etc",
            format!("porthole ls --platform linux/arm64 --layer 1 {nginx} etc"),
        ),
        ("#/v1/nginx?view=upto&layer=sha256:a", format!("porthole inspect --platform linux/arm64 {nginx}")),
        ("#/v1/nginx?view=upto&layer=sha256:b", format!("porthole ls --platform linux/arm64 {nginx}")),
        ("#/v1/nginx?tab=waste", format!("porthole analyze --platform linux/arm64 {nginx}")),
        ("#/v1/nginx?tab=manifest", format!("porthole manifest --platform linux/arm64 {nginx}")),
    ];
    for (fragment, text) in rows {
        assert_eq!(command(&looking(fragment, &["sha256:a", "sha256:b"])), Some(text), "{fragment}");
    }
    assert!(SAMPLE.starts_with("sample.localhost/"));
}

#[test]
fn pasted_text_is_understood() {
    let rows = [
        ("https://hub.docker.com/_/nginx", "nginx:latest"),
        ("docker pull ghcr.io/a/b:1", "ghcr.io/a/b:1"),
        ("nginx", "nginx"),
        ("No Such", "No Such"),
    ];
    for (typed, reference) in rows {
        let mut state = State::default();
        state.update(Action::Look(typed.into()));
        assert_eq!(state.route.reference.as_deref(), Some(reference));
    }
}

#[test]
fn moving_through_the_list_is_one_step_back() {
    let mut state = looking("#/v1/nginx", &["sha256:a"]);
    let pushes = |effects: &[Effect]| effects.iter().filter(|effect| matches!(effect, Effect::Push(_))).count();
    let actions = [
        (Action::Select(Some("a".into())), 1),
        (Action::Pass("b".into()), 1),
        (Action::Pass("c".into()), 0),
        (Action::View(ViewMode::Deleted), 1),
        (Action::Pass("d".into()), 1),
        (Action::Select(Some("d".into())), 0),
    ];
    for (action, expected) in actions {
        let name = format!("{action:?}");
        assert_eq!(pushes(&state.update(action)), expected, "{name}");
    }
    state.update(Action::Line(Some(7)));
    state.update(Action::Offset(Some(64)));
    state.update(Action::Reading(true));
    assert_eq!((state.route.line, state.route.offset, state.route.reading), (Some(7), Some(64), true));
    state.update(Action::Select(Some("e".into())));
    let route = &state.route;
    assert_eq!(
        (route.line, route.offset, route.reading),
        (None, None, false),
        "a line and an offset belong to their file"
    );
}

#[test]
fn only_the_latest_filter_is_sent() {
    let mut state = looking("#/v1/nginx", &["sha256:a"]);
    let filter = |effects: &[Effect]| match sent(effects)[..] {
        [] => None,
        [Command::SetView { view }] => Some(view.filter.clone()),
        _ => panic!("{effects:?}"),
    };
    assert_eq!(filter(&state.update(Action::Filter("a".into()))).as_deref(), Some("a"));
    assert_eq!(filter(&state.update(Action::Filter("ab".into()))), None);
    assert_eq!(filter(&state.update(Action::Filter("abc".into()))), None);
    let rows = || Action::Events(vec![Event::Rows { look: 1, window: RowWindow::default() }]);
    assert_eq!(filter(&state.update(rows())).as_deref(), Some("abc"));
    assert_eq!(filter(&state.update(rows())), None);
}

#[test]
fn a_toggle_that_a_view_does_not_have_hides_nothing() {
    let mut state = looking("#/v1/nginx?view=only&layer=sha256:a", &["sha256:a"]);
    state.update(Action::Toggle(RowChange::Removed));
    assert!(!state.wanted_listing().changes.removed);
    state.update(Action::View(ViewMode::Merged));
    assert!(state.wanted_listing().changes.all());
    assert_eq!(state.shown_changes(), [RowChange::Modified]);
}

#[test]
fn a_session_that_dies_is_started_again_once_in_a_look() {
    let mut state = looking("#/v1/nginx?path=etc", &["sha256:a"]);
    let effects = state.update(Action::SessionDied);
    assert_eq!(effects[0], Effect::Restart);
    assert!(matches!(sent(&effects)[..], [Command::Look { look: 2, path: Some(_), .. }]), "{effects:?}");
    assert!(state.notice.is_some() && state.failure.is_none());
    let effects = state.update(Action::SessionDied);
    assert_eq!(effects, [Effect::Restart]);
    assert!(state.failure.is_some());
    assert!(matches!(sent(&state.update(Action::Look("debian".into())))[..], [Command::Look { .. }]));
}

#[test]
fn a_look_that_is_stopped_keeps_what_is_here() {
    let mut state = looking("#/v1/nginx", &["sha256:a"]);
    assert_eq!(sent(&state.update(Action::Stop)), [&Command::Stop]);
    assert!(state.stopped && state.image.is_some());
    state.update(Action::Retry);
    assert!(!state.stopped);
}

#[test]
fn a_finding_leads_to_its_view() {
    let mut state = looking("#/v1/nginx", &["sha256:a", "sha256:b"]);
    let files = FindingLink::Files { mode: ViewMode::Only, layer: Some(1), path: Some("etc".into()) };
    let effects = state.update(Action::Follow(files));
    assert!(matches!(sent(&effects)[..], [Command::SetView { .. }, Command::Select { path: Some(_) }]), "{effects:?}");
    assert_eq!(state.route.to_string(), "#/v1/nginx?view=only&layer=sha256:b&path=etc");
    let effects = state.update(Action::Follow(FindingLink::Waste { path: None }));
    assert_eq!(sent(&effects), [&Command::Waste]);
    assert_eq!(sent(&state.update(Action::Tab(Tab::Waste))), [] as [&Command; 0], "once in a look");
}

#[test]
fn a_comparison_is_asked_for_once_and_where_it_is_shown() {
    let asked = |effects: &[Effect]| -> Vec<Command> {
        let compare = |effect: &Effect| match effect {
            Effect::Send(command @ (Command::Compare { .. } | Command::EndCompare)) => Some(command.clone()),
            _ => None,
        };
        effects.iter().filter_map(compare).collect()
    };
    let mut state = State::default();
    state.update(Action::Address(Box::new(Address::parse("#/v1/a/b:1?tab=files&with=a/c:1&ignore=time,owner"))));
    assert!(asked(&state.update(Action::Tab(Tab::Compare))).is_empty(), "no image yet");
    let effects = state.update(Action::Events(vec![image(&["sha256:a"])]));
    let wanted =
        Command::Compare { reference: "a/c:1".into(), platform: None, ignore: vec!["time".into(), "owner".into()] };
    assert_eq!(asked(&effects), [wanted]);
    assert!(asked(&state.update(Action::Events(Vec::new()))).is_empty(), "it is asked for once");
    let effects = state.update(Action::Ignore("time".into()));
    assert!(matches!(&asked(&effects)[..], [Command::Compare { ignore, .. }] if ignore == &["owner"]));
    assert_eq!(state.route.ignore.as_deref(), Some("owner"));
    assert_eq!(asked(&state.update(Action::EndCompare)), [Command::EndCompare]);
    assert_eq!((state.route.with.as_deref(), state.route.tab), (None, Tab::Compare));
    let effects =
        state.update(Action::Compare { with: " docker pull a/d:2 ".into(), platform: Some("linux/arm64".into()) });
    let [Command::Compare { reference, platform, .. }] = &asked(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!((reference.as_str(), platform.as_deref()), ("a/d:2", Some("linux/arm64")));
    let route = state.route.to_string();
    assert_eq!(Address::parse(&route), state.route, "{route}");
}

#[test]
fn the_title_of_the_window_hides_nothing() {
    let mut state = State::default();
    assert_eq!(state.title(), "Porthole");
    state.route.reference = Some("nginx\u{202e}\u{1b}x".into());
    assert_eq!(state.title(), "nginx\\u202e\\u001bx · Porthole");
}

#[test]
fn a_file_that_is_called_as_an_archive_keeps_its_name() {
    let mut state = looking("#/v1/nginx:1", &["sha256:a"]);
    let export = Event::Exported { look: 1, name: "image.tar".into(), file: Ok("blob:1".into()) };
    let saved = |effects: Vec<Effect>| match &effects[..] {
        [Effect::Save { url, name }] => (url.clone(), name.clone()),
        effects => panic!("{effects:?}"),
    };
    assert_eq!(saved(state.update(Action::Events(vec![export]))), ("blob:1".into(), "image.tar".into()));
    let outcome = Some(Ok(Some("blob:2".into())));
    let saving = ArchiveSaving { format: ArchiveFormat::Oci, written: 1, total: 1, outcome };
    let effects = state.update(Action::Events(vec![Event::Archive { look: 1, saving }]));
    assert_eq!(saved(effects), ("blob:2".into(), "nginx-1-arm64.tar".into()));
}
