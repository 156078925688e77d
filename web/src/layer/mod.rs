//! A layer worker: fetches a blob, verifies it and scans it where its bytes are.

mod audit;
mod fetch;
mod scan;
mod sink;

use crate::{protocol, task::Task, worker};
use porthole_viewer::{
    layer::{Job, Order, Report},
    protocol::FailureKind,
};
use std::{cell::RefCell, rc::Rc};
use wasm_bindgen::JsCast;

/// Listens to the session until the worker is ended.
pub fn run() {
    let running: Rc<RefCell<Option<Running>>> = Rc::default();
    worker::on_panic(|text| send(&Report::Panicked { text }));
    worker::listen(move |message| {
        let (text, bytes) = worker::open(message);
        match text.as_deref().and_then(protocol::decode) {
            Some(Order::Scan(job)) => {
                let link = fetch::Link::default();
                let task = Task::spawn(scan(job.as_ref().clone(), bytes.map(|bytes| bytes.to_vec()), link.clone()));
                *running.borrow_mut() = Some(Running { job: job.job, link, _task: task });
            }
            Some(Order::Request { job, request }) => {
                if let Some(running) = running.borrow().as_ref().filter(|running| running.job == job) {
                    running.link.renew(request);
                }
            }
            Some(Order::Cancel { job }) => {
                running.borrow_mut().take_if(|running| running.job == job);
            }
            None => {}
        }
    });
    send(&Report::Ready);
}

struct Running {
    job: u32,
    link: fetch::Link,
    _task: Task,
}

async fn scan(job: Job, bytes: Option<Vec<u8>>, link: fetch::Link) {
    let number = job.job;
    let mut scan = match scan::Scan::begin(&job) {
        Ok(scan) => scan,
        Err(text) => return send(&Report::Failed { job: number, kind: FailureKind::Other, text }),
    };
    if let (Some(annotations), Some(request)) = (&job.audit, &job.request) {
        scan.audit(audit::fetch(&job, annotations, request).await);
    }
    let outcome = match (bytes, job.request) {
        (Some(bytes), _) => {
            for chunk in bytes.chunks(fetch::CHUNK) {
                scan.push(chunk);
            }
            Ok(())
        }
        (None, Some(request)) => fetch::fetch(number, request, &link, &mut scan).await,
        (None, None) => Err((FailureKind::Other, "no request and no bytes (a bug in porthole)".into())),
    };
    match outcome {
        Ok(()) => send(&Report::Done { job: number, findings: scan.finish() }),
        Err((kind, text)) => send(&Report::Failed { job: number, kind, text }),
    }
}

fn send(report: &Report) {
    worker::post(&protocol::encode(report).into());
}

fn send_index(job: u32, index: &[u8]) {
    let bytes = js_sys::Uint8Array::from(index);
    worker::post_with(&protocol::encode(&Report::Index { job }).into(), bytes.buffer().unchecked_ref());
}

fn send_batch(batch: &[u8]) {
    let bytes = js_sys::Uint8Array::from(batch);
    worker::post_transfer(bytes.buffer().unchecked_ref());
}
