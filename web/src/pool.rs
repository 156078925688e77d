//! The layer workers of the tab.

use crate::{
    protocol::{pack, unpack},
    worker::{self, Listeners},
};
use porthole_viewer::{
    session::Pool,
    worker::{WorkerOrder, WorkerReport},
};
use std::{cell::RefCell, rc::Rc};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Worker, WorkerGlobalScope};

/// As many workers as there are cores, up to four; and as many that look into contents, once these are needed.
pub struct Workers {
    /// Workers that list layers. Those from this number on look into contents.
    listing: usize,
    members: RefCell<Vec<Member>>,
    hear: Hear,
}

/// A message of a layer worker.
pub enum Said {
    /// A report of its job.
    Report(Box<WorkerReport>),
    /// It could not be loaded, or died without a report.
    Ended,
}

type Hear = Rc<dyn Fn(usize, Said)>;

struct Member {
    /// `None` = it could not be started, or was ended.
    worker: Option<Worker>,
    _listeners: Option<Listeners>,
}

impl Workers {
    /// Starts the workers, so that they are there when the first layer is. `hear` takes their messages.
    pub fn start(hear: impl Fn(usize, Said) + 'static) -> Self {
        let hear: Hear = Rc::new(hear);
        let cores = js_sys::global().unchecked_into::<WorkerGlobalScope>().navigator().hardware_concurrency();
        let count = (cores as usize).clamp(1, MOST_WORKERS);
        let workers = Self { listing: count, members: RefCell::default(), hear };
        workers.add(count);
        workers
    }

    /// Starts more workers, with the numbers that follow.
    fn add(&self, count: usize) {
        let first = self.members.borrow().len();
        for number in first..first + count {
            let member = Member::start(number, self.program(number), &self.hear);
            if member.worker.is_none() {
                let hear = Rc::clone(&self.hear);
                spawn_local(async move { hear(number, Said::Ended) });
            }
            self.members.borrow_mut().push(member);
        }
    }

    fn program(&self, number: usize) -> &'static str {
        if number < self.listing { LAYER_WORKER } else { CONTENTS_WORKER }
    }
}

impl Pool for Workers {
    fn size(&self) -> usize {
        self.listing
    }

    fn start_contents(&self) -> usize {
        self.add(self.listing);
        self.listing
    }

    fn send(&self, worker: usize, order: WorkerOrder) {
        if let Some(worker) = self.members.borrow().get(worker).and_then(|member| member.worker.as_ref()) {
            let (message, transfer) = pack(order);
            // Posting fails only for what cannot be cloned, and bytes and buffers can.
            let _ = worker.post_message_with_transfer(&message, &transfer);
        }
    }

    fn end(&self, worker: usize) {
        let worker = self.members.borrow_mut().get_mut(worker).and_then(|member| member.worker.take());
        if let Some(worker) = worker {
            worker.terminate();
        }
    }

    fn restart(&self, worker: usize) -> bool {
        self.end(worker);
        let started = Member::start(worker, self.program(worker), &self.hear);
        let alive = started.worker.is_some();
        if let Some(member) = self.members.borrow_mut().get_mut(worker) {
            *member = started;
        }
        alive
    }
}

impl Member {
    fn start(number: usize, program: &str, hear: &Hear) -> Self {
        let ended = Rc::clone(hear);
        let hear = {
            let hear = Rc::clone(hear);
            move |_: &Worker, message| {
                if let Some(report) = unpack(message) {
                    hear(number, Said::Report(Box::new(report)));
                }
            }
        };
        let started = worker::start(program, "", hear, move || ended(number, Said::Ended));
        let (worker, listeners) = started.unzip();
        Self { worker, _listeners: listeners }
    }
}

/// Trunk's loader of the `layer` binary, beside the loader of this worker.
const LAYER_WORKER: &str = "./layer_loader.js";
/// The loader of the `contents` binary.
const CONTENTS_WORKER: &str = "./contents_loader.js";
const MOST_WORKERS: usize = 4;
