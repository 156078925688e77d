//! Indexes, manifests, configurations and images. Also runs as wasm.

#![allow(clippy::unwrap_used)]

use porthole_core::{
    config::ImageConfig,
    deviation::Deviation,
    digest::{self, Digest, Mismatch},
    image::Image,
    json,
    limits::MANIFEST_BYTES,
    manifest::{Document, Error, Manifest, Parsed, Raw},
    media_type::MediaType,
    platform::Platform,
};
use serde_json::{Value, json};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const LAYER: &str = "sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0";
const DIFF_ID: &str = "sha256:c6f988f4874bb0add23a778f753c65efe992244e148a1d2ec2a8b664fb66bbd1";

fn descriptor(media_type: &str, digest: &str, size: u64) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

fn manifest() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST.as_str(),
        "config": descriptor(MediaType::OCI_CONFIG.as_str(), DIFF_ID, 7023),
        "layers": [descriptor(MediaType::OCI_LAYER_GZIP.as_str(), LAYER, 32654)],
        "annotations": { "org.example.key": "value" },
    })
}

fn index() -> Value {
    json!({ "schemaVersion": 2, "mediaType": MediaType::OCI_INDEX.as_str(), "manifests": [] })
}

fn with(mut document: Value, path: &str, value: Value) -> Value {
    let (parent, key) = path.rsplit_once('/').expect("a pointer has a slash");
    match document.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        object => object[key] = value,
    }
    document
}

fn parse(document: &Value, content_type: Option<&str>) -> Result<Document, Error> {
    Document::parse(Raw::trust_on_first_use(document.to_string().into_bytes()), content_type)
}

fn refused(document: &Value, content_type: Option<&str>) -> String {
    parse(document, content_type).unwrap_err().to_string()
}

fn parsed_manifest(document: &Value) -> Parsed<Manifest> {
    match parse(document, None).unwrap() {
        Document::Manifest(parsed) => parsed,
        Document::Index(_) => panic!("expected a manifest, got an index"),
    }
}

#[test]
fn a_manifest_keeps_its_bytes() {
    let text = manifest().to_string();
    let parsed = parsed_manifest(&manifest());
    assert_eq!(parsed.raw.bytes(), text.as_bytes());
    assert_eq!(parsed.raw.digest(), &Digest::sha256(text.as_bytes()));
    assert_eq!(parsed.media_type, MediaType::OCI_MANIFEST);
    assert_eq!(parsed.value.config.size, 7023);
    assert_eq!(parsed.value.layers[0].digest.to_string(), LAYER);
    assert_eq!(parsed.value.annotations["org.example.key"], "value");
}

#[test]
fn bytes_are_verified_against_their_descriptor() {
    let digest = Digest::sha256(b"{}");
    assert!(Raw::verify(b"{}".to_vec(), &digest, Some(2)).is_ok());
    assert!(Raw::verify(b"{}".to_vec(), &digest, None).is_ok());
    let size = Raw::verify(b"{}".to_vec(), &digest, Some(3)).unwrap_err();
    assert_eq!(size, Mismatch::Size { expected: 3, got: 2 });
    let other = Raw::verify(b"[]".to_vec(), &digest, None).unwrap_err();
    assert_eq!(other, Mismatch::Digest { expected: digest, got: Digest::sha256(b"[]") });
}

#[test]
fn the_media_type_is_the_bodys_then_the_headers_then_the_forms() {
    let silent = with(manifest(), "/mediaType", Value::Null);
    let media_type = |document: &Value, header| parse(document, header).unwrap().media_type().to_string();
    let docker = MediaType::DOCKER_MANIFEST.to_string();
    assert_eq!(media_type(&silent, None), MediaType::OCI_MANIFEST.as_str());
    assert_eq!(media_type(&silent, Some("application/json")), MediaType::OCI_MANIFEST.as_str());
    assert_eq!(media_type(&silent, Some(&docker)), docker);
    let parameters = format!("{}; charset=utf-8", MediaType::OCI_MANIFEST);
    assert_eq!(media_type(&manifest(), Some(&parameters)), MediaType::OCI_MANIFEST.as_str());
    // A header may have parameters (distribution-spec, "Pulling manifests"), a document may not (RFC 6838 §4.2).
    assert_eq!(
        refused(&with(manifest(), "/mediaType", json!(parameters)), None),
        format!("document.mediaType: expected a media type without parameters, got the string `{parameters}`")
    );
    assert_eq!(
        refused(&manifest(), Some(&docker)),
        format!("ambiguous document: served as {docker}, but calls itself {}", MediaType::OCI_MANIFEST)
    );
    assert_eq!(
        refused(&with(manifest(), "/mediaType", json!("application/json")), None),
        "unsupported document: expected an image index or manifest, got application/json"
    );
}

