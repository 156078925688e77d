//! A text file of this machine, chosen in the browser's dialog.

use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{Event, File, HtmlInputElement};
use yew::prelude::*;

/// A button with these words that chooses a file. `chosen` takes its name and its text; a file that cannot be read, or is larger than 64 MiB, is an empty text.
pub fn text_input(id: &'static str, words: &'static str, chosen: Callback<(String, String)>) -> Html {
    let onchange = move |event: Event| {
        let input: HtmlInputElement = event.target_unchecked_into();
        let Some(file) = input.files().and_then(|files| files.get(0)) else { return };
        // The same can be chosen again.
        input.set_value("");
        let chosen = chosen.clone();
        spawn_local(async move { chosen.emit((file.name(), text(&file).await.unwrap_or_default())) });
    };
    html! { <label class="choose">{ words }<input {id} type="file" accept=".json,.pem,.pub,.txt" {onchange} /></label> }
}

async fn text(file: &File) -> Option<String> {
    if file.size() > LARGEST {
        return None;
    }
    let file: &web_sys::Blob = file.unchecked_ref();
    JsFuture::from(file.text()).await.ok()?.as_string()
}

/// Bytes of a file that is read whole.
const LARGEST: f64 = 67_108_864.0;
