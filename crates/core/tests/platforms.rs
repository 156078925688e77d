//! Platforms: how one is selected from an index, typed and shown. Also runs as wasm.

#![allow(clippy::unwrap_used)]

use porthole_core::{
    descriptor::Descriptor,
    manifest::{Document, Raw},
    media_type::MediaType,
    platform::{Platform, available, select},
};
use serde_json::{Value, json};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MANIFEST: &str = "sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0";

fn index(platforms: &[Value]) -> Value {
    let entry = |platform: &Value| json!({ "mediaType": MediaType::OCI_MANIFEST.as_str(), "digest": MANIFEST, "size": 7143, "platform": platform });
    let manifests: Vec<_> = platforms.iter().map(entry).collect();
    json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX.as_str(), "manifests": manifests })
}

fn entries(index: &Value) -> Vec<Descriptor> {
    let raw = Raw::trust_on_first_use(index.to_string().into_bytes());
    let Document::Index(index) = Document::parse(raw, None).unwrap() else { panic!("expected an index") };
    index.value.manifests
}

fn platform_of(document: &Value, wanted: &str) -> Result<usize, String> {
    let manifests = entries(document);
    let chosen = select(&manifests, &wanted.parse().unwrap()).map_err(|error| error.to_string())?;
    Ok(manifests.iter().position(|entry| std::ptr::eq(entry, chosen)).unwrap())
}

#[test]
fn the_entry_of_a_platform_is_chosen_as_containerd_does() {
    let platform = |os: &str, architecture: &str, variant: &str| match variant {
        "" => json!({ "os": os, "architecture": architecture }),
        _ => json!({ "os": os, "architecture": architecture, "variant": variant }),
    };
    let index = index(&[
        platform("unknown", "unknown", ""),
        platform("linux", "386", ""),
        platform("linux", "arm", "v5"),
        platform("linux", "arm", "v7"),
        platform("linux", "arm64", "v8"),
        platform("linux", "amd64", ""),
        platform("linux", "amd64", "v3"),
        platform("linux", "amd64", ""),
    ]);
    for (wanted, entry) in [
        ("linux/amd64", 5),
        ("linux/x86_64", 5),
        ("linux/amd64/v2", 5),
        ("linux/amd64/v3", 6),
        ("linux/amd64/v4", 6),
        ("linux/386", 1),
        ("linux/arm64", 4),
        ("linux/aarch64/v8", 4),
        ("linux/arm64/v9.2", 4),
        ("linux/arm", 3),
        ("linux/arm/v8", 3),
        ("linux/armhf", 3),
        ("linux/arm/v6", 2),
    ] {
        assert_eq!(platform_of(&index, wanted), Ok(entry), "{wanted}");
    }
    assert_eq!(
        platform_of(&index, "linux/s390x").unwrap_err(),
        "no image for platform linux/s390x; available: \
         linux/386, linux/arm/v5, linux/arm/v7, linux/arm64, linux/amd64, linux/amd64/v3"
    );
}

#[test]
fn compatible_architectures_are_selected() {
    let only = |os: &str, architecture: &str| index(&[json!({ "os": os, "architecture": architecture })]);
    assert_eq!(platform_of(&only("linux", "386"), "linux/amd64"), Ok(0));
    assert_eq!(platform_of(&only("linux", "arm"), "linux/arm64"), Ok(0));
    assert!(platform_of(&only("linux", "amd64"), "linux/386").is_err());
    assert!(platform_of(&only("linux", "amd64"), "windows/amd64").is_err());
    let machine = Platform::new("linux", "arm64", None);
    assert!(machine.runs(&Platform::new("Linux", "arm", Some("v7"))));
    assert!(!machine.runs(&Platform::new("linux", "amd64", None)));
}