#[test]
fn a_general_content_type_leaves_the_decision_to_the_body() {
    let silent = with(manifest(), "/mediaType", Value::Null);
    for served in ["text/plain; charset=utf-8", "application/json", "application/octet-stream", "binary/octet-stream"] {
        for document in [&manifest(), &silent] {
            let media_type = parse(document, Some(served)).unwrap().media_type().to_string();
            assert_eq!(media_type, MediaType::OCI_MANIFEST.as_str(), "{served}");
        }
        let list = with(index(), "/mediaType", json!(MediaType::DOCKER_LIST.as_str()));
        assert_eq!(*parse(&list, Some(served)).unwrap().media_type(), MediaType::DOCKER_LIST, "{served}");
    }
    let config = MediaType::OCI_CONFIG.to_string();
    assert!(refused(&manifest(), Some(&config)).contains("served as"), "a type of its own contradicts the body");
}

#[test]
fn a_document_of_two_kinds_is_refused() {
    for field in ["config", "layers", "fsLayers", "history"] {
        let both = with(index(), &format!("/{field}"), json!([]));
        assert_eq!(refused(&both, None), format!("ambiguous document: got `manifests` beside {field}"));
    }
    let old = with(manifest(), "/fsLayers", json!([]));
    assert_eq!(refused(&old, None), "ambiguous document: got `config` beside fsLayers");
    let index_by_name = with(manifest(), "/mediaType", json!(MediaType::OCI_INDEX.as_str()));
    assert_eq!(refused(&index_by_name, None), "document.manifests: expected a value, got nothing");
    let silent = with(index(), "/mediaType", Value::Null);
    let served = refused(&silent, Some(MediaType::OCI_MANIFEST.as_str()));
    assert_eq!(served, "ambiguous document: got `manifests` beside the type of a manifest");
}

