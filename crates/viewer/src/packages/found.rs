//! Twins of the databases of a layer, as a worker sends them.

use porthole_contents::{
    certificates::{LeafCertificate, may_be_certificate},
    collect::{Collected, Database},
    database::{Owner, Record, Release},
    package::{Ecosystem, Package, SourcePackage},
};
use porthole_core::path;
use serde::{Deserialize, Serialize};

/// Twin of a database, with the number of paths that it assigns to packages instead of the paths: they can be millions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundDatabase {
    /// Escaped path of its file.
    pub path: String,
    /// Where its content starts in its layer.
    pub content: u64,
    /// What it says.
    pub records: Vec<FoundRecord>,
}

/// Twin of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundRecord {
    /// A package is installed: type, name, version, and the rest.
    Package(String, String, String, Box<FoundDetails>),
    /// A package has this many files, which take this many bytes if that is recorded, and those of them that may be certificates.
    Files(FoundOwner, usize, Option<u64>, Vec<String>),
    /// A package has a licence.
    Licence(FoundOwner, String),
    /// The distribution: its name for programs, its version, its name for people.
    Release(String, Option<String>, Option<String>),
}

/// What is recorded of a package beside its name and version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundDetails {
    /// Architecture that the package is built for.
    pub architecture: Option<String>,
    /// Name of the source package, and its version if it has one of its own.
    pub source: Option<(String, Option<String>)>,
    /// Licence as the package states it.
    pub licence: Option<String>,
    /// The organisation that built it.
    pub vendor: Option<String>,
    /// Bytes when installed.
    pub size: Option<u64>,
    /// How many files its database lists.
    pub files: usize,
    /// Escaped paths of those that may be certificates.
    pub certificates: Vec<String>,
}

/// Twin of a certificate of a server or client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundCertificate {
    /// Escaped path of its file.
    pub path: String,
    /// Where its content starts in its layer.
    pub content: u64,
    /// The end of its validity in UTC, as `YYYYMMDDhhmmss`.
    pub not_after: String,
}

/// Twins of the certificates of a layer.
pub fn found_certificates(all: Vec<LeafCertificate>) -> Vec<FoundCertificate> {
    let twin = |LeafCertificate { path, offset, not_after }: LeafCertificate| FoundCertificate {
        path: path::escape(&path).into_owned(),
        content: offset,
        not_after,
    };
    all.into_iter().map(twin).collect()
}

/// Twin of what a file of its own calls a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundOwner {
    /// Name of a package of dpkg.
    Deb(String),
    /// Escaped path of the directory with its metadata.
    Directory(String),
}

/// Twins of what was collected in a layer: its databases, and those that could not be read.
pub fn found(layer: Collected) -> (Vec<FoundDatabase>, Vec<(String, String)>) {
    let database = |Database { path, offset, records }: Database| FoundDatabase {
        path: path::escape(&path).into_owned(),
        content: offset,
        records: records.into_iter().filter_map(twin).collect(),
    };
    let unread = layer.unread.iter().map(|of| (path::escape(&of.path).into_owned(), of.why.to_string())).collect();
    (layer.databases.into_iter().map(database).collect(), unread)
}

fn twin(record: Record) -> Option<FoundRecord> {
    Some(match record {
        Record::Package(package) => {
            let Package { ecosystem, name, version, architecture, source, licence, vendor, size, files, .. } = package;
            let source = source.map(|source| (source.name, source.version));
            let (certificates, files) = (certificates(&files), files.len());
            let details = FoundDetails { architecture, source, licence, vendor, size, files, certificates };
            FoundRecord::Package(ecosystem.name().into(), name, version, Box::new(details))
        }
        Record::Files { owner, files, size } => {
            FoundRecord::Files(owner.into(), files.len(), size, certificates(&files))
        }
        Record::Licence { owner, licence } => FoundRecord::Licence(owner.into(), licence),
        Record::Release(Release { id, version, name }) => FoundRecord::Release(id, version, name),
        _ => return None,
    })
}

impl From<Owner> for FoundOwner {
    fn from(owner: Owner) -> Self {
        match owner {
            Owner::Deb(name) => Self::Deb(name),
            Owner::Directory(path) => Self::Directory(path::escape(&path).into_owned()),
        }
    }
}

impl FoundOwner {
    fn original(&self) -> Option<Owner> {
        Some(match self {
            Self::Deb(name) => Owner::Deb(name.clone()),
            Self::Directory(path) => Owner::Directory(path::unescape(path)?),
        })
    }
}

impl FoundRecord {
    pub(super) fn original(&self) -> Option<Record> {
        Some(match self {
            Self::Package(kind, name, version, details) => {
                let FoundDetails { architecture, source, licence, vendor, size, files, certificates } =
                    (**details).clone();
                let source = source.map(|(name, version)| SourcePackage { name, version });
                let package = Package::new(Ecosystem::named(kind)?, name.as_str(), version.as_str());
                let files = unnamed(files, &certificates);
                Record::Package(Package { architecture, source, licence, vendor, size, files, ..package })
            }
            Self::Files(owner, files, size, certificates) => {
                Record::Files { owner: owner.original()?, files: unnamed(*files, certificates), size: *size }
            }
            Self::Licence(owner, licence) => Record::Licence { owner: owner.original()?, licence: licence.clone() },
            Self::Release(id, version, name) => {
                Record::Release(Release { id: id.clone(), version: version.clone(), name: name.clone() })
            }
        })
    }
}

/// The paths that may be certificates, escaped.
fn certificates(files: &[Vec<u8>]) -> Vec<String> {
    let may_be = files.iter().filter(|path| may_be_certificate(path));
    may_be.map(|path| path::escape(path).into_owned()).collect()
}

/// Paths that stayed behind: only their number is known, and which of them may be certificates.
fn unnamed(count: usize, certificates: &[String]) -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = certificates.iter().filter_map(|path| path::unescape(path)).collect();
    paths.resize(count, Vec::new());
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_the_trip() {
        let package = Package {
            architecture: Some("amd64".into()),
            source: Some(SourcePackage { name: "s".into(), version: Some("1".into()) }),
            licence: Some("MIT".into()),
            vendor: Some("v".into()),
            size: Some(7),
            files: unnamed(2, &[]),
            ..Package::new(Ecosystem::Deb, "a", "1")
        };
        let release = Release { id: "debian".into(), version: Some("12".into()), name: None };
        for record in [
            Record::Package(package),
            Record::Files { owner: Owner::Directory(b"a\n.dist-info".to_vec()), files: Vec::new(), size: Some(1) },
            Record::Licence { owner: Owner::Deb("a:amd64".into()), licence: "MIT".into() },
            Record::Release(release),
        ] {
            assert_eq!(twin(record.clone()).unwrap().original(), Some(record));
        }
        let owner = Owner::Deb("a".into());
        let files = vec![b"x".to_vec(), b"etc/\n.pem".to_vec()];
        let left = twin(Record::Files { owner, files, size: None }).unwrap().original();
        let Some(Record::Files { files, .. }) = left else { panic!("{left:?}") };
        assert_eq!(files, [b"etc/\n.pem".as_slice(), b""], "other paths stay behind, and their number goes along");
    }
}
