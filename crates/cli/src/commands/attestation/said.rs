//! The content of a statement, as JSON and as text: a build's parameters, vulnerabilities, a scanner's report.

use std::collections::BTreeMap;

use porthole_signature::statement::{ScanReport, VexStatement, parameter_lines};
use serde::Serialize;
use serde_json::Value;

/// Maximum number of lines of a list in the text output. `--json` has all.
const LINES: usize = 20;
/// Maximum number of characters of such a line.
const CHARACTERS: usize = 200;

#[derive(Serialize)]
pub(super) struct VexRow {
    vulnerability: String,
    status: String,
    products: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    justification: Option<String>,
}

#[derive(Serialize)]
pub(super) struct ScanRow {
    scanner: Option<String>,
    version: Option<String>,
    finished: Option<String>,
    vulnerabilities: usize,
    severities: BTreeMap<String, usize>,
}

impl VexRow {
    pub(super) fn of(statement: VexStatement) -> Self {
        let VexStatement { vulnerability, status, products, justification } = statement;
        Self { vulnerability, status, products, justification }
    }

    fn line(&self) -> String {
        let products = match &self.products[..] {
            [] => String::new(),
            [product] => format!("  {product}"),
            [product, others @ ..] => format!("  {product} and {} more", others.len()),
        };
        let justification = self.justification.as_ref().map(|text| format!("  ({text})")).unwrap_or_default();
        format!("{}  {}{products}{justification}", self.vulnerability, self.status)
    }

    /// A line for each statement, up to [`LINES`], and one that counts the rest.
    pub(super) fn lines(rows: &[Self]) -> Vec<String> {
        bounded(rows.iter().map(Self::line), rows.len())
    }
}

impl ScanRow {
    pub(super) fn of(report: ScanReport) -> Self {
        let ScanReport { scanner, version, finished, severities } = report;
        Self { scanner, version, finished, vulnerabilities: severities.values().sum(), severities }
    }

    /// The report as names and values, one pair a line.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let named = |name, value: &Option<String>| value.clone().map(|value| (name, value));
        let mut lines: Vec<_> = named("scanner", &self.scanner).into_iter().collect();
        lines.extend(named("version", &self.version));
        lines.extend(named("finished", &self.finished));
        let counted = self.severities.iter().map(|(name, count)| format!("{count} {name}"));
        let counted = bounded(counted, self.severities.len()).join(", ");
        let counted = if counted.is_empty() { "none found, or in a form that is not read".to_owned() } else { counted };
        lines.push(("found", counted));
        lines
    }
}

/// The parameters of a build as text, one a line.
pub(super) fn parameters(value: &Value) -> Vec<String> {
    let all = parameter_lines(value);
    let count = all.len();
    bounded(all.into_iter(), count)
}

/// Returns the first [`LINES`] lines, each cut to [`CHARACTERS`] characters, and a line that counts the rest.
fn bounded(lines: impl Iterator<Item = String>, count: usize) -> Vec<String> {
    let cut = |line: String| match line.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    };
    let mut shown: Vec<_> = lines.take(LINES).map(cut).collect();
    if count > LINES {
        shown.push(format!("and {} more: --json has all", count - LINES));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_lines_of_bounded_number_and_length() {
        assert_eq!(parameters(&Value::Null), Vec::<String>::new());
        let lines = parameters(&json!(vec!["é".repeat(300); 100]));
        assert_eq!((lines.len(), lines[20].as_str()), (LINES + 1, "and 80 more: --json has all"));
        assert_eq!(lines[0].chars().count(), CHARACTERS + 1);
    }
}
