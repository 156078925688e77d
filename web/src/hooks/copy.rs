//! Copying text, with an answer.

use wasm_bindgen_futures::{JsFuture, spawn_local};
use yew::prelude::*;

/// The result of a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Copied {
    /// Nothing was copied yet.
    #[default]
    No,
    /// It is on the clipboard.
    Yes,
    /// The browser lets this page copy nothing: the text must be shown to be copied by hand.
    Refused,
}

/// Copies to the clipboard; the answer goes back to `No` after two seconds.
#[hook]
pub fn use_copy() -> (Copied, Callback<String>) {
    let copied = use_state(Copied::default);
    let pause = use_mut_ref(|| None);
    let copy = {
        let copied = copied.clone();
        Callback::from(move |text: String| {
            let (copied, pause) = (copied.clone(), pause.clone());
            spawn_local(async move {
                let done = write(&text).await;
                copied.set(if done { Copied::Yes } else { Copied::Refused });
                let again = copied.clone();
                if done {
                    *pause.borrow_mut() = super::clock::Pause::new(2_000, move || again.set(Copied::No));
                }
            });
        })
    };
    (*copied, copy)
}

/// Outside a secure context (a page on plain HTTP from another machine) there is no clipboard.
async fn write(text: &str) -> bool {
    let Some(window) = web_sys::window().filter(web_sys::Window::is_secure_context) else { return false };
    JsFuture::from(window.navigator().clipboard().write_text(text)).await.is_ok()
}
