//! Thresholds of waste, at which `analyze --ci` fails.

use clap::Args;
use porthole_core::{quantity::parse_bytes, tree::Waste};
use serde::Serialize;

use crate::ui::size;

/// Options of `analyze` for a pipeline.
#[derive(Args)]
pub(super) struct Thresholds {
    /// Exit with 1 if a threshold is missed [without any: --min-efficiency 0.9 --max-waste-percent 10]
    #[arg(long)]
    ci: bool,
    /// Lowest efficiency, from 0 to 1
    #[arg(long, value_name = "RATIO", requires = "ci", value_parser = ratio)]
    min_efficiency: Option<f64>,
    /// Highest number of wasted bytes, such as 20MB or 1.5GiB
    #[arg(long, value_name = "SIZE", requires = "ci", value_parser = parse_bytes)]
    max_waste: Option<u64>,
    /// Highest wasted share of the download, in percent
    #[arg(long, value_name = "PERCENT", requires = "ci", value_parser = percent)]
    max_waste_percent: Option<f64>,
}

/// A threshold, and whether the image meets it.
#[derive(Serialize)]
pub(in crate::commands) struct Check {
    pub(in crate::commands) name: &'static str,
    pub(in crate::commands) limit: f64,
    pub(in crate::commands) value: f64,
    pub(in crate::commands) passed: bool,
    #[serde(skip)]
    pub(in crate::commands) words: String,
}

impl Thresholds {
    /// Checks the given thresholds. Returns no checks without `--ci`.
    pub(super) fn check(&self, waste: &Waste, wasted_percent: f64) -> Vec<Check> {
        let mut checks = Vec::new();
        if !self.ci {
            return checks;
        }
        let (mut efficiency, mut share) = (self.min_efficiency, self.max_waste_percent);
        if efficiency.is_none() && share.is_none() && self.max_waste.is_none() {
            (efficiency, share) = (Some(0.9), Some(10.0));
        }
        if let Some(limit) = efficiency {
            let value = waste.efficiency();
            let words = format!("efficiency {}: expected {limit} or more", rounded_down(value));
            checks.push(Check { name: "min_efficiency", limit, value, passed: value >= limit, words });
        }
        if let Some(limit) = self.max_waste {
            let value = waste.wasted();
            let words = format!("{} wasted: expected {} or less", size(value), size(limit));
            let passed = value <= limit;
            checks.push(Check { name: "max_waste", limit: limit as f64, value: value as f64, passed, words });
        }
        if let Some(limit) = share {
            let value = wasted_percent;
            let words = format!("{value:.1} % of the download wasted: expected {limit} % or less");
            checks.push(Check { name: "max_waste_percent", limit, value, passed: value <= limit, words });
        }
        checks
    }
}

/// Rounds down to four decimal places, so that a ratio below 1 or below a threshold is not shown as equal to it.
pub(super) fn rounded_down(ratio: f64) -> f64 {
    (ratio * 10_000.0).floor() / 10_000.0
}

fn ratio(text: &str) -> Result<f64, String> {
    within(text, 1.0).ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    within(text.trim_end_matches('%'), 100.0).ok_or_else(|| "expected a number from 0 to 100".to_owned())
}

fn within(text: &str, most: f64) -> Option<f64> {
    text.parse().ok().filter(|number| (0.0..=most).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_within_their_range() {
        assert_eq!((ratio("0.9"), percent("10%")), (Ok(0.9), Ok(10.0)));
        assert!(ratio("1.1").is_err() && ratio("NaN").is_err() && percent("-1").is_err() && percent("101").is_err());
    }
}
