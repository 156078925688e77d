//! Web Locks, each of which one tab of this origin holds at a time.

use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::{JsCast as _, prelude::*};
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = ["navigator", "locks"], js_name = request)]
    fn request(name: &str, granted: &JsValue) -> Result<Pending, JsValue>;

    #[wasm_bindgen(catch, js_namespace = ["navigator", "locks"], js_name = query)]
    async fn query() -> Result<JsValue, JsValue>;

    type Pending;

    #[wasm_bindgen(method, js_name = then)]
    fn on_failure(this: &Pending, done: &JsValue, failed: &Function) -> JsValue;
}

/// Waits for a lock. The returned function releases it; so does the end of this thread.
pub(crate) async fn take(name: &str) -> Result<Function, JsValue> {
    let asked = Promise::new(&mut |granted, refused| {
        // The lock is held until the promise that this returns is settled.
        let hold = Closure::once_into_js(move |_: JsValue| {
            Promise::new(&mut |release, _| {
                let _ = granted.call1(&JsValue::NULL, &release);
            })
        });
        match request(name, &hold) {
            Ok(pending) => drop(pending.on_failure(&JsValue::UNDEFINED, &refused)),
            Err(error) => drop(refused.call1(&JsValue::NULL, &error)),
        }
    });
    Ok(JsFuture::from(asked).await?.unchecked_into())
}

/// Names of the locks that any tab holds or waits for.
pub(crate) async fn taken() -> Result<Vec<String>, JsValue> {
    let state = query().await?;
    let mut names = Vec::new();
    for list in ["held", "pending"] {
        let list: Array = Reflect::get(&state, &list.into())?.unchecked_into();
        names.extend(list.iter().filter_map(|lock| Reflect::get(&lock, &"name".into()).ok()?.as_string()));
    }
    Ok(names)
}
