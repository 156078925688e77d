//! What is counted: numbers only, no names of registries or repositories.

use bytes::Bytes;
use http::StatusCode;
use porthole_native::LookupCounts;
use porthole_registry::transport::Error;
use std::{
    collections::BTreeMap,
    fmt::{Display, Write},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

/// Counters since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    answers: Mutex<BTreeMap<(&'static str, u16), u64>>,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
    /// From the head of a request to the end of its answer, by route.
    took: Mutex<BTreeMap<&'static str, Histogram>>,
    /// From a request to a registry to the head of its answer.
    upstream: Mutex<Histogram>,
    limited: [AtomicU64; Limit::ALL.len()],
    connections: AtomicI64,
    bytes: AtomicU64,
    taken: AtomicU64,
    broken: AtomicU64,
}

/// A bound that a client or a registry may hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Connections,
    ClientConnections,
    ClientRate,
    Buffers,
    ClientBuffers,
    ClientIdle,
    ClientMinRate,
    UpstreamMinRate,
    RegistryRate,
    DocumentSize,
    UploadSize,
}

impl Limit {
    const ALL: [Self; 11] = [
        Self::Connections,
        Self::ClientConnections,
        Self::ClientRate,
        Self::Buffers,
        Self::ClientBuffers,
        Self::ClientIdle,
        Self::ClientMinRate,
        Self::UpstreamMinRate,
        Self::RegistryRate,
        Self::DocumentSize,
        Self::UploadSize,
    ];

    /// The option that sets it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connections => "max-connections",
            Self::ClientConnections => "client-connections",
            Self::ClientRate => "client-rate",
            Self::Buffers => "buffers",
            Self::ClientBuffers => "client-buffers",
            Self::ClientIdle => "client-idle",
            Self::ClientMinRate => "client-min-rate",
            Self::UpstreamMinRate => "upstream-min-rate",
            Self::RegistryRate => "registry",
            Self::DocumentSize => "document-size",
            Self::UploadSize => "upload-size",
        }
    }
}

/// Values that others count, as they are now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) streams: u64,
    pub(crate) dropped_lines: u64,
    pub(crate) lookups: LookupCounts,
    pub(crate) cache: Option<CacheCounts>,
}

/// What the cache did so far, and what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheCounts {
    pub(crate) hits: u64,
    /// Served from a file that was still growing.
    pub(crate) shared: u64,
    pub(crate) misses: u64,
    pub(crate) evicted: u64,
    /// Answers that did not match their digest.
    pub(crate) wrong: u64,
    pub(crate) bytes: u64,
    /// Of the bucket behind the directory, if there is one.
    pub(crate) bucket: Option<BucketCounts>,
}

/// What a bucket did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BucketCounts {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) stored: u64,
    /// Blobs that were not put there: too large, too many at once, or just after a failure.
    pub(crate) skipped: u64,
    /// Blobs that came back with other bytes.
    pub(crate) wrong: u64,
    /// Reads and writes that failed.
    pub(crate) failed: [u64; 2],
}

impl Metrics {
    pub(crate) fn answered(&self, route: &'static str, status: StatusCode) {
        *lock(&self.answers).entry((route, status.as_u16())).or_default() += 1;
    }

    /// The relay refused a request itself, with this code.
    pub(crate) fn refused(&self, code: &'static str) {
        *lock(&self.refusals).entry(code).or_default() += 1;
    }

    /// An answer has ended.
    pub(crate) fn took(&self, route: &'static str, time: Duration) {
        lock(&self.took).entry(route).or_default().observe(time);
    }

    /// A registry has begun its answer.
    pub(crate) fn upstream_answered(&self, time: Duration) {
        lock(&self.upstream).observe(time);
    }

