//! Files and folders that the user opened.

use std::{cell::RefCell, rc::Rc};
use wasm_bindgen::JsValue;

/// What was opened since the page was loaded, latest last. An item replaces another of the same name.
pub type OpenedFiles = Rc<RefCell<Vec<Opened>>>;

/// What a person opened.
pub struct Opened {
    /// Name of the file or folder.
    pub name: String,
    /// A file, or an array of the files of a folder, each a pair of its path and itself.
    pub handle: JsValue,
}

/// Keeps a file or a folder.
pub fn keep(files: &OpenedFiles, opened: Opened) {
    let mut files = files.borrow_mut();
    files.retain(|other| other.name != opened.name);
    files.push(opened);
}
