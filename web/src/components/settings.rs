//! The settings: relay, what is kept, theme.

use super::{field::write, modal::Modal};
use crate::hooks::{storage, text_file::text_input};
use porthole_viewer::protocol::{RelayMode, RelaySettings};
use porthole_viewer::state::{Action, PolicyAction, RecentAction, State};
use porthole_viewer::words::size;
use std::rc::Rc;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;

/// Properties of [`Settings`].
#[derive(Properties, PartialEq)]
pub struct SettingsProps {
    /// State of the page.
    pub state: Rc<State>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// The component of the settings.
#[component]
pub fn Settings(props: &SettingsProps) -> Html {
    let (state, dispatch) = (&props.state, &props.dispatch);
    let (mode, url) = (use_node_ref(), use_node_ref());
    let wrong = use_state(|| false);
    let settings = &state.relay_settings;
    use_effect_with(settings.url.clone(), {
        let url = url.clone();
        move |address| write(&url, address)
    });
    let modes = [
        (RelayMode::Auto, "where a registry does not allow a page to read it"),
        (RelayMode::Always, "always"),
        (RelayMode::Never, "never"),
    ];
    let modes = modes.into_iter().map(|(this, words)| {
        html! { <option value={storage::name_of(this)} selected={this == settings.mode}>{ words }</option> }
    });
    let kept = state.kept.clone().unwrap_or_default();
    let theme = storage::theme();
    let themes = [("", "as the system"), ("light", "light"), ("dark", "dark")].into_iter().map(|(this, words)| {
        html! { <option value={this} selected={this == theme}>{ words }</option> }
    });
    let on_theme = |event: Event| storage::keep_theme(&event.target_unchecked_into::<HtmlSelectElement>().value());
    let onsubmit = {
        let (mode, url, wrong, dispatch) = (mode.clone(), url.clone(), wrong.clone(), dispatch.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let (Some(mode), Some(url)) = (mode.cast::<HtmlSelectElement>(), url.cast::<HtmlInputElement>()) else {
                return;
            };
            let Some(address) = relay_address(&url.value()) else { return wrong.set(true) };
            dispatch.emit(Action::Dialog(None));
            dispatch.emit(Action::Relay(RelaySettings { mode: storage::mode_of(&mode.value()), url: address }));
        })
    };
    let close = dispatch.reform(|()| Action::Dialog(None));
    html! {
        <Modal id="settings" label="Settings" on_close={close.clone()}>
            <h2>{ "Settings" }</h2>
            <form {onsubmit}>
                <label>{ "Use a relay" }<select id="relay-mode" ref={mode}>{ for modes }</select></label>
                <label>
                    { "Relay" }
                    <input id="relay-url" ref={url} type="text" inputmode="url" autocomplete="off" spellcheck="false"
                        placeholder="http://127.0.0.1:8090" />
                </label>
                if *wrong {
                    <p class="error" role="alert">{ "✗ A relay is an address that begins with https://, or http://127.0.0.1 or http://localhost." }</p>
                }
                <p class="dim">
                    if state.relay_serves_page {
                        { "A relay serves this page: leave the address empty to use it. " }
                    }
                    { "A relay forwards what registries send. It can refuse, but a byte that it changes is detected. It sees which images you open." }
                </p>
                <div class="kept">
                    <p id="kept" class="dim" data-bytes={kept.bytes.to_string()} data-layers={kept.layers.to_string()}>
                        { format!("Kept for the next visit: {} of {}, the file lists of ", size(kept.bytes), size(kept.most)) }
                        { if kept.layers == 1 { "one layer.".to_owned() } else { format!("{} layers.", kept.layers) } }
                    </p>
                    if let Some(lack) = &kept.lack {
                        <p id="kept-lack" class="dim">{ format!("No more is kept: {lack}.") }</p>
                    }
                    <button id="kept-wipe" type="button" disabled={kept.bytes == 0} onclick={dispatch.reform(|_| Action::WipeKept)}>{ "Remove all" }</button>
                </div>
                <p class="recent-choice">
                    <input id="recent-keep" type="checkbox" checked={state.keeps_recent} onchange={dispatch.reform(|event: Event| {
                        Action::Recent(RecentAction::Keep(event.target_unchecked_into::<HtmlInputElement>().checked()))
                    })} />
                    <label for="recent-keep">{ "Keep the references that I open, in this browser" }</label>
                    <button type="button" id="recent-wipe" class="small" disabled={state.recent.is_empty()} onclick={dispatch.reform(|_| Action::Recent(RecentAction::Wipe))}>{ "Forget them" }</button>
                </p>
                <p class="recent-choice">
                    <span id="trust-root" data-bytes={state.trust_root.len().to_string()}>{ "Trust root of signatures: " }{ if state.trust_root.is_empty() { "Sigstore's public one".to_owned() } else { format!("your own, {}", size(state.trust_root.len() as u64)) } }</span>
                    { text_input("trust-root-file", "From a file", dispatch.reform(|(_, text)| Action::Policy(PolicyAction::Root(text)))) }
                    <button type="button" id="trust-root-wipe" class="small" disabled={state.trust_root.is_empty()} onclick={dispatch.reform(|_| Action::Policy(PolicyAction::Root(String::new())))}>{ "Sigstore's" }</button>
                </p>
                <label>{ "Theme" }<select id="theme" onchange={on_theme}>{ for themes }</select></label>
                <div class="actions">
                    <button type="button" onclick={close.reform(|_| ())}>{ "Cancel" }</button>
                    <button id="settings-save" class="primary" type="submit">{ "Save" }</button>
                </div>
            </form>
        </Modal>
    }
}

/// The base URL of a relay without its trailing slash, empty for none; `None` if the text is no such address.
fn relay_address(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('/');
    if text.is_empty() {
        return Some(String::new());
    }
    let (scheme, rest) = text.split_once("://")?;
    let authority = rest.split('/').next().unwrap_or_default();
    let plain = !authority.is_empty() && !rest.contains(['@', '?', '#', '\\', ' ']);
    let host = authority
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(authority, |(host, _)| host);
    // The page's policy (`connect-src`) names these two; a relay at another loopback address could not be reached.
    let here = matches!(host, "localhost" | "127.0.0.1");
    match scheme.to_ascii_lowercase().as_str() {
        "https" if plain => Some(text.to_owned()),
        "http" if plain && here => Some(text.to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::relay_address;

    #[test]
    fn addresses_of_relays() {
        let good = ["", "http://127.0.0.1:8090", "http://localhost", "https://relay.example/porthole", "HTTPS://h"];
        for text in good {
            assert_eq!(relay_address(&format!(" {text}/")).as_deref(), Some(text));
        }
        for text in [
            "relay",
            "http://relay.example",
            "ftp://127.0.0.1",
            "http://[::1]:80",
            "https://",
            "https://u@h",
            "http://127.0.0.1@evil",
            "https://h?x",
            "http://127.0.0.1.evil:80",
        ] {
            assert_eq!(relay_address(text), None, "{text}");
        }
    }
}
