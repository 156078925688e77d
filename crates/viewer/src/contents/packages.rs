//! Collects the databases of package managers in a layer.

use crate::{
    packages::found,
    probe::{LayerProbe, ProbeFound},
    protocol::ProbeSums,
};
use porthole_contents::collect::DatabaseCollector;
use porthole_core::tar::Entry;

/// Collects the databases of one layer.
#[derive(Default)]
pub(super) struct PackageProbe {
    collector: DatabaseCollector,
    sums: ProbeSums,
}

impl LayerProbe for PackageProbe {
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
        let (databases, unread) = found(self.collector.take());
        self.sums.found += databases.len() as u64;
        self.sums.files = self.sums.found;
        ProbeFound { databases, unread, sums: self.sums, ..ProbeFound::default() }
    }
}
