//! Thresholds at which `report --ci` fails.

use clap::Args;
use porthole_core::quantity::parse_bytes;

use crate::{
    commands::{analyze::thresholds::Check, secrets::counted},
    ui::size,
};

/// Options of `report` for a pipeline.
#[derive(Args)]
pub(super) struct Thresholds {
    /// Exit with 1 if a secret of high confidence is found or a threshold is missed
    #[arg(long)]
    ci: bool,
    /// Highest number of bytes to download, such as 200MB or 1.5GiB
    #[arg(long, value_name = "SIZE", requires = "ci", value_parser = parse_bytes)]
    max_size: Option<u64>,
    /// Highest number of wasted bytes, such as 20MB or 1.5GiB
    #[arg(long, value_name = "SIZE", requires = "ci", value_parser = parse_bytes)]
    max_waste: Option<u64>,
    /// Highest number of dangers
    #[arg(long, value_name = "N", requires = "ci")]
    max_dangers: Option<u64>,
    /// Highest number of secrets of medium confidence
    #[arg(long, value_name = "N", requires = "ci")]
    max_medium_secrets: Option<u64>,
}

/// The figures that the thresholds are compared with.
#[derive(Clone, Copy)]
pub(super) struct Measured {
    /// Bytes to download.
    pub(super) download: u64,
    /// Bytes that the final tree does not show.
    pub(super) wasted: u64,
    pub(super) dangers: usize,
    /// Secrets of high confidence.
    pub(super) certain_secrets: usize,
    /// Secrets of medium confidence.
    pub(super) medium_secrets: usize,
}

impl Thresholds {
    /// Checks the given thresholds. Returns no checks without `--ci`.
    pub(super) fn check(&self, measured: Measured) -> Vec<Check> {
        let Measured { download, wasted, dangers, certain_secrets, medium_secrets } = measured;
        let mut checks = Vec::new();
        if !self.ci {
            return checks;
        }
        let mut check = |name, limit: u64, value: u64, words: String| {
            checks.push(Check { name, limit: limit as f64, value: value as f64, passed: value <= limit, words });
        };
        let words = format!("{} of high confidence: expected none", counted(certain_secrets));
        check("max_secrets", 0, certain_secrets as u64, words);
        if let Some(limit) = self.max_size {
            let words = format!("{} to download: expected {} or less", size(download), size(limit));
            check("max_size", limit, download, words);
        }
        if let Some(limit) = self.max_waste {
            check("max_waste", limit, wasted, format!("{} wasted: expected {} or less", size(wasted), size(limit)));
        }
        if let Some(limit) = self.max_dangers {
            let noun = if dangers == 1 { "danger" } else { "dangers" };
            check("max_dangers", limit, dangers as u64, format!("{dangers} {noun}: expected {limit} or fewer"));
        }
        if let Some(limit) = self.max_medium_secrets {
            let words = format!("{} of medium confidence: expected {limit} or fewer", counted(medium_secrets));
            check("max_medium_secrets", limit, medium_secrets as u64, words);
        }
        checks
    }
}
