//! The bar at the top: reference, platform and route.

use super::{mark::mark, words::shown};
use crate::hooks::file;
use porthole_viewer::protocol::RegistryRoute as Way;
use porthole_viewer::session::GIVEN;
use porthole_viewer::state::{Action, Dialog, LookRoute, RecentReference};
use std::rc::Rc;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

/// Properties of [`TopBar`].
#[derive(Properties, PartialEq)]
pub struct TopBarProps {
    /// The reference as typed.
    pub reference: Option<String>,
    /// Platforms to choose from.
    pub platforms: Rc<Vec<String>>,
    /// The platform looked at.
    pub platform: Option<String>,
    /// How the registry is reached.
    pub connection: Option<Rc<LookRoute>>,
    /// References that were opened before.
    pub recent: Rc<Vec<RecentReference>>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// The bar at the top.
#[component]
pub fn TopBar(props: &TopBarProps) -> Html {
    let dispatch = &props.dispatch;
    let open = |dialog: Dialog| dispatch.reform(move |_: MouseEvent| Action::Dialog(Some(dialog.clone())));
    let connection = props.connection.as_ref().map(|connection| {
        let (route, words) = match connection.way {
            Way::Direct => ("direct", "direct"),
            Way::Relay => ("relay", "via relay"),
            Way::Page if connection.registry == GIVEN => ("file", "a local file"),
            Way::Page => ("page", "in this page"),
        };
        html! {
            <button id="connection" class="pill" data-route={route} aria-haspopup="dialog" title="Why?" onclick={open(Dialog::Connection)}>
                <i aria-hidden="true" />{ words }
            </button>
        }
    });
    html! {
        <header class="topbar">
            <a class="home" href="#" aria-label="Porthole: start page">{ mark(22) }<span>{ "Porthole" }</span></a>
            <ReferenceInput value={props.reference.as_deref().map(shown).unwrap_or_default()} recent={Rc::clone(&props.recent)} on_look={dispatch.reform(Action::Look)}>
                <Platforms available={Rc::clone(&props.platforms)} chosen={props.platform.clone()} dispatch={dispatch.clone()} />
            </ReferenceInput>
            { for connection }
            <button id="file-open" class="pill" aria-label="Open file" title="Open a file of this machine (o)" onclick={|_| file::choose()}>
                <span class="words">{ "Open file" }</span><span class="icon" aria-hidden="true">{ "⊕" }</span>
            </button>
            <button id="settings-open" class="pill" aria-label="Settings" onclick={open(Dialog::Settings)}>
                <span class="words">{ "Settings" }</span><span class="icon" aria-hidden="true">{ "⚙\u{fe0e}" }</span>
            </button>
            <button id="help-open" class="round" aria-label="Keys" title="Keys" onclick={open(Dialog::Help)}>{ "?" }</button>
        </header>
    }
}

#[derive(Properties, PartialEq)]
struct PlatformsProps {
    available: Rc<Vec<String>>,
    chosen: Option<String>,
    dispatch: Callback<Action>,
}

/// A choice of platforms; the platform alone, if there is only one.
#[component]
fn Platforms(props: &PlatformsProps) -> Html {
    let select = use_node_ref();
    let chosen = props.chosen.clone().unwrap_or_default();
    let mut names: Vec<String> = props.available.to_vec();
    if !names.contains(&chosen) {
        names.insert(0, chosen.clone());
    }
    // What a person chose outlives the attribute that says what is chosen.
    use_effect_with((chosen.clone(), names.clone()), {
        let select = select.clone();
        move |(chosen, _)| {
            if let Some(select) = select.cast::<HtmlSelectElement>() {
                select.set_value(chosen);
            }
        }
    });
    if names == [""] {
        return Html::default();
    }
    let disabled = props.available.len() < 2;
    let to_action = |event: Event| Action::Platform(event.target_unchecked_into::<HtmlSelectElement>().value());
    let onchange = props.dispatch.reform(to_action);
    let options = names.into_iter().map(|name| {
        let title = if name.is_empty() { "choose a platform".to_owned() } else { shown(&name) };
        html! { <option key={name.clone()} value={name}>{ title }</option> }
    });
    html! { <select id="platform" ref={select} aria-label="Platform" {disabled} {onchange}>{ for options }</select> }
}

/// Properties of [`ReferenceInput`].
#[derive(Properties, PartialEq)]
pub struct ReferenceInputProps {
    /// What it shows until a person types.
    #[prop_or_default]
    pub value: AttrValue,
    /// Puts the caret in it.
    #[prop_or_default]
    pub focus: bool,
    /// References that were opened before: what is typed is completed from them.
    pub recent: Rc<Vec<RecentReference>>,
    /// Takes what was typed.
    pub on_look: Callback<String>,
    /// Stands between the input and its button.
    #[prop_or_default]
    pub children: Html,
}

/// The input for a reference, and its button.
#[component]
pub fn ReferenceInput(props: &ReferenceInputProps) -> Html {
    let input = use_node_ref();
    use_effect_with((props.value.clone(), props.focus), {
        let input = input.clone();
        move |(value, focus)| {
            if let Some(input) = input.cast::<HtmlInputElement>() {
                input.set_value(value);
                if *focus {
                    let _ = input.focus();
                }
            }
        }
    });
    let onsubmit = {
        let (input, on_look) = (input.clone(), props.on_look.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            if let Some(input) = input.cast::<HtmlInputElement>() {
                on_look.emit(input.value());
            }
        })
    };
    html! {
        <form role="search" {onsubmit}>
            <input id="reference" ref={input} type="text" inputmode="url" autocomplete="off" autocapitalize="off" autocorrect="off"
                spellcheck="false" list="recent" enterkeyhint="go" aria-label="Image reference" placeholder="nginx:1.29, ghcr.io/org/app@sha256:…" />
            <datalist id="recent">{ for props.recent.iter().map(|known| html! { <option value={known.reference.clone()} /> }) }</datalist>
            { props.children.clone() }
            <button id="look" class="primary" type="submit">{ "Look inside" }</button>
        </form>
    }
}
