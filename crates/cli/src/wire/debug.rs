//! Exchanges as text for `--debug`.

use std::time::{Duration, SystemTime};

use porthole_registry::{
    trace::{Ended, Paused, Sent, TraceField, TraceHead},
    transport::BodyOutcome,
};

use serde_json::{Value, json};

use crate::ui::{safe, size, time};

pub(super) fn sent(sent: &Sent) -> Vec<String> {
    let Sent { number, method, url, length, reason, .. } = sent;
    let body = if *length > 0 { format!(", {length} bytes") } else { String::new() };
    let authorized = if sent.authorized { ", authorized" } else { "" };
    let reason = reason.as_ref().map(|reason| format!(" ({})", safe(&reason.to_string()))).unwrap_or_default();
    let first = format!("#{number} > {method} {}{body}{authorized}{reason}", safe(url));
    [first].into_iter().chain(fields(*number, '>', &sent.fields, &ASKED)).collect()
}

pub(super) fn answered(number: u64, head: &TraceHead, after: Duration) -> Vec<String> {
    let reason = http_reason(head.status);
    let connection = head.connection.as_ref().map(|connection| {
        let peer = connection.peer.map(|peer| format!(" to {peer}")).unwrap_or_default();
        let made = if connection.reused {
            ", used before".to_owned()
        } else {
            let tls = connection.tls.map(|tls| format!(", TLS {}", milliseconds(tls))).unwrap_or_default();
            format!(", new: {}{tls}", milliseconds(connection.connect))
        };
        format!(", connection {}{peer}{made}", connection.id)
    });
    let first =
        format!("#{number} < {}{reason} in {}{}", head.status, milliseconds(after), connection.unwrap_or_default());
    [first].into_iter().chain(fields(number, '<', &head.fields, &ANSWERED)).collect()
}

pub(super) fn failed(number: u64, error: &str, after: Duration) -> Vec<String> {
    vec![format!("#{number} < no answer in {}: {}", milliseconds(after), safe(error))]
}

pub(super) fn ended(ended: &Ended, after: Duration) -> Vec<String> {
    let how = match &ended.outcome {
        BodyOutcome::Complete => String::new(),
        BodyOutcome::Dropped => ", the rest was not wanted".to_owned(),
        BodyOutcome::Failed(error) => format!(", then {}", safe(&error.to_string())),
    };
    let seconds = after.as_secs_f64();
    let rate = if ended.bytes >= 1_000_000 && seconds > 0.0 {
        format!(", {}/s", size((ended.bytes as f64 / seconds) as u64))
    } else {
        String::new()
    };
    vec![format!("#{} = {} bytes in {}{rate}{how}", ended.number, ended.bytes, milliseconds(after))]
}

pub(super) fn paused(paused: &Paused) -> Vec<String> {
    let Paused { registry, step, name, attempt, because, .. } = paused;
    let what = safe(name);
    vec![format!("{registry}: {step} {what}: {}; try {attempt} in {}", safe(because), milliseconds(paused.delay))]
}

/// A pause as JSON.
pub(super) fn retry(paused: &Paused) -> Value {
    json!({
        "registry": paused.registry,
        "step": paused.step,
        "name": paused.name,
        "attempt": paused.attempt,
        "delay": (paused.delay.as_secs_f64() * 1000.0).round() / 1000.0,
        "reason": paused.because,
    })
}

/// Formats lines for printing, with the time before the first one.
pub(super) fn stamped(lines: &[String], now: SystemTime) -> String {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let date = time(i64::try_from(now.as_secs()).unwrap_or_default());
    let clock = date.split(' ').nth(1).unwrap_or_default();
    let clock = format!("{clock}.{:03}", now.subsec_millis());
    let line = |(at, line): (usize, &String)| {
        let clock = if at == 0 { &*clock } else { "" };
        format!("debug: {clock:12} {line}")
    };
    lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn fields(number: u64, direction: char, fields: &[TraceField], wanted: &[&str]) -> Vec<String> {
    let matters = |field: &&TraceField| {
        let name = field.name.as_str();
        wanted.iter().any(|wanted| wanted.strip_suffix('*').map_or(*wanted == name, |start| name.starts_with(start)))
    };
    let line = |field: &TraceField| format!("#{number} {direction}   {}: {}", field.name, safe(&field.value));
    fields.iter().filter(matters).map(line).collect()
}

fn milliseconds(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    if milliseconds < 10.0 { format!("{milliseconds:.1} ms") } else { format!("{milliseconds:.0} ms") }
}

/// The reason phrase of a status with a space before it, such as ` Not Found`. Empty if the status has none.
pub(super) fn http_reason(status: u16) -> String {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    reason.map(|reason| format!(" {reason}")).unwrap_or_default()
}

const ASKED: [&str; 7] = ["accept", "range", "if-*", "content-range", "content-length", "content-type", "oci-*"];
const ANSWERED: [&str; 14] = [
    "content-type",
    "content-length",
    "content-range",
    "content-encoding",
    "docker-content-digest",
    "etag",
    "link",
    "location",
    "oci-*",
    "range",
    "ratelimit*",
    "retry-after",
    "warning",
    "www-authenticate",
];
