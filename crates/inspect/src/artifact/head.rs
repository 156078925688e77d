//! The first bytes of a blob that is a file, taken while it is read.

use super::{ArtifactFact, HEAD_BYTES, of_blob};
use porthole_core::{
    layer::LayerReport,
    tar::{Entry, EntrySink, Flow},
};

/// Collects the first bytes of a blob, for [`of_blob`]. Of an archive it collects those of the first entry, and
/// [`facts`](Self::facts) returns nothing.
#[derive(Debug, Default)]
pub struct BlobHead {
    begun: bool,
    bytes: Vec<u8>,
}

impl BlobHead {
    /// Returns the facts of the blob that `report` is about; none if the blob is an archive or has findings.
    pub fn facts(&self, report: &LayerReport) -> Vec<ArtifactFact> {
        if !report.one_file || !report.findings.is_empty() {
            return Vec::new();
        }
        of_blob(&self.bytes, self.bytes.len() as u64 == report.size)
    }
}

impl EntrySink for BlobHead {
    fn entry(&mut self, _: Entry) -> Flow {
        if std::mem::replace(&mut self.begun, true) { Flow::Continue } else { Flow::WantData }
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        let room = HEAD_BYTES.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..room]);
        Flow::Continue
    }
}