#[test]
fn keys_that_readers_would_take_for_one_are_refused() {
    let cased = with(manifest(), "/Layers", json!([]));
    assert_eq!(refused(&cased, None), "ambiguous JSON: expected `layers`, got `Layers` at document");
    let size = with(manifest(), "/layers/0/SIZE", json!(1));
    assert_eq!(refused(&size, None), "ambiguous JSON: expected `size`, got `SIZE` at document.layers[0]");
    let text = manifest().to_string().replacen('{', r#"{"layers":[],"#, 1);
    let twice = Document::parse(Raw::trust_on_first_use(text.into_bytes()), None).unwrap_err();
    assert_eq!(twice, Error::Json(json::Error::DuplicateKey("layers".to_owned())));
}

#[test]
fn schema_1_is_named() {
    let old = json!({ "schemaVersion": 1, "name": "a", "fsLayers": [], "history": [] });
    assert_eq!(parse(&old, None).unwrap_err(), Error::Schema1);
    let signed = with(manifest(), "/mediaType", Value::Null);
    let header = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    assert_eq!(parse(&signed, Some(header)).unwrap_err(), Error::Schema1);
    assert_eq!(
        refused(&with(manifest(), "/schemaVersion", json!(3)), None),
        "document.schemaVersion: expected 2, got `3`"
    );
}

#[test]
fn an_artifact_manifest_is_named() {
    let kind = "application/vnd.oci.artifact.manifest.v1+json";
    let artifact = json!({ "mediaType": kind, "artifactType": "application/vnd.example.sbom", "blobs": [] });
    assert_eq!(parse(&artifact, None).unwrap_err(), Error::ArtifactManifest);
    assert_eq!(parse(&with(artifact, "/mediaType", Value::Null), Some(kind)).unwrap_err(), Error::ArtifactManifest);
}

#[test]
fn an_empty_artifact_type_is_none() {
    let Document::Manifest(parsed) = parse(&with(manifest(), "/artifactType", json!("")), None).unwrap() else {
        panic!("expected a manifest")
    };
    assert_eq!(parsed.value.artifact_type, None);
}

#[test]
fn descriptors_are_strict() {
    for (field, value, expected) in [
        ("size", json!(-1), "document.layers[0].size: expected an integer from 0 to 2^63 - 1, got `-1`"),
        ("size", json!(1.0), "document.layers[0].size: expected an integer from 0 to 2^63 - 1, got `1.0`"),
        (
            "size",
            json!(u64::MAX),
            "document.layers[0].size: expected an integer from 0 to 2^63 - 1, got `18446744073709551615`",
        ),
        ("size", Value::Null, "document.layers[0].size: expected a value, got nothing"),
        ("mediaType", json!("tar"), "document.layers[0].mediaType: expected a media type, got the string `tar`"),
        (
            "mediaType",
            json!("text/plain; charset=utf-8"),
            "document.layers[0].mediaType: expected a media type without parameters, got the string `text/plain; charset=utf-8`",
        ),
        ("urls", json!(["/x"]), "document.layers[0].urls[0]: expected an absolute URL, got the string `/x`"),
        ("annotations", json!({"a": 1}), "document.layers[0].annotations[`a`]: expected a string, got `1`"),
        (
            "platform",
            json!("linux/amd64"),
            "document.layers[0].platform: expected an object, got the string `linux/amd64`",
        ),
        ("platform", json!({"os": 1}), "document.layers[0].platform.os: expected a string, got `1`"),
        ("data", json!("eyJ9"), "document.layers[0].data does not match its descriptor: expected 32654 bytes, got 3"),
        ("data", json!("e30"), "document.layers[0].data: expected base64 with padding, got the string `e30`"),
        (
            "digest",
            json!("sha256:../../etc"),
            "document.layers[0].digest: malformed digest: expected 64 hex digits for sha256, got 9",
        ),
    ] {
        assert_eq!(refused(&with(manifest(), &format!("/layers/0/{field}"), value), None), expected);
    }
    let largest = with(manifest(), "/layers/0/size", json!(i64::MAX));
    assert_eq!(parsed_manifest(&largest).value.layers[0].size, i64::MAX as u64);
    let foreign = with(manifest(), "/layers/0/digest", json!("sha256+b64u:LCa0a2j_xo"));
    let unsupported = digest::Error::Unsupported { algorithm: "sha256+b64u".to_owned() };
    let path = "document.layers[0].digest".to_owned();
    assert_eq!(parse(&foreign, None).unwrap_err(), Error::Json(json::Error::Digest { path, error: unsupported }));
}

#[test]
fn embedded_data_is_kept_when_it_matches() {
    let mut empty = descriptor(MediaType::OCI_EMPTY.as_str(), &Digest::sha256(b"{}").to_string(), 2);
    empty["data"] = json!("e30=");
    let parsed = parsed_manifest(&with(manifest(), "/config", empty));
    assert_eq!(parsed.value.config.data.as_deref(), Some(b"{}".as_slice()));
}

#[test]
fn documents_have_limits() {
    let mut large = manifest().to_string().into_bytes();
    large.resize(MANIFEST_BYTES as usize, b' ');
    assert!(Document::parse(Raw::trust_on_first_use(large.clone()), None).is_ok());
    large.push(b' ');
    let error = Document::parse(Raw::trust_on_first_use(large), None).unwrap_err();
    assert_eq!(error, Error::TooLarge { limit: MANIFEST_BYTES, got: MANIFEST_BYTES + 1 });
    let layer = descriptor(MediaType::OCI_LAYER.as_str(), LAYER, 1);
    let crowded = with(manifest(), "/layers", json!(vec![layer.clone(); 10_001]));
    assert_eq!(
        refused(&crowded, None),
        "document.layers: expected at most 10000 descriptors (limit descriptors), got 10001"
    );
    assert!(parse(&with(manifest(), "/layers", json!(vec![layer; 10_000])), None).is_ok());
}

fn config() -> Value {
    json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "2015-10-31T22:22:56.015925234Z",
        "config": {
            "User": "alice",
            "Env": ["PATH=/bin"],
            "Entrypoint": null,
            "Cmd": ["sh"],
            "Labels": { "a": "b" },
            "ExposedPorts": { "8080/tcp": {}, "22/tcp": {} },
            "Volumes": null,
        },
        "rootfs": { "type": "layers", "diff_ids": [DIFF_ID] },
        "history": [
            { "created_by": "ADD a", "created": "2015-10-31T22:22:54Z" },
            { "created_by": "CMD b", "empty_layer": true },
        ],
    })
}

