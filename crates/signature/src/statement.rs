//! In-toto statements: claims about an image (in-toto attestation framework, `spec/v1/statement.md`).

mod provenance;
mod vulnerabilities;

pub use porthole_contents::bill::BillOfMaterials;
pub use provenance::{BuildProvenance, Material, parameter_lines};
pub use vulnerabilities::{ScanReport, VexStatement};

use porthole_core::digest::Digest;
use serde_json::Value;
use std::collections::BTreeMap;

/// A statement about artifacts. A signature identifies its author; statements of BuildKit have no signature.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The artifacts that it describes.
    pub subjects: Vec<StatementSubject>,
    /// The URI of the predicate's type; empty if there is none.
    pub predicate_type: String,
    /// The predicate: the claim itself.
    pub predicate: Value,
}

/// An artifact that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementSubject {
    /// A name chosen by the author of the statement.
    pub name: String,
    /// Digests in hexadecimal by algorithm, such as `sha256`.
    pub digests: BTreeMap<String, String>,
}

/// The kinds of predicates that are read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Predicate {
    /// cosign's statement that an image is signed, without saying more.
    Signature,
    /// How the image was built: SLSA provenance 0.1, 0.2 and 1.
    Provenance(BuildProvenance),
    /// A bill of materials: SPDX or CycloneDX.
    Bill(BillOfMaterials),
    /// Which vulnerabilities affect the image and which do not: OpenVEX.
    Vex(Vec<VexStatement>),
    /// The result of a scanner for vulnerabilities.
    Scan(ScanReport),
    /// Any other kind of predicate.
    Other,
}

/// Why bytes are not a statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// They are not JSON.
    #[error("expected an in-toto statement, got something that is no JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// They are JSON of another type.
    #[error("expected the type of an in-toto statement, got `{0}`")]
    Type(String),
}

impl Statement {
    /// Reads a statement. Versions 0.1 and 1 differ only in their type.
    ///
    /// # Errors
    ///
    /// [`StatementError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let value: Value = serde_json::from_slice(bytes)?;
        let kind = value["_type"].as_str().unwrap_or_default();
        if !kind.starts_with("https://in-toto.io/Statement/") {
            return Err(StatementError::Type(kind.to_owned()));
        }
        let subjects = value["subject"].as_array().map(|subjects| subjects.iter().map(subject).collect());
        Ok(Self {
            subjects: subjects.unwrap_or_default(),
            predicate_type: text(&value["predicateType"]).unwrap_or_default(),
            predicate: value["predicate"].clone(),
        })
    }

    /// Whether a digest is one of its subjects.
    pub fn is_about(&self, digest: &Digest) -> bool {
        let (algorithm, hex) = (digest.algorithm().name(), digest.hex());
        self.subjects.iter().any(|subject| subject.digests.get(algorithm).is_some_and(|got| *got == hex))
    }

    /// The predicate, read as its type demands.
    pub fn read(&self) -> Predicate {
        let kind = self.predicate_type.as_str();
        if kind.starts_with("https://sigstore.dev/cosign/sign/") {
            Predicate::Signature
        } else if kind.starts_with("https://slsa.dev/provenance/") {
            Predicate::Provenance(BuildProvenance::read(&self.predicate))
        } else if let Some(bill) = BillOfMaterials::of_predicate(kind, &self.predicate) {
            Predicate::Bill(bill)
        } else if kind.starts_with("https://openvex.dev/ns") {
            Predicate::Vex(VexStatement::read(&self.predicate))
        } else if kind.starts_with("https://cosign.sigstore.dev/attestation/vuln/")
            || kind.starts_with("https://in-toto.io/attestation/vulns")
        {
            Predicate::Scan(ScanReport::read(&self.predicate))
        } else {
            Predicate::Other
        }
    }
}

impl Predicate {
    /// Its kind in one or two words.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Provenance(_) => "provenance",
            Self::Bill(_) => "bill of materials",
            Self::Vex(_) => "VEX",
            Self::Scan(_) => "vulnerability scan",
            Self::Other => "statement",
        }
    }
}

fn subject(value: &Value) -> StatementSubject {
    StatementSubject { name: text(&value["name"]).unwrap_or_default(), digests: digests(&value["digest"]) }
}

/// The digests of a map from algorithm to hexadecimal.
fn digests(value: &Value) -> BTreeMap<String, String> {
    let pairs = value.as_object().into_iter().flatten();
    pairs.filter_map(|(name, hex)| Some((name.clone(), text(hex)?))).collect()
}

/// The text of a field, if it is present and not empty.
fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn statement(kind: &str, predicate: Value) -> Statement {
        let image = Digest::sha256(b"image");
        let bytes = json!({
            "_type": "https://in-toto.io/Statement/v1", "predicateType": kind, "predicate": predicate,
            "subject": [{"name": "a", "digest": {"sha256": image.hex()}}],
        });
        Statement::parse(&serde_json::to_vec(&bytes).expect("JSON")).expect("a statement")
    }

    #[test]
    fn a_statement_is_about_the_digests_of_its_subjects_only() {
        let statement = statement("https://example.org/x", json!({}));
        assert!(statement.is_about(&Digest::sha256(b"image")));
        assert!(!statement.is_about(&Digest::sha256(b"another image")));
        assert_eq!(statement.read(), Predicate::Other);
    }

    #[test]
    fn a_digest_under_the_name_of_another_algorithm_is_no_subject() {
        let hex = Digest::sha256(b"image").hex();
        let bytes = json!({"_type": "https://in-toto.io/Statement/v0.1", "subject": [{"digest": {"sha512": hex}}]});
        let statement = Statement::parse(&serde_json::to_vec(&bytes).expect("JSON")).expect("a statement");
        assert!(!statement.is_about(&Digest::sha256(b"image")));
    }

    #[test]
    fn what_is_no_statement_is_an_error_that_says_what_came() {
        let error = Statement::parse(b"{\"_type\": \"sbom\"}").expect_err("no statement");
        assert_eq!(error.to_string(), "expected the type of an in-toto statement, got `sbom`");
        assert!(Statement::parse(b"<html>").is_err());
    }

    #[test]
    fn the_predicate_type_decides_how_a_predicate_is_read() {
        for (kind, name) in [
            ("https://sigstore.dev/cosign/sign/v1", "signature"),
            ("https://slsa.dev/provenance/v0.2", "provenance"),
            ("https://slsa.dev/provenance/v1", "provenance"),
            ("https://spdx.dev/Document", "bill of materials"),
            ("https://cyclonedx.org/bom/v1.6", "bill of materials"),
            ("https://openvex.dev/ns/v0.2.0", "VEX"),
            ("https://cosign.sigstore.dev/attestation/vuln/v1", "vulnerability scan"),
            ("", "statement"),
        ] {
            assert_eq!(statement(kind, json!({})).read().name(), name, "{kind}");
        }
    }
}
