//! Layers that tests read, as a front end does: entries are stacked, and the collectors look into them.

use crate::{
    certificates::{CertificateCollector, LeafCertificate},
    collect::{Collected, DatabaseCollector},
    digests::{DigestCollector, LayerDigests},
};
use porthole_core::{
    layer::{Expected, LayerReader},
    limits::Limits,
    tar::{Entry, EntrySink, Flow},
    tree::FileTree,
};
use porthole_testkit::image::{Compression, Layer};

/// What the layers of an image hold, bottom first.
pub(crate) struct ReadLayers {
    pub(crate) tree: FileTree,
    pub(crate) collected: Vec<Collected>,
    pub(crate) digests: Vec<LayerDigests>,
    pub(crate) certificates: Vec<Vec<LeafCertificate>>,
}

impl ReadLayers {
    pub(crate) fn of(layers: &[Layer]) -> Self {
        Self::of_archives(layers.iter().map(|layer| Compression::None.compress(&layer.tar())))
    }

    /// Reads archives, packed or not.
    pub(crate) fn of_archives<A: AsRef<[u8]>>(archives: impl IntoIterator<Item = A>) -> Self {
        let (mut collected, mut digests, mut certificates) = (Vec::new(), Vec::new(), Vec::new());
        let mut tree = FileTree::new(10_000);
        for (number, archive) in (0..).zip(archives) {
            tree.begin(number);
            let mut collectors = Collectors {
                tree: &mut tree,
                databases: DatabaseCollector::with_recorded(),
                digests: DigestCollector::default(),
                certificates: CertificateCollector::default(),
            };
            let mut reader = LayerReader::new(Expected::default(), Limits::default());
            reader.push(archive.as_ref(), &mut collectors);
            reader.finish(&mut collectors);
            let Collectors { databases, digests: hashes, certificates: found, .. } = collectors;
            collected.push(databases.finish());
            digests.push(hashes.finish());
            certificates.push(found.finish());
            tree.commit();
        }
        Self { tree, collected, digests, certificates }
    }

    /// The same, where every database can be read.
    pub(crate) fn readable(self) -> Self {
        let unread: Vec<_> = self.collected.iter().flat_map(|layer| &layer.unread).collect();
        assert!(unread.is_empty(), "{unread:?}");
        self
    }
}

struct Collectors<'t> {
    tree: &'t mut FileTree,
    databases: DatabaseCollector,
    digests: DigestCollector,
    certificates: CertificateCollector,
}

impl EntrySink for Collectors<'_> {
    fn entry(&mut self, entry: Entry) -> Flow {
        self.tree.apply(&entry).unwrap();
        let wanted = [self.databases.begin(&entry), self.digests.begin(&entry), self.certificates.begin(&entry)];
        if wanted.contains(&true) { Flow::WantData } else { Flow::Continue }
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.databases.push(bytes);
        self.digests.push(bytes);
        self.certificates.push(bytes);
        Flow::Continue
    }

    fn end_of_data(&mut self) {
        self.databases.end();
        self.digests.end();
        self.certificates.end();
    }
}
