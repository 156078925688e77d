//! The layer workers, and who does what.

use crate::protocol;
use js_sys::{Array, Uint8Array};
use porthole_viewer::layer::Order;
use std::collections::VecDeque;
use wasm_bindgen::{JsCast, prelude::*};
use web_sys::{MessageEvent, Worker, WorkerGlobalScope};

/// What a layer worker says: its number, and the message.
pub type Hear = std::rc::Rc<dyn Fn(usize, JsValue)>;

/// As many workers as there are cores, up to four, each with one job at most.
pub struct Pool {
    workers: Vec<Member>,
    waiting: VecDeque<Assignment>,
    next: u32,
    hear: Hear,
    died: Hear,
}

/// A job as the pool sees it: which layer of which look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Number of the job, never used twice.
    pub job: u32,
    /// Number of the look.
    pub look: u32,
    /// 0 = bottom.
    pub layer: u32,
}

struct Member {
    /// `None`: it could not be started.
    worker: Option<Worker>,
    ready: bool,
    assignment: Option<Assignment>,
    /// Called by the platform as long as the worker lives.
    _listeners: [Closure<dyn FnMut(MessageEvent)>; 2],
}

impl Pool {
    /// Starts the workers, so that they are there when the first layer is.
    pub fn start(hear: Hear, died: Hear) -> Self {
        let cores = js_sys::global().unchecked_into::<WorkerGlobalScope>().navigator().hardware_concurrency();
        let count = (cores as usize).clamp(1, MOST_WORKERS);
        let workers = (0..count).map(|number| Member::start(number, &hear, &died)).collect();
        Self { workers, waiting: VecDeque::new(), next: 1, hear, died }
    }

    /// Puts a layer at the end of the queue.
    pub fn enqueue(&mut self, look: u32, layer: u32) {
        self.waiting.push_back(Assignment { job: self.next, look, layer });
        self.next += 1;
    }

    /// A worker listens.
    pub fn ready(&mut self, number: usize) {
        if let Some(member) = self.workers.get_mut(number) {
            member.ready = true;
        }
    }

    /// A worker is done with its job. Returns what it was.
    pub fn free(&mut self, number: usize) -> Option<Assignment> {
        self.workers.get_mut(number)?.assignment.take()
    }

    /// What a worker does now.
    pub fn assignment(&self, number: usize) -> Option<Assignment> {
        self.workers.get(number)?.assignment
    }

    /// A worker is not to be used again; one that worked before is replaced. Returns what it did.
    pub fn bury(&mut self, number: usize) -> Option<Assignment> {
        let member = self.workers.get_mut(number)?;
        let assignment = member.assignment.take();
        if let Some(worker) = member.worker.take() {
            worker.terminate();
        }
        if std::mem::take(&mut member.ready) {
            *member = Member::start(number, &self.hear, &self.died);
        }
        assignment
    }

    /// If no worker is left, hands back all jobs that wait.
    pub fn give_up(&mut self) -> VecDeque<Assignment> {
        if self.workers.iter().any(|member| member.worker.is_some()) {
            return VecDeque::new();
        }
        std::mem::take(&mut self.waiting)
    }

    /// The next job and an idle worker for it, if there are both.
    pub fn assign(&mut self) -> Option<(usize, Assignment)> {
        let idle = |member: &Member| member.ready && member.assignment.is_none();
        let number = self.workers.iter().position(idle)?;
        let assignment = self.waiting.pop_front()?;
        self.workers[number].assignment = Some(assignment);
        Some((number, assignment))
    }

    /// Drops every job of every look.
    pub fn cancel(&mut self) {
        self.waiting.clear();
        for number in 0..self.workers.len() {
            if let Some(Assignment { job, .. }) = self.free(number) {
                self.order(number, &Order::Cancel { job }, None);
            }
        }
    }

    /// Tells a worker what to do, and gives it the bytes to do it with.
    pub fn order(&self, number: usize, order: &Order, bytes: Option<&[u8]>) {
        let Some(worker) = self.workers.get(number).and_then(|member| member.worker.as_ref()) else { return };
        let text = JsValue::from(protocol::encode(order));
        // Posting fails only for what cannot be cloned, and text and buffers can.
        let _ = match bytes {
            None => worker.post_message(&text),
            Some(bytes) => {
                let buffer = Uint8Array::from(bytes).buffer();
                worker.post_message_with_transfer(&Array::of2(&text, &buffer), &Array::of1(&buffer))
            }
        };
    }
}

impl Member {
    fn start(number: usize, hear: &Hear, died: &Hear) -> Self {
        let listeners = [hear, died].map(|hear| {
            let hear = std::rc::Rc::clone(hear);
            Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
                let data = js_sys::Reflect::get(&event, &"data".into()).unwrap_or_default();
                hear(number, data);
            })
        });
        let worker = Worker::new(LAYER_WORKER).ok();
        if let Some(worker) = &worker {
            worker.set_onmessage(Some(listeners[0].as_ref().unchecked_ref()));
            worker.set_onerror(Some(listeners[1].as_ref().unchecked_ref()));
        }
        Self { worker, ready: false, assignment: None, _listeners: listeners }
    }
}

/// Trunk's loader of the `layer` binary, beside the loader of this worker.
const LAYER_WORKER: &str = "./layer_loader.js";
const MOST_WORKERS: usize = 4;
