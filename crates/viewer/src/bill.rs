//! Bills of materials, as the page compares them.

use crate::protocol::{BillDifference, BillFact, BillWindow, ListedBill, ListedPackage, PackageView};
use porthole_contents::{
    bill::{BillAgreement, BillComparison, BillOfMaterials, BillPackage, BillRow},
    inventory::Inventory,
};

impl ListedBill {
    /// Twin of the parts of a bill that are compared. `name` is the digest of its blob, or the name of a file.
    pub fn of(name: String, bill: BillOfMaterials) -> Self {
        let package =
            |BillPackage { name, version, purl, is_package }| ListedPackage { name, version, purl, is_package };
        Self { name, format: bill.format, packages: bill.packages.into_iter().map(package).collect(), problem: None }
    }

    /// Reads a file that a person gave.
    pub(crate) fn parse(name: String, text: &str) -> Self {
        let document = serde_json::from_str(text).ok();
        match document.and_then(|document| BillOfMaterials::of_document(&document)) {
            Some(bill) => Self::of(name, bill),
            None => {
                let problem = Some("expected SPDX or CycloneDX as JSON, got something else".to_owned());
                Self { name, format: String::new(), packages: Vec::new(), problem }
            }
        }
    }

    pub(crate) fn fact(&self) -> BillFact {
        BillFact {
            name: self.name.clone(),
            format: self.format.clone(),
            entries: self.packages.len() as u64,
            problem: self.problem.clone(),
        }
    }

    /// The differences between the bill and an image, limited to the packages of the view.
    pub(crate) fn compare(&self, inventory: &Inventory, view: &PackageView) -> BillWindow {
        let package = |ListedPackage { name, version, purl, is_package }: &ListedPackage| BillPackage {
            name: name.clone(),
            version: version.clone(),
            purl: purl.clone(),
            is_package: *is_package,
        };
        let bill = BillOfMaterials {
            format: self.format.clone(),
            name: None,
            created: None,
            tools: Vec::new(),
            packages: self.packages.iter().map(package).collect(),
        };
        let comparison = BillComparison::of(&bill, inventory);
        let query = &view.query;
        let is_wanted = |row: &&BillRow<'_>| {
            row.agreement != BillAgreement::Same
                && (query.kind.is_empty() || row.ecosystem.is_some_and(|ecosystem| ecosystem.name() == query.kind))
                && row.name().contains(&query.name)
        };
        let count = |agreement| comparison.count(agreement) as u64;
        let rows: Vec<_> = comparison.rows.iter().filter(is_wanted).collect();
        BillWindow {
            same: count(BillAgreement::Same),
            versions: count(BillAgreement::Version),
            only_bill: count(BillAgreement::OnlyBill),
            only_image: count(BillAgreement::OnlyImage),
            others: comparison.others as u64,
            matches: rows.len() as u64,
            rows: rows.into_iter().take(view.most as usize).map(difference).collect(),
        }
    }
}

fn difference(row: &BillRow<'_>) -> BillDifference {
    let installed = row.installed.filter(|installed| installed.removed_by.is_none());
    BillDifference {
        kind: row.ecosystem.map(|ecosystem| ecosystem.name().to_owned()).unwrap_or_default(),
        name: row.name().to_owned(),
        listed: row.listed.map(BillPackage::version),
        installed: installed.map(|installed| installed.package.version.clone()),
        layer: row.installed.map(|installed| installed.layer),
        removed_by: row.installed.and_then(|installed| installed.removed_by),
    }
}
