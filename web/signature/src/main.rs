//! The worker that checks signatures: it says that it listens, takes one job, and answers.

mod check;

use js_sys::global;
use porthole_viewer::protocol::EvidenceJob;
use wasm_bindgen::{JsCast as _, prelude::*};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

fn main() {
    // An answer that is no text says that there will be none.
    std::panic::set_hook(Box::new(|_| post(&JsValue::NULL)));
    let listener = Closure::<dyn FnMut(MessageEvent)>::new(|event: MessageEvent| {
        let job = event.data().as_string().and_then(|text| serde_json::from_str::<EvidenceJob>(&text).ok());
        let answer = job.and_then(|job| serde_json::to_string(&check::check(&job)).ok());
        post(&answer.map_or(JsValue::NULL, Into::into));
    });
    scope().set_onmessage(Some(listener.as_ref().unchecked_ref()));
    // The worker listens as long as it lives.
    listener.forget();
    post(&JsValue::TRUE);
}

fn post(message: &JsValue) {
    // Fails only for what cannot be cloned, and text can.
    let _ = scope().post_message(message);
}

fn scope() -> DedicatedWorkerGlobalScope {
    global().unchecked_into()
}
