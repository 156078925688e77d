//! Computes the digests of the files of a layer by the algorithms of package managers.

use crate::{
    probe::{FileHashes, LayerProbe, ProbeFound},
    protocol::ProbeSums,
};
use porthole_contents::digests::DigestCollector;
use porthole_core::tar::Entry;

/// Computes the digests of each file of one layer. Empty files have none: theirs are known.
#[derive(Default)]
pub(super) struct RecordedProbe {
    collector: DigestCollector,
    sums: ProbeSums,
}

impl LayerProbe for RecordedProbe {
    fn begin(&mut self, entry: &Entry) -> bool {
        let wanted = self.collector.begin(entry);
        self.sums.searched += u64::from(wanted);
        wanted
    }

    fn push(&mut self, data: &[u8]) {
        self.sums.bytes += data.len() as u64;
        self.collector.push(data);
    }

    fn end(&mut self) {
        self.collector.end();
    }

    fn take(&mut self) -> ProbeFound {
        let hashes: Vec<_> =
            self.collector.take().into_iter().map(|(content, digests)| (content, FileHashes::of(&digests))).collect();
        self.sums.found += hashes.len() as u64;
        self.sums.files = self.sums.found;
        ProbeFound { hashes, sums: self.sums, ..ProbeFound::default() }
    }
}
