//! The page of an image: the chain of proof over three panes.

use crate::components::{
    chain::{ChainBar, Stream},
    compare::{Compare, CompareProps},
    config::config,
    document::Documents,
    facts::Facts,
    failure::failures,
    findings::findings,
    foot::Foot,
    layers::Layers,
    map::Map,
    overview::Overview,
    packages::{Packages, PackagesProps},
    reader::Reader,
    referrers::{Referrers, ReferrersProps},
    search::{Search, SearchProps},
    secrets::{Secrets, SecretsProps},
    splitter::Splitter,
    tags::{Tags, TagsProps},
    tools::Tools,
    topbar::TopBar,
    tree::{Tree, columns},
    unpacking::unpacking,
    waste::Waste,
    wire::Wire,
    words::bdi,
};
use crate::hooks::{
    copy::{Copied, use_copy},
    file, storage,
};
use porthole_viewer::address::{Address, Tab};
use porthole_viewer::protocol::{RowKind, ViewMode};
use porthole_viewer::state::{Action, Dialog, State, command, contents_cost, export_wish, pinned_route, worst};
use std::rc::Rc;
use wasm_bindgen::{JsCast as _, closure::Closure};
use web_sys::HtmlElement;
use yew::prelude::*;

/// Properties of [`Inspect`].
#[derive(Properties, PartialEq)]
pub struct PageProps {
    /// State of the page.
    pub state: Rc<State>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// The page of an image.
#[component]
pub fn Inspect(props: &PageProps) -> Html {
    let (state, dispatch) = (&props.state, &props.dispatch);
    use_keys(state, dispatch);
    use_first_view(state, dispatch);
    use_tab_in_view(state.route.tab, state.image.is_some());
    // On the narrowest screens layers are a tab of their own.
    let layers = use_state(|| false);
    let width = use_state(storage::pane);
    let pane = if *layers { "layers" } else { "main" };
    let tabs = Tab::ALL.into_iter().map(|tab| {
        let (dispatch, layers) = (dispatch.clone(), layers.clone());
        let selected = tab == state.route.tab && !*layers;
        let onclick = move |_| {
            layers.set(false);
            dispatch.emit(Action::Tab(tab));
        };
        let narrow = (tab == Tab::Overview).then_some("narrow");
        html! { <button role="tab" class={narrow} id={format!("tab-{}", tab.name())} aria-selected={selected.to_string()} aria-controls="panel" {onclick}>{ tab.title() }</button> }
    });
    // A look that ended before its image was known has nothing to show beside the reason.
    let alone = state.failure.is_some() && state.image.is_none();
    let on_layers = {
        let layers = layers.clone();
        move |_| layers.set(!*layers)
    };
    let on_layer = use_callback((dispatch.clone(), layers.setter()), |action: Action, (dispatch, layers)| {
        layers.set(false);
        dispatch.emit(action);
    });
    let about_layer = state.route.view.wants_layer();
    let reading = state.route.reading && state.selected_file().is_some();
    // A directory opens in the tree; only what has content of its own covers it where there is no room for both.
    let covers = state.selection.as_ref().is_some_and(|selection| selection.row.kind != RowKind::Dir) && !reading;
    let files = state.route.tab == Tab::Files;
    let right = width.map(|width| format!("--right:{width}px"));
    let on_width = {
        let width = width.clone();
        move |wanted| width.set(Some(wanted))
    };
    html! {
        <div class="inspect">
            <button class="skip" onclick={|_| focus_files()}>{ "Skip to the files" }</button>
            <TopBar reference={state.shown_reference()} platforms={Rc::clone(&state.platforms)} platform={state.platform.clone()}
                connection={state.connection.clone()} recent={Rc::clone(&state.recent)} dispatch={dispatch.clone()} />
            <ChainBar chain={Rc::clone(&state.chain)} sizes={state.sizes} known={state.image.is_some()} stream={stream(state)}
                signed={state.signed()} broken={state.breaks_policy().then(|| state.rule().map(|rule| rule.images.clone())).flatten()} dispatch={dispatch.clone()} />
            <main id="main" tabindex="-1" class={classes!("panes", alone.then_some("alone"))} data-pane={pane} data-tab={state.route.tab.name()} ~style={right.unwrap_or_default()}>
                <h1 class="sr">{ bdi(&state.shown_reference().unwrap_or_default()) }</h1>
                <div class="pane left">
                    <Layers image={state.image.clone()} progress={Rc::clone(&state.layers)} failures={Rc::clone(&state.layer_failures)}
                        base={state.proved_base().cloned()} chosen={state.chosen_layer().filter(|_| about_layer)} dispatch={on_layer} />
                    { findings(state.overview.as_deref(), state.packages.as_deref(), dispatch) }
                </div>
                <div class="tabs">
                    <div class="list" role="tablist" aria-label="Views">
                        <button class="narrow" role="tab" aria-selected={layers.to_string()} aria-controls="panel" onclick={on_layers}>{ "Layers" }</button>
                        { for tabs }
                    </div>
                    <span class="end"><CopyLink route={pinned_route(state).map(|route| route.to_string())} /></span>
                </div>
                <div class="pane middle">
                    if let Some(notice) = &state.notice {
                        <p class="notice" role="status">{ bdi(notice) }</p>
                    }
                    { failures(state.failure.as_deref(), &state.layer_failures, dispatch) }
                    <div id="panel" class="panel" role="tabpanel" aria-labelledby={format!("tab-{}", state.route.tab.name())}>
                        { panel(state, dispatch) }
                    </div>
                </div>
                if files && !alone {
                    <Splitter width={*width} {on_width} />
                    <aside class={classes!("pane", "right", covers.then_some("open"))} aria-label={if state.selection.is_some() { "Facts" } else { "Overview" }}>
                        if state.selection.is_some() {
                            <Facts selection={state.selection.clone()} image={state.image.clone()} progress={Rc::clone(&state.layers)}
                                content={state.content.clone()} about={state.facts.clone()} line={state.route.line} {reading}
                                versions={state.versions.clone()} diff={state.version_diff.clone()} dispatch={dispatch.clone()} />
                        } else {
                            <Overview overview={state.overview.clone()} sizes={state.sizes} archive={state.archive.clone()} base={state.base.clone()} named_base={state.route.base.clone()} aside=true dispatch={dispatch.clone()} />
                        }
                    </aside>
                }
            </main>
            <Foot command={command(state)} export={export_wish(state)} cost={contents_cost(state)} contents={state.contents.clone()} dispatch={dispatch.clone()} fetched={state.fetched} />
            <p class="sr" role="status">{ progress_words(state) }</p>
        </div>
    }
}

fn stream(state: &State) -> Stream {
    match (state.stopped, state.settled, &state.failure) {
        (_, _, Some(_)) => Stream::Ended,
        (true, ..) => Stream::Stopped,
        (false, true, None) => Stream::Ended,
        (false, false, None) => Stream::Running,
    }
}

fn panel(state: &Rc<State>, dispatch: &Callback<Action>) -> Html {
    if let (Some(reading), None, None) = (&state.reading_file, &state.image, &state.failure) {
        return unpacking(&state.shown_reference().unwrap_or_default(), reading);
    }
    match state.route.tab {
        Tab::Manifest => html! { <Documents image={state.image.clone()} /> },
        Tab::Config => config(state.image.as_deref(), state.proved_base(), dispatch),
        Tab::Compare => html! { <Compare ..CompareProps::of(state, dispatch.clone()) /> },
        Tab::Secrets => html! { <Secrets ..SecretsProps::of(state, dispatch.clone()) /> },
        Tab::Packages => html! { <Packages ..PackagesProps::of(state, dispatch.clone()) /> },
        Tab::Referrers => html! { <Referrers ..ReferrersProps::of(state, dispatch.clone()) /> },
        Tab::Tags => html! { <Tags ..TagsProps::of(state, dispatch.clone()) /> },
        Tab::Search => html! { <Search ..SearchProps::of(state, dispatch.clone()) /> },
        Tab::Waste => {
            html! { <Waste waste={state.waste.clone()} cost={contents_cost(state)} contents={state.contents.clone()} dispatch={dispatch.clone()} /> }
        }
        Tab::Wire => html! { <Wire wire={state.wire.clone()} dispatch={dispatch.clone()} /> },
        Tab::Overview => html! {
            <div class="document" tabindex="0" role="region" aria-label="Overview">
                <Overview overview={state.overview.clone()} sizes={state.sizes} archive={state.archive.clone()} base={state.base.clone()} named_base={state.route.base.clone()} packages={state.packages.clone()} dispatch={dispatch.clone()} />
            </div>
        },
        // A look that ended before its image was known has no files to list.
        Tab::Files if state.failure.is_some() && state.image.is_none() => Html::default(),
        Tab::Files if state.route.reading && state.selected_file().is_some() => html! {
            <Reader path={state.selected_file().unwrap_or_default().to_owned()} content={state.content.clone()} line={state.route.line} dispatch={dispatch.clone()} />
        },
        Tab::Files => html! {
            <>
                <Tools view={state.route.view} focused={state.focused_layer()} listing={state.listing.clone()} toggles={state.shown_changes()}
                    rows={Rc::clone(&state.rows)} map={state.route.map.is_some()} dispatch={dispatch.clone()} />
                if let Some(at) = &state.route.map {
                    <Map map={state.map.clone()} room={state.map_size} at={at.clone()} measure={state.route.measure} selected={state.route.path.clone()} dispatch={dispatch.clone()} />
                } else {
                    { columns(state.listing.sort, dispatch) }
                    <Tree rows={Rc::clone(&state.rows)} listing={state.wanted_listing()} look={state.look} selection={state.selection.clone()}
                        path={state.route.path.clone()} dispatch={dispatch.clone()} />
                }
            </>
        },
    }
}

/// For screen readers, sparingly: the beginning and the end.
fn progress_words(state: &State) -> &'static str {
    match (&state.image, state.settled, worst(state.failure.as_deref(), &state.layer_failures)) {
        (_, _, Some(_)) => "",
        _ if state.stopped => "Stopped",
        (None, ..) => "Looking",
        (Some(_), false, None) => "Layers are being read",
        (Some(_), true, None) => "All layers are verified",
    }
}

