//! Entries, gathered into batches, and compared with a table of contents where there is one.

use porthole_core::{
    layer::LayerReport,
    tar::{Entry, EntrySink, Flow},
    toc::{Audit, AuditReport, Toc},
};
use porthole_viewer::batch::Writer;

/// Gathers entries until the batch is worth sending.
pub(super) struct Gather {
    writer: Writer,
    job: u32,
    audit: Option<Audit<Toc>>,
}

impl Gather {
    pub(super) fn new(job: u32) -> Self {
        Self { writer: Writer::new(job), job, audit: None }
    }

    /// Compares what is still to come.
    pub(super) fn audit(&mut self, toc: Toc) {
        self.audit = Some(Audit::new(toc));
    }

    /// The layer is over: what the audit found, if there was one.
    pub(super) fn finish(self, report: &LayerReport) -> Option<AuditReport> {
        self.audit.map(|audit| audit.finish(report))
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
        self.audit.as_mut().map_or(Flow::Continue, |audit| audit.compare(&entry))
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.audit.as_mut().map_or(Flow::Continue, |audit| audit.data(bytes))
    }

    fn end_of_data(&mut self) {
        if let Some(audit) = &mut self.audit {
            audit.end_of_data();
        }
    }
}

/// About two thousand entries.
const BATCH_BYTES: usize = 128 << 10;
