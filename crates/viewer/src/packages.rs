//! Packages: as a worker sends those of a layer, and as a front end shows those of an image.

use crate::{
    pretty::visible,
    protocol::{
        FindingFact, FindingLink, ListedBill, PackageFact, PackageQuery, PackageSort, PackageView, PackageWindow,
        PathProblem, ViewMode,
    },
};
use porthole_contents::{
    certificates::{LeafCertificate, may_be_certificate},
    collect::{Collected, Database},
    dangers::{Danger, dangers},
    database::{Owner, Record, Release},
    inventory::{Installed, Inventory},
    ownership::Ownership,
    package::{Ecosystem, Package, SourcePackage},
    purl::purl,
};
use porthole_core::{image::Image, path, tree::FileTree};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

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
    fn original(&self) -> Option<Record> {
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

/// The packages of an image, as far as its layers are read.
#[derive(Default)]
pub(crate) struct PackageList {
    layers: BTreeMap<u32, Vec<FoundDatabase>>,
    unread: BTreeMap<u32, Vec<(String, String)>>,
    lost: BTreeSet<u32>,
    inventory: Inventory,
    view: Option<PackageView>,
    bills: Rc<Vec<ListedBill>>,
    /// What made each layer, without its secrets.
    instructions: Vec<String>,
    certificates: BTreeMap<u32, Vec<FoundCertificate>>,
    dangers: Vec<FindingFact>,
}

impl PackageList {
    /// Takes what was found in a layer.
    pub(crate) fn add(&mut self, layer: u32, databases: Vec<FoundDatabase>, unread: Vec<(String, String)>) {
        self.layers.entry(layer).or_default().extend(databases);
        self.unread.entry(layer).or_default().extend(unread);
    }

    /// Nothing of this layer counts.
    pub(crate) fn lose(&mut self, layer: u32) {
        self.layers.remove(&layer);
        self.certificates.remove(&layer);
        self.unread.remove(&layer);
        self.lost.insert(layer);
    }

    /// Takes stock of the lowest `count` layers. `place` says where the tree says that a content starts.
    pub(crate) fn take_stock(&mut self, tree: &FileTree, count: u32, place: impl Fn(u32, u64, &str) -> u64) {
        let database = |layer: u32, found: &FoundDatabase| {
            Some(Database {
                path: path::unescape(&found.path)?,
                offset: place(layer, found.content, &found.path),
                records: found.records.iter().filter_map(FoundRecord::original).collect(),
            })
        };
        let collected = |layer: u32| Collected {
            databases: self
                .layers
                .get(&layer)
                .into_iter()
                .flatten()
                .filter_map(|found| database(layer, found))
                .collect(),
            unread: Vec::new(),
            lost: self.lost.contains(&layer),
        };
        let layers: Vec<Collected> = (0..count).map(collected).collect();
        self.inventory = Inventory::of(tree, &layers);
    }

    /// Takes the certificates of a layer.
    pub(crate) fn add_certificates(&mut self, layer: u32, found: Vec<FoundCertificate>) {
        self.certificates.entry(layer).or_default().extend(found);
    }

    /// Takes stock of the dangers that contents show. Those about rights need the paths of all packages, which stayed behind.
    pub(crate) fn weigh(&mut self, tree: &FileTree, image: &Image, place: impl Fn(u32, u64, &str) -> u64) {
        let leaf = |layer: u32, found: &FoundCertificate| {
            let path = path::unescape(&found.path)?;
            let offset = place(layer, found.content, &found.path);
            Some(LeafCertificate { path, offset, not_after: found.not_after.clone() })
        };
        let of_layer = |layer: u32| -> Vec<LeafCertificate> {
            self.certificates.get(&layer).into_iter().flatten().filter_map(|found| leaf(layer, found)).collect()
        };
        let certificates: Vec<_> = (0..image.layers.len() as u32).map(of_layer).collect();
        let distribution = self.inventory.release.as_ref().and_then(|release| release.name.as_deref());
        let ownership = Ownership::of(tree, &self.inventory);
        let found = dangers(Some(&image.config), &ownership, &certificates, distribution);
        self.dangers = found.iter().filter(|danger| danger.kind.is_of_contents()).map(danger_fact).collect();
    }

    /// Sets what is shown.
    pub(crate) fn show(&mut self, view: PackageView) {
        self.view = Some(view);
    }

    /// Takes what made each layer, without its secrets.
    pub(crate) fn set_instructions(&mut self, instructions: Vec<String>) {
        self.instructions = instructions;
    }

    /// What made a layer, without its secrets.
    pub(crate) fn instruction(&self, layer: u32) -> Option<&str> {
        self.instructions.get(layer as usize).map(String::as_str)
    }

    /// Takes the bills of materials that are known.
    pub(crate) fn set_bills(&mut self, bills: &Rc<Vec<ListedBill>>) {
        self.bills = Rc::clone(bills);
    }

    /// Those that a query is about.
    pub(crate) fn wanted<'l>(&'l self, query: &'l PackageQuery) -> impl Iterator<Item = &'l Installed> {
        self.inventory.packages.iter().filter(|installed| {
            installed.removed_by.is_some() == query.deleted
                && (query.kind.is_empty() || installed.package.ecosystem.name() == query.kind)
                && installed.package.name.contains(&query.name)
        })
    }

    /// All of them.
    pub(crate) fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// What is shown.
    pub(crate) fn window(&self) -> PackageWindow {
        let view = self.view.as_ref();
        let mut rows: Vec<&Installed> = match view {
            Some(view) => self.wanted(&view.query).collect(),
            None => self.inventory.present().collect(),
        };
        rows.sort_by(|a, b| order(view.map(|view| view.sort).unwrap_or_default(), a, b));
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        for installed in &self.inventory.packages {
            *kinds.entry(installed.package.ecosystem.name()).or_default() += 1;
        }
        let present = self.inventory.present().count() as u64;
        let release = self.inventory.release.as_ref();
        let problem =
            |(layer, path, why): (u32, &String, &String)| PathProblem { layer, path: path.clone(), why: why.clone() };
        let unread = self.unread.iter().flat_map(|(layer, all)| all.iter().map(move |(path, why)| (*layer, path, why)));
        let named = |view: &PackageView| {
            self.bills.iter().find(|bill| bill.name == view.query.against && bill.problem.is_none())
        };
        PackageWindow {
            bills: self.bills.iter().map(ListedBill::fact).collect(),
            compared: view.and_then(|view| Some(named(view)?.compare(&self.inventory, view))),
            matches: rows.len() as u64,
            rows: rows.iter().take(view.map_or(0, |view| view.most as usize)).map(|row| fact(row, release)).collect(),
            present,
            deleted: self.inventory.packages.len() as u64 - present,
            kinds: kinds.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect(),
            distribution: release.map(|release| release.name.as_ref().unwrap_or(&release.id).clone()),
            unread: unread.map(problem).take(UNREAD).collect(),
            dangers: self.dangers.clone(),
        }
    }
}

/// Databases that are named because they could not be read.
const UNREAD: usize = 100;

fn danger_fact(danger: &Danger) -> FindingFact {
    let path = danger.path.as_deref().map(|path| path::escape(path).into_owned());
    FindingFact {
        kind: danger.kind.name().into(),
        text: visible(&danger.text),
        count: None,
        bytes: None,
        download: None,
        target: FindingLink::Files { mode: ViewMode::Merged, layer: None, path },
    }
}

fn order(sort: PackageSort, a: &Installed, b: &Installed) -> Ordering {
    let (own, other) = (&a.package, &b.package);
    let first = match sort {
        PackageSort::Name => Ordering::Equal,
        PackageSort::Kind => own.ecosystem.name().cmp(other.ecosystem.name()),
        PackageSort::Licence => {
            own.licence.is_none().cmp(&other.licence.is_none()).then(own.licence.cmp(&other.licence))
        }
        PackageSort::Layer => a.layer.cmp(&b.layer),
    };
    let lower = |name: &'_ String| name.to_ascii_lowercase();
    first.then_with(|| lower(&own.name).cmp(&lower(&other.name)))
}

fn fact(installed: &Installed, release: Option<&Release>) -> PackageFact {
    let Installed { package, recorded_in, layer, removed_by, replaced_by } = installed;
    PackageFact {
        kind: package.ecosystem.name().into(),
        name: package.name.clone(),
        version: package.version.clone(),
        architecture: package.architecture.clone(),
        licence: package.licence.clone(),
        purl: purl(package, release),
        recorded_in: path::escape(recorded_in).into_owned(),
        layer: *layer,
        removed_by: *removed_by,
        replaced_by: replaced_by.clone(),
    }
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
