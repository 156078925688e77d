//! Bills of materials: SPDX 2 and CycloneDX, as JSON.

use crate::{limits::PACKAGES, purl::PurlParts};
use serde_json::Value;

/// A bill of materials: the packages that its author states for an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillOfMaterials {
    /// The format with its version, such as `SPDX-2.3` or `CycloneDX 1.6`.
    pub format: String,
    /// The name of the document.
    pub name: Option<String>,
    /// When it was made, as written.
    pub created: Option<String>,
    /// The programs that made it, as written.
    pub tools: Vec<String>,
    /// The packages, in the document's order.
    pub packages: Vec<BillPackage>,
}

/// A package of a bill of materials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillPackage {
    /// Its name in the bill.
    pub name: String,
    /// Its version, where one is given.
    pub version: Option<String>,
    /// Its package URL, where one is given.
    pub purl: Option<String>,
    /// Whether it is software: not a file, an operating system or an image.
    pub is_package: bool,
}

impl BillPackage {
    /// Its version as written: that of its package URL, where the bill gives no other; empty if there is none.
    pub fn version(&self) -> String {
        let of_purl = || PurlParts::parse(self.purl.as_deref()?)?.version;
        self.version.clone().or_else(of_purl).unwrap_or_default()
    }
}

impl BillOfMaterials {
    /// Reads an SPDX or CycloneDX document, or an in-toto statement with one. `None` for any other document.
    pub fn of_document(document: &Value) -> Option<Self> {
        if document["spdxVersion"].is_string() {
            return spdx(document);
        }
        if let Some(kind) = document["predicateType"].as_str() {
            return Self::of_predicate(kind, &document["predicate"]);
        }
        if document["bomFormat"] == "CycloneDX" { cyclonedx(document) } else { None }
    }

    /// Reads the predicate of a statement of this type; `None` if the type is not that of a bill of materials. cosign wraps the document of older
    /// statements in `Data`.
    pub fn of_predicate(kind: &str, predicate: &Value) -> Option<Self> {
        let is_spdx = kind.starts_with("https://spdx.dev/Document") || kind.starts_with("https://spdx.dev/spdx-");
        let is_cyclonedx = kind.starts_with("https://cyclonedx.org/");
        if !is_spdx && !is_cyclonedx {
            return None;
        }
        let document = if predicate["Data"].is_object() { &predicate["Data"] } else { predicate };
        if is_spdx { spdx(document) } else { cyclonedx(document) }
    }
}

/// The entries of a list that a bill may leave out. `None` if the value is not a list: the document is then not a bill, instead of an empty one.
fn entries(list: &Value) -> Option<&[Value]> {
    if list.is_null() { Some(&[]) } else { list.as_array().map(Vec::as_slice) }
}

fn spdx(document: &Value) -> Option<BillOfMaterials> {
    let purl = |package: &Value| {
        let references = package["externalRefs"].as_array()?;
        let purl = references.iter().find(|reference| reference["referenceType"] == "purl")?;
        text(&purl["referenceLocator"])
    };
    let packages = entries(&document["packages"])?.iter().take(PACKAGES);
    Some(BillOfMaterials {
        format: text(&document["spdxVersion"]).unwrap_or_else(|| "SPDX".to_owned()),
        name: text(&document["name"]),
        created: text(&document["creationInfo"]["created"]),
        tools: document["creationInfo"]["creators"].as_array().into_iter().flatten().filter_map(text).collect(),
        packages: packages
            .map(|package| BillPackage {
                name: text(&package["name"]).unwrap_or_default(),
                version: text(&package["versionInfo"]),
                purl: purl(package),
                is_package: !NO_PACKAGES.iter().any(|kind| package["primaryPackagePurpose"] == *kind),
            })
            .collect(),
    })
}

