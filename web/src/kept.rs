//! What outlives the page: files of this origin, in the browser's origin private file system, which no person sees.
//!
//! A file is written with a synchronous access handle, which every browser has, in a worker, and which takes bytes where they are
//! (a writable would copy them to a swap file of its own, and Safari was late with it). It is written under a temporary name
//! and then moved, so that a tab that is closed leaves no half of an index under a name that is read. It is read as a
//! `File`: a snapshot, for which two tabs need no lock.

use crate::{
    disk::OnDisk,
    locks,
    origin::{Directory, Handle, create, root},
    transport::Fetch,
};
use js_sys::Reflect;
use porthole_registry::transport::Environment as _;
use porthole_viewer::session::{GivenFile, KeptError, KeptFile, KeptFiles, KeptLock, Later, OpenFile, TEMPORARY};
use std::{cell::RefCell, future::Future, io, ops::Range, pin::Pin};
use wasm_bindgen::{JsCast as _, prelude::*};
use web_sys::{File, Url};

#[wasm_bindgen]
extern "C" {
    type Access;

    #[wasm_bindgen(method, catch)]
    fn write(this: &Access, bytes: &[u8]) -> Result<f64, JsValue>;

    #[wasm_bindgen(method, catch)]
    fn flush(this: &Access) -> Result<(), JsValue>;

    #[wasm_bindgen(method)]
    fn close(this: &Access);
}

/// The directory of this page among the files of its origin.
#[derive(Default)]
pub struct OriginFiles(RefCell<Option<Directory>>);

impl OriginFiles {
    async fn folder(&self) -> Result<Directory, KeptError> {
        let known = self.0.borrow().clone();
        if let Some(folder) = known {
            return Ok(folder);
        }
        let root = root().await.map_err(|error| unusable(&error))?;
        let folder = root.directory(FOLDER, &create(true)).await.map_err(|error| unusable(&error))?;
        let folder: Directory = folder.unchecked_into();
        *self.0.borrow_mut() = Some(folder.clone());
        Ok(folder)
    }

    async fn put(folder: &Directory, temporary: &str, name: &str, parts: &[&[u8]]) -> Result<(), JsValue> {
        let handle: Handle = folder.file(temporary, &create(true)).await?.unchecked_into();
        let access: Access = handle.access().await?.unchecked_into();
        let written = parts.iter().try_for_each(|part| match access.write(part)? {
            written if written == part.len() as f64 => Ok(()),
            _ => Err(JsValue::from(js_sys::Error::new(FULL))),
        });
        let written = written.and_then(|()| access.flush());
        access.close();
        written?;
        if handle.rename(name).await.is_err() {
            // Where it does not replace what is there.
            let _ = folder.remove(name).await;
            handle.rename(name).await?;
        }
        Ok(())
    }
}

impl KeptFiles for OriginFiles {
    fn open<'f>(&'f self, name: &'f str) -> Later<'f, Option<GivenFile>> {
        Box::pin(async move {
            let handle = match self.folder().await?.file(name, &create(false)).await {
                Ok(handle) => handle.unchecked_into::<Handle>(),
                Err(error) if named(&error, "NotFoundError") => return Ok(None),
                Err(error) => return Err(failed(&error)),
            };
            let file: File = handle.snapshot().await.map_err(|error| failed(&error))?.unchecked_into();
            Ok(Some(GivenFile::new(Snapshot { file: OnDisk(file.into()), url: RefCell::default() })))
        })
    }

    fn write<'f>(&'f self, name: &'f str, parts: &'f [&'f [u8]]) -> Later<'f, ()> {
        Box::pin(async move {
            let folder = self.folder().await?;
            let temporary = format!("{TEMPORARY}{:016x}", Fetch.random());
            let outcome = Self::put(&folder, &temporary, name, parts).await;
            if outcome.is_err() {
                let _ = folder.remove(&temporary).await;
            }
            outcome.map_err(|error| failed(&error))
        })
    }

    fn remove<'f>(&'f self, name: &'f str) -> Later<'f, ()> {
        Box::pin(async move {
            self.folder().await?.remove(name).await.map_err(|error| failed(&error))?;
            Ok(())
        })
    }

    fn list(&self) -> Later<'_, Vec<KeptFile>> {
        Box::pin(async move {
            let mut files = Vec::new();
            for handle in self.folder().await?.list().await.map_err(|error| failed(&error))? {
                // It may be gone by now.
                let Ok(file) = handle.snapshot().await else { continue };
                let file: File = file.unchecked_into();
                let written = (file.last_modified() / 1000.0) as u64;
                files.push(KeptFile { name: handle.name(), size: file.size() as u64, written });
            }
            Ok(files)
        })
    }

    fn lock(&self) -> Later<'_, KeptLock> {
        Box::pin(async move {
            let release = locks::take(FOLDER).await.map_err(|error| failed(&error))?;
            Ok(KeptLock::new(move || drop(release.call0(&JsValue::NULL))))
        })
    }
}

/// A snapshot of a file.
struct Snapshot {
    file: OnDisk,
    /// The address of a range, given back with the file.
    url: RefCell<Option<(Range<u64>, String)>>,
}

impl OpenFile for Snapshot {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn read(&self, range: Range<u64>) -> Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + '_>> {
        self.file.read(range)
    }

    fn address(&self, range: Range<u64>) -> Option<String> {
        if let Some((_, url)) = self.url.borrow().as_ref().filter(|(known, _)| *known == range) {
            return Some(url.clone());
        }
        self.give_back();
        let url = self.file.address(range.clone())?;
        *self.url.borrow_mut() = Some((range, url.clone()));
        Some(url)
    }
}

impl Snapshot {
    fn give_back(&self) {
        if let Some((_, url)) = self.url.borrow_mut().take() {
            let _ = Url::revoke_object_url(&crate::transport::platform_url(&url));
        }
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn named(error: &JsValue, name: &str) -> bool {
    Reflect::get(error, &"name".into()).is_ok_and(|found| found == name)
}

fn failed(error: &JsValue) -> KeptError {
    let full = error.dyn_ref::<js_sys::Error>().is_some_and(|error| error.message() == FULL);
    if full || named(error, "QuotaExceededError") { KeptError::NoRoom } else { KeptError::Failed }
}

fn unusable(error: &JsValue) -> KeptError {
    let why = match named(error, "SecurityError") {
        true => "this browser keeps nothing for this page: a private window, or site data that is switched off",
        false => "this browser has no place for files of this page",
    };
    KeptError::Unusable(why.into())
}

/// Name of the directory, and of the lock.
const FOLDER: &str = "porthole-indexes";
const FULL: &str = "not all bytes were written";
