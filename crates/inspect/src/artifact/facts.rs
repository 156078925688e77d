//! Facts of an artifact, from its configuration and from the first bytes of its blobs.

use super::{ArtifactFact, gguf};
use porthole_core::image::Image;
use serde_json::Value;

/// Returns the facts in the configuration of an artifact: the fields of Helm's `Chart.yaml` (as JSON), of a model, or
/// of a WebAssembly module. Empty for any other configuration, and for one that is not JSON.
pub fn of_config(image: &Image) -> Vec<ArtifactFact> {
    let Ok(config) = serde_json::from_slice::<Value>(image.config_raw.bytes()) else { return Vec::new() };
    let media_type = image.manifest.value.config.media_type.as_str();
    let fields: &[(&str, &str)] = if media_type.starts_with("application/vnd.cncf.helm.config") {
        &CHART
    } else if media_type.starts_with("application/vnd.wasm.config") {
        &WASM
    } else if media_type.starts_with("application/vnd.docker.ai.")
        || media_type.starts_with("application/vnd.cncf.model.")
    {
        &MODEL
    } else if config.get("model_format").is_some() {
        &OLLAMA
    } else {
        return Vec::new();
    };
    let fact = |&(name, pointer): &(&str, &str)| Some(ArtifactFact::new(name, words(config.pointer(pointer)?)?));
    fields.iter().filter_map(fact).collect()
}

/// Returns the facts in the first bytes of a blob, at most [`HEAD_BYTES`](super::HEAD_BYTES). `whole` = `head` is the
/// whole blob. Empty for bytes of no known format.
pub fn of_blob(head: &[u8], whole: bool) -> Vec<ArtifactFact> {
    match head {
        [b'G', b'G', b'U', b'F', ..] => gguf::facts(head),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => vec![ArtifactFact::new("format", "WebAssembly module")],
        [0, b'a', b's', b'm', _, _, 1, 0, ..] => vec![ArtifactFact::new("format", "WebAssembly component")],
        _ if whole => of_document(head),
        _ => Vec::new(),
    }
}

/// Returns the facts of a JSON document: a bill of materials, the payload that cosign signs, or a statement.
fn of_document(bytes: &[u8]) -> Vec<ArtifactFact> {
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return Vec::new() };
    let length = |pointer: &str| document.pointer(pointer).and_then(Value::as_array).map(Vec::len);
    let text = |pointer: &str| document.pointer(pointer).and_then(words);
    let mut facts = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        facts.extend(value.map(|value| ArtifactFact::new(name, value)));
    };
    if let Some(version) = text("/spdxVersion") {
        add("format", Some(version.replace("SPDX-", "SPDX ")));
        add("name", text("/name"));
        add("packages", Some(length("/packages").unwrap_or_default().to_string()));
    } else if text("/bomFormat").as_deref() == Some("CycloneDX") {
        add("format", Some(format!("CycloneDX {}", text("/specVersion").unwrap_or_default()).trim_end().to_owned()));
        add("name", text("/metadata/component/name"));
        add("components", Some(length("/components").unwrap_or_default().to_string()));
    } else if document.pointer("/critical/image").is_some() {
        add("format", Some("payload that cosign signs".to_owned()));
        add("signed image", text("/critical/image/docker-manifest-digest"));
        add("signed name", text("/critical/identity/docker-reference"));
    } else if let Some(kind) = text("/predicateType") {
        add("format", Some("in-toto statement".to_owned()));
        add("predicate", Some(kind));
        add("subject", text("/subject/0/name"));
    } else if text("/payloadType").is_some() && document.get("payload").is_some() {
        add("format", Some("DSSE envelope".to_owned()));
        add("payload", text("/payloadType"));
    }
    facts
}

/// Writes a JSON value on one line; `None` for `null`, an object, or an empty value.
fn words(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null | Value::Object(_) => return None,
        Value::String(text) => text.clone(),
        Value::Array(list) => {
            let named = |item: &Value| words(item).or_else(|| words(item.get("name")?));
            list.iter().filter_map(named).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

/// Fields of `Chart.yaml` (Helm: Charts).
const CHART: [(&str, &str); 11] = [
    ("name", "/name"),
    ("version", "/version"),
    ("application version", "/appVersion"),
    ("description", "/description"),
    ("type", "/type"),
    ("Kubernetes", "/kubeVersion"),
    ("depends on", "/dependencies"),
    ("maintainers", "/maintainers"),
    ("home", "/home"),
    ("sources", "/sources"),
    ("deprecated", "/deprecated"),
];
/// Fields of the configuration of a WebAssembly artifact (CNCF: Wasm OCI Artifact).
const WASM: [(&str, &str); 6] = [
    ("author", "/author"),
    ("created", "/created"),
    ("target", "/component/target"),
    ("imports", "/component/imports"),
    ("exports", "/component/exports"),
    ("architecture", "/architecture"),
];
/// Fields of the configuration of a model of Docker Model Runner, and of CNCF ModelPack.
const MODEL: [(&str, &str); 8] = [
    ("name", "/descriptor/name"),
    ("family", "/descriptor/family"),
    ("format", "/config/format"),
    ("architecture", "/config/architecture"),
    ("parameters", "/config/parameters"),
    ("parameters", "/config/paramSize"),
    ("quantization", "/config/quantization"),
    ("size", "/config/size"),
];
/// Fields of the configuration of a model of Ollama.
const OLLAMA: [(&str, &str); 4] = [
    ("format", "/model_format"),
    ("family", "/model_family"),
    ("parameters", "/model_type"),
    ("quantization", "/file_type"),
];
