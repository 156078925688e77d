//! Files of the browser, read by ranges.

use crate::transport::BLOB_SCHEME;
use js_sys::{ArrayBuffer, Uint8Array};
use porthole_viewer::session::OpenFile;
use std::{future::Future, io, ops::Range, pin::Pin};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

/// A file of this machine. Only the ranges that are asked for are read.
pub(crate) struct OnDisk(pub(crate) web_sys::Blob);

impl OnDisk {
    fn slice(&self, range: Range<u64>) -> Result<web_sys::Blob, JsValue> {
        self.0.slice_with_f64_and_f64(range.start as f64, range.end as f64)
    }
}

impl OpenFile for OnDisk {
    fn size(&self) -> u64 {
        self.0.size() as u64
    }

    fn read(&self, range: Range<u64>) -> Pin<Box<dyn Future<Output = io::Result<Vec<u8>>> + '_>> {
        let gone = |_| io::Error::other("the file was moved or changed after it was opened");
        Box::pin(async move {
            let part = self.slice(range).map_err(gone)?;
            let bytes = JsFuture::from(part.array_buffer()).await.map_err(gone)?;
            Ok(Uint8Array::new(&bytes.unchecked_into::<ArrayBuffer>()).to_vec())
        })
    }

    fn stamp(&self) -> Option<u64> {
        self.0.dyn_ref::<web_sys::File>().map(|file| file.last_modified() as u64)
    }

    /// The address lasts as long as this worker. It holds a range of the file's name, not its bytes.
    fn address(&self, range: Range<u64>) -> Option<String> {
        let url = web_sys::Url::create_object_url_with_blob(&self.slice(range).ok()?).ok()?;
        Some(format!("{BLOB_SCHEME}{}", url.strip_prefix("blob:")?))
    }
}
