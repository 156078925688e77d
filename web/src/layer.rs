//! Layer workers: each reads one layer at a time, as the session orders. Those of one program list layers, those of the other look
//! into contents.

use crate::{
    beside,
    protocol::{pack, unpack},
    transport::Fetch,
    worker,
};
use porthole_core::limits::Limits;
use porthole_viewer::{
    contents::ContentsEngine,
    worker::{LayerWorker, WorkerReport},
};
use std::rc::Rc;
use wasm_bindgen_futures::spawn_local;

/// Lists layers until the worker is ended, or hashes for a worker that does.
pub fn run() {
    if beside::is_this() {
        return beside::run();
    }
    drive(|worker| worker.with_hashes(beside::thread()));
}

/// Looks into the contents of layers until the worker is ended.
pub fn run_contents() {
    drive(|worker| worker.with_engine(ContentsEngine));
}

fn drive(equip: impl FnOnce(LayerWorker<Fetch>) -> LayerWorker<Fetch>) {
    worker::on_panic(|text| tell(WorkerReport::Panicked { text }));
    let layer = Rc::new(equip(LayerWorker::new(Fetch, Limits::of_a_tab(), tell)));
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
