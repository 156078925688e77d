//! The web worker that runs the measured work on a layer sent to it.

use js_sys::{Object, Reflect, Uint8Array};
use porthole_benches::Work;
use std::cell::RefCell;
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

fn main() {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let blob = RefCell::new(Vec::new());
    let speaker = scope.clone();
    let listener = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let message = event.data();
        let answer = match message.dyn_ref::<Uint8Array>() {
            Some(bytes) => {
                *blob.borrow_mut() = bytes.to_vec();
                JsValue::NULL
            }
            None => run(message.as_string().as_deref(), &blob.borrow()),
        };
        // Structured clone of a plain object cannot fail.
        let _ = speaker.post_message(&answer);
    });
    scope.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    listener.forget();
    let _ = scope.post_message(&JsValue::TRUE);
}

/// Runs the work with this name. `null` if it does not apply to the layer.
fn run(name: Option<&str>, blob: &[u8]) -> JsValue {
    let work = Work::ALL.into_iter().find(|work| Some(work.name()) == name);
    let Some(done) = work.and_then(|work| work.run(blob)) else { return JsValue::NULL };
    let answer = Object::new();
    for (key, value) in [("unpacked", done.unpacked), ("entries", done.entries), ("index", done.index)] {
        // Setting a field of a new object cannot fail, and a benchmark's layer is far below 2⁵³ bytes.
        let _ = Reflect::set(&answer, &key.into(), &JsValue::from_f64(value as f64));
    }
    answer.into()
}
