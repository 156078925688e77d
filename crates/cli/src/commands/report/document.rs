//! The report as JSON. Scripts depend on it, so it changes only by additions.

use std::{collections::BTreeMap, ffi::OsStr};

use porthole_contents::{
    dangers::{Danger, dangers},
    inventory::Inventory,
    ownership::Ownership,
    report::{PackageReport, SecretReport},
    secrets::{Confidence, redact},
};
use porthole_core::{
    image::{Image, instruction},
    layer::{BlobDigests, LayerNumber},
    path,
    tree::Group,
};
use porthole_inspect::{
    findings::{self, ImageFinding},
    report::FindingReport,
    waste::{LayerShare, WasteReport},
};
use serde::Serialize;

use super::thresholds::{Measured, Thresholds};
use crate::{
    commands::{analyze::thresholds::Check, gather::Gathered, secrets},
    signatures::SignatureList,
};

/// Maximum number of wasted paths in the report.
const WASTED: usize = 10;

/// Everything about an image.
#[derive(Serialize)]
pub(super) struct Document<'d> {
    pub(super) image: Identity,
    /// `None` for a layer that belongs to no image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signatures: Option<SignatureList>,
    pub(super) sizes: Sizes,
    pub(super) layers: Vec<LayerLine>,
    pub(super) findings: Vec<FindingReport>,
    pub(super) waste: WasteLines,
    pub(super) packages: Packages<'d>,
    pub(super) secrets: Vec<SecretReport>,
    /// Empty without `--ci`.
    pub(super) thresholds: Vec<Check>,
}

#[derive(Serialize)]
pub(super) struct Identity {
    /// The source as typed on the command line.
    pub(super) source: String,
    pub(super) digest: Option<String>,
    pub(super) platform: Option<String>,
    pub(super) created: Option<String>,
    /// The distribution that the image names.
    pub(super) distribution: Option<String>,
}

/// Sizes of the image in bytes.
#[derive(Serialize)]
pub(super) struct Sizes {
    pub(super) download: u64,
    pub(super) unpacked: u64,
    /// Total size of the regular files in the final tree.
    pub(super) visible: u64,
}

#[derive(Serialize)]
pub(super) struct LayerLine {
    pub(super) layer: LayerNumber,
    pub(super) digest: Option<String>,
    pub(super) download: u64,
    pub(super) unpacked: u64,
    /// Wasted bytes among those that this layer brings.
    pub(super) wasted: u64,
    /// The instruction on one line, with its secrets masked.
    pub(super) created_by: Option<String>,
}

#[derive(Serialize)]
pub(super) struct WasteLines {
    pub(super) bytes: u64,
    /// Estimated bytes of the blobs for the wasted bytes.
    pub(super) download: u64,
    pub(super) efficiency: f64,
    /// The paths that waste most, of `paths_total`.
    pub(super) paths: Vec<WastedPath>,
    pub(super) paths_total: usize,
}

#[derive(Serialize)]
pub(super) struct WastedPath {
    pub(super) path: String,
    pub(super) directory: bool,
    pub(super) cause: &'static str,
    pub(super) wasted_by: LayerNumber,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) wasted_by_digest: Option<String>,
    pub(super) bytes: u64,
}

#[derive(Serialize)]
pub(super) struct Packages<'d> {
    pub(super) total: usize,
    pub(super) types: BTreeMap<&'static str, usize>,
    /// The packages of the final tree.
    pub(super) list: Vec<PackageReport<'d>>,
}

