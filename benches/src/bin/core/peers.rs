//! Other programs on PATH that list a layer. None of them computes the layer's digests.

use crate::cpu;
use porthole_core::digest::{Algorithm, Digest};
use porthole_tests::{Result, program::find};
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A program, or a pipeline of several.
pub(crate) struct Peer {
    pub(crate) name: String,
    line: String,
}

/// Command lines, with the programs they need. `$LAYER` is the layer; `$IMAGE` is a docker-archive with that one layer,
/// for programs that read only images.
const PEERS: &[(&[&str], &str)] = &[
    (&["bsdtar"], "bsdtar tf $LAYER"),
    (&["gzip", "tar"], "gzip -dc $LAYER | tar t"),
    (&["pigz", "tar"], "pigz -dc $LAYER | tar t"),
    (&["zstd", "tar"], "zstd -dc $LAYER | tar t"),
    (&["crane", "tar"], "crane export - - < $IMAGE | tar t"),
    (&["dive"], "dive --ci --source docker-archive $IMAGE"),
];

/// The peers that can read this layer.
pub(crate) fn on_path(layer: &Path, scratch: &Path) -> Result<Vec<Peer>> {
    let head = fs::read(layer)?.get(..2).map(<[u8]>::to_vec);
    let other = if head.as_deref() == Some(&[0x1f, 0x8b]) { "zstd" } else { "gzip pigz" };
    let mut image = None;
    let mut peers = Vec::new();
    for (programs, line) in PEERS {
        if !programs.iter().all(|program| find(program).is_ok() && !other.contains(program)) {
            continue;
        }
        if line.contains("$IMAGE") && image.is_none() {
            image = Some(docker_archive(layer, scratch)?);
        }
        let path = |path: &Path| format!("'{}'", path.display());
        let called = line.replace("$LAYER", &path(layer)).replace("$IMAGE", &path(image.as_deref().unwrap_or(layer)));
        let name = line.replace(" $LAYER", "").replace(" < $IMAGE", "").replace(" $IMAGE", "");
        peers.push(Peer { name, line: called });
    }
    Ok(peers)
}

/// Names of the peers that are not installed.
pub(crate) fn missing() -> Vec<&'static str> {
    let mut missing: Vec<_> =
        PEERS.iter().flat_map(|(programs, _)| *programs).copied().filter(|program| find(program).is_err()).collect();
    missing.dedup();
    missing
}

impl Peer {
    /// Runs it once. Returns CPU seconds.
    pub(crate) fn run(&self) -> Result<f64> {
        let before = cpu::children()?;
        let status =
            Command::new("sh").args(["-c", &self.line]).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        // `dive --ci` also fails if the image exceeds its thresholds.
        if !status.success() && !self.line.starts_with("dive") {
            return Err(format!("`{}` failed: {status}", self.line).into());
        }
        Ok(cpu::children()? - before)
    }
}

/// A docker-archive with this one layer.
fn docker_archive(layer: &Path, scratch: &Path) -> Result<PathBuf> {
    let unpacked = Command::new("bsdtar").arg("cf").arg("-").arg(format!("@{}", layer.display())).output()?.stdout;
    let diff_id = Digest::of(Algorithm::Sha256, &unpacked).to_string();
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [diff_id] },
    });
    let manifest = json!([{ "Config": "config.json", "RepoTags": ["bench/layer:1"], "Layers": ["layer.tar"] }]);
    let path = scratch.join("image.tar");
    let mut archive = tar::Builder::new(fs::File::create(&path)?);
    let parts = [
        ("layer.tar", unpacked),
        ("config.json", config.to_string().into()),
        ("manifest.json", manifest.to_string().into()),
    ];
    for (name, bytes) in parts {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, bytes.as_slice())?;
    }
    archive.into_inner()?;
    Ok(path)
}
