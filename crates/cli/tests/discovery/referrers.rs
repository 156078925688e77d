//! `porthole referrers`

use super::{Server, ends, expect};
use porthole_registry::endpoint::referrers::fallback_tag;
use porthole_testkit::{
    image::{Blob, Built, Compression, Content, Image, Layer},
    registry::{Fault, Site},
};
use serde_json::{Value, json};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const SPDX: &str = "application/spdx+json";

fn image(architecture: &str) -> Built {
    let layer = Layer::new("ADD a").compression(Compression::None).file("a", architecture);
    Image::new().platform("linux", architecture, None).layer(layer).build()
}

/// A manifest with a config, a layer, the fields of the JSON object `more`, and `subject`; also the layer.
fn artifact(subject: Option<&Blob>, more: Value) -> (Blob, Blob) {
    let empty = Blob::new("application/vnd.oci.empty.v1+json", b"{}".to_vec());
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": empty.descriptor(), "layers": [empty.descriptor()],
    });
    if let Some(subject) = subject {
        manifest["subject"] = subject.descriptor();
    }
    for (name, value) in more.as_object().unwrap() {
        manifest[name] = value.clone();
    }
    (Blob::new(MANIFEST, manifest.to_string().into_bytes()), empty)
}

fn spdx(subject: &Blob) -> (Blob, Blob) {
    let annotations = json!({
        "org.opencontainers.image.created": "2026-01-02T03:04:05Z",
        "org.opencontainers.image.title": "bom \u{1b}[31mred",
    });
    artifact(Some(subject), json!({ "artifactType": SPDX, "annotations": annotations }))
}

/// An index of two images. The index has a bill of materials and a signature, one image has a note without a type.
pub(super) fn content() -> (Content, [Built; 2]) {
    let images = [image("amd64"), image("arm64")];
    let mut content = Content::of_index("1", &images);
    let index = content.roots[0].blob.clone();
    for (blob, empty) in [
        spdx(&index),
        artifact(Some(&index), json!({ "artifactType": "application/vnd.example.signature" })),
        artifact(Some(&images[1].manifest), json!({})),
    ] {
        content.add_blob(blob).add_blob(empty);
    }
    (content, images)
}

/// The tag and manifest that cosign pushes for the signature of an image.
pub(super) fn cosign(subject: &Blob) -> (String, Blob) {
    let config = Blob::new("application/vnd.oci.image.config.v1+json", b"{}".to_vec());
    let payload = Blob::new("application/vnd.dev.cosign.simplesigning.v1+json", b"{\"critical\":{}}".to_vec());
    let (manifest, _) = artifact(None, json!({ "config": config.descriptor(), "layers": [payload.descriptor()] }));
    (format!("{}.sig", fallback_tag(&subject.digest.parse().unwrap())), manifest)
}

