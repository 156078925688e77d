//! Compares a bill of materials with the packages that the databases of an image record.

use super::{BillOfMaterials, BillPackage};
use crate::{
    inventory::{Installed, Inventory},
    package::Ecosystem,
    purl::{PurlParts, comparable_name, comparable_version},
    version::compare,
};
use std::collections::{BTreeMap, BTreeSet};

/// The result of comparing a bill of materials with an image.
#[derive(Clone, Debug, Default)]
pub struct BillComparison<'c> {
    /// Rows in order of ecosystem and name.
    pub rows: Vec<BillRow<'c>>,
    /// Entries of the bill that are not compared: files, systems, images, and packages of ecosystems that are not read here.
    pub others: usize,
}

/// One package in one version, of the bill, of the image, or of both.
#[derive(Clone, Copy, Debug)]
pub struct BillRow<'c> {
    /// Whether the bill, the image or both have it.
    pub agreement: BillAgreement,
    /// Whose package it is; `None` for an entry of the bill that does not say and that the image does not have.
    pub ecosystem: Option<Ecosystem>,
    /// The package as the bill states it.
    pub listed: Option<&'c BillPackage>,
    /// The package as the image records it. If only the bill has the package, this is one that a later layer removed.
    pub installed: Option<&'c Installed>,
}

/// Whether the bill, the image or both have a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BillAgreement {
    /// Bill and image have the package in the same version.
    Same,
    /// Bill and image have the package in different versions.
    Version,
    /// Only the bill has the package.
    OnlyBill,
    /// Only the image has the package.
    OnlyImage,
}

impl BillAgreement {
    /// Every case, in the order of declaration.
    pub const ALL: [Self; 4] = [Self::Same, Self::Version, Self::OnlyBill, Self::OnlyImage];

    /// The word for it in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Version => "version",
            Self::OnlyBill => "only-bill",
            Self::OnlyImage => "only-image",
        }
    }
}

impl<'c> BillComparison<'c> {
    /// Compares by package URL without qualifiers, and by name where the bill has no package URL. Names are compared as their ecosystem
    /// does. The namespace of packages of a distribution and the epoch of rpm do not count: tools differ in both. A version that
    /// one side has several times counts once.
    pub fn of(bill: &'c BillOfMaterials, inventory: &'c Inventory) -> Self {
        let mut groups = Groups::default();
        inventory.present().for_each(|installed| groups.add_installed(installed));
        let mut others = 0;
        for listed in &bill.packages {
            others += usize::from(!groups.add_listed(listed));
        }
        let removed = removed(inventory);
        let mut rows: Vec<_> = groups.all.into_iter().flat_map(|(key, group)| group.rows(key, &removed)).collect();
        rows.sort_by(|a, b| (a.ecosystem, a.name(), a.agreement).cmp(&(b.ecosystem, b.name(), b.agreement)));
        Self { rows, others }
    }

    /// How many rows are of a kind.
    pub fn count(&self, agreement: BillAgreement) -> usize {
        self.rows.iter().filter(|row| row.agreement == agreement).count()
    }

    /// Whether both name the same packages in the same versions.
    pub fn agrees(&self) -> bool {
        self.count(BillAgreement::Same) == self.rows.len()
    }
}

impl<'c> BillRow<'c> {
    /// The name of the package, as the image has it if it does.
    pub fn name(&self) -> &'c str {
        let installed = self.installed.map(|installed| installed.package.name.as_str());
        installed.or_else(|| self.listed.map(|listed| listed.name.as_str())).unwrap_or_default()
    }
}

type Key = (Option<Ecosystem>, String);

/// Packages by ecosystem and comparable name.
#[derive(Default)]
struct Groups<'c> {
    all: BTreeMap<Key, Group<'c>>,
    /// Keys of Maven's packages by their artifact: a group is not always known.
    artifacts: BTreeMap<String, Key>,
}

/// The versions of one package on both sides, by their comparable form.
#[derive(Default)]
struct Group<'c> {
    listed: BTreeMap<String, &'c BillPackage>,
    installed: BTreeMap<String, &'c Installed>,
}

impl<'c> Groups<'c> {
    fn add_installed(&mut self, installed: &'c Installed) {
        let package = &installed.package;
        let key = (Some(package.ecosystem), comparable_name(package.ecosystem, &package.name));
        if package.ecosystem == Ecosystem::Maven {
            self.artifacts.entry(artifact(&key.1).to_owned()).or_insert_with(|| key.clone());
        }
        let version = comparable_version(package.ecosystem, &package.version);
        self.all.entry(key).or_default().installed.entry(version).or_insert(installed);
    }