    pub(crate) fn limited(&self, limit: Limit) {
        self.limited[limit as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A piece of a body went through, or the body broke.
    pub(crate) fn streamed(&self, piece: &Result<Bytes, Error>) {
        match piece {
            Ok(bytes) => self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed),
            Err(_) => self.broken.fetch_add(1, Ordering::Relaxed),
        };
    }

    /// Bytes of a push went through.
    pub(crate) fn taken(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn disconnected(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Connections open now.
    pub(crate) fn connections(&self) -> usize {
        usize::try_from(self.connections.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// The text exposition format of Prometheus, version 0.0.4.
    #[cfg(test)]
    pub(crate) fn exposition(&self) -> String {
        self.exposition_with(&Gauges::default())
    }

    /// The same with the values that others count.
    pub(crate) fn exposition_with(&self, gauges: &Gauges) -> String {
        let mut text = Text(String::new());
        text.head("answers_total", "counter", "Answers sent, by route and status.");
        for ((route, status), count) in &*lock(&self.answers) {
            text.value("answers_total", format_args!("{{route=\"{route}\",status=\"{status}\"}}"), count);
        }
        text.head("refused_total", "counter", "Requests that the relay refused itself, by the code of the error.");
        for (code, count) in &*lock(&self.refusals) {
            text.value("refused_total", format_args!("{{code=\"{code}\"}}"), count);
        }
        text.head("limited_total", "counter", "How often a limit was hit, by the option that sets it.");
        for limit in Limit::ALL {
            let count = self.limited[limit as usize].load(Ordering::Relaxed);
            text.value("limited_total", format_args!("{{limit=\"{}\"}}", limit.name()), count);
        }
        text.head("request_seconds", "histogram", "Time from the head of a request to the end of its answer.");
        for (route, histogram) in &*lock(&self.took) {
            text.histogram("request_seconds", &format!("route=\"{route}\""), histogram);
        }
        text.head("upstream_seconds", "histogram", "Time until a registry began its answer.");
        text.histogram("upstream_seconds", "", &lock(&self.upstream));
        let LookupCounts { running, remembered, stale, late, refused } = gauges.lookups;
        let (bytes, broken) = (self.bytes.load(Ordering::Relaxed), self.broken.load(Ordering::Relaxed));
        for (name, kind, help, value) in [
            ("bytes_total", "counter", "Bytes of bodies relayed.", bytes),
            ("pushed_bytes_total", "counter", "Bytes of pushes relayed.", self.taken.load(Ordering::Relaxed)),
            ("broken_total", "counter", "Bodies that broke off.", broken),
            ("streams", "gauge", "Bodies on their way now.", gauges.streams),
            ("lookups", "gauge", "Threads that look up a name now.", running as u64),
            ("lookups_remembered_total", "counter", "Names answered from memory.", remembered),
            ("lookups_stale_total", "counter", "Names answered with old addresses.", stale),
            ("lookups_late_total", "counter", "Names not answered in time.", late),
            ("lookups_refused_total", "counter", "Names refused because all look-ups were busy.", refused),
            ("log_dropped_total", "counter", "Lines of the log that were dropped.", gauges.dropped_lines),
        ] {
            text.head(name, kind, help);
            text.value(name, "", value);
        }
        if let Some(CacheCounts { hits, shared, misses, evicted, wrong, bytes, bucket }) = gauges.cache {
            for (name, kind, help, value) in [
                ("cache_hits_total", "counter", "Blobs found in the cache.", hits),
                ("cache_shared_total", "counter", "Requests that followed the fetch of another one.", shared),
                ("cache_misses_total", "counter", "Blobs not found in the cache.", misses),
                ("cache_evicted_total", "counter", "Blobs removed to make room.", evicted),
                ("cache_wrong_total", "counter", "Blobs that did not match their digest.", wrong),
                ("cache_bytes", "gauge", "Bytes in the cache.", bytes),
            ] {
                text.head(name, kind, help);
                text.value(name, "", value);
            }
            if let Some(bucket) = bucket {
                bucket.write(&mut text);
            }
        }
        text.head("connections", "gauge", "Connections open now.");
        text.value("connections", "", self.connections.load(Ordering::Relaxed));
        text.0
    }
}

impl BucketCounts {
    fn write(&self, text: &mut Text) {
        let Self { hits, misses, stored, skipped, wrong, failed: [read, written] } = self;
        for (name, help, value) in [
            ("bucket_hits_total", "Blobs, or parts of them, that the bucket of the cache sent.", hits),
            ("bucket_misses_total", "Blobs that the bucket did not have.", misses),
            ("bucket_stored_total", "Blobs put into the bucket.", stored),
            ("bucket_skipped_total", "Blobs not put into the bucket: too large, or too many at once.", skipped),
            ("bucket_wrong_total", "Blobs of the bucket that did not match their digest.", wrong),
        ] {
            text.head(name, "counter", help);
            text.value(name, "", value);
        }
        text.head("bucket_failed_total", "counter", "Requests to the bucket that failed.");
        text.value("bucket_failed_total", "{access=\"read\"}", read);
        text.value("bucket_failed_total", "{access=\"write\"}", written);
    }
}

/// How many observations took at most the time of each bucket.
#[derive(Debug, Default)]
struct Histogram {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: f64,
}

impl Histogram {
    fn observe(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        for (bound, count) in BUCKETS.iter().zip(&mut self.buckets) {
            *count += u64::from(seconds <= *bound);
        }
        self.count += 1;
        self.sum += seconds;
    }
}

/// Seconds: from an answer out of memory to a large blob over a slow line.
const BUCKETS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];

/// Lines of the exposition format.
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP porthole_relay_{name} {help}\n# TYPE porthole_relay_{name} {kind}\n");
    }

    fn value(&mut self, name: &str, labels: impl Display, value: impl Display) {
        let _ = writeln!(self.0, "porthole_relay_{name}{labels} {value}");
    }

    fn histogram(&mut self, name: &str, label: &str, histogram: &Histogram) {
        let comma = if label.is_empty() { "" } else { "," };
        let labels = if label.is_empty() { String::new() } else { format!("{{{label}}}") };
        for (bound, count) in BUCKETS.iter().zip(histogram.buckets) {
            self.value(&format!("{name}_bucket"), format_args!("{{{label}{comma}le=\"{bound}\"}}"), count);
        }
        self.value(&format!("{name}_bucket"), format_args!("{{{label}{comma}le=\"+Inf\"}}"), histogram.count);
        self.value(&format!("{name}_sum"), &labels, histogram.sum);
        self.value(&format!("{name}_count"), &labels, histogram.count);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_are_cumulative() {
        let metrics = Metrics::default();
        for milliseconds in [2, 40, 40, 400_000] {
            metrics.took("/v2/", Duration::from_millis(milliseconds));
        }
        let text = metrics.exposition();
        for line in [
            "# TYPE porthole_relay_request_seconds histogram",
            "porthole_relay_request_seconds_bucket{route=\"/v2/\",le=\"0.001\"} 0",
            "porthole_relay_request_seconds_bucket{route=\"/v2/\",le=\"0.005\"} 1",
            "porthole_relay_request_seconds_bucket{route=\"/v2/\",le=\"0.05\"} 3",
            "porthole_relay_request_seconds_bucket{route=\"/v2/\",le=\"300\"} 3",
            "porthole_relay_request_seconds_bucket{route=\"/v2/\",le=\"+Inf\"} 4",
            "porthole_relay_request_seconds_count{route=\"/v2/\"} 4",
            "porthole_relay_upstream_seconds_bucket{le=\"+Inf\"} 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }
}
