//! Images of one layer: of any archive, or of files of 10 MB and a small one.

use crate::image::name_it;
use porthole_core::digest::{Algorithm, Digest, Hasher};
use porthole_tests::{Result, images::pseudo_random};
use serde_json::json;
use std::{
    fs::{self, File},
    io::{self, BufWriter, Read as _, Write},
    path::{Path, PathBuf},
};

/// The lowest level at which the compressor ends deflate blocks before the end: where there is one block, a reader starts at its start.
const LEVEL: u32 = 2;
pub(super) const SMALL: &[u8] = b"a small file\n\n";
pub(super) const SMALL_PATH: &str = "srv/small";

pub(super) type Builder<'w> = tar::Builder<Box<dyn Write + 'w>>;

pub(super) fn append(builder: &mut Builder<'_>, path: &str, content: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_mtime(1_700_000_000);
    header.set_size(content.len() as u64);
    builder.append_data(&mut header, path, content)
}

/// Writes a gzip layer. Returns the digest of its archive.
pub(super) fn write_layer(path: &Path, fill: impl FnOnce(&mut Builder<'_>) -> io::Result<()>) -> Result<Digest> {
    let half = path.with_extension("half");
    let packed = flate2::write::GzEncoder::new(BufWriter::new(File::create(&half)?), flate2::Compression::new(LEVEL));
    let mut hashing = Hashing { inner: packed, hasher: Hasher::new(Algorithm::Sha256) };
    let mut builder: Builder<'_> = tar::Builder::new(Box::new(&mut hashing));
    fill(&mut builder)?;
    builder.into_inner()?.flush()?;
    let Hashing { inner, hasher } = hashing;
    inner.finish()?.flush()?;
    fs::rename(half, path)?;
    Ok(hasher.finish())
}

struct Hashing<W> {
    inner: W,
    hasher: Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// An image of one layer: files of 10 MB, of which half is incompressible, then a small one.
pub(super) fn write_layout(layout: &Path, megabytes: u64) -> Result<()> {
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let noise = pseudo_random(2_000_000);
    let text = b"a text that compresses well, unlike the noise before it\n".repeat(90_000);
    let layer = blobs.join("layer");
    let diff_id = write_layer(&layer, |builder| {
        for number in 0..megabytes.div_ceil(5) as usize {
            let start = number * 65_537 % 1_400_000;
            let content = [&noise[start..start + 500_000], &text[..500_000]].concat().repeat(10);
            append(builder, &format!("srv/data/file-{number}"), &content)?;
        }
        append(builder, SMALL_PATH, SMALL)
    })?;
    let (size, digest) = (fs::metadata(&layer)?.len(), digest_of(&layer)?);
    fs::rename(&layer, blobs.join(digest.hex()))?;
    let document = |value: serde_json::Value| -> Result<(String, usize)> {
        let bytes = serde_json::to_vec(&value)?;
        let digest = Digest::sha256(&bytes);
        fs::write(blobs.join(digest.hex()), &bytes)?;
        Ok((digest.to_string(), bytes.len()))
    };
    let media = |what: &str| format!("application/vnd.oci.image.{what}");
    let (config, config_size) = document(json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [diff_id.to_string()] },
    }))?;
    let (manifest, manifest_size) = document(json!({
        "schemaVersion": 2, "mediaType": media("manifest.v1+json"),
        "config": { "mediaType": media("config.v1+json"), "digest": config, "size": config_size },
        "layers": [{ "mediaType": media("layer.v1.tar+gzip"), "digest": digest.to_string(), "size": size }],
    }))?;
    name_it(layout, &json!({ "mediaType": media("manifest.v1+json"), "digest": manifest, "size": manifest_size }))
}

/// The digest of the largest blob.
pub(super) fn layer_digest(layout: &Path) -> Result<String> {
    let mut blobs: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(layout.join("blobs/sha256"))? {
        let entry = entry?;
        blobs.push((entry.metadata()?.len(), entry.path()));
    }
    let (_, layer) = blobs.into_iter().max().ok_or("a layout without blobs")?;
    Ok(format!("sha256:{}", layer.file_name().unwrap_or_default().to_string_lossy()))
}

fn digest_of(path: &Path) -> Result<Digest> {
    let (mut file, mut hasher, mut buffer) = (File::open(path)?, Hasher::new(Algorithm::Sha256), vec![0; 1 << 20]);
    while let read @ 1.. = file.read(&mut buffer)? {
        hasher.update(&buffer[..read]);
    }
    Ok(hasher.finish())
}
