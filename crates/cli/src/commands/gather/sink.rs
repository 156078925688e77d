//! Collects the contents of one layer while it is read.

use porthole_contents::{
    certificates::{CertificateCollector, LeafCertificate},
    collect::{Collected, DatabaseCollector},
    digests::{DigestCollector, LayerDigests},
    secrets::{FileSecrets, SecretCollector},
};
use porthole_core::{
    digest::{Algorithm, Hasher},
    tar::{Entry, EntrySink, Flow, Kind},
};

use crate::layers::Listed;

/// What to collect in addition to the tree.
#[derive(Clone, Copy, Default)]
pub(in crate::commands) struct Sought {
    pub(in crate::commands) packages: bool,
    pub(in crate::commands) secrets: bool,
    /// The digest of each file's content.
    pub(in crate::commands) digests: bool,
    /// Certificates, which may have expired.
    pub(in crate::commands) certificates: bool,
    /// The digests that show whether files differ from those that their packages brought.
    pub(in crate::commands) modified: bool,
}

/// What was collected from one layer.
#[derive(Clone)]
pub(in crate::commands) struct Held {
    pub(in crate::commands) entries: Vec<Listed>,
    pub(in crate::commands) databases: Collected,
    pub(in crate::commands) secrets: FileSecrets,
    pub(in crate::commands) certificates: Vec<LeafCertificate>,
    /// Digests of files by the algorithms of package managers.
    pub(in crate::commands) hashes: LayerDigests,
}

/// The sink that collects from one layer.
pub(in crate::commands) struct Sink {
    entries: Vec<Listed>,
    databases: Option<DatabaseCollector>,
    secrets: Option<SecretCollector>,
    certificates: Option<CertificateCollector>,
    hashes: Option<DigestCollector>,
    digests: bool,
    /// The hash of the last entry's content so far.
    content: Option<Hasher>,
}

impl Sink {
    pub(in crate::commands) fn new(sought: Sought) -> Self {
        Self {
            entries: Vec::new(),
            databases: sought.packages.then(|| match sought.modified {
                true => DatabaseCollector::with_recorded(),
                false => DatabaseCollector::default(),
            }),
            secrets: sought.secrets.then(SecretCollector::default),
            certificates: sought.certificates.then(CertificateCollector::default),
            hashes: sought.modified.then(DigestCollector::default),
            digests: sought.digests,
            content: None,
        }
    }

    pub(in crate::commands) fn finish(self) -> Held {
        Held {
            entries: self.entries,
            databases: self.databases.map(DatabaseCollector::finish).unwrap_or_default(),
            secrets: self.secrets.map(SecretCollector::finish).unwrap_or_default(),
            certificates: self.certificates.map(CertificateCollector::finish).unwrap_or_default(),
            hashes: self.hashes.map(DigestCollector::finish).unwrap_or_default(),
        }
    }
}

impl EntrySink for Sink {
    fn entry(&mut self, entry: Entry) -> Flow {
        let of_packages = self.databases.as_mut().is_some_and(|databases| databases.begin(&entry));
        let of_secrets = self.secrets.as_mut().is_some_and(|secrets| secrets.begin(&entry));
        let of_certificates = self.certificates.as_mut().is_some_and(|found| found.begin(&entry));
        let of_hashes = self.hashes.as_mut().is_some_and(|hashes| hashes.begin(&entry));
        let hashed = self.digests && entry.kind == Kind::File;
        self.content = hashed.then(|| Hasher::new(Algorithm::Sha256));
        self.entries.push(Listed { entry, digest: None });
        if of_packages || of_secrets || of_certificates || of_hashes || hashed {
            Flow::WantData
        } else {
            Flow::Continue
        }
    }

    fn data(&mut self, bytes: &[u8]) -> Flow {
        self.databases.iter_mut().for_each(|databases| databases.push(bytes));
        self.secrets.iter_mut().for_each(|secrets| secrets.push(bytes));
        self.certificates.iter_mut().for_each(|certificates| certificates.push(bytes));
        self.hashes.iter_mut().for_each(|hashes| hashes.push(bytes));
        self.content.iter_mut().for_each(|content| content.update(bytes));
        Flow::Continue
    }

    fn end_of_data(&mut self) {
        self.databases.iter_mut().for_each(DatabaseCollector::end);
        self.secrets.iter_mut().for_each(SecretCollector::end);
        self.certificates.iter_mut().for_each(CertificateCollector::end);
        self.hashes.iter_mut().for_each(DigestCollector::end);
        if let (Some(last), Some(content)) = (self.entries.last_mut(), self.content.take()) {
            last.digest = Some(content.finish());
        }
    }
}
