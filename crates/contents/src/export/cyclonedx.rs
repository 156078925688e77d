//! CycloneDX 1.6 in JSON.

use super::ExportSubject;
use crate::{
    inventory::{Installed, Inventory},
    purl::purl,
};
use serde_json::{Value, json};

/// The packages of the final image as a CycloneDX 1.6 document.
pub fn cyclonedx(inventory: &Inventory, subject: ExportSubject<'_>) -> Value {
    let mut image = json!({ "type": "container", "bom-ref": "image", "name": subject.name });
    if let Some(digest) = subject.digest {
        image["version"] = json!(digest);
    }
    let components: Vec<Value> = inventory
        .present()
        .enumerate()
        .map(|(number, installed)| component(number + 1, installed, inventory))
        .collect();
    let references: Vec<&Value> = components.iter().map(|component| &component["bom-ref"]).collect();
    let dependencies = json!([{ "ref": "image", "dependsOn": references }]);
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial(&subject.identity()),
        "version": 1,
        "metadata": {
            "timestamp": subject.time(),
            "tools": { "components": [{ "type": "application", "name": "porthole" }] },
            "component": image,
        },
        "components": components,
        "dependencies": dependencies,
    })
}

/// A UUID of version 8 (RFC 9562: custom) from the digest of the image.
fn serial(identity: &str) -> String {
    let hex: String = identity.chars().filter(char::is_ascii_hexdigit).chain(std::iter::repeat('0')).take(32).collect();
    let hex = hex.to_lowercase();
    format!("urn:uuid:{}-{}-8{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

fn component(number: usize, installed: &Installed, inventory: &Inventory) -> Value {
    let Installed { package, recorded_in, layer, .. } = installed;
    let property = |name: &str, value: String| json!({ "name": format!("porthole:{name}"), "value": value });
    let mut properties = vec![
        property("layer", (layer + 1).to_string()),
        property("recorded-in", format!("/{}", porthole_core::path::escape(recorded_in))),
    ];
    if let Some(source) = &package.source {
        properties.push(property("source", source.name.clone()));
    }
    let mut component = json!({
        "type": "library",
        "bom-ref": format!("package-{number}"),
        "name": package.name,
        "version": package.version,
        "purl": purl(package, inventory.release.as_ref()),
        "properties": properties,
    });
    if let Some(vendor) = &package.vendor {
        component["supplier"] = json!({ "name": vendor });
    }
    if let Some(licence) = &package.licence {
        component["licenses"] = json!([{ "license": { "name": licence } }]);
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::{Ecosystem, Package};

    #[test]
    fn the_document_names_the_image_and_its_packages() {
        let package = Package { licence: Some("MIT".into()), ..Package::new(Ecosystem::Npm, "left-pad", "1.0.0") };
        let recorded_in = b"app/node_modules/left-pad/package.json".to_vec();
        let installed = Installed { package, recorded_in, layer: 2, removed_by: None, replaced_by: None };
        let inventory = Inventory { packages: vec![installed], ..Inventory::default() };
        let subject =
            ExportSubject { name: "app:1", digest: Some("sha256:00112233445566778899aabbccddeeff00"), created: None };
        let document = cyclonedx(&inventory, subject);
        assert_eq!(document["serialNumber"], "urn:uuid:00112233-4455-8677-8899-aabbccddeeff");
        let component = &document["components"][0];
        assert_eq!(component["purl"], "pkg:npm/left-pad@1.0.0");
        assert_eq!(component["properties"][0], json!({ "name": "porthole:layer", "value": "3" }));
        assert_eq!(document["dependencies"][0]["dependsOn"], json!(["package-1"]));
        assert_eq!(document["metadata"]["component"]["version"], "sha256:00112233445566778899aabbccddeeff00");
    }
}
