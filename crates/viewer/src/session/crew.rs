//! The session's side of the messages with layer workers.

use super::{BlobPlace, Errand, Front, Session, Work};
use crate::{
    index::OpenIndex,
    layer::{BlobRequest, KeptIndex, ReadJob, WorkerOrder, WorkerReport},
    look::{Access, Look, LookBody},
    pool::{Assignment, CONFIG, Pool, Task},
    prepared,
    protocol::{FailureCause, FailureNotice, RegistryRoute, Remedy},
};
use porthole_core::failure::FailureClass;
use porthole_registry::{
    policy::Url,
    transport::{self, Environment, Transport},
};
use porthole_source::ReadAt as _;
use std::rc::Rc;

impl<T: Transport + Environment + 'static, P: Pool, F: Front> Session<T, P, F> {
    /// Takes a report of a layer worker.
    pub fn hear(&self, worker: usize, report: WorkerReport) {
        match report {
            WorkerReport::Ready => {
                self.desk.borrow_mut().roster.ready(worker);
                self.dispatch();
            }
            WorkerReport::Panicked { text } => self.lose(worker, FailureNotice::plain(FailureClass::Other, text), true),
            // It may end after its job.
            WorkerReport::Wire { job, number, exchange } => self.options.recorder.put(job, number, *exchange),
            report => {
                if let Some(assignment) = self.assignment(worker).filter(|now| report.job() == Some(now.job)) {
                    self.report(worker, assignment, report);
                }
            }
        }
    }

    /// A worker could not be started, or ended without a report.
    pub fn bury(&self, worker: usize) {
        let text = "its worker could not be started, or ended without a report";
        self.lose(worker, FailureNotice::plain(FailureClass::Other, text), true);
    }

    fn report(&self, worker: usize, assignment: Assignment, report: WorkerReport) {
        let Assignment { look, layer, task, .. } = assignment;
        if let Task::Probe(kind) = task
            && !matches!(report, WorkerReport::Failed { .. } | WorkerReport::Stuck { .. })
        {
            return self.hear_probe(worker, kind, layer, report);
        }
        match report {
            WorkerReport::Entries { batch, .. } => self.of_look(look, |look, _| look.receive(layer, batch)),
            WorkerReport::Progress { compressed, uncompressed, entries, .. } => {
                self.of_look(look, |look, _| look.progress(layer, compressed, uncompressed, entries));
                self.turn_soon();
            }
            WorkerReport::Index { index, .. } => {
                let bytes = index.len() as u64;
                if let Some(index) = OpenIndex::of_memory(index) {
                    self.of_look(look, |look, _| look.keep(layer, Access::Index(Rc::new(index)), bytes));
                }
            }
            WorkerReport::Done { findings, .. } => {
                self.desk.borrow_mut().roster.free(worker);
                self.of_look(look, |look, out| look.done(layer, findings.clone(), out));
                self.end_twins(look, layer, &findings);
                self.keep_layer(look, layer, &findings);
                self.dispatch();
                self.spread();
                self.turn();
            }
            WorkerReport::Again { .. } => self.forget_kept(look, layer),
            WorkerReport::Failed { kind, cause, text, host, .. } => {
                let remedies = vec![Remedy::Retry { after: None }];
                let (cause, text) = match cause {
                    // A worker does not know what stands between it and the registry.
                    Some(FailureCause::DeadHost) if host.is_none() && self.goes_through_relay(look) => {
                        (Some(FailureCause::DeadRelay), format!("the relay does not answer: {text}"))
                    }
                    cause => (cause, text),
                };
                let failure = FailureNotice { cause, remedies, ..FailureNotice::plain(kind, text) };
                self.lose(worker, self.blame_publisher(look, layer, host, failure), false);
            }
            WorkerReport::Stuck { cause, .. } => {
                self.errands.begin(Errand::Renewal(worker), Work::Renew { worker, assignment, cause });
            }
            WorkerReport::Ready
            | WorkerReport::Panicked { .. }
            | WorkerReport::Wire { .. }
            | WorkerReport::Found { .. }
            | WorkerReport::Refused { .. } => {}
        }
    }

    fn goes_through_relay(&self, look: u32) -> bool {
        let desk = self.desk.borrow();
        let body = desk.body_of(look);
        body.is_some_and(|body| self.route(body.reference.registry()) == RegistryRoute::Relay)
    }

    /// Gives a worker that was turned away another request, or ends its job.
    pub(super) async fn renew(&self, worker: usize, assignment: Assignment, cause: Option<FailureCause>) {
        let Assignment { job, look, layer, .. } = assignment;
        let outcome = self.another_way(look, layer, cause).await;
        if self.assignment(worker) != Some(assignment) {
            return;
        }
        match outcome {
            Ok(request) => self.pool.send(worker, WorkerOrder::Request { job, request }),
            Err(failure) => {
                self.pool.send(worker, WorkerOrder::Cancel { job });
                self.lose(worker, self.blame_publisher(look, layer, None, *failure), false);
            }
        }
    }

    /// Reports that the layer of a worker is lost.
    fn lose(&self, worker: usize, failure: FailureNotice, dead: bool) {
        let assignment = if dead {
            let (assignment, restart) = self.desk.borrow_mut().roster.bury(worker);
            if !restart {
                self.pool.end(worker);
            } else if self.pool.restart(worker) {
                self.desk.borrow_mut().roster.revive(worker);
            }
            assignment
        } else {
            self.desk.borrow_mut().roster.free(worker)
        };
        match assignment {
            Some(Assignment { layer, task: Task::Probe(kind), .. }) => self.lose_probe(kind, layer, failure.text),
            Some(Assignment { look, layer, task: Task::List, .. }) => {
                self.of_look(look, |look, out| look.lost(layer, failure.clone(), out));
                self.lose_twins(look, layer, &failure);
            }
            None => {}
        }
        self.dispatch();
        self.turn();
    }

    /// Queues layers to be read, and takes a turn.
    pub(super) fn enqueue(&self, number: u32, layers: impl Iterator<Item = u32>) {
        {
            let mut desk = self.desk.borrow_mut();
            layers.for_each(|layer| desk.roster.enqueue(number, layer, Task::List));
        }
        self.dispatch();
        self.turn();
    }

    /// Gives layers to idle workers. Layers that no worker is left for are lost.
    pub(super) fn dispatch(&self) {
        loop {
            let Some((worker, assignment)) = self.desk.borrow_mut().roster.assign() else { break };
            if assignment.layer == CONFIG {
                self.order_config(worker, assignment);
                continue;
            }
            let job = self.desk.borrow().look_of(assignment.look).and_then(|look| self.job(look, assignment));
            let probe = self.wish_of(assignment.task);
            if let Some(job) = job.map(|job| job.looking_for(probe)) {
                self.pool.send(worker, WorkerOrder::Read(Box::new(job)));
                continue;
            }
            self.desk.borrow_mut().roster.free(worker);
            self.give_up(assignment, "there is no valid request for its blob");
        }
        let waiting = self.desk.borrow_mut().roster.give_up();
        for assignment in waiting {
            self.give_up(assignment, "no worker could be started for it");
        }
        self.rest_soon();
    }

    /// Has layers hashed on another thread while workers are idle. Not before a layer has ended: others may still be queued.
    fn spread(&self) {
        loop {
            let Some((worker, job)) = self.desk.borrow_mut().roster.spread() else { break };
            self.pool.send(worker, WorkerOrder::Beside { job });
        }
    }

    /// Reports that a layer that waited is lost.
    fn give_up(&self, Assignment { look, layer, task, .. }: Assignment, why: &str) {
        match task {
            Task::Probe(kind) => self.lose_probe(kind, layer, why.into()),
            Task::List => {
                let failure = FailureNotice::plain(FailureClass::Other, why);
                self.of_look(look, |look, out| look.lost(layer, failure, out));
            }
        }
    }

    fn job(&self, look: &Look, assignment: Assignment) -> Option<ReadJob> {
        let body = look.body.as_ref().filter(|_| look.number == assignment.look)?;
        let layer = body.resolved.image.layers.get(assignment.layer as usize)?;
        let descriptor = &layer.descriptor;
        let blob = body.page.as_ref().and_then(|page| page.blobs.get(assignment.layer as usize));
        let request = match blob {
            Some(BlobPlace::Held(_)) => None,
            Some(BlobPlace::At(url)) => Some(BlobRequest { url: url.clone(), headers: Vec::new() }),
            None => Some(twin(&self.registry.blob_request(&body.reference, descriptor).ok()?)),
        };
        let elsewhere = self.registry.allowed_foreign_urls(&descriptor.digest).unwrap_or_default();
        let kept = look.kept(assignment.layer).filter(|_| assignment.task == Task::List);
        Some(ReadJob {
            job: assignment.job,
            blob: blob.and_then(BlobPlace::held).or_else(|| kept?.bytes.clone()),
            kept: kept.map(|kept| KeptIndex { url: kept.address(), size: kept.file.size() }),
            request,
            elsewhere: elsewhere.iter().map(Url::to_string).collect(),
            registry: body.page.is_none().then(|| body.reference.registry().to_owned()),
            digest: descriptor.digest.to_string(),
            size: descriptor.size,
            diff_id: layer.diff_id.map(|diff_id| diff_id.to_string()),
            media_type: descriptor.media_type.as_str().into(),
            promised: layer.archive,
            file: layer.file.clone(),
            // A file has all of its bytes: its table of contents is not needed. That of a foreign layer is not in the registry either.
            audit: (body.page.is_none()
                && elsewhere.is_empty()
                && prepared::announced(descriptor, &self.options.limits))
            .then(|| descriptor.annotations.clone()),
            beside: self.leaves_cores_idle(body, descriptor.size),
            probe: None,
        })
    }

    /// Whether a layer takes longer than a worker's share of the image.
    fn leaves_cores_idle(&self, body: &LookBody, size: u64) -> bool {
        let share = body.resolved.image.download_size() / self.pool.size().max(1) as u64;
        size >= LARGE && size > share
    }

    fn assignment(&self, worker: usize) -> Option<Assignment> {
        self.desk.borrow().roster.assignment(worker)
    }
}

/// Bytes of the smallest layer that is hashed on a thread of its own.
const LARGE: u64 = 2 << 20;

/// A request, for a worker that has no client.
pub(super) fn twin(request: &transport::Request) -> BlobRequest {
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    BlobRequest { url: request.uri().to_string(), headers: headers.collect() }
}
