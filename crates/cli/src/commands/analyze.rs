//! `porthole analyze`

mod text;
pub(super) mod thresholds;

use clap::Args;
use porthole_contents::secrets::SecretMask;
use porthole_core::layer::LayerNumber;
use porthole_inspect::{
    report::{AnalysisReport, WASTED_PATHS},
    waste::WasteReport,
    what_if::what_if,
};
use serde::Serialize;

use self::thresholds::{Check, Thresholds};
use super::stack::{Stacked, choose};
use crate::{argument::SourceArgument, error::Error, layers::Job, output::print_json, session::Session};

/// Show wasted bytes: which paths, and which layers brought and wasted them
///
/// A byte of a file is wasted if it is in the image and a container does not see it: a later layer deleted the file or a directory above
/// it, replaced it, wrote the same bytes again, or copied it to change its mode or owner. All layers are downloaded and verified.
///
/// Efficiency is the visible bytes of regular files divided by the bytes of regular files in all layers: 1.0 without waste. A hard link
/// adds no bytes. Download figures are estimates from the positions of the bytes in each blob.
#[derive(Args)]
#[command(after_help = "\
dive calculates differently: its score is the sum of the smallest size of each path, divided by the
sum of all sizes. A file that is deleted with its directory is not counted, and of a file that is
written twice both copies count as wasted.

Examples:
  porthole analyze nginx
  porthole analyze --top 50 --layer 3 oci:layout:latest
  porthole analyze --ci --min-efficiency 0.95 --max-waste 20MB registry.example/app
  porthole analyze --json nginx | jq '.layers[] | {layer, wasted, wastes}'")]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: SourceArgument,
    /// Show this many wasted paths and groups of copies
    #[arg(long, value_name = "N", default_value_t = WASTED_PATHS)]
    top: usize,
    /// Show only the waste that one layer brought or made: its number (1 is the bottom), digest or diff_id
    #[arg(long, value_name = "N|DIGEST")]
    layer: Option<String>,
    #[command(flatten)]
    thresholds: Thresholds,
}

/// The output: the analysis and the thresholds.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    analysis: AnalysisReport,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    thresholds: Vec<Check>,
    #[serde(skip)]
    only: Option<LayerNumber>,
}

impl Report {
    /// Texts of the thresholds that the image misses.
    fn failed(&self) -> Vec<String> {
        self.thresholds.iter().filter(|check| !check.passed).map(|check| check.words.clone()).collect()
    }
}

pub(super) fn run(arguments: &Arguments, session: &Session<'_>) -> Result<(), Error> {
    let source = arguments.source.open(session)?;
    let mut image = match source.is_bare() {
        true => None,
        false => Some(source.image(session, &mut |_| {})?.image),
    };
    if let Some(image) = &mut image {
        SecretMask::default().image(image);
    }
    let jobs = image.as_ref().map_or_else(Job::bare, |image| Job::of(&image.layers));
    let layer = arguments.layer.as_deref().map(|text| choose(&jobs, text)).transpose()?;
    let stacked = Stacked::read(session, &source, &jobs, true)?;
    let blobs = stacked.blobs(&jobs);
    let waste = WasteReport::of(&stacked.tree, image.as_ref(), &blobs);
    let ways = what_if(&waste, image.as_ref(), &blobs);
    let thresholds = arguments.thresholds.check(&waste.waste, waste.download_percent());
    let only = layer.map(|layer| layer as u32);
    let analysis = AnalysisReport::of(&stacked.tree, waste, &ways, arguments.top, only);
    let report = Report { analysis, thresholds, only: only.map(LayerNumber::of_index) };
    let mut out = session.ui.out();
    if session.ui.json {
        print_json(&mut out, &report)?;
    } else {
        text::print(&mut out, session.ui, &report)?;
    }
    session.ui.flush(&mut out)?;
    stacked.unpackable(&jobs)?;
    let failed = report.failed();
    if failed.is_empty() { Ok(()) } else { Err(Error::Thresholds(failed)) }
}
