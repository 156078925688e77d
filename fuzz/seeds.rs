//! Writes the first inputs of each target into `corpus/`, from the vectors that the tests use.

use std::{error::Error, fs, io::Read, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::GzDecoder;
use serde_json::Value;

/// Larger inputs slow a fuzzer down more than they teach it.
const LARGEST: usize = 64 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let vectors = fuzz.join("../crates/core/tests/vectors");
    let write = |target: &str, name: &str, bytes: &[u8]| -> Result<(), Box<dyn Error>> {
        let folder = fuzz.join("corpus").join(target);
        fs::create_dir_all(&folder)?;
        if bytes.len() <= LARGEST {
            fs::write(folder.join(name), bytes)?;
        }
        Ok(())
    };
    for line in fs::read_to_string(vectors.join("tar.jsonl"))?.lines() {
        let row: Value = serde_json::from_str(line)?;
        let (name, packed) = (text(&row, "id")?, STANDARD.decode(text(&row, "tar_gz_b64")?)?);
        let mut archive = Vec::new();
        GzDecoder::new(packed.as_slice()).read_to_end(&mut archive)?;
        write("tar", name, &archive)?;
        write("tree", name, &archive)?;
        write("layer", name, &packed)?;
    }
    for line in fs::read_to_string(vectors.join("streams.jsonl"))?.lines() {
        let row: Value = serde_json::from_str(line)?;
        let (name, bytes) = (text(&row, "name")?, STANDARD.decode(text(&row, "data_b64")?)?);
        let target = if name.starts_with("zst") { "zstd" } else { "gzip" };
        write(target, name, &bytes)?;
        write("layer", name, &bytes)?;
    }
    for (number, line) in fs::read_to_string(vectors.join("references.tsv"))?.lines().enumerate() {
        let reference = line.split('\t').next().unwrap_or_default();
        write("reference", &number.to_string(), reference.as_bytes())?;
    }
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    write("digest", "empty", digest.as_bytes())?;
    let descriptor =
        format!(r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"{digest}","size":1}}"#);
    write("json", "manifest", manifest(&descriptor).as_bytes())?;
    write("json", "index", index(&descriptor).as_bytes())?;
    write("json", "config", config(digest).as_bytes())?;
    Ok(())
}

fn text<'r>(row: &'r Value, key: &str) -> Result<&'r str, String> {
    row[key].as_str().ok_or_else(|| format!("a row without {key}"))
}

fn manifest(descriptor: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{descriptor},"layers":[{descriptor}]}}"#
    )
}

fn index(descriptor: &str) -> String {
    format!(r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{descriptor}]}}"#)
}

fn config(digest: &str) -> String {
    format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{digest}"]}},"history":[{{"created_by":"COPY"}}]}}"#
    )
}
