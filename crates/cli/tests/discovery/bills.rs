//! `packages --against`: bills of materials that are attached to an image.

use super::{
    Server, ends,
    schema::{schema, validate},
};
use porthole_testkit::{
    image::{Blob, Built, Image, Layer},
    registry::Site,
    signing::{Signatory, attestation},
};
use serde_json::{Value, json};

const STATUS: &str = "var/lib/dpkg/status";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

fn status(packages: &[(&str, &str)]) -> String {
    let paragraph = |(name, version): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n\n")
    };
    packages.iter().map(paragraph).collect()
}

fn image() -> Built {
    Image::new()
        .platform("linux", "amd64", None)
        .layer(Layer::new("ADD base").file(STATUS, status(&[("bash", "5.2-1"), ("gcc", "12"), ("zlib1g", "1:1.2")])))
        .layer(Layer::new("RUN apt").file(STATUS, status(&[("bash", "5.2-1"), ("curl", "8.1"), ("zlib1g", "1:1.2")])))
        .build()
}

/// A bill that lacks `curl`, lists a package that a layer removed, and has another version of `zlib1g`.
fn spdx() -> Value {
    let package =
        |purl: &str| json!({"name": "n", "externalRefs": [{"referenceType": "purl", "referenceLocator": purl}]});
    let purls =
        ["pkg:deb/debian/bash@5.2-1?arch=amd64", "pkg:deb/debian/gcc@12", "pkg:deb/debian/zlib1g@1:1.1", "pkg:oci/app"];
    let packages: Vec<Value> = purls.into_iter().map(package).collect();
    json!({"spdxVersion": "SPDX-2.3", "name": "app", "packages": packages})
}

/// The image with a document under `.sbom`, and with a signed statement under `.att`.
fn attached(statement: bool) -> (Server, Built) {
    let image = image();
    let mut content = image.clone().into_content("1");
    let tag = |suffix: &str| format!("{}.{suffix}", image.manifest.digest.replace(':', "-"));
    let bill = Blob::new("text/spdx+json", spdx().to_string().into_bytes());
    let config = Blob::new("application/vnd.oci.image.config.v1+json", b"{}".to_vec());
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor(), "layers": [bill.descriptor()]});
    content.add_root(&tag("sbom"), Blob::new(MANIFEST, manifest.to_string().into_bytes()));
    content.add_blob(bill).add_blob(config);
    if statement {
        let components = ["bash@5.2-1", "curl@8.1", "zlib1g@1:1.2"]
            .map(|package| json!({"name": "n", "purl": format!("pkg:deb/debian/{package}")}));
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1", "predicateType": "https://cyclonedx.org/bom",
            "subject": [{"digest": {"sha256": image.manifest.digest.trim_start_matches("sha256:")}}],
            "predicate": {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": components},
        });
        let (manifest, blobs) = attestation(&statement, &Signatory::new(), None).manifest();
        content.add_root(&tag("att"), manifest);
        for blob in blobs {
            content.add_blob(blob);
        }
    }
    (Server::new(Site::new().repository("a/b", content)), image)
}

fn told(server: &Server, arguments: &str) -> (Option<i32>, String, String) {
    let output = server.run(arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_bill_that_is_attached_is_compared_with_the_packages() {
    let (server, _) = attached(false);
    let (code, out, said) = told(&server, "packages --against attached REGISTRY/a/b:1");
    let lines: Vec<_> = out.lines().skip(1).collect();
    let expected = [
        "+ deb       curl  8.1  layer 2",
        "- deb       gcc  12  removed by layer 2",
        "~ deb       zlib1g  1:1.1 -> 1:1.2",
    ];
    assert_eq!((code, lines), (Some(1), expected.to_vec()), "{said}");
    assert!(
        said.contains("1 packages agree, 1 differ in version, 1 only in the bill, 1 only in the image; 1 entries"),
        "{said}"
    );
}

#[test]
fn every_attached_bill_is_compared_and_each_by_its_digest() {
    let (server, _) = attached(true);
    let output = server.run("packages --json --against attached REGISTRY/a/b:1");
    ends(&output, 1, "3 packages agree, 0 differ");
    let schema = schema("packages");
    let rows: Vec<Value> = output
        .stdout
        .split(|&b| b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    for row in &rows {
        validate(row, &schema, &schema, "").unwrap();
    }
    let words = |row: &Value| format!("{} {}", row["change"].as_str().unwrap(), row["name"].as_str().unwrap());
    let of = |document: &Value| rows.iter().filter(|row| row["document"] == *document).map(words).collect::<Vec<_>>();
    let spdx = rows.iter().find(|row| row["change"] == "version").unwrap();
    assert_eq!(of(&spdx["document"]), ["same bash", "only-image curl", "only-bill gcc", "version zlib1g"]);
    assert_eq!((&spdx["bill"]["version"], &spdx["image"]["version"]), (&Value::Null, &"1:1.2".into()));
    assert_eq!(spdx["bill"]["purl"], "pkg:deb/debian/zlib1g@1:1.1");
    let gcc = rows.iter().find(|row| row["name"] == "gcc").unwrap();
    assert_eq!((&gcc["image"]["layer"], &gcc["image"]["removed_by"]), (&1.into(), &2.into()));
    let other = rows.iter().find(|row| row["document"] != spdx["document"]).unwrap()["document"].clone();
    assert_eq!(of(&other), ["same bash", "same curl", "same zlib1g"]);
    let digest = other.as_str().unwrap();
    ends(&server.run(&format!("packages --against {digest} REGISTRY/a/b:1")), 0, "3 packages agree");
}

#[test]
fn a_bill_that_is_not_there_costs_no_layer() {
    let image = image();
    let server = Server::new(Site::new().repository("a/b", image.clone().into_content("1")));
    ends(&server.run("packages --against attached REGISTRY/a/b:1"), 4, "no bill of materials is attached to sha256:");
    std::fs::write(server.path("no.json"), "{}").unwrap();
    ends(&server.run("packages --against no.json REGISTRY/a/b:1"), 2, "expected SPDX or CycloneDX as JSON: `no.json`");
    ends(&server.run("packages --against missing.json REGISTRY/a/b:1"), 4, "missing.json");
    assert_eq!(server.internet.count(&format!("/blobs/{}", image.layers[0].blob.digest)), 0);
}
