//! The origin private file system, as a worker calls it.

use js_sys::{AsyncIterator, IteratorNext, Object, Reflect};
use wasm_bindgen::{JsCast as _, prelude::*};
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["navigator", "storage"], js_name = getDirectory)]
    async fn get_root() -> Result<JsValue, JsValue>;

    /// `FileSystemDirectoryHandle`
    #[derive(Clone)]
    pub(crate) type Directory;

    #[wasm_bindgen(method, catch, js_name = getDirectoryHandle)]
    pub(crate) async fn directory(this: &Directory, name: &str, options: &Object) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = getFileHandle)]
    pub(crate) async fn file(this: &Directory, name: &str, options: &Object) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = removeEntry)]
    pub(crate) async fn remove(this: &Directory, name: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method)]
    fn values(this: &Directory) -> AsyncIterator;

    /// `FileSystemHandle`, of a file wherever bytes are meant.
    pub(crate) type Handle;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn name(this: &Handle) -> String;

    #[wasm_bindgen(method, getter)]
    pub(crate) fn kind(this: &Handle) -> String;

    #[wasm_bindgen(method, catch, js_name = getFile)]
    pub(crate) async fn snapshot(this: &Handle) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = createSyncAccessHandle)]
    pub(crate) async fn access(this: &Handle) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch, js_name = move)]
    pub(crate) async fn rename(this: &Handle, name: &str) -> Result<JsValue, JsValue>;
}

/// The directory of this page's origin.
pub(crate) async fn root() -> Result<Directory, JsValue> {
    Ok(get_root().await?.unchecked_into())
}

impl Directory {
    /// Lists its entries.
    pub(crate) async fn list(&self) -> Result<Vec<Handle>, JsValue> {
        let entries = self.values();
        let mut handles = Vec::new();
        loop {
            let next: IteratorNext = JsFuture::from(entries.next()?).await?.unchecked_into();
            if next.done() {
                return Ok(handles);
            }
            handles.push(next.value().unchecked_into());
        }
    }
}

/// Options of `getFileHandle`: whether a missing file is created.
pub(crate) fn create(create: bool) -> Object {
    let options = Object::new();
    // Fails for frozen objects only.
    let _ = Reflect::set(&options, &"create".into(), &create.into());
    options
}
