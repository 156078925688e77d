//! The worker that checks signatures: it says that it listens, takes one job, and answers.

mod check;

use js_sys::{Uint8Array, global};
use porthole_viewer::{
    message::{decode, encode},
    protocol::EvidenceJob,
};
use wasm_bindgen::{JsCast as _, prelude::*};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

fn main() {
    // An answer without bytes says that there will be none.
    std::panic::set_hook(Box::new(|_| post(&JsValue::NULL)));
    let listener = Closure::<dyn FnMut(MessageEvent)>::new(|event: MessageEvent| {
        let job = event.data().dyn_ref::<Uint8Array>().and_then(|bytes| decode::<EvidenceJob>(&bytes.to_vec()));
        post(&job.map_or(JsValue::NULL, |job| Uint8Array::from(encode(&check::check(&job)).as_slice()).into()));
    });
    scope().set_onmessage(Some(listener.as_ref().unchecked_ref()));
    // The worker listens as long as it lives.
    listener.forget();
    post(&JsValue::TRUE);
}

fn post(message: &JsValue) {
    // Fails only for what cannot be cloned, and bytes can.
    let _ = scope().post_message(message);
}

fn scope() -> DedicatedWorkerGlobalScope {
    global().unchecked_into()
}
