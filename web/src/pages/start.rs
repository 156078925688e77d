//! The first page: one input.

use crate::components::{mark::mark, topbar::ReferenceInput, words::bdi};
use crate::hooks::file;
use porthole_viewer::address::Address;
use porthole_viewer::protocol::RelayMode;
use porthole_viewer::state::{Action, Dialog, RecentAction, RecentReference, SAMPLE, State};
use std::rc::Rc;
use yew::prelude::*;

const EXAMPLES: [&str; 3] = ["debian:12", "nginx", "quay.io/prometheus/prometheus"];

/// The first page.
pub fn start_page(state: &State, dispatch: &Callback<Action>) -> Html {
    let relayed = state.relay.is_some() && state.relay_settings.mode != RelayMode::Never;
    let trust = if relayed {
        "Every byte is checked in this tab. Nothing you open is sent to anyone but its registry and the relay you chose."
    } else {
        "Every byte is checked in this tab. Nothing you open is sent to anyone but its registry."
    };
    let examples =
        EXAMPLES.iter().map(|reference| html! { <a href={Address::of(*reference).to_string()}>{ *reference }</a> });
    html! {
        <div class="start">
            <button class="plain corner" id="settings-open" onclick={dispatch.reform(|_| Action::Dialog(Some(Dialog::Settings)))}>
                { "Settings" }
            </button>
            <main>
                { mark(56) }
                <h1>{ "Look inside any container image" }</h1>
                <p class="trust">{ trust }</p>
                <ReferenceInput value="" focus=true recent={Rc::clone(&state.recent)} on_look={dispatch.reform(Action::Look)} />
                <nav class="examples" aria-label="Examples">
                    { for examples }
                    <button class="plain" id="file-open" onclick={|_| file::choose()}>{ "Open a file" }</button>
                    <button class="plain" id="folder-open" onclick={|_| file::choose_folder()}>{ "Open a folder" }</button>
                    <button class="plain" id="sample" onclick={dispatch.reform(|_| Action::Look(SAMPLE.to_owned()))}>
                        { "Try the sample, offline" }
                    </button>
                </nav>
                <p class="drop">{ "Or drop on this page: an archive of " }<code>{ "docker save" }</code>{ " or of an OCI image, packed or not, the folder of an OCI layout, or a single layer; two of them are compared. It is read on this machine and uploaded nowhere." }</p>
                if !state.recent.is_empty() {
                    <section class="recent" aria-labelledby="recent-title">
                        <h2 id="recent-title">{ "Opened before, on this machine" }</h2>
                        <ul>{ for state.recent.iter().map(|known| opened(known, dispatch)) }</ul>
                    </section>
                }
                if let Some(failure) = &state.failure {
                    <div class="alert" role="alert" data-kind={failure.kind.word()}>{ &failure.text }</div>
                }
            </main>
        </div>
    }
}

/// A reference that was opened before, with what can be done about it.
fn opened(known: &RecentReference, dispatch: &Callback<Action>) -> Html {
    let RecentReference { reference, pinned } = known.clone();
    let pin = {
        let reference = reference.clone();
        dispatch.reform(move |_| Action::Recent(RecentAction::Pin(reference.clone(), !pinned)))
    };
    let forget = {
        let reference = reference.clone();
        dispatch.reform(move |_| Action::Recent(RecentAction::Forget(reference.clone())))
    };
    html! {
        <li key={reference.clone()} data-recent={reference.clone()}>
            <button class="plain" aria-pressed={pinned.to_string()} aria-label={format!("Pin {reference}")} title="Keep it at the top" onclick={pin}>{ if pinned { "★" } else { "☆" } }</button>
            <a class="mono" href={Address::of(reference.as_str()).to_string()}>{ bdi(&reference) }</a>
            <button class="plain" aria-label={format!("Forget {reference}")} title="Forget it" onclick={forget}>{ "×" }</button>
        </li>
    }
}