#[test]
fn attestations_are_never_chosen_and_entries_without_a_platform_last() {
    let mut attested = index(&[Value::Null, json!({ "os": "linux", "architecture": "amd64" }), Value::Null]);
    attested["manifests"][0]["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
    assert_eq!(platform_of(&attested, "linux/amd64"), Ok(1));
    assert_eq!(platform_of(&attested, "linux/arm64"), Ok(2));
    let mut chart = attested.clone();
    chart["manifests"][2]["artifactType"] = json!("application/vnd.cncf.helm.config.v1+json");
    assert!(platform_of(&chart, "linux/arm64").is_err(), "a chart is no image for any platform");
    attested["manifests"][2]["mediaType"] = json!("application/xml");
    assert_eq!(
        platform_of(&attested, "linux/riscv64").unwrap_err(),
        "no image for platform linux/riscv64; available: linux/amd64"
    );
}

#[test]
fn a_platform_that_says_nothing_is_no_platform() {
    let silent = [
        json!({}),
        json!({ "os": "linux" }),
        json!({ "architecture": "arm64" }),
        json!({ "os": "", "architecture": "" }),
    ];
    for platform in silent {
        let index = index(&[json!({ "os": "linux", "architecture": "amd64" }), platform.clone()]);
        assert_eq!(platform_of(&index, "linux/amd64"), Ok(0), "{platform}");
        assert_eq!(platform_of(&index, "linux/s390x"), Ok(1), "{platform}: its configuration decides");
    }
}

#[test]
fn a_manifest_of_schema_1_is_chosen_only_where_nothing_else_is() {
    let mut old =
        index(&[json!({ "os": "linux", "architecture": "amd64" }), json!({ "os": "linux", "architecture": "arm64" })]);
    old["manifests"][0]["mediaType"] = json!("application/vnd.docker.distribution.manifest.v1+prettyjws");
    assert_eq!(platform_of(&old, "linux/amd64"), Ok(0));
    assert_eq!(platform_of(&old, "linux/arm64"), Ok(1));
    assert!(platform_of(&old, "linux/s390x").is_err());
    old["manifests"][0]["platform"] = Value::Null;
    assert_eq!(platform_of(&old, "linux/s390x"), Ok(0));
}

#[test]
fn windows_builds_must_match() {
    let version = |version: &str| json!({ "os": "windows", "architecture": "amd64", "os.version": version });
    let index = index(&[version("10.0.17763.5122"), version("10.0.20348.2113")]);
    assert_eq!(platform_of(&index, "windows/amd64"), Ok(0));
    assert_eq!(platform_of(&index, "windows(10.0.20348.1)/amd64"), Ok(1));
    assert_eq!(
        platform_of(&index, "windows(10.0.19041.1)/amd64").unwrap_err(),
        "no image for platform windows(10.0.19041.1)/amd64; \
         available: windows(10.0.17763.5122)/amd64, windows(10.0.20348.2113)/amd64"
    );
}

#[test]
fn platforms_are_shown_once_and_by_their_usual_names() {
    let platform = |architecture: &str| json!({ "os": "Linux", "architecture": architecture });
    let document = index(&[platform("x86_64"), platform("amd64"), platform("aarch64"), platform("")]);
    let names: Vec<_> = available(&entries(&document)).iter().map(Platform::to_string).collect();
    assert_eq!(names, ["linux/amd64", "linux/arm64"]);
    for text in [
        "linux",
        "linux/",
        "/amd64",
        "linux/amd64/",
        "linux/amd64/v1/x",
        "linux/am d64",
        "a()/b",
        "",
        "arm64:",
        ":1",
        "windows(1)/amd64:1",
        "arm64/v8/x/y",
        "linux/amd64:1:2",
    ] {
        assert!(text.parse::<Platform>().is_err(), "{text}");
    }
}

#[test]
fn a_platform_may_be_typed_in_short() {
    for (typed, meant) in [
        ("arm64", "linux/arm64"),
        ("aarch64", "linux/arm64"),
        ("arm/v7", "linux/arm/v7"),
        ("amd64/v3", "linux/amd64/v3"),
        ("windows/amd64:10.0.20348", "windows(10.0.20348)/amd64"),
        ("windows/arm64/v8:10.0.26100.1", "windows(10.0.26100.1)/arm64"),
    ] {
        assert_eq!(typed.parse::<Platform>().unwrap().to_string(), meant, "{typed}");
    }
}
