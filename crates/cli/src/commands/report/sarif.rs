//! The report as a log of SARIF 2.1.0: a result for each finding, secret, wrong signature and missed threshold.

use std::{collections::BTreeMap, fmt::Write as _};

use porthole_contents::{dangers::DangerKind, secrets::RULES};
use porthole_core::{digest::Digest, layer::LayerNumber};
use serde_json::{Value, json};

use super::document::Document;

/// The base of all paths: the root of the image's file system.
const ROOT: &str = "ROOTFS";

/// The log file of SARIF 2.1.0.
pub(super) fn log(document: &Document<'_>) -> Value {
    let found = found(document);
    let names: BTreeMap<&str, &str> = found.iter().map(|result| (result.rule, result.about)).collect();
    let places: BTreeMap<&str, usize> = names.keys().enumerate().map(|(place, name)| (*name, place)).collect();
    let rule = |(name, about): (&&str, &&str)| json!({ "id": name, "shortDescription": { "text": about } });
    let mut same = BTreeMap::new();
    let results: Vec<Value> = found
        .iter()
        .map(|found| {
            let of_kind = same.entry((found.rule, found.uri.clone())).or_insert(0_u64);
            *of_kind += 1;
            found.result(places[found.rule], *of_kind)
        })
        .collect();
    let image = &document.image;
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "porthole",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": names.iter().map(rule).collect::<Vec<_>>(),
            } },
            "originalUriBaseIds": { ROOT: { "description": { "text": "the root of the image's file system" } } },
            "results": results,
            "properties": {
                "source": image.source,
                "digest": image.digest,
                "platform": image.platform,
                "created": image.created,
                "signatures": document.signatures,
            },
        }],
    })
}

struct Found<'d> {
    rule: &'d str,
    about: &'d str,
    level: &'static str,
    message: String,
    /// Path of a file in the image, or the reference of the image.
    uri: String,
    is_path: bool,
    line: Option<usize>,
    /// Name of a place that is not a file, such as a variable.
    logical: Option<String>,
    layer: Option<LayerNumber>,
    layer_digest: Option<&'d str>,
}

fn found<'d>(document: &'d Document<'_>) -> Vec<Found<'d>> {
    let image = encode(&document.image.source);
    let location = |path: &Option<String>| match path {
        Some(path) => (encode(path), true),
        None => (image.clone(), false),
    };
    let mut all = Vec::new();
    for check in document.thresholds.iter().filter(|check| !check.passed) {
        let (uri, is_path) = location(&None);
        let (rule, about) = (check.name, "a threshold is missed");
        let message = check.words.clone();
        all.push(Found {
            rule,
            about,
            level: "error",
            message,
            uri,
            is_path,
            line: None,
            logical: None,
            layer: None,
            layer_digest: None,
        });
    }
    let signed = document.signatures.iter().flat_map(|found| &found.list);
    for row in signed.filter(|row| row.signature.state == "wrong") {
        let (uri, is_path) = location(&None);
        let message =
            format!("{} {}: {}", row.kind, row.signature.digest, row.signature.reason.as_deref().unwrap_or("wrong"));
        let (rule, about) = ("wrong-signature", "a signature does not hold");
        all.push(Found {
            rule,
            about,
            level: "error",
            message,
            uri,
            is_path,
            line: None,
            logical: None,
            layer: None,
            layer_digest: None,
        });
    }
    for row in &document.secrets {
        let (uri, is_path) = location(&row.path);
        let fate = row.fate().map(|fate| format!(", {fate}")).unwrap_or_default();
        all.push(Found {
            rule: &row.rule,
            about: RULES.iter().find(|rule| rule.name == row.rule).map_or(&row.about, |rule| rule.about),
            level: if row.confidence == "high" { "error" } else { "warning" },
            message: format!("{}: {} ({} confidence){fate}", row.about, row.masked, row.confidence),
            uri,
            is_path,
            line: row.line,
            logical: row.path.is_none().then(|| row.place()),
            layer: row.layer,
            layer_digest: row.layer_digest.as_deref(),
        });
    }
    for finding in &document.findings {
        let (uri, is_path) = location(&finding.path);
        let (level, about) = kind(finding.kind);
        all.push(Found {
            rule: finding.kind,
            about,
            level,
            message: finding.text.clone(),
            uri,
            is_path,
            line: None,
            logical: None,
            layer: finding.layer,
            layer_digest: finding.layer_digest.as_deref(),
        });
    }
    all
}

/// Level and description of a kind of finding.
fn kind(name: &str) -> (&'static str, &'static str) {
    match name {
        "deviation" => ("warning", "the documents depart from their specification"),
        "ambiguous" => ("warning", "widely used tools read these paths differently"),
        "runs-as-root" => ("warning", "the configuration names no user, or root"),
        "plain-download" => ("warning", "files that the build downloaded without TLS"),
        "unpinned-base" => ("note", "the base image is named without a digest"),
        "set-uid" => ("note", "files that run with the rights of their owner"),
        "set-gid" => ("note", "files that run with the rights of their group"),
        "capabilities" => ("note", "files with capabilities"),
        "world-writable" => ("warning", "paths that every user can write"),
        "deleted-files" => ("note", "deleted files that are still in the image"),
        "metadata-copies" => ("note", "files that were copied to change their mode, owner or attributes"),
        "biggest-waste" => ("note", "the most wasted bytes in one place"),
        _ => {
            let danger = DangerKind::ALL.into_iter().find(|danger| danger.name() == name);
            ("warning", danger.map_or("something worth knowing about the image", DangerKind::about))
        }
    }
}

impl Found<'_> {
    fn result(&self, rule: usize, number: u64) -> Value {
        let mut artifact = json!({ "uri": self.uri });
        if self.is_path {
            artifact["uriBaseId"] = json!(ROOT);
        }
        let mut physical = json!({ "artifactLocation": artifact });
        if let Some(line) = self.line {
            physical["region"] = json!({ "startLine": line });
        }
        let mut location = json!({ "physicalLocation": physical });
        if let Some(name) = &self.logical {
            location["logicalLocations"] = json!([{ "name": name }]);
        }
        let fingerprint = Digest::sha256(format!("{}\n{}\n{number}", self.rule, self.uri).as_bytes()).to_string();
        let mut result = json!({
            "ruleId": self.rule,
            "ruleIndex": rule,
            "level": self.level,
            "message": { "text": self.message },
            "locations": [location],
            "partialFingerprints": { "porthole/v1": fingerprint },
        });
        if let Some(layer) = self.layer {
            result["properties"] = json!({ "layer": layer });
            if let Some(digest) = self.layer_digest {
                result["properties"]["layer_digest"] = json!(digest);
            }
        }
        result
    }
}

/// Encodes a path as a relative reference (RFC 3986).
fn encode(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'@' | b'+' => {
                uri.push(byte.into())
            }
            byte => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}