#[derive(Properties, PartialEq)]
struct CopyLinkProps {
    route: Option<String>,
}

/// Copies a link that is pinned to the digest.
#[component]
fn CopyLink(props: &CopyLinkProps) -> Html {
    let (copied, copy) = use_copy();
    let Some(route) = &props.route else { return Html::default() };
    let page = web_sys::window().and_then(|window| window.location().href().ok()).unwrap_or_default();
    let page = page.split('#').next().unwrap_or_default();
    let link = format!("{page}{route}");
    let words = match copied {
        Copied::No => "Copy link",
        Copied::Yes => "Copied",
        Copied::Refused => "Copy it from here:",
    };
    let text = link.clone();
    html! {
        <>
            <button id="copy-link" class="plain" title="A link pinned to this digest" data-link={link.clone()} onclick={move |_| copy.emit(text.clone())}>
                { words }
            </button>
            if copied == Copied::Refused {
                <input aria-label="Link" readonly=true value={link} />
            }
        </>
    }
}

/// The keys of the whole page.
#[hook]
fn use_keys(state: &Rc<State>, dispatch: &Callback<Action>) {
    let latest = use_mut_ref(|| Rc::clone(state));
    *latest.borrow_mut() = Rc::clone(state);
    use_effect_with(dispatch.clone(), move |dispatch| {
        let dispatch = dispatch.clone();
        let on_key = Closure::<dyn FnMut(KeyboardEvent)>::new(move |event: KeyboardEvent| {
            let state = Rc::clone(&latest.borrow());
            leave_field(&event);
            let handled = !event.default_prevented()
                && state.dialog.is_none()
                && !is_typing(&event)
                && key(&event.key(), &state, &dispatch);
            if handled {
                event.prevent_default();
            }
        });
        let window = web_sys::window();
        if let Some(window) = &window {
            let _ = window.add_event_listener_with_callback("keydown", on_key.as_ref().unchecked_ref());
        }
        move || {
            if let Some(window) = window {
                let _ = window.remove_event_listener_with_callback("keydown", on_key.as_ref().unchecked_ref());
            }
        }
    });
}

