//! Files that this worker writes: an archive that a person saves, and what a given file unpacks to.
//!
//! A file is written beside its place and takes the place when it is closed (File System Standard). One that is dropped before
//! leaves nothing, not even the empty file that a browser makes where a person chose a place.

use crate::{disk::OnDisk, own::OwnName};
use js_sys::{Array, Object, Promise, Reflect, Uint8Array};
use porthole_viewer::{
    session::{ArchiveFile, GivenFile, OpenFile, ScratchFile},
    words::size,
};
use std::{future::Future, io, ops::Range, pin::Pin};
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

    /// `StorageManager`
    type Storage;
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
    /// In the storage of this page, under a name of its own once it is begun.
    Storage(Option<OwnName>),
}

impl DiskFile {
    /// A file in the place that a person chose.
    pub fn in_place(handle: FileHandle) -> Self {
        Self { place: Place::Chosen, handle: Some(handle), stream: None }
    }

    /// A file in the storage of this page.
    pub fn in_storage() -> Self {
        Self { place: Place::Storage(None), handle: None, stream: None }
    }

    /// Makes an empty file in the storage, if it has room for `bytes` bytes.
    async fn make(&mut self, bytes: u64) -> Result<(), String> {
        let Place::Storage(place) = &mut self.place else { return Ok(()) };
        if let Some(room) = room().await.filter(|room| *room < bytes) {
            let (wanted, room) = (size(bytes), size(room));
            return Err(format!("this browser gives this page room for {room}, and it takes {wanted}"));
        }
        let (own, handle) = OwnName::create().await.map_err(|error| words(&error))?;
        *place = Some(own);
        self.handle = Some(handle.unchecked_into());
        Ok(())
    }

    /// Takes the next bytes.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        if let Some(stream) = &self.stream {
            settled(stream.write(&Uint8Array::from(bytes))).await?;
        }
        Ok(())
    }

    /// Keeps the file, and returns it with its name, where that is one of this page.
    async fn close(mut self) -> Result<(web_sys::Blob, Option<OwnName>), String> {
        if let Some(stream) = &self.stream {
            settled(stream.close()).await?;
        }
        self.stream = None;
        let handle = self.handle.take().ok_or(NO_STORAGE)?;
        let file = settled(handle.get_file()).await?.unchecked_into();
        let own = match &mut self.place {
            Place::Chosen => None,
            Place::Storage(own) => own.take(),
        };
        Ok((file, own))
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

    /// The browser gets a copy, which it drops when the download has ended and the page has taken the address back: a page
    /// does not learn when that is.
    async fn finish(self) -> Result<Option<String>, String> {
        let (file, own) = self.close().await?;
        let Some(own) = own else { return Ok(None) };
        let given = match copy(&file).await {
            Ok(copy) => copy,
            // Without room for a copy the file stays until this page is closed.
            Err(_) => {
                own.keep();
                file
            }
        };
        web_sys::Url::create_object_url_with_blob(&given).map(Some).map_err(|_| NO_STORAGE.to_owned())
    }
}

impl ScratchFile for DiskFile {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.push(bytes).await
    }

    async fn finish(self) -> Result<GivenFile, String> {
        let (file, own) = self.close().await?;
        Ok(GivenFile::new(OwnFile { file: OnDisk(file), _own: own }))
    }
}

impl Drop for DiskFile {
    fn drop(&mut self) {
        let Some(handle) = self.handle.take() else { return };
        let stream = self.stream.take();
        let own = match &mut self.place {
            Place::Chosen => None,
            Place::Storage(own) => own.take(),
        };
        spawn_local(async move {
            if let Some(stream) = stream {
                let _ = settled(stream.abort()).await;
            }
            // A file of this page goes with its name.
            if own.is_none() {
                let _ = settled(handle.remove()).await;
            }
        });
    }
}

/// A file of this page, for as long as something reads it.
struct OwnFile {
    file: OnDisk,
    _own: Option<OwnName>,
}

impl OpenFile for OwnFile {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn read(&self, range: Range<u64>) -> Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + '_>> {
        self.file.read(range)
    }

    fn address(&self, range: Range<u64>) -> Option<String> {
        self.file.address(range)
    }
}

/// The same bytes among the browser's own, which it keeps on disk if they are many.
async fn copy(file: &web_sys::Blob) -> Result<web_sys::Blob, JsValue> {
    let response = web_sys::Response::new_with_opt_readable_stream(Some(&file.stream()))?;
    let copy: web_sys::Blob = JsFuture::from(response.blob()?).await?.unchecked_into();
    if copy.size() == file.size() { Ok(copy) } else { Err(JsValue::NULL) }
}

/// Bytes that this page may still keep, if the browser says.
async fn room() -> Option<u64> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).ok()?;
    let storage: Storage =
        Reflect::get(&navigator, &"storage".into()).ok()?.dyn_into::<Object>().ok()?.unchecked_into();
    let estimate = settled(storage.estimate()).await.ok()?;
    let number = |name: &str| Reflect::get(&estimate, &name.into()).ok()?.as_f64();
    Some((number("quota")? - number("usage")?).max(0.0) as u64)
}

async fn settled(promise: Result<Promise, JsValue>) -> Result<JsValue, String> {
    let outcome = match promise {
        Ok(promise) => JsFuture::from(promise).await,
        Err(error) => Err(error),
    };
    outcome.map_err(|error| words(&error))
}

fn words(error: &JsValue) -> String {
    let message = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    message.unwrap_or_else(|| NO_STORAGE.to_owned())
}

const NO_STORAGE: &str = "this browser keeps no files for this page";

/// A handle that the page hands over: an array of its name and the handle.
pub fn handle(message: &JsValue) -> Option<FileHandle> {
    let handle = message.dyn_ref::<Array>()?.get(1);
    let kind = Reflect::get(&handle, &"kind".into()).ok()?.as_string()?;
    (kind == "file").then(|| handle.unchecked_into())
}
