//! Reports the exchanges of a layer worker.

use crate::{
    layer::{ReadJob, WorkerReport},
    protocol::FailureCause,
};
use http::{Response, header};
use porthole_registry::{
    trace::{Reason, RecordedExchange},
    transport::{self, Body, BodyOutcome, Environment, Transport},
};
use std::cell::Cell;

/// Where the exchanges of a job are reported.
pub(super) struct Wire<'w, T> {
    transport: &'w T,
    tell: &'w dyn Fn(WorkerReport),
    job: u32,
    digest: String,
    /// `None`: what is fetched is on this machine, and no exchange.
    registry: Option<String>,
    last: Cell<u64>,
}

/// The body of an answer, whose end is reported.
pub(super) struct WiredBody<'w, T: Transport + Environment> {
    body: T::Body,
    note: Option<Note<'w, T>>,
}

struct Note<'w, T: Environment> {
    wire: &'w Wire<'w, T>,
    number: u64,
    exchange: Box<RecordedExchange>,
    bytes: u64,
    length: Option<u64>,
    outcome: BodyOutcome,
}

impl<'w, T: Transport + Environment> Wire<'w, T> {
    pub(super) fn new(job: &ReadJob, transport: &'w T, tell: &'w dyn Fn(WorkerReport)) -> Self {
        let (digest, registry) = (job.digest.clone(), job.registry.clone());
        Self { transport, tell, job: job.job, digest, registry, last: Cell::new(0) }
    }

    /// What is fetched is on this machine, and nothing is reported.
    pub(super) fn silent(transport: &'w T, tell: &'w dyn Fn(WorkerReport)) -> Self {
        Self { transport, tell, job: 0, digest: String::new(), registry: None, last: Cell::new(0) }
    }

    /// The transport without the reports: its clock, its sleep and its randomness.
    pub(super) fn transport(&self) -> &'w T {
        self.transport
    }

    /// The registry that is asked, for errors.
    pub(super) fn registry(&self) -> &str {
        self.registry.as_deref().unwrap_or("this device")
    }

    /// Digest of the blob.
    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// Reports that the job waits for another request.
    pub(super) fn stuck(&self, cause: Option<FailureCause>) {
        (self.tell)(WorkerReport::Stuck { job: self.job, cause });
    }

    /// Sends once. `reason` says why, if it is not the first time.
    pub(super) async fn send(
        &'w self,
        request: transport::Request,
        reason: Option<Reason>,
    ) -> Result<Response<WiredBody<'w, T>>, transport::Error> {
        let begun = self.registry.as_ref().map(|registry| {
            let now = self.transport.now();
            let exchange = RecordedExchange::of_request(registry, "blob", &self.digest, &request, now);
            let exchange = Box::new(RecordedExchange { reason, ..exchange });
            self.last.set(self.last.get() + 1);
            self.report(self.last.get(), &exchange);
            (self.last.get(), exchange)
        });
        let outcome = self.transport.send(request).await;
        let note = begun.and_then(|(number, mut exchange)| {
            exchange.respond(outcome.as_ref().map_err(ToString::to_string), self.transport.now());
            self.report(number, &exchange);
            let length = outcome.as_ref().ok()?.headers().get(header::CONTENT_LENGTH);
            let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
            Some(Note { wire: self, number, exchange, bytes: 0, length, outcome: BodyOutcome::Dropped })
        });
        Ok(outcome?.map(|body| WiredBody { body, note }))
    }

    fn report(&self, number: u64, exchange: &RecordedExchange) {
        (self.tell)(WorkerReport::Wire { job: self.job, number, exchange: Box::new(exchange.clone()) });
    }
}

impl<T: Transport + Environment> Body for WiredBody<'_, T> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, transport::Error> {
        let read = self.body.read(buffer).await;
        if let Some(note) = &mut self.note {
            match &read {
                Ok(0) => note.outcome = BodyOutcome::Complete,
                Ok(read) => note.bytes += *read as u64,
                Err(error) => note.outcome = BodyOutcome::Failed(error.clone()),
            }
        }
        read
    }
}

impl<T: Environment> Drop for Note<'_, T> {
    fn drop(&mut self) {
        if self.outcome == BodyOutcome::Dropped && self.length == Some(self.bytes) {
            self.outcome = BodyOutcome::Complete;
        }
        self.exchange.end(self.bytes, &self.outcome, self.wire.transport.now());
        (self.wire.tell)(WorkerReport::Wire {
            job: self.wire.job,
            number: self.number,
            exchange: self.exchange.clone(),
        });
    }
}
