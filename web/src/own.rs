//! Files of a worker in the origin private file system, which no other tab reads and which go with the worker.
//!
//! A tab that is closed removes nothing. So a file has a name of its own and a Web Lock of that name, which ends with the worker: the
//! next worker that starts removes the files whose lock is free.

use crate::{
    locks,
    origin::{Handle, create, root},
    transport::Fetch,
};
use js_sys::Function;
use porthole_registry::transport::Environment as _;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

/// The name of a file of this worker. Dropping it removes the file.
pub(crate) struct OwnName {
    name: String,
    release: Function,
}

impl OwnName {
    /// Makes an empty file. Returns its handle, too.
    pub(crate) async fn create() -> Result<(Self, JsValue), JsValue> {
        let name = format!("{PREFIX}{:016x}", Fetch.random());
        // The lock is taken first, because a file without a lock counts as abandoned.
        let release = locks::take(&name).await?;
        let own = Self { name, release };
        let handle = root().await?.file(&own.name, &create(true)).await?;
        Ok((own, handle))
    }

    /// Leaves the file where it is for as long as this worker lives.
    pub(crate) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for OwnName {
    fn drop(&mut self) {
        let (name, release) = (std::mem::take(&mut self.name), self.release.clone());
        spawn_local(async move {
            if let Ok(folder) = root().await {
                let _ = folder.remove(&name).await;
            }
            let _ = release.call0(&JsValue::NULL);
        });
    }
}

/// Removes the files of workers that ended. What cannot be removed stays until the next time.
pub(crate) async fn sweep() {
    let _ = try_sweep().await;
}

async fn try_sweep() -> Result<(), JsValue> {
    let folder = root().await?;
    let is_own = |handle: &Handle| handle.kind() == "file" && handle.name().starts_with(PREFIX);
    let files: Vec<Handle> = folder.list().await?.into_iter().filter(is_own).collect();
    // Locks are queried after files are listed, so that a newer file is not removed.
    let taken = locks::taken().await?;
    for name in files.iter().map(Handle::name).filter(|name| !taken.contains(name)) {
        let _ = folder.remove(&name).await;
    }
    Ok(())
}

/// Begins the name of each such file. An archive that an earlier version left begins with it, too.
const PREFIX: &str = "porthole-";
