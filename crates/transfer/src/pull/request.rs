//! One request for bytes of a blob.

use super::{Error, shared::Shared};
use crate::event::BlobProgress;
use porthole_core::descriptor::Descriptor;
use porthole_registry::plan::pull::{Fetch, TAIL};
use porthole_store::Gaps;
use std::{ops::Range, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Read buffer of each request in bytes, beside that of its connection.
const BUFFER: usize = 256 << 10;
/// A read that runs while another request takes over the tail of the range must not reach into the tail.
const _: () = assert!(BUFFER as u64 <= TAIL);
/// Bytes after which progress is reported, or the time if that passes first.
const TOLD: (u64, Duration) = (1 << 20, Duration::from_millis(50));

pub(super) struct Request {
    pub(super) shared: Arc<Shared>,
    pub(super) blob: Arc<Descriptor>,
    pub(super) gaps: Arc<Gaps>,
    pub(super) fetch: Fetch,
    /// Whether the range was taken over from another request.
    pub(super) takes_over: bool,
}

/// How a request ended.
pub(super) struct Outcome {
    pub(super) fetch: Fetch,
    /// Parts of its range that are still missing.
    pub(super) rest: Vec<Range<u64>>,
    /// Bytes that were received.
    pub(super) fetched: u64,
    pub(super) seconds: f64,
    pub(super) result: Result<(), Error>,
}

impl Request {
    pub(super) async fn run(self) -> Outcome {
        let started = Instant::now();
        let (mut range, mut fetched) = (self.fetch.range.clone(), 0);
        let result = self.bring(&mut range, &mut fetched).await;
        let (seconds, rest) = (started.elapsed().as_secs_f64(), self.gaps.missing_of(&range));
        Outcome { fetch: self.fetch, rest, fetched, seconds, result }
    }

    /// Fetches a range, or the part of the blob that the registry sends instead.
    async fn bring(&self, range: &mut Range<u64>, fetched: &mut u64) -> Result<(), Error> {
        let Shared { client, reference, observer, .. } = self.shared.as_ref();
        let Descriptor { digest, size, .. } = *self.blob;
        let mut claim = if self.takes_over { self.gaps.take_over(range)? } else { self.gaps.claim(range)? };
        let mut body = client.fetch_blob_range(reference, &self.blob, range.clone()).await?;
        if body.refusals() > 0 {
            self.shared.plan().refused(&self.fetch);
        }
        if let Some(other) = self.shared.answered(&self.fetch, body.heeds_ranges()) {
            body.end_at(other.end);
            drop(claim);
            claim = self.gaps.claim(&other)?;
            *range = other;
        }
        let mut at = range.start;
        let length = usize::try_from(range.end - range.start).unwrap_or(BUFFER);
        let mut buffer = vec![0; length.min(BUFFER)];
        let (mut untold, mut told) = (0, Instant::now());
        loop {
            // Another request may have taken over the rest.
            range.end = self.shared.plan().moved(&self.fetch, at, self.shared.now()).unwrap_or(range.end).max(at);
            body.end_at(range.end);
            let read = body.read_until_broken(&mut buffer).await;
            *fetched = body.received();
            let Some(read) = read? else {
                range.end = self.shared.plan().resumed(&self.fetch, self.shared.now()).unwrap_or(range.end).max(at);
                body.end_at(range.end);
                body.resume().await?;
                continue;
            };
            untold += claim.write(at, &buffer[..read])?;
            at += read as u64;
            if untold > 0 && (read == 0 || untold >= TOLD.0 || told.elapsed() >= TOLD.1) {
                observer.blob(digest, size, BlobProgress::Moved { bytes: untold });
                (untold, told) = (0, Instant::now());
            }
            if read == 0 {
                return Ok(());
            }
        }
    }
}