fn raw(document: &Value) -> Raw {
    Raw::trust_on_first_use(document.to_string().into_bytes())
}

#[test]
fn a_configuration_is_read() {
    let config = ImageConfig::parse(&raw(&config())).unwrap();
    assert_eq!(config.platform, Some(Platform::new("linux", "amd64", None)));
    assert_eq!(config.execution.user, "alice");
    assert_eq!(config.execution.env, ["PATH=/bin"]);
    assert!(config.execution.entrypoint.is_empty() && config.execution.volumes.is_empty());
    assert_eq!(config.execution.exposed_ports, ["22/tcp", "8080/tcp"]);
    assert_eq!(config.history[0].created_by.as_deref(), Some("ADD a"));
    assert!(config.history[1].empty_layer);
}

/// Each deviation has its message, and the rest of the configuration is still read.
#[test]
fn a_configuration_with_a_wrong_field_is_read_without_it() {
    for (path, value, expected) in [
        ("/os", json!(1), "config.os: expected a string, got `1`"),
        ("/config", json!([]), "config.config: expected an object, got an empty array"),
        ("/config/User", json!(1000), "config.config.User: expected a string, got `1000`"),
        ("/config/Env", json!(["A"]), "config.config.Env[0]: expected a variable as `NAME=value`, got the string `A`"),
        ("/config/Cmd", json!("sh -c x"), "config.config.Cmd: expected an array, got the string `sh -c x`"),
        ("/config/Volumes", json!(["/a"]), "config.config.Volumes: expected an object, got an array"),
        ("/history", json!("x"), "config.history: expected an array, got the string `x`"),
        (
            "/history/0/empty_layer",
            json!("x"),
            "config.history[0].empty_layer: expected true or false, got the string `x`",
        ),
        ("/rootfs", Value::Null, "config.rootfs: expected a value, got nothing"),
        ("/rootfs/type", json!("other"), "config.rootfs.type: expected `layers`, got the string `other`"),
    ] {
        let image = Image::assemble(parsed_manifest(&manifest()), raw(&with(config(), path, value))).unwrap();
        let deviations: Vec<_> = image.deviations().iter().map(ToString::to_string).collect();
        assert_eq!(deviations, [expected]);
        assert_eq!(image.config.created.as_deref(), Some("2015-10-31T22:22:56.015925234Z"), "{path}");
        assert!(!image.deviations()[0].refutes(), "{path}");
        assert_eq!(image.layers[0].diff_id.is_none(), path.starts_with("/rootfs"), "{path}");
    }
}

#[test]
fn a_configuration_that_is_no_object_hides_no_layers_and_refutes_the_image() {
    for text in ["[]", "null", "1", "\"{}\"", "", "<html>", "{", "\u{feff}{}"] {
        let image = Image::assemble(parsed_manifest(&manifest()), Raw::trust_on_first_use(text.into())).unwrap();
        let [only @ Deviation::Config(_)] = &image.deviations()[..] else { panic!("{text}: {:?}", image.deviations()) };
        assert!(only.refutes() && image.unpackable().is_err(), "{text}");
        assert_eq!((image.layers.len(), image.layers[0].diff_id), (1, None), "{text}");
    }
}

#[test]
fn a_text_that_is_null_is_empty_as_in_go() {
    let null = json!({ "org.example": null });
    let manifest = parsed_manifest(&with(manifest(), "/annotations", null.clone()));
    assert_eq!(manifest.value.annotations["org.example"], "");
    let image = Image::assemble(manifest, raw(&with(config(), "/config/Labels", null))).unwrap();
    assert_eq!((image.config.execution.labels["org.example"].as_str(), image.deviations()), ("", Vec::new()));
}