    /// Returns whether the entry is one that can be compared.
    fn add_listed(&mut self, listed: &'c BillPackage) -> bool {
        if !listed.is_package {
            return false;
        }
        let Some(purl) = &listed.purl else {
            let key = self.named(&listed.name);
            let version = listed.version.clone().unwrap_or_default();
            let version = match key.0 {
                Some(ecosystem) => comparable_version(ecosystem, &version),
                None => version,
            };
            self.all.entry(key).or_default().listed.entry(version).or_insert(listed);
            return true;
        };
        let parts = PurlParts::parse(purl);
        let Some((ecosystem, parts)) = parts.and_then(|parts| Some((Ecosystem::named(&parts.kind)?, parts))) else {
            return false;
        };
        let version = parts.version.as_deref().or(listed.version.as_deref()).unwrap_or_default();
        let version = comparable_version(ecosystem, version);
        let mut key = (Some(ecosystem), comparable_name(ecosystem, &parts.full_name(ecosystem)));
        if ecosystem == Ecosystem::Maven && !self.all.contains_key(&key) {
            let known = self.artifacts.get(artifact(&key.1));
            let lacks_group = |name: &str| !name.contains(':');
            key = known.filter(|known| lacks_group(&known.1) || lacks_group(&key.1)).cloned().unwrap_or(key);
        }
        self.all.entry(key).or_default().listed.entry(version).or_insert(listed);
        true
    }

    /// The key of an entry that has only a name: that of a package of the image with this name, if there is one.
    fn named(&self, name: &str) -> Key {
        let keys = Ecosystem::ALL.into_iter().map(|ecosystem| (Some(ecosystem), comparable_name(ecosystem, name)));
        let known = keys.into_iter().find(|key| self.all.contains_key(key));
        known.unwrap_or_else(|| (None, name.to_owned()))
    }
}

fn artifact(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or_default()
}

/// Packages that a later layer removed, by ecosystem, comparable name and comparable version.
fn removed(inventory: &Inventory) -> BTreeMap<(Ecosystem, String, String), &Installed> {
    let gone = inventory.packages.iter().filter(|installed| installed.removed_by.is_some());
    let key = |Installed { package, .. }: &Installed| {
        (
            package.ecosystem,
            comparable_name(package.ecosystem, &package.name),
            comparable_version(package.ecosystem, &package.version),
        )
    };
    gone.map(|installed| (key(installed), installed)).collect()
}

impl<'c> Group<'c> {
    fn rows(
        mut self,
        (ecosystem, name): Key,
        removed: &BTreeMap<(Ecosystem, String, String), &'c Installed>,
    ) -> Vec<BillRow<'c>> {
        let row = |agreement, listed, installed| BillRow { agreement, ecosystem, listed, installed };
        let both: BTreeSet<String> =
            self.listed.keys().filter(|version| self.installed.contains_key(*version)).cloned().collect();
        let mut rows = Vec::new();
        for version in &both {
            rows.push(row(BillAgreement::Same, self.listed.remove(version), self.installed.remove(version)));
        }
        // An entry without a version says only that the package is there.
        if let Some(listed) = self.listed.remove("") {
            match self.installed.pop_first() {
                Some((_, installed)) => rows.push(row(BillAgreement::Same, Some(listed), Some(installed))),
                None if both.is_empty() => rows.push(row(BillAgreement::OnlyBill, Some(listed), None)),
                None => {}
            }
        }
        let mut listed: Vec<_> = self.listed.into_iter().collect();
        let mut installed: Vec<_> = self.installed.into_iter().collect();
        if let Some(ecosystem) = ecosystem {
            listed.sort_by(|(a, _), (b, _)| compare(ecosystem, a, b));
            installed.sort_by(|(a, _), (b, _)| compare(ecosystem, a, b));
        }
        let pairs = listed.len().min(installed.len());
        let (alone_listed, alone_installed) = (listed.split_off(pairs), installed.split_off(pairs));
        for ((_, listed), (_, installed)) in listed.into_iter().zip(installed) {
            rows.push(row(BillAgreement::Version, Some(listed), Some(installed)));
        }
        for (version, listed) in alone_listed {
            let gone = ecosystem.and_then(|ecosystem| removed.get(&(ecosystem, name.clone(), version)).copied());
            rows.push(row(BillAgreement::OnlyBill, Some(listed), gone));
        }
        for (_, installed) in alone_installed {
            rows.push(row(BillAgreement::OnlyImage, None, Some(installed)));
        }
        rows
    }
}

#[cfg(test)]
mod tests;
