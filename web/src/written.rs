//! Files that this worker writes: an archive that a person saves.
//!
//! A file is written beside its place and takes the place when it is closed (File System Standard). One that is dropped before
//! leaves nothing.

use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use porthole_viewer::{session::ArchiveFile, size::size};
use wasm_bindgen::{JsCast as _, prelude::*};
use wasm_bindgen_futures::{JsFuture, spawn_local};

#[wasm_bindgen]
extern "C" {
    /// `FileSystemFileHandle`
    #[derive(Clone)]
    pub type FileHandle;
    #[wasm_bindgen(method, catch, js_name = createWritable)]
    fn create_writable(this: &FileHandle) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch, js_name = getFile)]
    fn get_file(this: &FileHandle) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn remove(this: &FileHandle) -> Result<Promise, JsValue>;

    /// `FileSystemWritableFileStream`
    type FileStream;
    #[wasm_bindgen(method, catch)]
    fn write(this: &FileStream, bytes: &Uint8Array) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn close(this: &FileStream) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn abort(this: &FileStream) -> Result<Promise, JsValue>;

    /// `FileSystemDirectoryHandle`
    type Folder;
    #[wasm_bindgen(method, catch, js_name = getFileHandle)]
    fn get_file_handle(this: &Folder, name: &str, options: &JsValue) -> Result<Promise, JsValue>;

    /// `StorageManager`
    type Storage;
    #[wasm_bindgen(method, catch, js_name = getDirectory)]
    fn get_directory(this: &Storage) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn estimate(this: &Storage) -> Result<Promise, JsValue>;
}

/// A file that is being written.
pub struct DiskFile {
    handle: FileHandle,
    /// `None` = it is closed.
    stream: Option<FileStream>,
    /// The person chose the place; else it is in the storage of this page.
    chosen: bool,
}

impl DiskFile {
    /// Begins a file in the place that a person chose.
    pub async fn in_place(handle: FileHandle) -> Result<Self, String> {
        Self::open(handle, true).await
    }

    /// Begins a file of about `bytes` bytes in the storage of this page, in place of one with the same name.
    pub async fn in_storage(name: &str, bytes: u64) -> Result<Self, String> {
        let storage = storage().ok_or(NO_STORAGE)?;
        let room = room(&storage).await;
        if room.is_some_and(|room| room < bytes) {
            let (wanted, room) = (size(bytes), size(room.unwrap_or_default()));
            return Err(format!("this browser gives this page room for {room}, and it takes {wanted}"));
        }
        let folder: Folder = settled(storage.get_directory()).await?.unchecked_into();
        let options = Object::new();
        let _ = Reflect::set(&options, &"create".into(), &true.into());
        let handle: FileHandle = settled(folder.get_file_handle(name, &options)).await?.unchecked_into();
        Self::open(handle, false).await
    }

    async fn open(handle: FileHandle, chosen: bool) -> Result<Self, String> {
        let stream: FileStream = settled(handle.create_writable()).await?.unchecked_into();
        Ok(Self { handle, stream: Some(stream), chosen })
    }

    /// Takes the next bytes.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        if let Some(stream) = &self.stream {
            settled(stream.write(&Uint8Array::from(bytes))).await?;
        }
        Ok(())
    }

    /// Keeps the file, and returns it.
    pub async fn close(mut self) -> Result<web_sys::Blob, String> {
        if let Some(stream) = &self.stream {
            settled(stream.close()).await?;
        }
        self.stream = None;
        Ok(settled(self.handle.get_file()).await?.unchecked_into())
    }
}

impl ArchiveFile for DiskFile {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.push(bytes).await
    }

    async fn finish(self) -> Result<Option<String>, String> {
        let chosen = self.chosen;
        let file = self.close().await?;
        if chosen {
            return Ok(None);
        }
        web_sys::Url::create_object_url_with_blob(&file).map(Some).map_err(|_| NO_STORAGE.to_owned())
    }
}

impl Drop for DiskFile {
    /// The browser makes an empty file where a person chose a place.
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            let handle = self.handle.clone();
            spawn_local(async move {
                let _ = settled(stream.abort()).await;
                let _ = settled(handle.remove()).await;
            });
        }
    }
}

fn storage() -> Option<Storage> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).ok()?;
    let storage = Reflect::get(&navigator, &"storage".into()).ok()?;
    storage.is_object().then(|| storage.unchecked_into())
}

/// Bytes that this page may still keep, if the browser says.
async fn room(storage: &Storage) -> Option<u64> {
    let estimate = settled(storage.estimate()).await.ok()?;
    let number = |name: &str| Reflect::get(&estimate, &name.into()).ok()?.as_f64();
    Some((number("quota")? - number("usage")?).max(0.0) as u64)
}

async fn settled(promise: Result<Promise, JsValue>) -> Result<JsValue, String> {
    let outcome = match promise {
        Ok(promise) => JsFuture::from(promise).await,
        Err(error) => Err(error),
    };
    outcome.map_err(|error| {
        let message = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
        message.unwrap_or_else(|| NO_STORAGE.to_owned())
    })
}

const NO_STORAGE: &str = "this browser keeps no files for this page";

/// A handle that the page hands over: an array of its name and the handle.
pub fn handle(message: &JsValue) -> Option<FileHandle> {
    let handle = message.dyn_ref::<Array>()?.get(1);
    let kind = Reflect::get(&handle, &"kind".into()).ok()?.as_string()?;
    (kind == "file").then(|| handle.unchecked_into())
}