#[test]
fn a_departure_is_reported_once() {
    let image =
        Image::assemble(parsed_manifest(&manifest()), raw(&with(config(), "/config/Env", json!("A=1")))).unwrap();
    let [only] = &image.deviations()[..] else { panic!("{:?}", image.deviations()) };
    assert_eq!(only.to_string(), "config.config.Env: expected an array, got the string `A=1`");
}

#[test]
fn a_configuration_for_another_platform_than_the_index_says_is_a_departure() {
    for (os, architecture, variant, differs) in [
        ("linux", "amd64", None, false),
        ("Linux", "x86_64", Some("v2"), false),
        ("linux", "arm64", None, true),
        ("windows", "amd64", None, true),
    ] {
        let mut image = Image::assemble(parsed_manifest(&manifest()), raw(&config())).unwrap();
        image.offered = Some(Platform::new(os, architecture, variant));
        assert_eq!(image.deviations().len(), usize::from(differs), "{os}/{architecture}");
        assert!(image.unpackable().is_ok(), "it unpacks, and does not run");
    }
}

#[test]
fn a_configuration_that_two_parsers_read_in_two_ways_is_refused() {
    let twice = ImageConfig::parse(&Raw::trust_on_first_use("{\"os\":1,\"os\":2}".into()));
    assert_eq!(twice.unwrap_err().to_string(), "malformed image configuration: ambiguous JSON: duplicate key `os`");
}

#[test]
fn variables_and_commands_of_odd_forms_are_shown() {
    let odd = with(with(config(), "/config/Env", json!(["A=1", "B"])), "/config/Cmd", json!("sh -c x"));
    let odd = ImageConfig::parse(&raw(&with(odd, "/config/Labels", Value::Null))).unwrap();
    assert_eq!((odd.execution.env, odd.execution.cmd), (vec!["A=1".into(), "B".into()], vec!["sh -c x".into()]));
    assert_eq!(odd.deviations.len(), 2);
}

#[test]
fn a_configuration_may_leave_things_out() {
    let bare = json!({ "rootfs": { "diff_ids": null }, "history": null, "config": null });
    let config = ImageConfig::parse(&raw(&bare)).unwrap();
    assert!(config.platform.is_none() && config.diff_ids.is_empty() && config.history.is_empty());
}

#[test]
fn layers_are_paired_with_the_history_that_made_them() {
    let layer = descriptor(MediaType::OCI_LAYER_GZIP.as_str(), LAYER, 10);
    let manifest = parsed_manifest(&with(manifest(), "/layers", json!([layer.clone(), layer])));
    let config = with(config(), "/rootfs/diff_ids", json!([DIFF_ID, LAYER]));
    let history = json!([
        { "created_by": "one" }, { "created_by": "none", "empty_layer": true }, { "created_by": "two" },
    ]);
    let makers = |history: Value| {
        let image = Image::assemble(manifest.clone(), raw(&with(config.clone(), "/history", history))).unwrap();
        assert_eq!(image.download_size(), 20);
        assert_eq!(image.layers[1].diff_id.unwrap().to_string(), LAYER);
        image.layers.into_iter().map(|layer| layer.created_by).collect::<Vec<_>>()
    };
    assert_eq!(makers(history.clone()), [Some("one".to_owned()), Some("two".to_owned())]);
    for history in [json!([]), Value::Null, json!([history[0]]), json!([history[0], history[0], history[0]])] {
        assert_eq!(makers(history), [None, None]);
    }
}

