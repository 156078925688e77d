//! Differences of packages as data.

use porthole_contents::{
    changes::{PackageChange, PackageChangeKind},
    inventory::{Installed, Inventory},
    purl::purl,
};
use porthole_core::{
    layer::{BlobDigests, LayerNumber},
    path,
};
use porthole_inspect::report::DifferenceChange;
use serde::Serialize;

use crate::ui::safe;

#[derive(Serialize)]
pub(super) struct PackageRow<'r> {
    pub(super) kind: &'static str,
    pub(super) change: DifferenceChange,
    #[serde(rename = "type")]
    ecosystem: &'static str,
    name: &'r str,
    before: Option<Version<'r>>,
    after: Option<Version<'r>>,
}

/// The package in one of the images.
#[derive(Serialize)]
struct Version<'r> {
    version: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<&'r str>,
    purl: String,
    layer: LayerNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    layer_digest: Option<&'r str>,
    recorded_in: String,
}

impl<'r> PackageRow<'r> {
    /// The row of a change; `layers` are those of the first image and of the second.
    pub(super) fn of(change: &PackageChange<'r>, inventories: [&Inventory; 2], layers: [&'r BlobDigests; 2]) -> Self {
        let package = &change.installed().package;
        let [before, after] = inventories;
        Self {
            kind: "package",
            change: match change.kind {
                PackageChangeKind::Added => DifferenceChange::Added,
                PackageChangeKind::Removed => DifferenceChange::Removed,
                PackageChangeKind::Upgraded => DifferenceChange::Upgraded,
                PackageChangeKind::Downgraded => DifferenceChange::Downgraded,
                PackageChangeKind::Changed => DifferenceChange::Changed,
            },
            ecosystem: package.ecosystem.name(),
            name: &package.name,
            before: change.before.map(|installed| Version::of(installed, before, layers[0])),
            after: change.after.map(|installed| Version::of(installed, after, layers[1])),
        }
    }

    /// The change as text, such as `deb libc6 2.36-9 -> 2.36-10 upgraded`.
    pub(super) fn words(&self) -> String {
        let side = |side: &Option<Version<'_>>| side.as_ref().map(|side| safe(side.version).into_owned());
        let versions = match (side(&self.before), side(&self.after)) {
            (Some(before), Some(after)) if before == after => self.architectures(),
            (Some(before), Some(after)) => format!("{before} -> {after}"),
            (before, after) => before.or(after).unwrap_or_default(),
        };
        let how = match self.change {
            DifferenceChange::Upgraded => "  upgraded",
            DifferenceChange::Downgraded => "  downgraded",
            _ => "",
        };
        format!("{:<8}  {}  {versions}{how}", self.ecosystem, safe(self.name))
    }

    /// The change of the architecture of a version that both images have.
    fn architectures(&self) -> String {
        let side = |side: &Option<Version<'_>>| {
            safe(side.as_ref().and_then(|side| side.architecture).unwrap_or("-")).into_owned()
        };
        let version = self.after.as_ref().map(|side| safe(side.version)).unwrap_or_default();
        format!("{version}  {} -> {}", side(&self.before), side(&self.after))
    }
}

impl<'r> Version<'r> {
    fn of(installed: &'r Installed, inventory: &Inventory, layers: &'r BlobDigests) -> Self {
        let Installed { package, recorded_in, layer, .. } = installed;
        Self {
            version: &package.version,
            architecture: package.architecture.as_deref(),
            purl: purl(package, inventory.release.as_ref()),
            layer: LayerNumber::of_index(*layer),
            layer_digest: layers.find(*layer),
            recorded_in: path::escape(recorded_in).into_owned(),
        }
    }
}
