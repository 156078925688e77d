//! The page of an image: the chain of proof over three panes.

use super::start::PageProps;
use crate::components::{
    chain::ChainBar,
    config::Config,
    document::Documents,
    facts::Facts,
    failure::Failures,
    foot::Foot,
    layers::Layers,
    tools::Tools,
    topbar::TopBar,
    tree::{Columns, Tree},
};
use crate::hooks::copy::{Copied, use_copy};
use porthole_viewer::address::Tab;
use porthole_viewer::protocol::{RowSort, ViewMode};
use porthole_viewer::state::{Action, Dialog, State, command, pinned_route, worst};
use std::rc::Rc;
use wasm_bindgen::{JsCast as _, closure::Closure};
use web_sys::HtmlElement;
use yew::prelude::*;

/// The page of an image.
#[component]
pub fn Inspect(props: &PageProps) -> Html {
    let (state, dispatch) = (&props.state, &props.dispatch);
    use_keys(state, dispatch);
    // On the narrowest screens layers are a tab of their own.
    let layers = use_state(|| false);
    let pane = if *layers { "layers" } else { "main" };
    let tabs = Tab::ALL.into_iter().map(|tab| {
        let (dispatch, layers) = (dispatch.clone(), layers.clone());
        let selected = tab == state.route.tab && !*layers;
        let onclick = move |_| {
            layers.set(false);
            dispatch.emit(Action::Tab(tab));
        };
        html! { <button role="tab" id={format!("tab-{}", tab.name())} aria-selected={selected.to_string()} {onclick}>{ tab.title() }</button> }
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
    html! {
        <div class="inspect">
            <TopBar reference={state.route.reference.clone()} platforms={Rc::clone(&state.platforms)} platform={state.platform.clone()}
                connection={state.connection.clone()} dispatch={dispatch.clone()} />
            <ChainBar chain={Rc::clone(&state.chain)} sizes={state.sizes} known={state.image.is_some()} />
            <main class={classes!("panes", alone.then_some("alone"))} data-pane={pane} data-tab={state.route.tab.name()}>
                <div class="pane left">
                    <Layers image={state.image.clone()} progress={Rc::clone(&state.layers)} failures={Rc::clone(&state.layer_failures)}
                        chosen={state.chosen_layer().filter(|_| about_layer)} dispatch={on_layer} />
                </div>
                <div class="pane middle">
                    <div class="tabs" role="tablist" aria-label="Views">
                        <button class="narrow" role="tab" aria-selected={layers.to_string()} onclick={on_layers}>{ "Layers" }</button>
                        { for tabs }
                        <span class="end"><CopyLink route={pinned_route(state).map(|route| route.to_string())} /></span>
                    </div>
                    <Failures failure={state.failure.clone()} layers={Rc::clone(&state.layer_failures)} dispatch={dispatch.clone()} />
                    <div class="panel" role="tabpanel" aria-labelledby={format!("tab-{}", state.route.tab.name())}>
                        { panel(state, dispatch) }
                    </div>
                </div>
                <aside class={classes!("pane", "right", state.selection.as_ref().map(|_| "open"))} aria-label="Facts">
                    <Facts selection={state.selection.clone()} image={state.image.clone()} progress={Rc::clone(&state.layers)}
                        content={state.content.clone()} line={line(state)} dispatch={dispatch.clone()} />
                </aside>
            </main>
            <Foot command={command(state)} fetched={state.fetched} />
            <p class="sr" role="status">{ progress_words(state) }</p>
        </div>
    }
}

fn panel(state: &Rc<State>, dispatch: &Callback<Action>) -> Html {
    match state.route.tab {
        Tab::Manifest => html! { <Documents image={state.image.clone()} /> },
        Tab::Config => html! { <Config image={state.image.clone()} /> },
        // A look that ended before its image was known has no files to list.
        Tab::Files if state.failure.is_some() && state.image.is_none() => Html::default(),
        Tab::Files => html! {
            <>
                <Tools view={state.route.view} focused={state.focused_layer()} listing={state.listing.clone()} dispatch={dispatch.clone()} />
                <Columns sort={state.listing.sort} dispatch={dispatch.clone()} />
                <Tree rows={Rc::clone(&state.rows)} listing={state.wanted_listing()} look={state.look} selection={state.selection.clone()}
                    path={state.route.path.clone()} dispatch={dispatch.clone()} />
            </>
        },
    }
}

/// The line that the address names.
fn line(state: &State) -> Option<u32> {
    let (_, line) = state.route.unknown.iter().find(|(key, _)| key == "line")?;
    line.parse().ok().filter(|&line| line > 0)
}

/// For screen readers, sparingly: the beginning and the end.
fn progress_words(state: &State) -> &'static str {
    match (&state.image, state.settled, worst(state.failure.as_deref(), &state.layer_failures)) {
        (_, _, Some(_)) => "",
        (None, ..) => "Looking",
        (Some(_), false, None) => "Layers are being read",
        (Some(_), true, None) => "All layers are verified",
    }
}

#[derive(Properties, PartialEq)]
struct CopyLinkProps {
    route: Option<String>,
}

/// Copies a link that shows the same for ever.
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

/// A key belongs to the field that is typed in, or to the browser.
fn is_typing(event: &KeyboardEvent) -> bool {
    let field = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let field = field.is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "SELECT" | "TEXTAREA"));
    field || event.ctrl_key() || event.meta_key() || event.alt_key()
}

fn key(key: &str, state: &State, dispatch: &Callback<Action>) -> bool {
    match key {
        "?" => dispatch.emit(Action::Dialog(Some(Dialog::Help))),
        "Escape" if state.route.path.is_some() => dispatch.emit(Action::Select(None)),
        "[" => dispatch.emit(Action::StepLayer(-1)),
        "]" => dispatch.emit(Action::StepLayer(1)),
        "m" => dispatch.emit(Action::View(ViewMode::Merged)),
        "s" => {
            dispatch.emit(Action::Sort(if state.listing.sort == RowSort::Name { RowSort::Size } else { RowSort::Name }))
        }
        "/" => with_element("filter", |element| {
            let _ = element.focus();
        }),
        "c" => with_element("copy-command", HtmlElement::click),
        "y" => with_element("copy-link", HtmlElement::click),
        _ => return false,
    }
    true
}

fn with_element(id: &str, act: impl FnOnce(&HtmlElement)) {
    let element =
        web_sys::window().and_then(|window| window.document()).and_then(|document| document.get_element_by_id(id));
    if let Some(element) = element.and_then(|element| element.dyn_into::<HtmlElement>().ok()) {
        act(&element);
    }
}
