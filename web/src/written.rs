//! Files that this worker writes: an archive that a person saves.
//!
//! A file is written beside its place and takes the place when it is closed (File System Standard). One that is dropped before
//! leaves nothing, not even the empty file that a browser makes where a person chose a place.

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
    #[wasm_bindgen(method, catch, js_name = removeEntry)]
    fn remove_entry(this: &Folder, name: &str) -> Result<Promise, JsValue>;

    /// `StorageManager`
    type Storage;
    #[wasm_bindgen(method, catch, js_name = getDirectory)]
    fn get_directory(this: &Storage) -> Result<Promise, JsValue>;
    #[wasm_bindgen(method, catch)]
    fn estimate(this: &Storage) -> Result<Promise, JsValue>;
}

/// A file that is being written.
pub struct DiskFile {
    place: Place,
    /// The file, if it is there and not closed.
    handle: Option<FileHandle>,
    /// `None` = it is not open.
    stream: Option<FileStream>,
}

/// Where a file is written.
enum Place {
    /// Where the person chose. The browser has made an empty file there.
    Chosen,
    /// In the storage of this page, under this name; in this folder, once that is known.
    Storage(&'static str, Option<Folder>),
}

impl DiskFile {
    /// A file in the place that a person chose.
    pub fn in_place(handle: FileHandle) -> Self {
        Self { place: Place::Chosen, handle: Some(handle), stream: None }
    }

    /// A file in the storage of this page, in place of one with the same name.
    pub fn in_storage(name: &'static str) -> Self {
        Self { place: Place::Storage(name, None), handle: None, stream: None }
    }

    /// Makes an empty file in the storage, if it has room for `bytes` bytes.
    async fn make(&mut self, bytes: u64) -> Result<(), String> {
        let Place::Storage(name, place) = &mut self.place else { return Ok(()) };
        let storage = storage().ok_or(NO_STORAGE)?;
        let folder = place.insert(settled(storage.get_directory()).await?.unchecked_into());
        // What was saved before takes room.
        let _ = settled(folder.remove_entry(name)).await;
        if let Some(room) = room(&storage).await.filter(|room| *room < bytes) {
            let (wanted, room) = (size(bytes), size(room));
            return Err(format!("this browser gives this page room for {room}, and it takes {wanted}"));
        }
        let options = Object::new();
        let _ = Reflect::set(&options, &"create".into(), &true.into());
        self.handle = Some(settled(folder.get_file_handle(name, &options)).await?.unchecked_into());
        Ok(())
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
        let handle = self.handle.take().ok_or(NO_STORAGE)?;
        Ok(settled(handle.get_file()).await?.unchecked_into())
    }
}

impl ArchiveFile for DiskFile {
    async fn begin(&mut self, bytes: u64) -> Result<(), String> {
        self.make(bytes).await?;
        if let Some(handle) = &self.handle {
            self.stream = Some(settled(handle.create_writable()).await?.unchecked_into());
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.push(bytes).await
    }

    async fn finish(self) -> Result<Option<String>, String> {
        let chosen = matches!(self.place, Place::Chosen);
        let file = self.close().await?;
        if chosen {
            return Ok(None);
        }
        web_sys::Url::create_object_url_with_blob(&file).map(Some).map_err(|_| NO_STORAGE.to_owned())
    }
}

impl Drop for DiskFile {
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else { return };
        let stream = self.stream.take();
        let folder = match &mut self.place {
            Place::Chosen => None,
            Place::Storage(name, folder) => folder.take().map(|folder| (folder, *name)),
        };
        spawn_local(async move {
            if let Some(stream) = stream {
                let _ = settled(stream.abort()).await;
            }
            let _ = match folder {
                Some((folder, name)) => settled(folder.remove_entry(name)).await,
                None => settled(handle.remove()).await,
            };
        });
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
