//! What artifacts are, and what they say of themselves.

use porthole_core::{
    descriptor::Descriptor,
    image::Image,
    limits::Limits,
    manifest::{Document, Raw},
    media_type::MediaType,
};
use porthole_inspect::{
    artifact::{ArtifactKind, cached_layers, foreign, of_blob, of_config},
    resolve,
};
use serde_json::{Value, json};

/// An artifact with this configuration and with blobs of these media types.
fn artifact(artifact_type: Option<&str>, config_type: &str, config: &Value, layers: &[&str]) -> Image {
    let config = Raw::trust_on_first_use(config.to_string().into_bytes());
    let blob = |media_type: &&str| json!({ "mediaType": media_type, "digest": config.digest().to_string(), "size": 1 });
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": config_type, "digest": config.digest().to_string(), "size": config.size() },
        "layers": layers.iter().map(blob).collect::<Vec<_>>(),
    });
    if let Some(artifact_type) = artifact_type {
        manifest["artifactType"] = json!(artifact_type);
    }
    let raw = Raw::trust_on_first_use(manifest.to_string().into_bytes());
    let Ok(Document::Manifest(manifest)) = Document::parse_with_limits(raw, None, &Limits::default()) else {
        panic!("a manifest: {manifest}")
    };
    Image::assemble(manifest, config).expect("an artifact")
}

const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const TAR: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

#[test]
fn kinds_are_known_by_their_media_types() {
    for (artifact_type, config, layers, expected) in [
        (None, CONFIG, &[TAR][..], None),
        (None, CONFIG, &[][..], None),
        (
            None,
            "application/vnd.cncf.helm.config.v1+json",
            &["application/vnd.cncf.helm.chart.content.v1.tar+gzip"],
            Some(ArtifactKind::HelmChart),
        ),
        (None, "application/vnd.wasm.config.v0+json", &["application/wasm"], Some(ArtifactKind::Wasm)),
        (None, EMPTY, &["application/vnd.wasm.content.layer.v1+wasm"], Some(ArtifactKind::Wasm)),
        (
            None,
            "application/vnd.docker.ai.model.config.v0.1+json",
            &["application/vnd.docker.ai.gguf.v3"],
            Some(ArtifactKind::Model),
        ),
        (
            None,
            "application/vnd.docker.container.image.v1+json",
            &["application/vnd.ollama.image.model", "application/vnd.ollama.image.license"],
            Some(ArtifactKind::Model),
        ),
        (Some("application/spdx+json"), EMPTY, &["application/spdx+json"], Some(ArtifactKind::Bill)),
        (None, CONFIG, &["application/vnd.dev.cosign.simplesigning.v1+json"], Some(ArtifactKind::Signature)),
        (None, CONFIG, &["application/vnd.in-toto+json"], Some(ArtifactKind::Attestation)),
        (None, "application/vnd.cncf.openpolicyagent.config.v1+json", &[TAR], Some(ArtifactKind::Policy)),
        (None, "application/vnd.buildkit.cacheconfig.v0", &[TAR], Some(ArtifactKind::BuildCache)),
        (None, EMPTY, &[EMPTY], Some(ArtifactKind::Empty)),
        (None, EMPTY, &["text/plain"], Some(ArtifactKind::Other)),
        (None, CONFIG, &["application/vnd.oci.image.layer.v1.tar+gzip+encrypted"], None),
    ] {
        let config_json = if config == CONFIG { json!({ "rootfs": { "type": "layers" } }) } else { json!({}) };
        let image = artifact(artifact_type, config, &config_json, layers);
        assert_eq!(ArtifactKind::of(&image), expected, "{artifact_type:?} {config} {layers:?}");
        let are_files = expected.is_some();
        assert!(image.layers.iter().all(|layer| layer.file.is_some() == are_files), "{config} {layers:?}");
    }
    let labels =
        json!({ "config": { "Labels": { "org.flatpak.ref": "app/a/x86_64/stable" } }, "rootfs": { "type": "layers" } });
    let flatpak = artifact(None, CONFIG, &labels, &[TAR]);
    assert_eq!(ArtifactKind::of(&flatpak), Some(ArtifactKind::Flatpak));
}

fn told(facts: Vec<porthole_inspect::artifact::ArtifactFact>) -> Vec<String> {
    facts.into_iter().map(|fact| format!("{}={}", fact.name, fact.value)).collect()
}

