//! The exchanges of a trace, as `--json` prints them.

use std::time::Duration;

use porthole_core::reference::Reference;
use porthole_registry::{
    date,
    trace::{Recorded, RecordedExchange, Recorder},
};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Report {
    /// Canonical form of the reference.
    pub(super) reference: String,
    registry: String,
    /// Host of the registry's API.
    pub(super) host: String,
    repository: String,
    tag: Option<String>,
    digest: Option<String>,
    pub(super) steps: Vec<Step>,
    pub(super) totals: Totals,
}

/// A step of the trace: an exchange or a note. Times are in milliseconds.
#[derive(Serialize)]
pub(super) struct Step {
    /// Time since the first step.
    pub(super) at: f64,
    pub(super) meaning: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) exchange: Option<Exchange>,
}

#[derive(Serialize)]
pub(super) struct Exchange {
    started: String,
    step: String,
    /// Why the request was sent again, unless it is the first attempt.
    reason: Option<String>,
    pub(super) method: String,
    pub(super) url: String,
    pub(super) request: Vec<Field>,
    /// Bytes of the request's body.
    sent: u64,
    pub(super) status: Option<u16>,
    /// Why there is no answer to the request.
    pub(super) failure: Option<String>,
    pub(super) answer: Vec<Field>,
    /// Time until the head of the answer.
    pub(super) waited: Option<f64>,
    /// Time until the end of the answer's body.
    pub(super) took: Option<f64>,
    pub(super) bytes: u64,
    /// Whether the whole body arrived.
    complete: bool,
    version: Option<String>,
    connection: Option<u64>,
    peer: Option<String>,
    pub(super) curl: String,
}

#[derive(Serialize)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Serialize)]
pub(super) struct Totals {
    pub(super) exchanges: u64,
    pub(super) retries: u64,
    pub(super) bytes: u64,
    /// Time from the first request to the end of the last answer.
    pub(super) took: f64,
    /// Exchanges that are not listed, because there were too many.
    pub(super) missed: u64,
}

impl Report {
    pub(super) fn of(reference: &Reference, items: &[Recorded], recorder: &Recorder) -> Self {
        let start = items.first().map(at).unwrap_or_default();
        let totals = recorder.totals();
        Self {
            reference: reference.to_string(),
            registry: reference.registry().to_owned(),
            host: reference.api_host().to_owned(),
            repository: reference.repository().to_owned(),
            tag: reference.tag().map(str::to_owned),
            digest: reference.digest().map(ToString::to_string),
            steps: items.iter().map(|item| Step::of(item, start, recorder)).collect(),
            totals: Totals {
                exchanges: totals.exchanges,
                retries: totals.retries,
                bytes: totals.bytes,
                took: milliseconds(totals.duration),
                missed: totals.missed,
            },
        }
    }
}

impl Step {
    fn of(item: &Recorded, start: Duration, recorder: &Recorder) -> Self {
        let exchange = match item {
            Recorded::Exchange(exchange) => Some(Exchange::of(exchange)),
            Recorded::Note(_) => None,
        };
        Self { at: milliseconds(at(item).saturating_sub(start)), meaning: recorder.meaning(item), exchange }
    }
}

impl Exchange {
    fn of(exchange: &RecordedExchange) -> Self {
        let head = exchange.head();
        Self {
            started: date::iso_8601(exchange.sent),
            step: exchange.step.clone(),
            reason: exchange.reason.as_ref().map(ToString::to_string),
            method: exchange.method.clone(),
            url: exchange.url.clone(),
            request: fields(&exchange.fields),
            sent: exchange.length,
            status: exchange.status(),
            failure: exchange.failure().map(str::to_owned),
            answer: head.map(|head| fields(&head.fields)).unwrap_or_default(),
            waited: exchange.waited.map(milliseconds),
            took: exchange.duration().map(milliseconds),
            bytes: exchange.bytes(),
            complete: exchange.end.as_ref().is_some_and(|end| end.cut.is_none()),
            version: head.map(|head| head.version.clone()),
            connection: head.and_then(|head| head.connection),
            peer: head.and_then(|head| head.peer.clone()),
            curl: exchange.curl(),
        }
    }
}

fn at(item: &Recorded) -> Duration {
    match item {
        Recorded::Exchange(exchange) => exchange.sent,
        Recorded::Note(note) => note.at,
    }
}

fn fields(fields: &[(String, String)]) -> Vec<Field> {
    fields.iter().map(|(name, value)| Field { name: name.clone(), value: value.clone() }).collect()
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
