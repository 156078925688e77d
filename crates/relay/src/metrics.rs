//! What is counted: numbers only, no names of registries or repositories.

use bytes::Bytes;
use http::StatusCode;
use porthole_registry::transport::Error;
use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

/// Counters since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    answers: Mutex<BTreeMap<(&'static str, u16), u64>>,
    connections: AtomicI64,
    bytes: AtomicU64,
    broken: AtomicU64,
}

impl Metrics {
    pub(crate) fn answered(&self, route: &'static str, status: StatusCode) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry((route, status.as_u16())).or_default() += 1;
    }

    /// A piece of a body went through, or the body broke.
    pub(crate) fn streamed(&self, piece: &Result<Bytes, Error>) {
        match piece {
            Ok(bytes) => self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed),
            Err(_) => self.broken.fetch_add(1, Ordering::Relaxed),
        };
    }

    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// The text exposition format of Prometheus, version 0.0.4.
    pub(crate) fn exposition(&self) -> String {
        let mut text = String::from(
            "# HELP porthole_relay_answers_total Answers sent, by route and status.\n\
             # TYPE porthole_relay_answers_total counter\n",
        );
        for ((route, status), count) in &*self.answers.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = writeln!(text, "porthole_relay_answers_total{{route=\"{route}\",status=\"{status}\"}} {count}");
        }
        let single = [
            ("bytes_total", "counter", "Bytes of bodies relayed.", self.bytes.load(Ordering::Relaxed).cast_signed()),
            ("broken_total", "counter", "Bodies that broke off.", self.broken.load(Ordering::Relaxed).cast_signed()),
            ("connections", "gauge", "Connections open now.", self.connections.load(Ordering::Relaxed)),
        ];
        for (name, kind, help, value) in single {
            let _ = writeln!(
                text,
                "# HELP porthole_relay_{name} {help}\n# TYPE porthole_relay_{name} {kind}\nporthole_relay_{name} {value}",
            );
        }
        text
    }
}
