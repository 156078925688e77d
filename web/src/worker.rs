//! What both kinds of worker need from the platform.

use js_sys::{Array, ArrayBuffer, Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, prelude::*};
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

/// Hears every message of whoever started this worker.
pub fn listen(mut hear: impl FnMut(JsValue) + 'static) {
    let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| hear(event.data()));
    scope().set_onmessage(Some(listener.as_ref().unchecked_ref()));
    // The worker listens as long as it lives.
    listener.forget();
}

/// Says something to whoever started this worker.
pub fn post(message: &JsValue) {
    // Fails only for what cannot be cloned, and text and buffers can.
    let _ = scope().post_message(message);
}

/// Hands a buffer to whoever started this worker.
pub fn post_transfer(buffer: &JsValue) {
    let _ = scope().post_message_with_transfer(buffer, &Array::of1(buffer));
}

/// Says something, and hands a buffer over with it.
pub fn post_with(text: &JsValue, buffer: &JsValue) {
    let _ = scope().post_message_with_transfer(&Array::of2(text, buffer), &Array::of1(buffer));
}

/// Takes a message apart: text, bytes, or both.
pub fn open(message: JsValue) -> (Option<String>, Option<Uint8Array>) {
    match message.dyn_into::<Array>() {
        Ok(pair) => (pair.get(0).as_string(), bytes(&pair.get(1))),
        Err(message) => (message.as_string(), bytes(&message)),
    }
}

fn bytes(value: &JsValue) -> Option<Uint8Array> {
    value.dyn_ref::<ArrayBuffer>().map(|buffer| Uint8Array::new(buffer))
}

/// Says `internal error` with the place in the code when this thread panics, instead of going silent.
pub fn on_panic(say: impl Fn(String) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |info| {
        let text = format!("internal error (a bug in porthole): {info}");
        web_sys::console::error_1(&text.as_str().into());
        say(text);
    }));
}

/// Milliseconds on this worker's own clock.
pub fn now() -> f64 {
    scope().performance().map_or_else(js_sys::Date::now, |performance| performance.now())
}

/// The architecture of this machine as the browser names it (`arm`, `x86`); `None` where it does not tell.
///
/// User-Agent Client Hints, section 4.1.3: not in every browser, and only in secure contexts.
pub async fn architecture() -> Option<String> {
    let hints = Reflect::get(scope().navigator().as_ref(), &"userAgentData".into()).ok()?;
    let ask: Function = Reflect::get(&hints, &"getHighEntropyValues".into()).ok()?.dyn_into().ok()?;
    let promise: Promise = ask.call1(&hints, &Array::of1(&"architecture".into())).ok()?.dyn_into().ok()?;
    let values = JsFuture::from(promise).await.ok()?;
    Reflect::get(&values, &"architecture".into()).ok()?.as_string()
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}
