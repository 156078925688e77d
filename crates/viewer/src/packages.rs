//! Packages: as a worker sends those of a layer, and as a front end shows those of an image.

mod found;
mod owned;

pub use found::{FoundCertificate, FoundDatabase, FoundDetails, FoundLines, FoundOwner, FoundRecord};
pub(crate) use found::{PathRoom, found, found_certificates};
pub(crate) use owned::MarkedFiles;

use crate::{
    pool::CONFIG,
    pretty::visible,
    protocol::{
        FindingFact, FindingLink, ListedBill, OwnerFacts, PackageFact, PackageQuery, PackageSort, PackageView,
        PackageWindow, PathProblem, ViewMode,
    },
};
use porthole_contents::{
    certificates::LeafCertificate,
    collect::{Collected, Database},
    dangers::{Danger, dangers},
    database::Release,
    digests::LayerDigests,
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

/// The packages of the layers that were read so far.
#[derive(Default)]
pub(crate) struct PackageList {
    /// What was collected of each layer.
    layers: Vec<Collected>,
    /// For each of their databases, where the worker says that its content starts, and its escaped path.
    places: Vec<Vec<(u64, String)>>,
    /// Layers whose paths or digests were not all sent.
    partial: BTreeSet<u32>,
    unread: BTreeMap<u32, Vec<(String, String)>>,
    inventory: Inventory,
    view: Option<PackageView>,
    bills: Rc<Vec<ListedBill>>,
    /// What made each layer, without its secrets.
    instructions: Vec<String>,
    certificates: BTreeMap<u32, Vec<FoundCertificate>>,
    dangers: Vec<FindingFact>,
    owners: Option<OwnerFacts>,
}

impl PackageList {
    /// Takes what was found in a layer.
    pub(crate) fn add(&mut self, layer: u32, databases: Vec<FoundDatabase>, unread: Vec<(String, String)>) {
        self.unread.entry(layer).or_default().extend(unread);
        self.make_room(layer);
        for FoundDatabase { path, content, records } in databases {
            let Some(original) = path::unescape(&path) else { continue };
            if !records.iter().all(FoundRecord::is_whole) {
                self.partial.insert(layer);
            }
            let records = records.iter().filter_map(FoundRecord::original).collect();
            self.layers[layer as usize].databases.push(Database { path: original, offset: content, records });
            self.places[layer as usize].push((content, path));
        }
    }

    fn make_room(&mut self, layer: u32) {
        let count = self.layers.len().max(layer as usize + 1);
        self.layers.resize_with(count, Collected::default);
        self.places.resize_with(count, Vec::new);
    }

    /// Discards the packages of a layer that could not be verified.
    pub(crate) fn lose(&mut self, layer: u32) {
        if layer == CONFIG {
            return;
        }
        self.make_room(layer);
        self.layers[layer as usize] = Collected { lost: true, ..Collected::default() };
        self.places[layer as usize].clear();
        self.certificates.remove(&layer);
        self.unread.remove(&layer);
        self.partial.remove(&layer);
    }

    /// Makes the inventory of the lowest `count` layers. `place` says where the tree says that a content starts.
    pub(crate) fn take_stock(&mut self, tree: &FileTree, count: u32, place: impl Fn(u32, u64, &str) -> u64) {
        if let Some(top) = count.checked_sub(1) {
            self.make_room(top);
        }
        for (layer, (collected, places)) in (0..count).zip(self.layers.iter_mut().zip(&self.places)) {
            for (database, (content, path)) in collected.databases.iter_mut().zip(places) {
                database.offset = place(layer, *content, path);
            }
        }
        self.inventory = Inventory::of(tree, &self.layers[..count as usize]);
    }

    /// What was collected of a layer, for another image that has the same layer.
    pub(crate) fn share(&self, layer: u32, with: &mut Self, as_layer: u32) {
        let layer = layer as usize;
        let (Some(collected), Some(places)) = (self.layers.get(layer), self.places.get(layer)) else { return };
        with.make_room(as_layer);
        with.layers[as_layer as usize] = collected.clone();
        with.places[as_layer as usize] = places.clone();
    }

    /// Takes the certificates of a layer.
    pub(crate) fn add_certificates(&mut self, layer: u32, found: Vec<FoundCertificate>) {
        self.certificates.entry(layer).or_default().extend(found);
    }

    /// Finds which files no package owns, and the dangers; with the digests of all layers' files, also which files were modified after
    /// they were installed.
    pub(crate) fn weigh(
        &mut self,
        tree: &FileTree,
        image: &Image,
        digests: Option<&[LayerDigests]>,
        place: impl Fn(u32, u64, &str) -> u64,
    ) -> MarkedFiles {
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
        // A path that was not sent, or a database that was not read, would make a file look unowned.
        let missing = if self.layers.iter().any(|layer| layer.lost) {
            Some(owned::LOST)
        } else {
            (!self.partial.is_empty()).then_some(owned::TOO_MANY)
        };
        self.dangers =
            found.iter().filter(|danger| missing.is_none() || danger.kind.is_of_contents()).map(danger_fact).collect();
        let (facts, marked) = owned::weigh(&ownership, missing, digests);
        self.owners = facts;
        marked
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

    /// The packages of a query.
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
            owners: self.owners.clone(),
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
        source: package.source.as_ref().map(|source| match &source.version {
            Some(version) => format!("{} {version}", source.name),
            None => source.name.clone(),
        }),
        size: package.size,
        files: package.files.len() as u64,
    }
}
