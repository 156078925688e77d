//! Starts the worker that checks signatures: one for each job, which ends with its answer.

use crate::{
    protocol::{bytes_of, read},
    worker::{self, Listeners},
};
use porthole_viewer::protocol::{EvidenceAnswer, EvidenceJob};
use std::{cell::RefCell, rc::Rc};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;
use web_sys::Worker;

/// Starts workers that check signatures.
pub struct Checker {
    running: RefCell<Option<Running>>,
    hear: Rc<dyn Fn(Option<EvidenceAnswer>)>,
}

/// A worker, which ends with this value.
struct Running {
    worker: Worker,
    _listeners: Listeners,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.worker.terminate();
    }
}

impl Checker {
    /// `hear` takes each answer; `None` = the worker ended without one.
    pub fn new(hear: impl Fn(Option<EvidenceAnswer>) + 'static) -> Self {
        Self { running: RefCell::default(), hear: Rc::new(hear) }
    }

    /// Starts a worker for a job, and ends the one before.
    pub fn check(&self, job: &EvidenceJob) {
        let running = Running::start(bytes_of(job), Rc::clone(&self.hear));
        if running.is_none() {
            let hear = Rc::clone(&self.hear);
            spawn_local(async move { hear(None) });
        }
        self.running.replace(running);
    }

    /// Ends the worker. Never called by a listener of the worker, which goes with it.
    pub fn end(&self) {
        self.running.replace(None);
    }
}

impl Running {
    fn start(job: JsValue, hear: Rc<dyn Fn(Option<EvidenceAnswer>)>) -> Option<Self> {
        let ended = Rc::clone(&hear);
        let hear = move |worker: &Worker, data: JsValue| {
            // The worker listens from now on. An earlier message would be lost.
            if data.as_bool() == Some(true) {
                // Posting fails only for what cannot be cloned, and bytes can.
                let _ = worker.post_message(&job);
            } else {
                hear(read(&data));
            }
        };
        let (worker, listeners) = worker::start(SIGNATURE_WORKER, "", hear, move || ended(None))?;
        Some(Self { worker, _listeners: listeners })
    }
}

/// The loader of the `signature` binary.
const SIGNATURE_WORKER: &str = "./signature_loader.js";
