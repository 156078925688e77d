//! The sink that sends the entries of a layer to the thread that stacks them.

use std::sync::mpsc::SyncSender;

use porthole_core::{
    digest::{Algorithm, Hasher},
    tar::{Entry, EntrySink, Flow, Kind},
    toc::{Audit, Toc},
};

use super::{Event, Listed, Spool, Want};
use crate::error::Error;

/// Number of entries in a batch.
const BATCH: usize = 1024;

/// Collects entries and sends them in batches.
pub(super) struct Sink<'s> {
    want: Want,
    batch: Vec<Listed>,
    /// Number of entries sent so far.
    pub(super) given: u64,
    /// Number of entries to drop first, because they were sent before.
    pub(super) skip: u64,
    /// The hash of the last entry's content so far.
    content: Option<Hasher>,
    pub(super) audit: Option<Audit<Toc>>,
    pub(super) spool: Option<Spool>,
    /// Whether the spool takes the content of the last entry.
    taking: bool,
    sender: &'s SyncSender<Result<Event, Error>>,
}

impl<'s> Sink<'s> {
    pub(super) fn new(want: Want, spool: Option<Spool>, sender: &'s SyncSender<Result<Event, Error>>) -> Self {
        Self { want, batch: Vec::new(), given: 0, skip: 0, content: None, audit: None, spool, taking: false, sender }
    }

    pub(super) fn push(&mut self, listed: Listed) {
        if self.batch.len() >= BATCH {
            self.flush();
        }
        self.given += 1;
        self.batch.push(listed);
    }

    pub(super) fn flush(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            let _ = self.sender.send(Ok(Event::Entries(batch)));
        }
    }
}

impl EntrySink for Sink<'_> {
    fn entry(&mut self, entry: Entry) -> Flow {
        let audited = self.audit.as_mut().map_or(Flow::Continue, |audit| audit.compare(&entry));
        if self.want == Want::Reports {
            return audited;
        }
        let given = self.skip > 0;
        let hashed = self.want == Want::Digests && entry.kind == Kind::File && !given;
        self.taking = self.spool.as_mut().is_some_and(|spool| spool.begin(&entry));
        if given {
            self.skip -= 1;
        } else {
            self.push(Listed { entry, digest: None });
        }
        if hashed {
            self.content = Some(Hasher::new(Algorithm::Sha256));
        }
        if hashed || self.taking { Flow::WantData } else { audited }
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        if let Some(content) = &mut self.content {
            content.update(bytes);
        }
        if let Some(audit) = &mut self.audit {
            audit.data(bytes);
        }
        if let Some(spool) = self.spool.as_mut().filter(|_| self.taking) {
            spool.write(bytes);
        }
        Flow::Continue
    }

    fn end_of_data(&mut self) {
        if let Some(audit) = &mut self.audit {
            audit.end_of_data();
        }
        let digest = self.content.take().map(Hasher::finish);
        if let Some(spool) = self.spool.as_mut().filter(|_| self.taking) {
            spool.end();
        }
        if let Some(last) = self.batch.last_mut() {
            last.digest = digest;
        }
    }
}
