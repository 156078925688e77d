//! The comparison of a bill of materials with the packages of an image, as `porthole packages --against --json` prints it.

use crate::{
    bill::{BillPackage, BillRow},
    inventory::{Installed, Inventory},
    package::Ecosystem,
    purl::purl,
};
use porthole_core::{
    layer::{BlobDigests, LayerNumber},
    path,
};
use serde::Serialize;

/// One package that a bill, an image, or both have.
#[derive(Serialize)]
pub struct BillRowReport<'c> {
    change: &'static str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    name: &'c str,
    bill: Option<ListedReport<'c>>,
    image: Option<InstalledReport<'c>>,
    document: &'c str,
}

#[derive(Serialize)]
struct ListedReport<'c> {
    name: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<&'c str>,
}

#[derive(Serialize)]
struct InstalledReport<'c> {
    version: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<&'c str>,
    purl: String,
    layer: LayerNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_digest: Option<&'c str>,
    recorded_in: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_by: Option<LayerNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_by_digest: Option<&'c str>,
}

impl<'c> BillRowReport<'c> {
    /// The report of a row about an image of these layers. `document` names the bill: its digest, or its file.
    pub fn of(row: &BillRow<'c>, inventory: &Inventory, layers: &'c BlobDigests, document: &'c str) -> Self {
        let listed = |listed: &'c BillPackage| ListedReport {
            name: &listed.name,
            version: listed.version.as_deref(),
            purl: listed.purl.as_deref(),
        };
        let installed = |installed: &'c Installed| InstalledReport {
            version: &installed.package.version,
            architecture: installed.package.architecture.as_deref(),
            purl: purl(&installed.package, inventory.release.as_ref()),
            layer: LayerNumber::of_index(installed.layer),
            layer_digest: layers.find(installed.layer),
            recorded_in: path::escape(&installed.recorded_in).into_owned(),
            removed_by: installed.removed_by.map(LayerNumber::of_index),
            removed_by_digest: installed.removed_by.and_then(|layer| layers.find(layer)),
        };
        Self {
            change: row.agreement.name(),
            kind: row.ecosystem.map(Ecosystem::name),
            name: row.name(),
            bill: row.listed.map(listed),
            image: row.installed.map(installed),
            document,
        }
    }
}
