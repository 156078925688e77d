//! What the session and its layer workers say to each other.

use super::{
    Session,
    pool::{Assignment, Pool},
};
use crate::{protocol, worker};
use porthole_core::seek::Index;
use porthole_viewer::{
    batch,
    layer::{Job, Order, Report, Request},
    look::{Access, Look},
    prepared,
    protocol::{Failure, FailureKind, Remedy},
    router::SAMPLE,
};
use std::rc::Rc;
use wasm_bindgen::JsValue;

impl Session {
    /// A message of a layer worker.
    pub(super) fn hear_layer(self: &Rc<Self>, number: usize, data: JsValue) {
        let (text, bytes) = worker::open(data);
        if let (Some(text), Some(bytes)) = (&text, &bytes) {
            if let Some(Report::Index { job }) = protocol::decode(text)
                && let Some(Assignment { look, layer, .. }) = self.assignment(number).filter(|now| now.job == job)
                && let Ok(index) = Index::from_bytes(&bytes.to_vec())
            {
                self.of_look(look, |look, _| look.keep(layer, Access::Index(Rc::new(index)), bytes.length()));
            }
            return;
        }
        if let Some(bytes) = bytes {
            let bytes = bytes.to_vec();
            let assignment = self.assignment(number).filter(|assignment| batch::job(&bytes) == Some(assignment.job));
            if let Some(Assignment { look, layer, .. }) = assignment {
                self.of_look(look, |look, _| look.receive(layer, bytes));
            }
            return;
        }
        match text.as_deref().and_then(protocol::decode) {
            Some(Report::Ready) => {
                if let Some(pool) = &mut self.state.borrow_mut().pool {
                    pool.ready(number);
                }
                self.dispatch();
            }
            Some(Report::Panicked { text }) => {
                web_sys::console::error_1(&text.as_str().into());
                self.lose(number, Failure::plain(FailureKind::Other, text), true);
            }
            Some(report) => {
                let Some(assignment) = self.assignment(number) else { return };
                if report.job() == Some(assignment.job) {
                    self.report(number, assignment, report);
                }
            }
            None => {}
        }
    }

    fn report(self: &Rc<Self>, number: usize, Assignment { job, look, layer }: Assignment, report: Report) {
        match report {
            Report::Progress { compressed, uncompressed, entries, .. } => {
                self.of_look(look, |look, _| look.progress(layer, compressed, uncompressed, entries));
                self.turn_soon();
            }
            Report::Done { findings, .. } => {
                self.free(number);
                self.of_look(look, |look, out| look.done(layer, findings, out));
                self.dispatch();
                self.turn();
            }
            Report::Failed { kind, text, .. } => {
                let failure = Failure { remedies: vec![Remedy::Retry { after: None }], ..Failure::plain(kind, text) };
                self.lose(number, failure, false);
            }
            Report::Stuck { kind, .. } => {
                let session = Rc::clone(self);
                wasm_bindgen_futures::spawn_local(async move {
                    match session.another_way(look, layer, kind).await {
                        Ok(request) => session.order(number, &Order::Request { job, request }),
                        Err(failure) if session.assignment(number).is_some_and(|now| now.job == job) => {
                            session.order(number, &Order::Cancel { job });
                            session.lose(number, *failure, false);
                        }
                        Err(_) => {}
                    }
                });
            }
            Report::Ready | Report::Panicked { .. } | Report::Index { .. } => {}
        }
    }

    /// The layer of a worker will not come.
    fn lose(self: &Rc<Self>, number: usize, failure: Failure, dead: bool) {
        let assignment = {
            let mut state = self.state.borrow_mut();
            state.pool.as_mut().and_then(|pool| if dead { pool.bury(number) } else { pool.free(number) })
        };
        if let Some(Assignment { look, layer, .. }) = assignment {
            self.of_look(look, |look, out| look.lost(layer, failure, out));
        }
        self.dispatch();
        self.give_up();
        self.turn();
    }

    /// A worker could not be loaded, or died without a word.
    pub(super) fn bury(self: &Rc<Self>, number: usize) {
        self.lose(
            number,
            Failure::plain(FailureKind::Other, "its worker could not be started, or ended without a word"),
            true,
        );
    }

    /// Gives idle workers something to do.
    pub(super) fn dispatch(self: &Rc<Self>) {
        loop {
            let mut state = self.state.borrow_mut();
            let Some((number, assignment)) = state.pool.as_mut().and_then(Pool::assign) else { return };
            let job = state.look.as_ref().and_then(|look| self.job(look, assignment));
            if let (Some((job, blob)), Some(pool)) = (job, &state.pool) {
                pool.order(number, &Order::Scan(Box::new(job)), blob);
                continue;
            }
            drop(state);
            self.free(number);
            let failure = Failure::plain(FailureKind::Other, "there is no valid request for its blob");
            self.of_look(assignment.look, |look, out| look.lost(assignment.layer, failure, out));
        }
    }

    /// No worker is left that could take a layer: they end as lost.
    fn give_up(&self) {
        let waiting = self.state.borrow_mut().pool.as_mut().map(Pool::give_up).unwrap_or_default();
        for Assignment { look, layer, .. } in waiting {
            let failure = Failure::plain(FailureKind::Other, "no worker could be started for it");
            self.of_look(look, |look, out| look.lost(layer, failure, out));
        }
    }

    fn job(&self, look: &Look, assignment: Assignment) -> Option<(Job, Option<&[u8]>)> {
        let body = look.body.as_ref().filter(|_| look.number == assignment.look)?;
        let layer = body.resolved.image.layers.get(assignment.layer as usize)?;
        let descriptor = &layer.descriptor;
        let blob = if body.reference.registry() == SAMPLE { self.layout.blob(&descriptor.digest) } else { None };
        let request = match blob {
            Some(_) => None,
            None => Some(twin(&self.registry.blob_request(&body.reference, descriptor).ok()?)),
        };
        let job = Job {
            job: assignment.job,
            request,
            digest: descriptor.digest.to_string(),
            size: descriptor.size,
            diff_id: layer.diff_id.map(|diff_id| diff_id.to_string()),
            media_type: descriptor.media_type.as_str().into(),
            audit: prepared::announced(descriptor).then(|| descriptor.annotations.clone()),
        };
        Some((job, blob))
    }

    fn order(&self, number: usize, order: &Order) {
        if let Some(pool) = &self.state.borrow().pool {
            pool.order(number, order, None);
        }
    }

    fn assignment(&self, number: usize) -> Option<Assignment> {
        self.state.borrow().pool.as_ref()?.assignment(number)
    }

    fn free(&self, number: usize) {
        if let Some(pool) = &mut self.state.borrow_mut().pool {
            pool.free(number);
        }
    }
}

/// A request, for a worker that has no client.
pub(super) fn twin(request: &porthole_registry::transport::Request) -> Request {
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    Request { url: request.uri().to_string(), headers: headers.collect() }
}