/// Escape leaves a field that is empty; one with a text is emptied by the browser first.
fn leave_field(event: &KeyboardEvent) {
    let field = event.target().and_then(|target| target.dyn_into::<web_sys::HtmlInputElement>().ok());
    if let Some(field) = field.filter(|field| event.key() == "Escape" && field.value().is_empty()) {
        let _ = field.blur();
    }
}

/// A key belongs to the field that is typed in, or to the browser.
fn is_typing(event: &KeyboardEvent) -> bool {
    let field = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let field = field.is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "SELECT" | "TEXTAREA"));
    field || event.ctrl_key() || event.meta_key() || event.alt_key()
}

fn key(key: &str, state: &State, dispatch: &Callback<Action>) -> bool {
    match key {
        "?" => dispatch.emit(Action::Dialog(Some(Dialog::Help))),
        "Escape" if state.route.reading => dispatch.emit(Action::Reading(false)),
        "o" => file::choose(),
        "t" => focus_files(),
        "Escape" if state.route.path.is_some() => dispatch.emit(Action::Select(None)),
        "v" => dispatch.emit(Action::Map(state.route.map.is_none().then(|| "/".to_owned()))),
        "f" => dispatch.emit(Action::FollowLink),
        "[" => dispatch.emit(Action::StepLayer(-1)),
        "]" => dispatch.emit(Action::StepLayer(1)),
        "m" => dispatch.emit(Action::View(ViewMode::Merged)),
        "s" => dispatch.emit(Action::Sort(state.listing.sort.next())),
        // The one that the open tab has.
        "/" => ["filter", "find", "package-name", "names"].into_iter().for_each(|id| {
            with_element(id, |element| {
                let _ = element.focus();
            })
        }),
        "c" => {
            dispatch.emit(Action::Tab(Tab::Compare));
            with_element("with", |input| {
                let _ = input.focus();
            });
        }
        "x" => with_element("fold", HtmlElement::click),
        "Y" => with_element("copy-command", HtmlElement::click),
        "J" => with_element("save-json", HtmlElement::click),
        "y" => with_element("copy-link", HtmlElement::click),
        _ => return false,
    }
    true
}

