//! Statements about vulnerabilities: OpenVEX, and the reports of scanners (cosign's `vuln`, in-toto's `vulns`).

use super::text;
use serde_json::Value;
use std::collections::BTreeMap;

/// Whether a vulnerability affects products, as one statement of OpenVEX says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VexStatement {
    /// The name of the vulnerability, such as `CVE-2024-1`.
    pub vulnerability: String,
    /// `not_affected`, `affected`, `fixed` or `under_investigation`, as written.
    pub status: String,
    /// The products, often package URLs.
    pub products: Vec<String>,
    /// Why a product is not affected, as written.
    pub justification: Option<String>,
}

impl VexStatement {
    /// The statements of a document.
    pub(super) fn read(predicate: &Value) -> Vec<Self> {
        let id = |value: &Value| text(value).or_else(|| text(&value["@id"]));
        let one = |value: &Value| {
            let vulnerability = &value["vulnerability"];
            let name = text(&vulnerability["name"]).or_else(|| id(vulnerability));
            let products = value["products"].as_array().into_iter().flatten();
            Self {
                vulnerability: name.unwrap_or_default(),
                status: text(&value["status"]).unwrap_or_default(),
                products: products.filter_map(id).collect(),
                justification: text(&value["justification"]),
            }
        };
        predicate["statements"].as_array().into_iter().flatten().map(one).collect()
    }
}

/// The report of a scanner.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// The URI of the scanner.
    pub scanner: Option<String>,
    /// Version of the scanner.
    pub version: Option<String>,
    /// When the scan ended, RFC 3339 as written.
    pub finished: Option<String>,
    /// How many vulnerabilities it found, by severity in lower case.
    pub severities: BTreeMap<String, usize>,
}

impl ScanReport {
    /// Reads the report, with a result in the form of in-toto, of Trivy or of Grype. For any other form, nothing is counted.
    pub(super) fn read(predicate: &Value) -> Self {
        let scanner = &predicate["scanner"];
        let result = &scanner["result"];
        let mut severities = BTreeMap::new();
        let mut count = |severity: Option<String>| {
            *severities.entry(severity.unwrap_or_else(|| "unknown".to_owned())).or_default() += 1;
        };
        let lower = |value: &Value| text(value).map(|text| text.to_lowercase());
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        for found in list(result) {
            count(list(&found["severity"]).iter().find_map(severity).or_else(|| lower(&found["severity"])));
        }
        for target in list(&result["Results"]) {
            list(&target["Vulnerabilities"]).iter().for_each(|found| count(lower(&found["Severity"])));
        }
        list(&result["matches"]).iter().for_each(|found| count(lower(&found["vulnerability"]["severity"])));
        let metadata = &predicate["metadata"];
        Self {
            scanner: text(&scanner["uri"]),
            version: text(&scanner["version"]),
            finished: text(&metadata["scanFinishedOn"]),
            severities,
        }
    }
}

/// A severity of in-toto: a word, or a score of CVSS 3 and later.
fn severity(value: &Value) -> Option<String> {
    let score = &value["score"];
    let number = score.as_f64().or_else(|| score.as_str()?.parse().ok());
    let word = match number {
        None => return text(score).map(|text| text.to_lowercase()),
        Some(score) if score <= 0.0 => "none",
        Some(score) if score < 4.0 => "low",
        Some(score) if score < 7.0 => "medium",
        Some(score) if score < 9.0 => "high",
        Some(_) => "critical",
    };
    Some(word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn both_versions_of_openvex_name_vulnerability_status_and_products() {
        let read = VexStatement::read(&json!({ "statements": [
            {"vulnerability": {"name": "CVE-1", "@id": "https://x/CVE-1"}, "status": "not_affected",
                "products": [{"@id": "pkg:oci/a", "subcomponents": [{"@id": "pkg:apk/b"}]}], "justification": "component_not_present"},
            {"vulnerability": "CVE-2", "status": "fixed", "products": ["pkg:oci/b", 3]},
            {"vulnerability": {"@id": "https://x/CVE-3"}, "products": {"a": 1}}, null,
        ]}));
        let words: Vec<_> =
            read.iter().map(|one| format!("{} {} {:?}", one.vulnerability, one.status, one.products)).collect();
        let expected =
            [r#"CVE-1 not_affected ["pkg:oci/a"]"#, r#"CVE-2 fixed ["pkg:oci/b"]"#, "https://x/CVE-3  []", "  []"];
        assert_eq!(words, expected);
        assert_eq!(read[0].justification.as_deref(), Some("component_not_present"));
    }

    #[test]
    fn vulnerabilities_are_counted_by_severity_in_the_forms_of_three_scanners() {
        for (result, expected) in [
            (
                json!({"Results": [{"Vulnerabilities": [{"Severity": "HIGH"}, {"Severity": "LOW"}]}, {}]}),
                "high 1, low 1",
            ),
            (json!({"matches": [{"vulnerability": {"severity": "High"}}, {"vulnerability": {}}]}), "high 1, unknown 1"),
            (
                json!([{"id": "a", "severity": [{"method": "CVSS_V3", "score": "9.1"}]}, {"id": "b", "severity": [{"score": 0}]},
                    {"id": "c", "severity": [{"score": "Medium"}]}, {"id": "d", "severity": [{"score": 8.9}]}, {"id": "e"}]),
                "critical 1, high 1, medium 1, none 1, unknown 1",
            ),
            (json!("a"), ""),
            (json!({"Results": {"Vulnerabilities": 1}}), ""),
        ] {
            let report = ScanReport::read(&json!({"scanner": {"uri": "https://x", "version": "1", "result": result}}));
            let counted: Vec<_> = report.severities.iter().map(|(name, count)| format!("{name} {count}")).collect();
            assert_eq!(counted.join(", "), expected);
            assert_eq!((report.scanner.as_deref(), report.version.as_deref()), (Some("https://x"), Some("1")));
        }
    }
}
