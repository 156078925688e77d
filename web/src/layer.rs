//! A layer worker: reads one layer at a time, as the session orders.

use crate::{
    protocol::{pack, unpack},
    transport::Fetch,
    worker,
};
use porthole_core::limits::Limits;
use porthole_viewer::{layer::WorkerReport, worker::LayerWorker};
use std::rc::Rc;
use wasm_bindgen_futures::spawn_local;

/// Listens to the session until the worker is ended.
pub fn run() {
    worker::on_panic(|text| tell(WorkerReport::Panicked { text }));
    let layer = Rc::new(LayerWorker::new(Fetch, Limits::of_a_tab(), tell));
    let driven = Rc::clone(&layer);
    spawn_local(async move { driven.run().await });
    worker::listen(move |message| {
        if let Some(order) = unpack(message) {
            layer.obey(order);
        }
    });
}

fn tell(report: WorkerReport) {
    let (message, transfer) = pack(report);
    worker::post_with(&message, &transfer);
}
