//! SPDX 2.3 in JSON.

use super::ExportSubject;
use crate::{
    inventory::{Installed, Inventory},
    package::Ecosystem,
    purl::purl,
};
use serde_json::{Value, json};

/// The packages of the final image as an SPDX 2.3 document.
pub fn spdx(inventory: &Inventory, subject: ExportSubject<'_>) -> Value {
    const IMAGE: &str = "SPDXRef-Image";
    let image = json!({
        "SPDXID": IMAGE,
        "name": subject.name,
        "versionInfo": subject.digest.unwrap_or("NOASSERTION"),
        "primaryPackagePurpose": "CONTAINER",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
    });
    let mut packages = vec![image];
    let mut relations = vec![relation("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE)];
    for (number, installed) in inventory.present().enumerate() {
        let id = format!("SPDXRef-Package-{}", number + 1);
        relations.push(relation(IMAGE, "CONTAINS", &id));
        packages.push(package(&id, installed, inventory));
    }
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": subject.name,
        "documentNamespace": format!("https://porthole.invalid/spdx/{}", subject.identity()),
        "creationInfo": { "created": subject.time(), "creators": ["Tool: porthole"] },
        "packages": packages,
        "relationships": relations,
    })
}

fn relation(from: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to })
}

fn package(id: &str, installed: &Installed, inventory: &Inventory) -> Value {
    let Installed { package, recorded_in, layer, .. } = installed;
    let recorded_in = porthole_core::path::escape(recorded_in);
    let mut value = json!({
        "SPDXID": id,
        "name": package.name,
        "versionInfo": package.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": false,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "sourceInfo": format!("recorded in /{recorded_in}, brought by layer {}", layer + 1),
        "externalRefs": [{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": purl(package, inventory.release.as_ref()),
        }],
    });
    if let Some(vendor) = &package.vendor {
        value["supplier"] = json!(format!("Organization: {vendor}"));
    }
    // A recorded licence need not be an SPDX expression, and SPDX allows only expressions as declared licence.
    if let Some(licence) = &package.licence {
        match is_expression(licence) {
            true => value["licenseDeclared"] = json!(licence),
            false => value["licenseComments"] = json!(format!("recorded as: {licence}")),
        }
    }
    if matches!(package.ecosystem, Ecosystem::Deb | Ecosystem::Rpm)
        && let Some(source) = &package.source
    {
        value["comment"] = json!(format!("built from source package {}", source.name));
    }
    value
}

/// Common licences by their SPDX identifiers, and expressions of them. Others are only mentioned.
fn is_expression(licence: &str) -> bool {
    const KNOWN: [&str; 30] = [
        "0BSD",
        "AGPL-3.0-only",
        "AGPL-3.0-or-later",
        "Apache-2.0",
        "Artistic-2.0",
        "BlueOak-1.0.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC-BY-3.0",
        "CC-BY-4.0",
        "CC0-1.0",
        "GPL-2.0-only",
        "GPL-2.0-or-later",
        "GPL-3.0-only",
        "GPL-3.0-or-later",
        "ISC",
        "LGPL-2.1-only",
        "LGPL-2.1-or-later",
        "LGPL-3.0-only",
        "LGPL-3.0-or-later",
        "MIT",
        "MIT-0",
        "MPL-2.0",
        "OFL-1.1",
        "PSF-2.0",
        "Python-2.0",
        "Unicode-3.0",
        "Unlicense",
        "Zlib",
    ];
    let mut words = licence.split(' ');
    let mut expects_name = true;
    let fits = words.by_ref().all(|word| {
        let fits = if expects_name { KNOWN.contains(&word) } else { matches!(word, "AND" | "OR") };
        expects_name = !expects_name;
        fits
    });
    fits && !expects_name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::Package;

    #[test]
    fn only_expressions_are_declared() {
        for (licence, declared) in [
            ("MIT", true),
            ("MIT OR Apache-2.0", true),
            ("MIT OR", false),
            ("MIT Apache-2.0", false),
            ("GPL-2+", false),
            ("", false),
        ] {
            assert_eq!(is_expression(licence), declared, "{licence}");
        }
    }

    #[test]
    fn a_removed_package_is_not_in_the_document() {
        let installed = |name: &str, removed_by| Installed {
            package: Package { licence: Some("GPL-2+".into()), ..Package::new(Ecosystem::Deb, name, "1") },
            recorded_in: b"var/lib/dpkg/status".to_vec(),
            layer: 0,
            removed_by,
            replaced_by: None,
        };
        let inventory =
            Inventory { packages: vec![installed("a", None), installed("b", Some(1))], ..Inventory::default() };
        let subject = ExportSubject { name: "app", digest: Some("sha256:abc"), created: None };
        let document = spdx(&inventory, subject);
        let names: Vec<_> = document["packages"].as_array().unwrap().iter().map(|package| &package["name"]).collect();
        assert_eq!(names, ["app", "a"]);
        assert_eq!(document["packages"][1]["licenseComments"], "recorded as: GPL-2+");
        assert_eq!(document, spdx(&inventory, subject), "the same bytes each time");
    }
}
