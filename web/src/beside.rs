//! The thread that hashes for a layer worker: a worker of its own, with the same program under another name.

use crate::{
    protocol::{bytes_of, read},
    worker,
};
use js_sys::{Array, ArrayBuffer, Uint8Array};
use porthole_viewer::worker::{HashOrder, HashThread, HashWorker};
use std::{
    cell::{OnceCell, RefCell},
    rc::{Rc, Weak},
};
use wasm_bindgen::{JsCast as _, prelude::*};
use web_sys::Worker;

/// Whether this worker is such a thread.
pub(crate) fn is_this() -> bool {
    worker::name() == NAME
}

/// Hashes for the worker that started this one, until that ends.
pub(crate) fn run() {
    let mut hashes = HashWorker::default();
    worker::listen(move |message| {
        let pair: Array = message.unchecked_into();
        let buffer = pair.get(1).dyn_into::<ArrayBuffer>().ok();
        let order = match (&buffer, pair.get(2).as_f64()) {
            (Some(buffer), Some(length)) => Some(HashOrder::Bytes { bytes: view(buffer, length as u32).to_vec() }),
            _ => read(&pair.get(0)),
        };
        let report = order.and_then(|order| hashes.obey(&order));
        let (answer, transfer) = (Array::of1(&report.map_or(JsValue::NULL, |report| bytes_of(&report))), Array::new());
        if let Some(buffer) = buffer {
            answer.push(&buffer);
            transfer.push(&buffer);
        }
        worker::post_with(&answer, &transfer);
    });
    worker::post(&JsValue::NULL);
}

fn view(buffer: &ArrayBuffer, length: u32) -> Uint8Array {
    Uint8Array::new_with_byte_offset_and_length(buffer, 0, length)
}

/// Buffers that have come back and are sent again: new ones would be garbage of the size of the archive.
type Buffers = Rc<RefCell<Vec<ArrayBuffer>>>;

fn send(worker: &Worker, buffers: &Buffers, order: HashOrder) {
    let (message, transfer) = (Array::new(), Array::new());
    match order {
        HashOrder::Bytes { bytes } => {
            let buffer = buffers.borrow_mut().pop().unwrap_or_else(|| ArrayBuffer::new(HashThread::MESSAGE as u32));
            view(&buffer, bytes.len() as u32).copy_from(&bytes);
            message.push(&JsValue::NULL);
            message.push(&buffer);
            message.push(&JsValue::from(bytes.len() as u32));
            transfer.push(&buffer);
        }
        order => drop(message.push(&bytes_of(&order))),
    }
    // Posting fails only for what cannot be cloned, and bytes and buffers can.
    let _ = worker.post_message_with_transfer(&message, &transfer);
}

/// A thread that starts when the first layer is to be hashed by it. Without it, or before, the layer worker hashes itself.
pub(crate) fn thread() -> Rc<HashThread> {
    Rc::new_cyclic(|thread: &Weak<HashThread>| {
        let (started, buffers): (Rc<OnceCell<Worker>>, Buffers) = Default::default();
        let start = {
            let (thread, started, buffers) = (thread.clone(), Rc::clone(&started), Rc::clone(&buffers));
            move || {
                let Some(thread) = thread.upgrade() else { return };
                match listen(&thread, Rc::clone(&buffers)) {
                    Some(worker) => drop(started.set(worker)),
                    None => thread.bury(),
                }
            }
        };
        HashThread::new(start, move |order| {
            if let Some(worker) = started.get() {
                send(worker, &buffers, order);
            }
        })
    })
}

/// Starts the worker. `None` where a worker cannot start another.
fn listen(thread: &Rc<HashThread>, buffers: Buffers) -> Option<Worker> {
    let (heard, buried) = (Rc::clone(thread), Rc::clone(thread));
    let hear = move |_: &Worker, message: JsValue| {
        let Ok(pair) = message.dyn_into::<Array>() else { return heard.ready() };
        buffers.borrow_mut().extend(pair.get(1).dyn_into::<ArrayBuffer>());
        if let Some(report) = read(&pair.get(0)) {
            heard.hear(report);
        }
    };
    let (worker, listeners) = worker::start(LAYER_WORKER, NAME, hear, move || buried.bury())?;
    // It lives as long as this worker.
    listeners.into_iter().for_each(Closure::forget);
    Some(worker)
}

/// The name of the worker, by which its program knows what it is for.
const NAME: &str = "hashes";
/// The loader of the program, which is that of the layer worker itself.
const LAYER_WORKER: &str = "./layer_loader.js";
