//! Exchanges as entries of an HTTP Archive (HAR 1.2), which the network panel of any browser opens. Bodies are not recorded.

use super::{RecordedAnswer, RecordedExchange};
use crate::date;
use serde::Serialize;
use std::time::Duration;

/// An entry of an HTTP Archive.
#[derive(Serialize)]
#[serde(transparent)]
pub struct HarEntry<'r>(Entry<'r>);

impl<'r> HarEntry<'r> {
    /// The entry of an exchange. `comment` is for the person who reads it.
    pub fn of(exchange: &'r RecordedExchange, comment: String) -> Self {
        Self(Entry::of(exchange, comment))
    }
}

/// The beginning of an archive, up to its first entry. The entries follow, with commas between them, then [`HAR_TAIL`].
pub fn har_head(version: &str) -> String {
    format!(r#"{{"log":{{"version":"1.2","creator":{{"name":"porthole","version":"{version}"}},"pages":[],"entries":["#)
}

/// The end of an archive.
pub const HAR_TAIL: &str = "\n]}}\n";

/// A whole archive. `version` is that of the program.
pub(super) fn har_document<'r>(version: &str, entries: impl IntoIterator<Item = HarEntry<'r>>) -> String {
    let mut text = har_head(version);
    let mut separator = "\n";
    for entry in entries {
        text.push_str(separator);
        // Neither can fail: it is written to memory, and all keys are text.
        text.push_str(&serde_json::to_string(&entry).unwrap_or_default());
        separator = ",\n";
    }
    text + HAR_TAIL
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
    server_ip_address: Option<&'r str>,
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
    http_version: &'r str,
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
    status_text: &'r str,
    http_version: &'r str,
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

/// Value of a time that does not apply or is not known.
const NONE: f64 = -1.0;

impl<'r> Entry<'r> {
    fn of(exchange: &'r RecordedExchange, comment: String) -> Self {
        let head = exchange.head();
        let timings = Timings::of(exchange, head);
        Self {
            started_date_time: date::iso_8601(exchange.sent),
            time: timings.sum(),
            request: Request::of(exchange),
            response: Response::of(exchange),
            cache: Cache {},
            timings,
            server_ip_address: head.and_then(|head| head.peer.as_deref()),
            connection: head.and_then(|head| head.connection).map(|connection| connection.to_string()),
            comment,
        }
    }
}

impl<'r> Request<'r> {
    fn of(exchange: &'r RecordedExchange) -> Self {
        let query = exchange.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let pair = |pair: &'r str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Pair { name, value }
        };
        Self {
            method: &exchange.method,
            url: &exchange.url,
            http_version: version(exchange),
            cookies: [],
            headers: pairs(&exchange.fields),
            query_string: query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect(),
            headers_size: -1,
            body_size: exchange.length,
        }
    }
}

impl<'r> Response<'r> {
    fn of(exchange: &'r RecordedExchange) -> Self {
        let head = exchange.head();
        let status = head.map_or(0, |head| head.status);
        let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let bytes = exchange.end.as_ref().map(|end| end.bytes);
        Self {
            status,
            status_text: reason.unwrap_or_default(),
            http_version: version(exchange),
            cookies: [],
            headers: head.map(|head| pairs(&head.fields)).unwrap_or_default(),
            content: Content {
                size: bytes.unwrap_or(0),
                mime_type: exchange.answered("content-type").unwrap_or_default(),
            },
            redirect_url: exchange.answered("location").unwrap_or_default(),
            headers_size: -1,
            body_size: bytes.and_then(|bytes| i64::try_from(bytes).ok()).unwrap_or(-1),
            error: exchange.failure(),
        }
    }
}

impl Timings {
    fn of(exchange: &RecordedExchange, head: Option<&RecordedAnswer>) -> Self {
        let waited = milliseconds(exchange.waited.unwrap_or_default());
        let until = exchange.end.as_ref().map(|end| end.after);
        let tls = head.and_then(|head| head.tls).map(milliseconds);
        let connect = head.and_then(|head| head.connect);
        // It may have been made while another exchange waited for it.
        let connect = connect.map(|connect| (milliseconds(connect) + tls.unwrap_or(0.0)).min(waited));
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

    /// The sum of all times; the time of TLS is a part of `connect`.
    fn sum(&self) -> f64 {
        round([self.connect, self.send, self.wait, self.receive].into_iter().filter(|part| *part > 0.0).sum())
    }
}

fn pairs(fields: &[(String, String)]) -> Vec<Pair<'_>> {
    fields.iter().map(|(name, value)| Pair { name, value }).collect()
}

fn version(exchange: &RecordedExchange) -> &str {
    exchange.head().map_or("", |head| &head.version)
}

fn milliseconds(duration: Duration) -> f64 {
    round(duration.as_secs_f64() * 1000.0)
}

/// Rounds to the microsecond.
fn round(milliseconds: f64) -> f64 {
    (milliseconds * 1000.0).round() / 1000.0
}
