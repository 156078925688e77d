//! Collects the databases of package managers in a layer, and its certificates.

use crate::{
    packages::{PathRoom, found, found_certificates},
    probe::{LayerProbe, ProbeFound},
    protocol::ProbeSums,
};
use porthole_contents::{certificates::CertificateCollector, collect::DatabaseCollector};
use porthole_core::tar::Entry;

/// Collects the databases and certificates of one layer.
pub(super) struct PackageProbe {
    collector: DatabaseCollector,
    certificates: CertificateCollector,
    room: PathRoom,
    sums: ProbeSums,
}

impl Default for PackageProbe {
    fn default() -> Self {
        Self {
            collector: DatabaseCollector::with_recorded(),
            certificates: CertificateCollector::default(),
            room: PathRoom::default(),
            sums: ProbeSums::default(),
        }
    }
}

impl LayerProbe for PackageProbe {
    fn begin(&mut self, entry: &Entry) -> bool {
        let of_database = self.collector.begin(entry);
        let wanted = self.certificates.begin(entry) || of_database;
        self.sums.searched += u64::from(wanted);
        wanted
    }

    fn push(&mut self, data: &[u8]) {
        self.sums.bytes += data.len() as u64;
        self.collector.push(data);
        self.certificates.push(data);
    }

    fn end(&mut self) {
        self.collector.end();
        self.certificates.end();
    }

    fn take(&mut self) -> ProbeFound {
        let (databases, unread) = found(self.collector.take(), &mut self.room);
        self.sums.found += databases.len() as u64;
        self.sums.files = self.sums.found;
        let certificates = found_certificates(self.certificates.take());
        ProbeFound { databases, certificates, unread, sums: self.sums, ..ProbeFound::default() }
    }
}
