//! Images for far registries: layers of one file each, which hardly compresses, so that the link is what takes time.

use crate::image::{Image, name_it};
use flate2::{Compression, write::GzEncoder};
use porthole_core::digest::{Algorithm, Digest};
use porthole_tests::Result;
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Sizes of the layers in bytes, bottom first.
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    pub(crate) layers: &'static [usize],
}

/// Three layers, as of a small program on a small distribution.
pub(crate) const THREE: Recipe = Recipe { name: "16 MB in 3 layers", layers: &[9_000_000, 5_000_000, 2_000_000] };
/// One layer.
pub(crate) const ONE: Recipe = Recipe { name: "42 MB in 1 layer", layers: &[42_000_000] };
/// Large layers.
pub(crate) const LARGE: Recipe =
    Recipe { name: "300 MB in 4 layers", layers: &[180_000_000, 80_000_000, 30_000_000, 10_000_000] };

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

impl Recipe {
    /// The file of a layer.
    pub(crate) fn file(layer: usize) -> String {
        format!("data-{layer}")
    }

    /// Writes the image as an OCI layout.
    pub(crate) fn make(&self, layout: &Path) -> Result<Image> {
        write(self.name, self.layers, layout)
    }
}

/// Writes an image with layers of these sizes as an OCI layout.
pub(crate) fn write(name: &'static str, sizes: &[usize], layout: &Path) -> Result<Image> {
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let keep = |bytes: &[u8], media_type: &str| {
        let digest = Digest::of(Algorithm::Sha256, bytes).to_string();
        fs::write(layout.join("blobs").join(digest.replace(':', "/")), bytes)?;
        Result::Ok(json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() }))
    };
    let (mut layers, mut contents, mut unpacked) = (Vec::new(), Vec::new(), 0);
    for (number, &size) in sizes.iter().enumerate() {
        let archive = archive(&Recipe::file(number), &noise(size, number as u64 + 1))?;
        contents.push(Digest::of(Algorithm::Sha256, &archive).to_string());
        unpacked += archive.len() as u64;
        let mut packed = GzEncoder::new(Vec::new(), Compression::none());
        std::io::Write::write_all(&mut packed, &archive)?;
        layers.push(keep(&packed.finish()?, "application/vnd.oci.image.layer.v1.tar+gzip")?);
    }
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": contents },
    });
    let config = keep(config.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json")?;
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
    let manifest = keep(manifest.to_string().as_bytes(), MANIFEST)?;
    name_it(layout, &manifest)?;
    let digest_of = |blob: &Value| blob["digest"].as_str().unwrap_or_default().to_owned();
    Ok(Image {
        name,
        layout: layout.to_owned(),
        digest: digest_of(&manifest),
        media_type: MANIFEST.to_owned(),
        blobs: std::iter::once(&config).chain(&layers).map(digest_of).collect(),
        packed: std::iter::once(&config).chain(&layers).filter_map(|blob| blob["size"].as_u64()).sum(),
        layers: layers.iter().map(digest_of).collect(),
        unpacked,
        entries: sizes.len() as u64,
    })
}

fn archive(name: &str, content: &[u8]) -> Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::with_capacity(content.len() + 4096));
    archive.append_data(&mut header, name, content)?;
    Ok(archive.into_inner()?)
}

/// Bytes without a pattern.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