/// Puts the keyboard on the row that it was on last, else on the list.
fn focus_files() {
    let document = web_sys::window().and_then(|window| window.document());
    let row = document.and_then(|document| document.query_selector("#tree [tabindex='0'], #tree").ok().flatten());
    if let Some(row) = row.and_then(|row| row.dyn_into::<HtmlElement>().ok()) {
        let _ = row.focus();
    }
}

/// Scrolls to the open tab, where there is no room for all.
#[hook]
fn use_tab_in_view(tab: Tab, known: bool) {
    // The button beside the tabs comes with the image and takes room.
    use_effect_with((tab, known), |(tab, _)| {
        with_element(&format!("tab-{}", tab.name()), |tab| tab.scroll_into_view_with_bool(false))
    });
}

/// On a narrow screen an image begins with its overview. And where the focus went with the start page, it comes to the image.
#[hook]
fn use_first_view(state: &Rc<State>, dispatch: &Callback<Action>) {
    let route = state.route.clone();
    let dispatch = dispatch.clone();
    use_effect_with(state.route.reference.clone(), move |_| {
        let Some(window) = web_sys::window() else { return };
        let narrow = window.match_media("(max-width: 900px)").ok().flatten().is_some_and(|query| query.matches());
        if narrow && route == Address::of(route.reference.clone().unwrap_or_default()) {
            dispatch.emit(Action::First(Tab::Overview));
        }
        let document = window.document();
        let lost = document
            .as_ref()
            .and_then(|document| document.active_element())
            .is_none_or(|active| active.tag_name() == "BODY");
        if lost {
            with_element("main", |main| {
                let _ = main.focus();
            });
        }
    });
}

fn with_element(id: &str, act: impl FnOnce(&HtmlElement)) {
    let element =
        web_sys::window().and_then(|window| window.document()).and_then(|document| document.get_element_by_id(id));
    if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        act(&element);
    }
}
