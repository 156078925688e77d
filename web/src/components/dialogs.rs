//! The dialogs, of which one is open at a time.

use super::{
    modal::Modal,
    settings::Settings,
    signin::SignIn,
    words::{bdi, shown},
};
use porthole_viewer::protocol::{RegistryRoute as Way, RouteReason};
use porthole_viewer::session::GIVEN;
use porthole_viewer::state::{Action, Dialog, LookRoute, State};
use std::rc::Rc;
use yew::prelude::*;

/// The open dialog, if any.
pub fn dialog(state: &Rc<State>, dispatch: &Callback<Action>) -> Html {
    let close = dispatch.reform(|()| Action::Dialog(None));
    match &state.dialog {
        None => Html::default(),
        Some(Dialog::Settings) => html! { <Settings state={Rc::clone(state)} dispatch={dispatch.clone()} /> },
        Some(Dialog::SignIn { registry, refused }) => {
            let relay = via_relay(state).map(str::to_owned);
            html! { <SignIn registry={registry.clone()} refused={*refused} {relay} dispatch={dispatch.clone()} /> }
        }
        Some(Dialog::RelayPassword { registry, relay }) => relay_password(registry, relay, dispatch),
        Some(Dialog::Connection) => html! {
            <Modal id="why" label="Connection" on_close={close.clone()}>
                { for state.connection.as_ref().map(|connection| why(connection, state)) }
                <div class="actions">
                    <button onclick={dispatch.reform(|_| Action::Dialog(Some(Dialog::Settings)))}>{ "Settings" }</button>
                    <button class="primary" onclick={close.reform(|_| ())}>{ "Close" }</button>
                </div>
            </Modal>
        },
        Some(Dialog::Help) => html! {
            <Modal id="help" label="Keys" on_close={close.clone()}>
                <h2>{ "Keys" }</h2>
                <dl class="keys">{ for KEYS.iter().map(key) }</dl>
                <div class="actions"><button class="primary" onclick={close.reform(|_| ())}>{ "Close" }</button></div>
            </Modal>
        },
    }
}

/// The relay that this look goes through.
fn via_relay(state: &State) -> Option<&str> {
    let relayed = state.connection.as_ref().is_some_and(|connection| connection.way == Way::Relay);
    state.relay.as_deref().filter(|_| relayed)
}

fn relay_password(registry: &str, relay: &str, dispatch: &Callback<Action>) -> Html {
    let answer = |allow| dispatch.reform(move |_: MouseEvent| Action::AllowRelayPassword(allow));
    html! {
        <Modal id="relay-password" label="Password through a relay" on_close={dispatch.reform(|()| Action::AllowRelayPassword(false))}>
            <h2>{ "Send your password through the relay?" }</h2>
            <p>{ "The password for " }<b>{ bdi(registry) }</b>{ " would go through " }<code>{ bdi(relay) }</code>{ "." }</p>
            <p class="warning">{ "That relay is not on this machine: its operator can read the password." }</p>
            <div class="actions">
                <button data-answer="no" onclick={answer(false)}>{ "Do not send it" }</button>
                <button data-answer="yes" class="primary" onclick={answer(true)}>{ "Send it" }</button>
            </div>
        </Modal>
    }
}

fn why(connection: &LookRoute, state: &State) -> Html {
    let registry = &connection.registry;
    let (title, which) = match connection.way {
        Way::Direct => (format!("Direct to {registry}"), "This page speaks to the registry directly.".to_owned()),
        Way::Relay => {
            let relay = state.relay.as_deref().unwrap_or("the relay");
            let which = format!(
                "This page speaks to {relay}, which passes bytes on. It cannot change them unnoticed: every digest is checked here."
            );
            (format!("{registry} through a relay"), which)
        }
        Way::Page if connection.registry == GIVEN => (
            "A file of this machine".to_owned(),
            "This page reads the file itself, range by range. Nothing is uploaded, and nothing is fetched.".to_owned(),
        ),
        Way::Page => (
            "In this page".to_owned(),
            "This image ships with the page. Nothing is fetched from a registry.".to_owned(),
        ),
    };
    let reason = match connection.reason {
        RouteReason::First => "A direct connection is tried first, and the registry allows this page to read it.",
        RouteReason::Chosen => "You chose this in the settings.",
        RouteReason::KnownWithoutCors => {
            "This registry is known to send no CORS headers, so a page cannot read it directly."
        }
        RouteReason::NoCors => {
            "The registry answered, but without the CORS headers that would let this page read its answer."
        }
        RouteReason::Preflight => "The registry refuses the preflight that a browser sends before it signs in.",
        RouteReason::Unreachable => "The registry could not be reached from this browser.",
        RouteReason::Local => "It needs no connection.",
    };
    html! { <><h2>{ bdi(&title) }</h2><p>{ shown(&which) }</p><p class="dim">{ reason }</p></> }
}

/// The keys that work, and what they do.
const KEYS: [(&[&str], &str); 19] = [
    (&["↑", "↓"], "the row above, below"),
    (&["→", "←"], "open a directory; close it, or go to its parent"),
    (&["Enter"], "open or close a directory; read a file"),
    (&["f"], "follow a symbolic link"),
    (&["t"], "go to the files"),
    (&["Home", "End"], "the first, the last row"),
    (&["PgUp", "PgDn"], "a page up, down"),
    (&["Esc"], "back to the files; select nothing"),
    (&["/"], "filter"),
    (&["'"], "go to a name by its first letters"),
    (&["s"], "sort by the next column"),
    (&["[", "]"], "the layer below, above"),
    (&["v"], "the files as a map, as a tree"),
    (&["x"], "JSON and XML as a tree, as text"),
    (&["m"], "all layers merged"),
    (&["o"], "open a file of this machine"),
    (&["c"], "compare with another image"),
    (&["y", "Y", "J"], "copy the link, the command; save its JSON"),
    (&["?"], "these keys"),
];

fn key((keys, words): &(&[&str], &str)) -> Html {
    let keys = keys.iter().map(|key| html! { <><kbd>{ *key }</kbd>{ " " }</> });
    html! { <><dt>{ for keys }</dt><dd>{ *words }</dd></> }
}
