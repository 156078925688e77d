//! Marks on the browser's timeline, and pauses.

use wasm_bindgen::{JsCast as _, closure::Closure};

/// Leaves a mark on the performance timeline.
pub fn mark(name: &str) {
    if let Some(performance) = web_sys::window().and_then(|window| window.performance()) {
        let _ = performance.mark(name);
    }
}

/// Calls back after a pause; dropped before, it does not.
pub struct Pause {
    handle: i32,
    _callback: Closure<dyn FnMut()>,
}

impl Pause {
    /// Begins a pause, in milliseconds.
    pub fn new(milliseconds: i32, callback: impl FnOnce() + 'static) -> Option<Self> {
        let callback = Closure::once(callback);
        let window = web_sys::window()?;
        let function = callback.as_ref().unchecked_ref();
        let handle = window.set_timeout_with_callback_and_timeout_and_arguments_0(function, milliseconds).ok()?;
        Some(Self { handle, _callback: callback })
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        if let Some(window) = web_sys::window() {
            window.clear_timeout_with_handle(self.handle);
        }
    }
}