#[test]
fn another_number_of_diff_ids_pairs_none() {
    let assemble = |diff_ids: Value| {
        let config = raw(&with(config(), "/rootfs/diff_ids", diff_ids));
        Image::assemble(parsed_manifest(&manifest()), config).unwrap()
    };
    for (diff_ids, expected, refutes) in [
        (json!([]), Deviation::NoDiffIds { layers: 1 }, false),
        (Value::Null, Deviation::NoDiffIds { layers: 1 }, false),
        (json!([DIFF_ID, LAYER]), Deviation::LayerCount { layers: 1, diff_ids: 2 }, true),
    ] {
        let image = assemble(diff_ids);
        assert_eq!((image.layers.len(), image.layers[0].diff_id), (1, None));
        assert_eq!(image.deviations(), [expected]);
        assert_eq!(image.deviations()[0].refutes(), refutes);
        assert_eq!(image.unpackable().is_err(), refutes);
    }
    let image = assemble(json!(["sha256:short"]));
    assert!(matches!(image.deviations()[..], [Deviation::Rootfs(_)]) && image.deviations()[0].refutes());
}

#[test]
fn a_manifest_may_have_no_layers() {
    let bare = with(config(), "/rootfs/diff_ids", json!([]));
    let mut absent = manifest();
    absent.as_object_mut().unwrap().remove("layers");
    for document in [absent, with(manifest(), "/layers", json!([])), with(manifest(), "/layers", Value::Null)] {
        let image = Image::assemble(parsed_manifest(&document), raw(&bare)).unwrap();
        assert!(image.layers.is_empty());
        assert_eq!(image.deviations(), [Deviation::NoLayers]);
        let docker = with(document, "/mediaType", json!(MediaType::DOCKER_MANIFEST.as_str()));
        assert!(Image::assemble(parsed_manifest(&docker), raw(&bare)).unwrap().deviations().is_empty());
    }
}

#[test]
fn an_artifact_needs_no_image_configuration() {
    let other = with(manifest(), "/config/mediaType", json!("application/vnd.example.config+json"));
    let image = Image::assemble(parsed_manifest(&other), Raw::trust_on_first_use(b"not JSON".to_vec())).unwrap();
    assert!(!image.is_image());
    assert_eq!((image.layers.len(), image.layers[0].diff_id), (1, None));
    let docker = with(manifest(), "/mediaType", json!(MediaType::DOCKER_MANIFEST.as_str()));
    let docker = with(docker, "/config/mediaType", json!("application/octet-stream"));
    assert!(Image::assemble(parsed_manifest(&docker), raw(&config())).unwrap().is_image());
}

#[cfg(not(target_family = "wasm"))]
mod properties {
    use super::*;
    use porthole_core::{image, platform::select};
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<i16>().prop_map(|halves| Value::from(f64::from(halves) / 2.0)),
            any::<String>().prop_map(Value::from),
            Just(json!(LAYER)),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn strict_parsing_changes_nothing(value in value()) {
            prop_assert_eq!(json::parse_strict(value.to_string().as_bytes()).unwrap(), value);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let raw = Raw::trust_on_first_use(bytes);
            let _ = Document::parse(raw.clone(), None);
            let _ = ImageConfig::parse(&raw);
        }

        #[test]
        fn no_value_in_any_place_makes_it_panic(value in value(), place in 0..12_usize) {
            let places = [
                "/schemaVersion", "/mediaType", "/config", "/layers", "/layers/0", "/layers/0/size",
                "/layers/0/digest", "/layers/0/platform", "/annotations", "/subject", "/config/data", "/manifests",
            ];
            let _ = parse(&with(manifest(), places[place], value.clone()), None);
            let places = [
                "/os", "/config", "/rootfs", "/history", "/history/0", "/config/Env", "/config/Labels",
                "/config/Volumes", "/rootfs/diff_ids", "/created", "/variant", "/config/Cmd",
            ];
            let config = raw(&with(config(), places[place], value));
            let _ = Image::assemble(parsed_manifest(&manifest()), config);
        }

        #[test]
        fn instructions_keep_what_they_do_not_know(text in any::<String>()) {
            let _ = image::instruction(&text);
        }

        #[test]
        fn a_platform_reads_what_it_shows(text in "[a-z]{1,8}/[a-z0-9]{1,8}(/v[0-9]{1,9}(\\.[0-9]{1,9})?)?") {
            let platform: Platform = text.parse().unwrap();
            prop_assert_eq!(&platform.to_string().parse::<Platform>().unwrap(), &platform);
            prop_assert_eq!(&platform.normalized(), &platform);
            let _ = select(&[], &platform);
        }
    }
}
