//! Exchanges as an HTTP Archive (HAR 1.2), which the network panel of any browser opens.
//!
//! Each entry is written when its exchange ends, together with the end of the document: the file is complete at any moment,
//! whatever becomes of this program, and nothing is kept in memory but what is under way. Bodies are not recorded.

use std::{
    fs::{File, OpenOptions, Permissions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
    time::{Duration, SystemTime},
};

use porthole_registry::{
    trace::{Ended, Sent, TraceField, TraceHead},
    transport::BodyOutcome,
};
use serde::Serialize;

use super::debug::http_reason;
use crate::ui::time;

/// The file, and where its next entry goes.
pub(super) struct Har {
    file: File,
    end: u64,
    entries: u64,
}

/// What is known of an exchange.
pub(super) struct Record<'r> {
    pub(super) sent: &'r Sent,
    pub(super) started: SystemTime,
    /// From the request to the head of the answer, or to its failure.
    pub(super) waited: Duration,
    pub(super) answer: Result<&'r TraceHead, &'r str>,
    /// The end of its body, and from the request to it.
    pub(super) end: Option<(&'r Ended, Duration)>,
}

const TAIL: &[u8] = b"\n]}}\n";
/// A trace shows which registries a user asked: only that user may read it.
const MODE: u32 = 0o600;

impl Har {
    /// Begins a file, in place of what was there before.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?;
        if file.metadata()?.is_file() {
            file.set_permissions(Permissions::from_mode(MODE))?;
        }
        let head = format!(
            r#"{{"log":{{"version":"1.2","creator":{{"name":"porthole","version":"{}"}},"pages":[],"entries":["#,
            env!("CARGO_PKG_VERSION")
        );
        file.write_all(&[head.as_bytes(), TAIL].concat())?;
        Ok(Self { file, end: head.len() as u64, entries: 0 })
    }

    pub(super) fn push(&mut self, record: &Record<'_>) -> io::Result<()> {
        let mut text = if self.entries == 0 { b"\n".to_vec() } else { b",\n".to_vec() };
        serde_json::to_writer(&mut text, &Entry::of(record))?;
        let end = self.end + text.len() as u64;
        text.extend_from_slice(TAIL);
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&text)?;
        self.end = end;
        self.entries += 1;
        Ok(())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'r> {
    started_date_time: String,
    /// Milliseconds, as are all times here.
    time: f64,
    request: Request<'r>,
    response: Response<'r>,
    cache: Cache,
    timings: Timings,
    #[serde(rename = "serverIPAddress", skip_serializing_if = "Option::is_none")]
    server_ip_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    comment: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'r> {
    method: &'r str,
    url: &'r str,
    http_version: String,
    cookies: [Pair<'r>; 0],
    headers: Vec<Pair<'r>>,
    query_string: Vec<Pair<'r>>,
    headers_size: i64,
    body_size: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'r> {
    /// 0 if there was no answer, as browsers write it.
    status: u16,
    status_text: String,
    http_version: String,
    cookies: [Pair<'r>; 0],
    headers: Vec<Pair<'r>>,
    content: Content<'r>,
    #[serde(rename = "redirectURL")]
    redirect_url: &'r str,
    headers_size: i64,
    body_size: i64,
    /// Why there was no answer, as Chromium's panel shows it.
    #[serde(rename = "_error", skip_serializing_if = "Option::is_none")]
    error: Option<&'r str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Content<'r> {
    size: u64,
    mime_type: &'r str,
}

#[derive(Serialize)]
struct Pair<'r> {
    name: &'r str,
    value: &'r str,
}

#[derive(Serialize)]
struct Cache {}

#[derive(Serialize)]
struct Timings {
    blocked: f64,
    dns: f64,
    connect: f64,
    ssl: f64,
    send: f64,
    wait: f64,
    receive: f64,
}

/// What does not apply, or is not known.
const NONE: f64 = -1.0;

impl<'r> Entry<'r> {
    fn of(record: &Record<'r>) -> Self {
        let Record { sent, started, waited, answer, end } = *record;
        let timings = Timings::of(waited, answer, end.map(|(_, until)| until));
        let connection = answer.ok().and_then(|head| head.connection.as_ref());
        let mut remarks = vec![sent.step.to_owned()];
        remarks.extend(sent.reason.as_ref().map(ToString::to_string));
        match end.map(|(end, _)| &end.outcome) {
            Some(BodyOutcome::Dropped) => remarks.push("the rest was not wanted".to_owned()),
            Some(BodyOutcome::Failed(error)) => remarks.push(error.to_string()),
            None if answer.is_ok() => remarks.push("cut off".to_owned()),
            _ => {}
        }
        Self {
            started_date_time: timestamp(started),
            time: timings.sum(),
            request: Request::of(sent, answer),
            response: Response::of(answer, end.map(|(end, _)| end.bytes)),
            cache: Cache {},
            timings,
            server_ip_address: connection.and_then(|connection| Some(connection.peer?.ip().to_string())),
            connection: connection.map(|connection| connection.id.to_string()),
            comment: remarks.join("; "),
        }
    }
}

impl<'r> Request<'r> {
    fn of(sent: &'r Sent, answer: Result<&TraceHead, &str>) -> Self {
        let query = sent.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let pair = |pair: &'r str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Pair { name, value }
        };
        Self {
            method: sent.method.as_str(),
            url: &sent.url,
            http_version: version(answer.ok()),
            cookies: [],
            headers: pairs(&sent.fields),
            query_string: query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect(),
            headers_size: -1,
            body_size: sent.length,
        }
    }
}

impl<'r> Response<'r> {
    fn of(answer: Result<&'r TraceHead, &'r str>, bytes: Option<u64>) -> Self {
        let head = answer.ok();
        let fields = head.map(|head| &*head.fields).unwrap_or_default();
        let field = |name: &str| fields.iter().find(|field| field.name == name).map(|field| &*field.value);
        Self {
            status: head.map_or(0, |head| head.status),
            status_text: head.map(|head| http_reason(head.status).trim_start().to_owned()).unwrap_or_default(),
            http_version: version(head),
            cookies: [],
            headers: pairs(fields),
            content: Content { size: bytes.unwrap_or(0), mime_type: field("content-type").unwrap_or_default() },
            redirect_url: field("location").unwrap_or_default(),
            headers_size: -1,
            body_size: bytes.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(-1),
            error: answer.err(),
        }
    }
}

impl Timings {
    fn of(waited: Duration, answer: Result<&TraceHead, &str>, until: Option<Duration>) -> Self {
        let waited = milliseconds(waited);
        let made = answer.ok().and_then(|head| head.connection.as_ref()).filter(|connection| !connection.reused);
        let tls = made.and_then(|made| made.tls).map(milliseconds);
        // It may have been made while another exchange waited for it.
        let connect = made.map(|made| (milliseconds(made.connect) + tls.unwrap_or(0.0)).min(waited));
        Self {
            blocked: NONE,
            dns: NONE,
            connect: connect.unwrap_or(NONE),
            ssl: tls.map_or(NONE, |tls| tls.min(waited)),
            send: 0.0,
            wait: round(waited - connect.unwrap_or(0.0)),
            receive: until.map_or(0.0, |until| round((milliseconds(until) - waited).max(0.0))),
        }
    }

    /// All of them; the time of TLS is part of the connection's.
    fn sum(&self) -> f64 {
        round([self.connect, self.send, self.wait, self.receive].into_iter().filter(|part| *part > 0.0).sum())
    }
}

fn pairs(fields: &[TraceField]) -> Vec<Pair<'_>> {
    fields.iter().map(|field| Pair { name: field.name.as_str(), value: &field.value }).collect()
}

fn version(head: Option<&TraceHead>) -> String {
    head.map(|head| format!("{:?}", head.version)).unwrap_or_default()
}

fn milliseconds(duration: Duration) -> f64 {
    round(duration.as_secs_f64() * 1000.0)
}

/// To the microsecond.
fn round(milliseconds: f64) -> f64 {
    (milliseconds * 1000.0).round() / 1000.0
}

/// `2026-01-02T03:04:05.678Z`
fn timestamp(at: SystemTime) -> String {
    let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = time(i64::try_from(at.as_secs()).unwrap_or_default());
    format!("{}.{:03}Z", seconds.replace(' ', "T"), at.subsec_millis())
}
