//! The dialog for a user name and a password. Both go to the session's memory and nowhere else.

use super::{modal::Modal, words::bdi};
use porthole_viewer::protocol::Secret;
use porthole_viewer::state::Action;
use web_sys::HtmlInputElement;
use yew::prelude::*;

/// Properties of [`SignIn`].
#[derive(Properties, PartialEq)]
pub struct SignInProps {
    /// Registry, as references name it.
    pub registry: String,
    /// Others were sent and refused.
    pub refused: bool,
    /// The relay that they go through.
    pub relay: Option<String>,
    /// Receives the actions of the component.
    pub dispatch: Callback<Action>,
}

/// The dialog for a user name and a password.
#[component]
pub fn SignIn(props: &SignInProps) -> Html {
    let (user, password) = (use_node_ref(), use_node_ref());
    use_effect_with((), {
        let user = user.clone();
        move |()| {
            if let Some(user) = user.cast::<HtmlInputElement>() {
                let _ = user.focus();
            }
        }
    });
    let onsubmit = {
        let (user, password) = (user.clone(), password.clone());
        let (dispatch, registry) = (props.dispatch.clone(), props.registry.clone());
        Callback::from(move |event: SubmitEvent| {
            event.prevent_default();
            let (Some(user), Some(password)) = (user.cast::<HtmlInputElement>(), password.cast::<HtmlInputElement>())
            else {
                return;
            };
            let secret = Secret(password.value());
            password.set_value("");
            dispatch.emit(Action::SignIn { registry: registry.clone(), username: user.value(), password: secret });
        })
    };
    let close = props.dispatch.reform(|()| Action::Dialog(None));
    html! {
        <Modal id="signin" label="Sign in" on_close={close.clone()}>
            <h2>{ "Sign in to " }{ bdi(&props.registry) }</h2>
            if props.refused {
                <p class="error">{ "✗ The registry refused these credentials." }</p>
            }
            <p class="dim">
                { "Kept in this tab's memory until it is closed; sent to " }{ bdi(&props.registry) }
                if let Some(relay) = &props.relay {
                    { " through the relay at " }<code>{ bdi(relay) }</code>
                }
                { " and the token service it names." }
            </p>
            <form {onsubmit}>
                <label>{ "User name" }<input id="signin-user" ref={user} autocomplete="username" autocapitalize="off" spellcheck="false" required=true /></label>
                <label>{ "Password or token" }<input id="signin-password" ref={password} type="password" autocomplete="current-password" required=true /></label>
                <div class="actions">
                    <button type="button" onclick={close.reform(|_| ())}>{ "Cancel" }</button>
                    <button id="signin-submit" class="primary" type="submit">{ "Sign in" }</button>
                </div>
            </form>
        </Modal>
    }
}
