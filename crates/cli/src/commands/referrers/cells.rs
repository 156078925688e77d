//! A referrer as text.

use porthole_inspect::report::{ReferrerReport, Via};

use crate::ui::{safe, size};

/// The cells of a referrer in the columns of [`HEAD`].
pub(super) fn cells(report: &ReferrerReport) -> [String; 5] {
    let annotation = |name: &str| report.annotations.get(name).map(|text| safe(text).into_owned());
    let kind = report.artifact_type.as_ref().map(|kind| safe(kind.as_str()).into_owned());
    let none = || "-".to_owned();
    let title = match &report.via {
        Via::DigestTag(tag) => Some(format!("tag {}", safe(tag))),
        _ => annotation(TITLE),
    };
    [
        report.digest.to_string(),
        kind.unwrap_or_else(none),
        size(report.size),
        annotation(CREATED).unwrap_or_else(none),
        title.unwrap_or_else(none),
    ]
}

pub(super) const HEAD: [&str; 5] = ["DIGEST", "TYPE", "SIZE", "CREATED", "TITLE"];
const CREATED: &str = "org.opencontainers.image.created";
const TITLE: &str = "org.opencontainers.image.title";