fn cyclonedx(document: &Value) -> Option<BillOfMaterials> {
    let version = text(&document["specVersion"]).map(|version| format!(" {version}")).unwrap_or_default();
    let metadata = &document["metadata"];
    // Version 1.5 turned the list of tools into a map of lists.
    let tools = metadata["tools"].as_array().or_else(|| metadata["tools"]["components"].as_array());
    let mut packages = Vec::new();
    // Components may contain components to any depth, so this loop has an explicit stack.
    let mut next: Vec<&Value> = entries(&document["components"])?.iter().rev().collect();
    while let Some(component) = next.pop()
        && packages.len() < PACKAGES
    {
        packages.push(BillPackage {
            name: text(&component["name"]).unwrap_or_default(),
            version: text(&component["version"]),
            purl: text(&component["purl"]),
            is_package: component["type"].as_str().is_none_or(|kind| PACKAGE_TYPES.contains(&kind)),
        });
        next.extend(component["components"].as_array().into_iter().flatten().rev());
    }
    Some(BillOfMaterials {
        format: format!("CycloneDX{version}"),
        name: text(&metadata["component"]["name"]),
        created: text(&metadata["timestamp"]),
        tools: tools.into_iter().flatten().filter_map(|tool| text(&tool["name"])).collect(),
        packages,
    })
}

/// Purposes of SPDX (`primaryPackagePurpose`, 7.24) that no package manager installs.
const NO_PACKAGES: [&str; 5] = ["CONTAINER", "OPERATING-SYSTEM", "DEVICE", "FIRMWARE", "FILE"];
/// Types of components of CycloneDX that package managers install.
const PACKAGE_TYPES: [&str; 3] = ["library", "application", "framework"];

/// The text of a field, if it is present and not empty.
fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn packages_of_spdx_have_their_package_urls() {
        let bill = BillOfMaterials::of_document(&json!({
            "spdxVersion": "SPDX-2.3", "name": "image", "creationInfo": {"creators": ["Tool: syft-1.0"], "created": "2026"},
            "packages": [{"name": "bash", "versionInfo": "5.2", "externalRefs": [
                {"referenceType": "cpe23Type", "referenceLocator": "cpe"},
                {"referenceType": "purl", "referenceLocator": "pkg:deb/debian/bash@5.2"}]}],
        }));
        let bill = bill.expect("SPDX");
        assert_eq!((bill.format.as_str(), bill.tools[0].as_str()), ("SPDX-2.3", "Tool: syft-1.0"));
        assert_eq!(bill.packages[0].purl.as_deref(), Some("pkg:deb/debian/bash@5.2"));
    }

    #[test]
    fn components_inside_components_of_cyclonedx_are_listed_in_order() {
        let bill = BillOfMaterials::of_document(&json!({
            "bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"tools": {"components": [{"name": "trivy"}]}},
            "components": [{"name": "a", "components": [{"name": "b", "version": "1"}]}, {"name": "c"}],
        }));
        let bill = bill.expect("CycloneDX");
        let names: Vec<_> = bill.packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!((names, bill.format.as_str()), (vec!["a", "b", "c"], "CycloneDX 1.6"));
        assert_eq!(bill.tools, ["trivy"]);
    }

    #[test]
    fn a_list_of_another_form_makes_no_empty_bill() {
        for wrong in [json!({}), json!("bash"), json!(1)] {
            let spdx = json!({"spdxVersion": "SPDX-2.3", "packages": wrong});
            let cyclonedx = json!({"bomFormat": "CycloneDX", "components": wrong});
            let stated = json!({"predicateType": "https://cyclonedx.org/bom", "predicate": cyclonedx});
            for document in [spdx, cyclonedx, stated] {
                assert_eq!(BillOfMaterials::of_document(&document), None, "{document}");
            }
        }
        for empty in [json!([]), Value::Null] {
            let bill = BillOfMaterials::of_document(&json!({"bomFormat": "CycloneDX", "components": empty}));
            assert_eq!(bill.map(|bill| bill.packages), Some(Vec::new()));
        }
    }

    #[test]
    fn a_statement_with_a_bill_is_read_as_that_bill() {
        let predicate = json!({"spdxVersion": "SPDX-2.3", "packages": [{"name": "bash"}]});
        for predicate in [predicate.clone(), json!({"Data": predicate})] {
            let statement = json!({"predicateType": "https://spdx.dev/Document", "predicate": predicate});
            let bill = BillOfMaterials::of_document(&statement).expect("a bill");
            assert_eq!(bill.packages[0].name, "bash");
        }
        assert_eq!(BillOfMaterials::of_document(&json!({"predicateType": "https://example.org/x"})), None);
    }

    #[test]
    fn a_document_of_another_kind_is_no_bill() {
        assert_eq!(BillOfMaterials::of_document(&json!({"a": 1})), None);
    }
}
