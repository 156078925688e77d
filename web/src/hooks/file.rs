//! Files of this machine: dropped on the page, or chosen in the browser's dialog.

use std::{cell::RefCell, rc::Rc};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use web_sys::{DragEvent, File, HtmlElement, HtmlInputElement};
use yew::prelude::*;

/// Files that were opened since the page was loaded, the last one at the end. One that has the name of another replaces it.
pub type OpenedFiles = Rc<RefCell<Vec<File>>>;

/// Keeps a file.
pub fn keep(files: &OpenedFiles, file: File) {
    let mut files = files.borrow_mut();
    files.retain(|other| other.name() != file.name());
    files.push(file);
}

/// Opens the browser's dialog. Must be called while a click or a key is handled.
pub fn choose() {
    let document = web_sys::window().and_then(|window| window.document());
    let input = document.and_then(|document| document.get_element_by_id(INPUT));
    if let Some(input) = input.and_then(|input| input.dyn_into::<HtmlElement>().ok()) {
        input.click();
    }
}

/// The input behind [`choose`]. `opened` takes the file.
pub fn input(opened: Callback<File>) -> Html {
    let onchange = move |event: Event| {
        let input: HtmlInputElement = event.target_unchecked_into();
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            // The same file can be chosen again.
            input.set_value("");
            opened.emit(file);
        }
    };
    html! { <input id={INPUT} type="file" hidden=true aria-label="Image archive" tabindex="-1" {onchange} /> }
}

/// Takes files that are dropped anywhere on the page, for as long as it lives. While one is over the page, `data-drop` is
/// set on its root element.
pub fn take_drops(opened: Callback<File>) {
    let on_drag = move |event: DragEvent| {
        let Some(transfer) = event.data_transfer() else { return };
        if !transfer.types().includes(&JsValue::from_str("Files"), 0) {
            return;
        }
        // Without this the browser leaves the page and shows the file.
        event.prevent_default();
        let left = event.type_() == "dragleave" && event.related_target().is_none();
        let dropped = event.type_() == "drop";
        show(!left && !dropped);
        if let Some(file) = transfer.files().and_then(|files| files.get(0)).filter(|_| dropped) {
            opened.emit(file);
        }
    };
    let on_drag = Closure::<dyn FnMut(DragEvent)>::new(on_drag);
    if let Some(window) = web_sys::window() {
        for event in ["dragover", "dragleave", "drop"] {
            let _ = window.add_event_listener_with_callback(event, on_drag.as_ref().unchecked_ref());
        }
    }
    on_drag.forget();
}

fn show(over: bool) {
    let root = web_sys::window().and_then(|window| window.document()).and_then(|document| document.document_element());
    if let Some(root) = root {
        let _ = root.toggle_attribute_with_force("data-drop", over);
    }
}

const INPUT: &str = "file-input";
