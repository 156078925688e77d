//! Bills of materials: SPDX 2 and CycloneDX, as JSON.

use super::text;
use serde_json::Value;

/// What someone says is in an image.
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
    /// Its name.
    pub name: String,
    /// Its version, where one is given.
    pub version: Option<String>,
    /// Its package URL, where one is given.
    pub purl: Option<String>,
}

/// Packages that are read of one document.
const PACKAGES: usize = 200_000;

impl BillOfMaterials {
    /// Reads a document that is either of them.
    pub fn of_document(document: &Value) -> Option<Self> {
        if document["spdxVersion"].is_string() {
            return Some(spdx(document));
        }
        (document["bomFormat"] == "CycloneDX").then(|| cyclonedx(document))
    }

    /// Reads a predicate of such a type. cosign wraps the document of older statements in `Data`.
    pub(super) fn of_predicate(kind: &str, predicate: &Value) -> Option<Self> {
        let is_spdx = kind.starts_with("https://spdx.dev/Document") || kind.starts_with("https://spdx.dev/spdx-");
        let is_cyclonedx = kind.starts_with("https://cyclonedx.org/");
        if !is_spdx && !is_cyclonedx {
            return None;
        }
        let document = if predicate["Data"].is_object() { &predicate["Data"] } else { predicate };
        Some(if is_spdx { spdx(document) } else { cyclonedx(document) })
    }
}

fn spdx(document: &Value) -> BillOfMaterials {
    let purl = |package: &Value| {
        let references = package["externalRefs"].as_array()?;
        let purl = references.iter().find(|reference| reference["referenceType"] == "purl")?;
        text(&purl["referenceLocator"])
    };
    let packages = document["packages"].as_array().into_iter().flatten().take(PACKAGES);
    BillOfMaterials {
        format: text(&document["spdxVersion"]).unwrap_or_else(|| "SPDX".to_owned()),
        name: text(&document["name"]),
        created: text(&document["creationInfo"]["created"]),
        tools: document["creationInfo"]["creators"].as_array().into_iter().flatten().filter_map(text).collect(),
        packages: packages
            .map(|package| BillPackage {
                name: text(&package["name"]).unwrap_or_default(),
                version: text(&package["versionInfo"]),
                purl: purl(package),
            })
            .collect(),
    }
}

fn cyclonedx(document: &Value) -> BillOfMaterials {
    let version = text(&document["specVersion"]).map(|version| format!(" {version}")).unwrap_or_default();
    let metadata = &document["metadata"];
    // Version 1.5 turned the list of tools into a map of lists.
    let tools = metadata["tools"].as_array().or_else(|| metadata["tools"]["components"].as_array());
    let mut packages = Vec::new();
    // Components may have components. A stack of our own: the document decides how deep they lie.
    let mut next: Vec<&Value> = document["components"].as_array().into_iter().flatten().rev().collect();
    while let Some(component) = next.pop()
        && packages.len() < PACKAGES
    {
        packages.push(BillPackage {
            name: text(&component["name"]).unwrap_or_default(),
            version: text(&component["version"]),
            purl: text(&component["purl"]),
        });
        next.extend(component["components"].as_array().into_iter().flatten().rev());
    }
    BillOfMaterials {
        format: format!("CycloneDX{version}"),
        name: text(&metadata["component"]["name"]),
        created: text(&metadata["timestamp"]),
        tools: tools.into_iter().flatten().filter_map(|tool| text(&tool["name"])).collect(),
        packages,
    }
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
    fn a_document_of_another_kind_is_no_bill() {
        assert_eq!(BillOfMaterials::of_document(&json!({"a": 1})), None);
    }
}
