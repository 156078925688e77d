//! Files and folders of this machine: dropped on the page, or chosen in the browser's dialog.

use super::{folder, opened::Opened};
use js_sys::{Array, Reflect};
use wasm_bindgen::{JsCast as _, JsValue, closure::Closure};
use wasm_bindgen_futures::spawn_local;
use web_sys::{DragEvent, FileList, HtmlElement, HtmlInputElement};
use yew::prelude::*;

/// Each file of a list.
fn files(list: &FileList) -> Vec<Opened> {
    let files = (0..list.length()).filter_map(|at| list.get(at));
    files.map(|file| Opened { name: file.name(), handle: file.into() }).collect()
}

/// The folder that all files of a list are in.
fn folder(list: &FileList) -> Vec<Opened> {
    let (mut name, files) = (String::new(), Array::new());
    for file in (0..list.length()).filter_map(|at| list.get(at)) {
        let path = Reflect::get(&file, &"webkitRelativePath".into()).ok().and_then(|path| path.as_string());
        if let Some((root, path)) = path.unwrap_or_default().split_once('/') {
            name = root.to_owned();
            files.push(&Array::of2(&path.into(), &file));
        }
    }
    if files.length() == 0 { Vec::new() } else { vec![Opened { name, handle: files.into() }] }
}

/// Opens the browser's dialog for files. Must be called while a click or a key is handled.
pub fn choose() {
    click(INPUT);
}

/// Opens the browser's dialog for a folder. Must be called while a click or a key is handled.
pub fn choose_folder() {
    click(FOLDER);
}

fn click(id: &str) {
    let document = web_sys::window().and_then(|window| window.document());
    let input = document.and_then(|document| document.get_element_by_id(id));
    if let Some(input) = input.and_then(|input| input.dyn_into::<HtmlElement>().ok()) {
        input.click();
    }
}

/// The inputs behind [`choose`] and [`choose_folder`]. `opened` takes what was chosen.
pub fn inputs(opened: Callback<Vec<Opened>>) -> Html {
    let onchange = |read: fn(&FileList) -> Vec<Opened>| {
        let opened = opened.clone();
        move |event: Event| {
            let input: HtmlInputElement = event.target_unchecked_into();
            let chosen = input.files().map(|list| read(&list)).unwrap_or_default();
            // The same can be chosen again.
            input.set_value("");
            opened.emit(chosen);
        }
    };
    html! {
        <>
            <input id={INPUT} type="file" multiple=true hidden=true aria-label="Image archives" tabindex="-1" onchange={onchange(files)} />
            <input id={FOLDER} type="file" webkitdirectory=true hidden=true aria-label="Folder of an image" tabindex="-1" onchange={onchange(folder)} />
        </>
    }
}

/// Takes files and folders that are dropped anywhere on the page, for as long as it lives; `failed` takes why they cannot be read. While one is over the page, `data-drop` is
/// set on its root element.
pub fn take_drops(opened: Callback<Vec<Opened>>, failed: Callback<String>) {
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
        if !dropped {
            return;
        }
        // The entries are gone when the event has been handled.
        let entries = folder::entries(&transfer);
        if entries.iter().any(web_sys::FileSystemEntry::is_directory) {
            let (opened, failed) = (opened.clone(), failed.clone());
            spawn_local(async move {
                match folder::read(entries).await {
                    Ok(all) => opened.emit(all),
                    Err(text) => failed.emit(text),
                }
            });
        } else if let Some(list) = transfer.files() {
            opened.emit(files(&list));
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
const FOLDER: &str = "folder-input";
