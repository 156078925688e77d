//! The platform, as workers and what starts them use it.

use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::{JsCast, prelude::*};
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, Worker, WorkerOptions};

/// Takes every message of the thread that started this worker.
pub fn listen(mut hear: impl FnMut(JsValue) + 'static) {
    let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| hear(event.data()));
    scope().set_onmessage(Some(listener.as_ref().unchecked_ref()));
    // The worker listens as long as it lives.
    listener.forget();
}

/// Sends a message to the thread that started this worker.
pub fn post(message: &JsValue) {
    // Fails only for what cannot be cloned, and bytes and buffers can.
    let _ = scope().post_message(message);
}

/// Sends a message to the thread that started this worker, and hands over what is transferred with it.
pub fn post_with(message: &JsValue, transfer: &JsValue) {
    let _ = scope().post_message_with_transfer(message, transfer);
}

/// The listeners of a worker, which the platform calls as long as the worker lives.
pub type Listeners = [Closure<dyn FnMut(MessageEvent)>; 2];

/// Starts a worker with a name. `hear` takes its messages, `ended` is called when it could not be loaded or died. `None` where no worker
/// can be started.
pub fn start(
    program: &str,
    name: &str,
    mut hear: impl FnMut(&Worker, JsValue) + 'static,
    mut ended: impl FnMut() + 'static,
) -> Option<(Worker, Listeners)> {
    let options = WorkerOptions::new();
    options.set_name(name);
    let worker = Worker::new_with_options(program, &options).ok()?;
    let on_message = {
        let worker = worker.clone();
        Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| hear(&worker, event.data()))
    };
    let on_error = Closure::<dyn FnMut(MessageEvent)>::new(move |_| ended());
    worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    Some((worker, [on_message, on_error]))
}

/// Says `internal error` with the place in the code when this thread panics, instead of ending silently.
pub fn on_panic(say: impl Fn(String) + Send + Sync + 'static) {
    std::panic::set_hook(Box::new(move |info| {
        let text = format!("internal error (a bug in porthole): {info}");
        web_sys::console::error_1(&text.as_str().into());
        say(text);
    }));
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

/// The name that this worker was started with.
pub fn name() -> String {
    scope().name()
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}
