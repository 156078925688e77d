//! Result of the audit of a prepared layer's table of contents.

use porthole_core::{failure::Classify, toc::Disagreement};
use serde::Serialize;

use porthole_inspect::{report::ReportedPath, toc::AuditedToc};

use crate::ui::Style;

/// An audit that was done, refused or not possible.
#[derive(Default, Serialize)]
pub(super) struct Contents {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trusted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unchecked: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    disagreements: Vec<DisagreementReport>,
    #[serde(skip_serializing_if = "is_zero")]
    more: u64,
}

#[derive(Serialize)]
struct DisagreementReport {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_b64: Option<String>,
    what: String,
}

/// Maximum number of disagreements in the text output.
const SHOWN: usize = 100;

impl Contents {
    pub(super) fn of(audited: &AuditedToc) -> Self {
        match audited {
            // The table exceeds a limit of this program, so the layer was not compared.
            AuditedToc::Refused(error) if audited.is_unchecked() => {
                let hints = error.hints().into_iter().map(|hint| format!(": {hint}")).collect::<String>();
                Self { unchecked: Some(format!("{error}{hints}")), ..Self::default() }
            }
            AuditedToc::Refused(error) => Self { refused: Some(error.to_string()), ..Self::default() },
            AuditedToc::Done { format, trusted, report } => Self {
                format: Some(format.to_string()),
                trusted: Some(*trusted),
                entries: Some(report.entries),
                disagreements: report.disagreements.iter().map(DisagreementReport::of).collect(),
                more: report.more,
                ..Self::default()
            },
        }
    }

    /// The lines of the text output.
    pub(super) fn lines(&self) -> Vec<(Style, String)> {
        if let Some(refused) = &self.refused {
            return vec![(Style::Bad, refused.clone())];
        }
        if let Some(unchecked) = &self.unchecked {
            return vec![(Style::Changed, format!("not compared with its table of contents: {unchecked}"))];
        }
        let format = self.format.as_deref().unwrap_or_default();
        if self.disagreements.is_empty() {
            let trust = if self.trusted == Some(true) { "" } else { ", which nothing vouches for," };
            return vec![(Style::Good, format!("the {format} table of contents{trust} agrees with the archive"))];
        }
        let shown = self.disagreements.iter().take(SHOWN);
        let mut lines: Vec<_> = shown.map(|told| (Style::Bad, format!("{}: {}", told.path, told.what))).collect();
        let rest = self.disagreements.len().saturating_sub(SHOWN) as u64 + self.more;
        if rest > 0 {
            lines.push((Style::Bad, format!("and {rest} more: the table of contents is another than the archive")));
        }
        lines
    }
}

impl DisagreementReport {
    fn of(disagreement: &Disagreement) -> Self {
        let bytes = if disagreement.path.is_empty() { b"." } else { disagreement.path.as_slice() };
        let ReportedPath { path, path_b64 } = ReportedPath::of(bytes);
        Self { path: path.into_owned(), path_b64, what: disagreement.difference.to_string() }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