#[test]
fn listed_by_a_registry() {
    let (mut content, _) = content();
    let index = content.roots[0].blob.clone();
    let (tag, signature) = cosign(&index);
    content.add_root(&tag, signature);
    let server = Server::new(Site::new().repository("a/b", content.clone()).with_referrers());
    let told = [
        server.told("referrers REGISTRY/a/b:1"),
        server.told("referrers --json REGISTRY/a/b:1"),
        server.told(&format!("referrers --type {SPDX} REGISTRY/a/b:1")),
        server.told("referrers --type application/x REGISTRY/a/b:1"),
        server.told("referrers --platform linux/arm64 REGISTRY/a/b:1"),
        server.told("referrers --platform linux/amd64 REGISTRY/a/b:1"),
        server.told("referrers REGISTRY/a/b:2"),
        server.told("referrers REGISTRY/a/c@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        server.told("referrers --type a REGISTRY/a/b:1"),
    ];
    expect("referrers", &told);
}

#[test]
fn what_refers_to_a_referrer_is_below_it_in_the_tree() {
    let image = image("amd64");
    let mut content = image.clone().into_content("1");
    let (bill, empty) = spdx(&image.manifest);
    let (of_bill, _) = artifact(Some(&bill), json!({ "artifactType": "application/vnd.example.signature" }));
    let (note, _) = artifact(Some(&image.manifest), json!({ "artifactType": "application/vnd.example.note" }));
    for blob in [&bill, &empty, &of_bill, &note] {
        content.add_blob(blob.clone());
    }
    let (tag, signature) = cosign(&image.manifest);
    content.add_root(&tag, signature);
    let server = Server::new(Site::new().repository("a/b", content).with_referrers());
    let rows = server.rows("referrers --tree REGISTRY/a/b:1");
    let depths: Vec<_> =
        rows.iter().map(|row| (row["depth"].as_u64().unwrap(), row["via"].as_str().unwrap())).collect();
    // The registry lists by digest.
    assert_eq!(depths, [(1, "subject"), (1, "subject"), (2, "subject"), (1, "digest-tag")]);
    assert_eq!(rows[2]["subject"], rows[1]["digest"]);
    expect("referrers-tree", &[server.told("referrers --tree REGISTRY/a/b:1")]);
}

#[test]
fn pages_and_filters() {
    let (content, _) = content();
    let site = Site::new().repository("a/b", content).page(1);
    let server = Server::new(site.clone().with_referrers());
    assert_eq!(server.rows("referrers REGISTRY/a/b:1").len(), 2);
    assert_eq!(server.internet.count("/referrers/"), 2, "two pages");
    let spdx = format!("referrers --type {SPDX} REGISTRY/a/b:1");
    assert_eq!(server.rows(&spdx).len(), 1);
    assert_eq!(server.internet.count("/referrers/"), 4, "two pages, of which one fits");
    server.becomes(site.clone().with_filtered_referrers());
    assert_eq!(server.rows(&spdx).len(), 1);
    assert_eq!(server.internet.count("/referrers/"), 5);
    assert_eq!(server.internet.count("?artifactType=application/spdx%2Bjson"), 2);
    // A list whose pages link in a circle ends.
    server.becomes(site.with_referrers());
    let circle = Fault::Header("link", "</v2/a/b/referrers/x?from=1>; rel=next".to_owned());
    server.internet.fault("/referrers/", 9, circle);
    ends(&server.run("referrers REGISTRY/a/b:1"), 9, "got one that was read before");
}

#[test]
fn without_the_api_a_tag_lists_them() {
    let (mut content, _) = content();
    let index = content.roots[0].blob.clone();
    let listed: Vec<Value> = content
        .blobs
        .values()
        .filter(|blob| String::from_utf8_lossy(&blob.bytes).contains(&format!("\"subject\":{}", index.descriptor())))
        .map(Blob::descriptor)
        .collect();
    assert_eq!(listed.len(), 2);
    let list = json!({ "schemaVersion": 2, "mediaType": index.media_type, "manifests": listed });
    let tag = fallback_tag(&index.digest.parse().unwrap());
    content.add_root(&tag, Blob::new(&index.media_type, list.to_string().into_bytes()));
    let server = Server::new(Site::new().repository("a/b", content.clone()));
    // The list has no artifact types, so they are read from the manifests.
    let rows = server.rows(&format!("referrers --type {SPDX} REGISTRY/a/b:1"));
    assert_eq!((rows.len(), &rows[0]["via"]), (1, &json!("fallback-tag")), "{rows:?}");
    assert_eq!(rows[0]["annotations"]["org.opencontainers.image.created"], "2026-01-02T03:04:05Z");
    assert_eq!(server.rows("referrers REGISTRY/a/b:1").len(), 2);
    // An unknown repository is not a registry without the API.
    server.internet.fault("/referrers/", 1, unknown_name());
    ends(&server.run("referrers REGISTRY/a/b:1"), 4, "repository not found");
}

fn unknown_name() -> Fault {
    let body = br#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}"#.to_vec();
    Fault::Answer { status: 404, headers: Vec::new(), body }
}

#[test]
fn beside_an_image_in_a_layout() {
    let (mut content, images) = content();
    let index = content.roots[0].blob.clone();
    let (tag, signature) = cosign(&index);
    let payload = Blob::new("application/vnd.dev.cosign.simplesigning.v1+json", b"{\"critical\":{}}".to_vec());
    content.add_root(&tag, signature).add_blob(payload);
    let server = Server::new(Site::new());
    // In layouts of other tools, referrers are roots without a name.
    let documents: Vec<Blob> = content.blobs.values().filter(|blob| blob.media_type == MANIFEST).cloned().collect();
    for blob in documents {
        if blob.digest != images[0].manifest.digest && blob.digest != images[1].manifest.digest {
            content.roots.push(porthole_testkit::image::Root { name: None, blob });
        }
    }
    content.write_layout(&server.path("layout")).unwrap();
    let told = [
        server.told("referrers oci:layout:1"),
        server.told("referrers --json --platform linux/arm64 oci:layout:1"),
        server.told("referrers --store layout store:1 --type application/spdx+json"),
        server.told("referrers layer:layout/index.json"),
    ];
    expect("referrers-layout", &told);
}