#[test]
fn configurations_say_what_the_artifact_is() {
    let chart = json!({
        "name": "web", "version": "1.2.0", "appVersion": "9", "type": "application", "deprecated": true,
        "dependencies": [{ "name": "redis", "version": "1" }, { "name": "db" }], "keywords": ["x"], "description": "",
    });
    let chart = artifact(None, "application/vnd.cncf.helm.config.v1+json", &chart, &[]);
    assert_eq!(
        told(of_config(&chart)),
        [
            "name=web",
            "version=1.2.0",
            "application version=9",
            "type=application",
            "depends on=redis, db",
            "deprecated=true"
        ]
    );
    let ollama = json!({ "model_format": "gguf", "model_family": "llama", "model_type": "8B", "file_type": "Q4_0" });
    let ollama = artifact(
        None,
        "application/vnd.docker.container.image.v1+json",
        &ollama,
        &["application/vnd.ollama.image.model"],
    );
    assert_eq!(told(of_config(&ollama)), ["format=gguf", "family=llama", "parameters=8B", "quantization=Q4_0"]);
    assert_eq!(told(of_config(&artifact(None, EMPTY, &json!({}), &[]))), [""; 0]);
}

#[test]
fn first_bytes_say_what_a_blob_is() {
    let document = |value: Value| told(of_blob(value.to_string().as_bytes(), true));
    assert_eq!(
        document(json!({ "spdxVersion": "SPDX-2.3", "name": "app", "packages": [{}, {}] })),
        ["format=SPDX 2.3", "name=app", "packages=2"]
    );
    assert_eq!(
        document(json!({ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{}] })),
        ["format=CycloneDX 1.6", "components=1"]
    );
    let signed = json!({ "critical": { "image": { "docker-manifest-digest": "sha256:0" }, "identity": { "docker-reference": "r/a" } } });
    assert_eq!(document(signed), ["format=payload that cosign signs", "signed image=sha256:0", "signed name=r/a"]);
    assert_eq!(told(of_blob(b"\0asm\x01\0\0\0", true)), ["format=WebAssembly module"]);
    assert_eq!(told(of_blob(b"\0asm\x0d\0\x01\0rest", false)), ["format=WebAssembly component"]);
    assert_eq!(told(of_blob(b"{\"spdxVersion\":\"SPDX-2.3\"", false)), [""; 0], "a part of a document says nothing");
    assert_eq!(told(of_blob(b"anything", true)), [""; 0]);
}

#[test]
fn foreign_layers_say_where_they_come_from() {
    let mut layer = Descriptor::new(
        MediaType::parse("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip").unwrap(),
        *Raw::trust_on_first_use(Vec::new()).digest(),
        1,
    );
    layer.urls.push("https://mcr.example/v2/windows/blobs/x".into());
    assert_eq!(foreign(&layer), Some(&["https://mcr.example/v2/windows/blobs/x".to_owned()][..]));
    layer.media_type = MediaType::OCI_LAYER;
    assert!(foreign(&layer).is_some(), "it has addresses");
    layer.urls.clear();
    assert_eq!(foreign(&layer), None);
}

#[test]
fn a_build_cache_is_no_image_and_not_called_a_wrong_platform() {
    let digest = Raw::trust_on_first_use(Vec::new()).digest().to_string();
    let entry = |media_type: &str| json!({ "mediaType": media_type, "digest": digest, "size": 0 });
    let index = |entries: Vec<Value>| {
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": entries,
        });
        let raw = Raw::trust_on_first_use(index.to_string().into_bytes());
        match Document::parse_with_limits(raw, None, &Limits::default()) {
            Ok(Document::Index(index)) => index.value,
            other => panic!("{other:?}"),
        }
    };
    let cache = index(vec![entry(TAR), entry(TAR), entry("application/vnd.buildkit.cacheconfig.v0")]);
    assert_eq!(cached_layers(&cache), Some(2));
    assert_eq!(cached_layers(&index(vec![entry("application/vnd.oci.image.manifest.v1+json")])), None);
    let error: resolve::Error<std::convert::Infallible> = resolve::BuildCacheFound { layers: 2 }.into();
    assert_eq!(error.to_string(), "not an image, but a build cache of BuildKit: its index lists 2 layers");
}