impl<'d> Document<'d> {
    pub(super) fn new(
        source: &OsStr,
        gathered: &'d Gathered,
        inventory: &'d Inventory,
        thresholds: &Thresholds,
    ) -> Self {
        let image = gathered.image.as_ref();
        let waste = WasteReport::of(&gathered.tree, image, &gathered.blobs);
        let mut found = image.map(findings::of_documents).unwrap_or_default();
        found.extend(findings::of_layers(&gathered.tree, &waste));
        let distribution = inventory.release.as_ref().and_then(|release| release.name.as_deref());
        let ownership = Ownership::of(&gathered.tree, inventory);
        let config = image.map(|image| &image.config);
        let dangers = dangers(config, &ownership, &gathered.certificates, distribution);
        let secrets = secrets::find(gathered, Confidence::Medium, false);
        let of = |confidence: Confidence| secrets.iter().filter(|row| row.confidence == confidence.name()).count();
        let found: Vec<_> = found.iter().map(|found| finding(found, &gathered.digests)).collect();
        // A download without TLS is a finding of the documents. It counts as a danger as well.
        let told = found.iter().filter(|report| report.kind == "plain-download").count();
        let (download, unpacked, wasted) = (waste.download, waste.unpacked, waste.waste.wasted());
        let measured = Measured {
            download,
            wasted,
            dangers: dangers.len() + told,
            certain_secrets: of(Confidence::High),
            medium_secrets: of(Confidence::Medium),
        };
        Self {
            image: Identity {
                source: path::escape(source.as_encoded_bytes()).into_owned(),
                digest: image.map(|image| image.manifest.raw.digest().to_string()),
                platform: image.and_then(Image::platform).map(|platform| platform.to_string()),
                created: image.and_then(|image| image.config.created.clone()),
                distribution: distribution.map(str::to_owned),
            },
            signatures: None,
            sizes: Sizes { download, unpacked, visible: waste.waste.visible },
            layers: waste.layers.iter().map(LayerLine::of).collect(),
            findings: dangers.iter().map(|found| danger(found, &gathered.digests)).chain(found).collect(),
            waste: WasteLines {
                bytes: wasted,
                download: waste.waste.download,
                efficiency: waste.waste.efficiency(),
                paths: waste.groups.iter().take(WASTED).map(|group| WastedPath::of(group, &gathered.digests)).collect(),
                paths_total: waste.groups.len(),
            },
            packages: Packages::of(gathered, inventory),
            thresholds: thresholds.check(measured),
            secrets,
        }
    }

    /// Texts of the thresholds that the image misses.
    pub(super) fn failed(&self) -> Vec<String> {
        self.thresholds.iter().filter(|check| !check.passed).map(|check| check.words.clone()).collect()
    }
}

fn danger(danger: &Danger, layers: &BlobDigests) -> FindingReport {
    FindingReport::new(danger.kind.name(), danger.text.clone(), danger.layer, layers, danger.path.as_deref())
}

/// A finding, with the secrets of instructions masked.
fn finding(finding: &ImageFinding, layers: &BlobDigests) -> FindingReport {
    let mut report = FindingReport::of(finding, layers);
    report.text = redact(&report.text);
    report.instruction = report.instruction.as_deref().map(redact);
    report
}

impl LayerLine {
    fn of(share: &LayerShare) -> Self {
        Self {
            layer: LayerNumber::of_index(share.layer),
            digest: share.digest.map(|digest| digest.to_string()),
            download: share.download,
            unpacked: share.unpacked,
            wasted: share.waste.wasted,
            created_by: share.created_by.as_ref().map(|text| redact(&instruction(text).to_string())),
        }
    }
}

impl WastedPath {
    fn of(group: &Group, layers: &BlobDigests) -> Self {
        Self {
            path: path::escape(&group.path).into_owned(),
            directory: group.directory,
            cause: group.cause.name(),
            wasted_by: LayerNumber::of_index(group.by),
            wasted_by_digest: layers.find(group.by).map(str::to_owned),
            bytes: group.size,
        }
    }
}

impl<'d> Packages<'d> {
    fn of(gathered: &'d Gathered, inventory: &'d Inventory) -> Self {
        let mut types = BTreeMap::new();
        for installed in inventory.present() {
            *types.entry(installed.package.ecosystem.name()).or_default() += 1;
        }
        let row = |installed| {
            let mut row =
                PackageReport::of(installed, inventory, &gathered.digests, gathered.created_by(installed.layer));
            // The layers have the instructions, with their secrets masked.
            row.created_by = None;
            row
        };
        let list: Vec<_> = inventory.present().map(row).collect();
        Self { total: list.len(), types, list }
    }
}
