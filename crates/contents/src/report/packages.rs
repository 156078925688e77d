//! Packages, as `porthole packages --json` prints them.

use crate::{
    inventory::{Installed, Inventory},
    package::SourcePackage,
    purl::purl,
};
use porthole_core::{
    layer::{BlobDigests, LayerNumber},
    path,
};
use serde::Serialize;

/// A package as JSON has it.
#[derive(Serialize)]
pub struct PackageReport<'p> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'p str,
    version: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Source<'p>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vendor: Option<&'p str>,
    purl: String,
    /// Bytes when installed, as recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    /// How many files and directories its database lists.
    files: usize,
    recorded_in: String,
    layer: LayerNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_digest: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// What made the layer that brought it.
    pub created_by: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_by: Option<LayerNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed_by_digest: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_by: Option<&'p str>,
}

/// The source package that it is built from.
#[derive(Serialize)]
struct Source<'p> {
    name: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'p str>,
}

impl<'p> Source<'p> {
    fn of(source: &'p SourcePackage) -> Self {
        Self { name: &source.name, version: source.version.as_deref() }
    }
}

impl<'p> PackageReport<'p> {
    /// The report of a package in an image of these layers. `created_by` made the layer that brought it.
    pub fn of(
        installed: &'p Installed,
        inventory: &Inventory,
        layers: &'p BlobDigests,
        created_by: Option<&'p str>,
    ) -> Self {
        let Installed { package, recorded_in, layer, removed_by, replaced_by } = installed;
        Self {
            kind: package.ecosystem.name(),
            name: &package.name,
            version: &package.version,
            architecture: package.architecture.as_deref(),
            source: package.source.as_ref().map(Source::of),
            license: package.licence.as_deref(),
            vendor: package.vendor.as_deref(),
            purl: purl(package, inventory.release.as_ref()),
            size: package.size,
            files: package.files.len(),
            recorded_in: path::escape(recorded_in).into_owned(),
            layer: LayerNumber::of_index(*layer),
            layer_digest: layers.find(*layer),
            created_by,
            removed_by: removed_by.map(LayerNumber::of_index),
            removed_by_digest: removed_by.and_then(|layer| layers.find(layer)),
            replaced_by: replaced_by.as_deref(),
        }
    }
}
