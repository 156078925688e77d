//! One exchange as it is kept: plain values that may cross to another thread or process.

use super::{Reason, Sent, TraceField, TraceHead, header};
use crate::{
    policy,
    transport::{BodyOutcome, Request},
};
use http::Response;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An exchange so far. It holds no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedExchange {
    /// The registry as its references name it, also where a relay was asked.
    pub registry: String,
    /// The operation that it is a step of: `manifest`, `blob`, `token` …
    pub step: String,
    /// The reference, digest or scope that it is for.
    pub name: String,
    /// Method of the request, such as `GET`.
    pub method: String,
    /// URL, without query values that may be secret.
    pub url: String,
    /// Fields of the request, as they may be shown.
    pub fields: Vec<(String, String)>,
    /// Bytes of the request's body.
    pub length: u64,
    /// Why it was sent once more; `None` for a first try.
    pub reason: Option<Reason>,
    /// When it was sent, since the Unix epoch.
    pub sent: Duration,
    /// From the request to the head of its answer, or to its failure; `None` while it waits.
    pub waited: Option<Duration>,
    /// The head of its answer; an error says in words why there is none. `None` while it waits.
    pub answer: Option<Result<RecordedAnswer, String>>,
    /// The end of its answer; `None` while that is read, and where the transport does not report it.
    pub end: Option<RecordedEnd>,
}

/// The head of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedAnswer {
    /// HTTP status code.
    pub status: u16,
    /// HTTP version; empty where the transport does not know it.
    pub version: String,
    /// Fields, as they may be shown.
    pub fields: Vec<(String, String)>,
    /// Number of the connection, where the transport knows.
    pub connection: Option<u64>,
    /// The other end of it, an IP address.
    pub peer: Option<String>,
    /// Time to connect for this exchange; `None` for a connection that was used before.
    pub connect: Option<Duration>,
    /// Time of the TLS handshake, after `connect`; `None` without TLS, and for a connection that was used before.
    pub tls: Option<Duration>,
}

/// The end of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedEnd {
    /// From the request to the end.
    pub after: Duration,
    /// Bytes of the body that were received.
    pub bytes: u64,
    /// Why it is not whole, in words.
    pub cut: Option<String>,
}

impl RecordedExchange {
    /// An exchange that a client reports.
    pub fn begin(sent: &Sent, at: Duration) -> Self {
        Self {
            registry: sent.registry.clone(),
            step: sent.step.to_owned(),
            name: sent.name.clone(),
            method: sent.method.to_string(),
            url: sent.url.clone(),
            fields: pairs(&sent.fields),
            length: sent.length,
            reason: sent.reason.clone(),
            sent: at,
            waited: None,
            answer: None,
            end: None,
        }
    }

    /// An exchange of a program without a client.
    pub fn of_request(registry: &str, step: &str, name: &str, request: &Request, at: Duration) -> Self {
        Self {
            registry: registry.to_owned(),
            step: step.to_owned(),
            name: name.to_owned(),
            method: request.method().to_string(),
            url: policy::redact(&request.uri().to_string()),
            fields: pairs(&header::fields(request.headers())),
            length: request.body().length().unwrap_or(0),
            reason: None,
            sent: at,
            waited: None,
            answer: None,
            end: None,
        }
    }

    /// Takes the head of an answer to [`of_request`](Self::of_request).
    pub fn respond<B>(&mut self, outcome: Result<&Response<B>, String>, at: Duration) {
        self.answer(outcome.map(TraceHead::of).as_ref().map_err(|error| error.as_str()), at);
    }

    /// Takes the head of the answer, or why there is none.
    pub fn answer(&mut self, outcome: Result<&TraceHead, &str>, at: Duration) {
        self.waited = Some(at.saturating_sub(self.sent));
        self.answer = Some(outcome.map(RecordedAnswer::of).map_err(str::to_owned));
    }

    /// Takes the end of the answer.
    pub fn end(&mut self, bytes: u64, outcome: &BodyOutcome, at: Duration) {
        let cut = match outcome {
            BodyOutcome::Complete => None,
            BodyOutcome::Dropped => Some(DROPPED.to_owned()),
            BodyOutcome::Failed(error) => Some(error.to_string()),
        };
        self.end = Some(RecordedEnd { after: at.saturating_sub(self.sent), bytes, cut });
    }

    /// Whether the end of the answer was reported, or that there is no answer.
    pub fn has_ended(&self) -> bool {
        self.end.is_some() || matches!(self.answer, Some(Err(_)))
    }

    /// HTTP status code, if there is an answer.
    pub fn status(&self) -> Option<u16> {
        self.head().map(|head| head.status)
    }

    /// The head of the answer, if there is one.
    pub fn head(&self) -> Option<&RecordedAnswer> {
        self.answer.as_ref()?.as_ref().ok()
    }

    /// Why there is no answer.
    pub fn failure(&self) -> Option<&str> {
        self.answer.as_ref()?.as_ref().err().map(String::as_str)
    }

    /// Bytes of the answer's body that were received; 0 until its end is reported.
    pub fn bytes(&self) -> u64 {
        self.end.as_ref().map_or(0, |end| end.bytes)
    }

    /// From the request to the end of its answer, else to the head; `None` before that.
    pub fn duration(&self) -> Option<Duration> {
        self.end.as_ref().map(|end| end.after).or(self.waited)
    }

    /// A field of the answer.
    pub fn answered(&self, name: &str) -> Option<&str> {
        field(&self.head()?.fields, name)
    }

    /// A field of the request.
    pub(super) fn asked(&self, name: &str) -> Option<&str> {
        field(&self.fields, name)
    }

    /// What it is for and how it ended, in a few words.
    pub fn remark(&self) -> String {
        let mut remarks = vec![self.step.clone()];
        remarks.extend(self.reason.as_ref().map(ToString::to_string));
        match &self.end {
            Some(end) => remarks.extend(end.cut.clone()),
            None if self.head().is_some() => remarks.push("cut off".to_owned()),
            None => {}
        }
        remarks.join("; ")
    }
}

impl RecordedAnswer {
    fn of(head: &TraceHead) -> Self {
        let connection = head.connection.as_ref();
        let made = connection.filter(|connection| !connection.reused);
        Self {
            status: head.status,
            version: head.version.map(|version| format!("{version:?}")).unwrap_or_default(),
            fields: pairs(&head.fields),
            connection: connection.map(|connection| connection.id),
            peer: connection.and_then(|connection| Some(connection.peer?.ip().to_string())),
            connect: made.map(|made| made.connect),
            tls: made.and_then(|made| made.tls),
        }
    }
}

pub(super) const DROPPED: &str = "the rest was not wanted";

fn pairs(fields: &[TraceField]) -> Vec<(String, String)> {
    fields.iter().map(|field| (field.name.as_str().to_owned(), field.value.clone())).collect()
}

fn field<'f>(fields: &'f [(String, String)], name: &str) -> Option<&'f str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}
