//! Starts the worker that checks signatures: one for each job, which ends with its answer.

use crate::protocol::{bytes_of, read};
use porthole_viewer::protocol::{EvidenceAnswer, EvidenceJob};
use std::{cell::RefCell, rc::Rc};
use wasm_bindgen::{JsCast as _, prelude::*};
use wasm_bindgen_futures::spawn_local;
use web_sys::{MessageEvent, Worker};

/// Starts workers that check signatures.
pub struct Checker {
    running: RefCell<Option<Running>>,
    hear: Rc<dyn Fn(Option<EvidenceAnswer>)>,
}

/// A worker, which ends with this value.
struct Running {
    worker: Worker,
    /// Called by the platform as long as the worker lives.
    _listeners: [Closure<dyn FnMut(MessageEvent)>; 2],
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
        let worker = Worker::new(SIGNATURE_WORKER).ok()?;
        let on_message = {
            let (worker, hear) = (worker.clone(), Rc::clone(&hear));
            Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| match event.data() {
                // The worker listens from now on. An earlier message would be lost.
                data if data.as_bool() == Some(true) => {
                    // Posting fails only for what cannot be cloned, and bytes can.
                    let _ = worker.post_message(&job);
                }
                data => hear(read(&data)),
            })
        };
        let on_error = Closure::<dyn FnMut(MessageEvent)>::new(move |_| hear(None));
        worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Some(Self { worker, _listeners: [on_message, on_error] })
    }
}

/// The loader of the `signature` binary.
const SIGNATURE_WORKER: &str = "./signature_loader.js";
