//! Entries, gathered into batches.

use crate::protocol::batch::Writer;
use porthole_core::tar::{Entry, EntrySink, Flow};

/// Gathers entries until the batch is worth sending.
pub(super) struct Gather {
    writer: Writer,
    job: u32,
}

impl Gather {
    pub(super) fn new(job: u32) -> Self {
        Self { writer: Writer::new(job), job }
    }

    /// Enough for a batch of its own, whatever the clock says.
    pub(super) fn full(&self) -> bool {
        self.writer.bytes().len() >= BATCH_BYTES
    }

    /// Hands the batch over, if there is anything in it, and begins the next.
    pub(super) fn flush(&mut self, send: impl FnOnce(&[u8])) {
        if self.writer.entries() > 0 {
            send(self.writer.bytes());
            self.writer.clear(self.job);
        }
    }
}

impl EntrySink for Gather {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.writer.push(&entry);
        Flow::Continue
    }
}

/// About two thousand entries.
const BATCH_BYTES: usize = 128 << 10;
