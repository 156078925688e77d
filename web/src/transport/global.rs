//! The few globals that a window and a worker share.

use super::{Error, failed};
use js_sys::{Function, Promise};
use std::{cell::Cell, rc::Rc, time::Duration};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, AbortSignal, Request};

#[wasm_bindgen]
extern "C" {
    /// `fetch` of the window or the worker.
    #[wasm_bindgen(js_name = fetch)]
    pub(super) fn fetch(request: &Request) -> Promise;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, milliseconds: u32) -> JsValue;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);
}

/// Whether the browser has a network, as far as it knows.
pub(super) fn on_line() -> bool {
    let navigator = get(&js_sys::global(), "navigator");
    navigator.and_then(|navigator| get(&navigator, "onLine")).is_none_or(|on_line| on_line != JsValue::FALSE)
}

/// The origin of the page, `https://page.example`; empty where there is none.
pub(super) fn origin() -> String {
    get(&js_sys::global(), "origin").and_then(|origin| origin.as_string()).unwrap_or_default()
}

fn get(object: &JsValue, name: &str) -> Option<JsValue> {
    js_sys::Reflect::get(object, &name.into()).ok()
}

/// Longest silence of a peer before a request is given up.
pub(super) const STALL: Duration = Duration::from_secs(40);

/// Resolves after `duration`, without holding up anything else.
pub(super) async fn sleep(duration: Duration) {
    let milliseconds = u32::try_from(duration.as_millis()).unwrap_or(u32::MAX).min(i32::MAX as u32);
    let promise = Promise::new(&mut |resolve, _| {
        set_timeout(&resolve, milliseconds);
    });
    // This promise is never rejected.
    let _ = JsFuture::from(promise).await;
}

/// Aborts its request when dropped, or when nothing came for [`STALL`].
pub(super) struct AbortGuard {
    controller: AbortController,
    late: Rc<Cell<bool>>,
    on_stall: Closure<dyn FnMut()>,
}

impl AbortGuard {
    pub(super) fn new() -> Result<Self, Error> {
        let controller = AbortController::new().map_err(|error| failed(&error))?;
        let late = Rc::new(Cell::new(false));
        let on_stall = Closure::new({
            let (controller, late) = (controller.clone(), Rc::clone(&late));
            move || {
                late.set(true);
                controller.abort();
            }
        });
        Ok(Self { controller, late, on_stall })
    }

    pub(super) fn signal(&self) -> AbortSignal {
        self.controller.signal()
    }

    /// Starts the clock for one answer or one read.
    pub(super) fn watch(&self) -> Watch {
        let timer = set_timeout(self.on_stall.as_ref().unchecked_ref(), STALL.as_millis() as u32);
        Watch { timer, late: Rc::clone(&self.late) }
    }
}

impl Drop for AbortGuard {
    fn drop(&mut self) {
        self.controller.abort();
    }
}

/// A running clock; stops when dropped.
pub(super) struct Watch {
    timer: JsValue,
    late: Rc<Cell<bool>>,
}

impl Watch {
    /// Stops the clock. Returns whether it had run out.
    pub(super) fn stop(self) -> bool {
        self.late.get()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        clear_timeout(&self.timer);
    }
}
