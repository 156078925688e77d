//! Packages: as a worker sends those of a layer, and as a front end shows those of an image.

mod found;

pub use found::{FoundCertificate, FoundDatabase, FoundDetails, FoundOwner, FoundRecord, found, found_certificates};

use crate::{
    pretty::visible,
    protocol::{
        FindingFact, FindingLink, ListedBill, PackageFact, PackageQuery, PackageSort, PackageView, PackageWindow,
        PathProblem, ViewMode,
    },
};
use porthole_contents::{
    certificates::LeafCertificate,
    collect::{Collected, Database},
    dangers::{Danger, dangers},
    database::Release,
    inventory::{Installed, Inventory},
    ownership::Ownership,
    purl::purl,
};
use porthole_core::{image::Image, path, tree::FileTree};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

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
