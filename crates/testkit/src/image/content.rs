//! Blobs and tagged roots, which a registry serves and a layout stores.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, fs, io, path::Path};

use super::Built;

/// Bytes with their media type and digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Media type in the descriptor.
    pub media_type: String,
    /// `sha256:…` of the bytes.
    pub digest: String,
    /// The content.
    pub bytes: Vec<u8>,
}

impl Blob {
    /// A blob of these bytes, hashed with SHA-256.
    pub fn new(media_type: &str, bytes: Vec<u8>) -> Self {
        Self { media_type: media_type.into(), digest: sha256(&bytes), bytes }
    }

    pub(super) fn json(media_type: &str, value: &Value) -> Self {
        Self::new(media_type, value.to_string().into_bytes())
    }

    /// The OCI descriptor of the blob.
    pub fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len() })
    }
}

/// A manifest or index with its tag.
#[derive(Clone, Debug)]
pub struct Root {
    /// Tag, if it has one.
    pub name: Option<String>,
    /// The manifest or index.
    pub blob: Blob,
}

/// All blobs of some images, and the tagged roots.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Blobs by digest.
    pub blobs: BTreeMap<String, Blob>,
    /// Roots in the order of addition.
    pub roots: Vec<Root>,
}

impl Content {
    /// Adds manifest, config and layers of an image, without a tag.
    pub fn add_image(&mut self, image: &Built) -> &mut Self {
        let layers = image.layers.iter().map(|layer| &layer.blob);
        for blob in [&image.manifest, &image.config].into_iter().chain(layers) {
            self.add_blob(blob.clone());
        }
        self
    }

    /// Adds a blob.
    pub fn add_blob(&mut self, blob: Blob) -> &mut Self {
        self.blobs.insert(blob.digest.clone(), blob);
        self
    }

    /// Adds a manifest or index and tags it.
    pub fn add_root(&mut self, name: &str, blob: Blob) -> &mut Self {
        self.add_blob(blob.clone());
        self.roots.push(Root { name: Some(name.into()), blob });
        self
    }

    /// An index over images, tagged `name`.
    pub fn of_index(name: &str, images: &[Built]) -> Self {
        let mut content = Self::default();
        for image in images {
            content.add_image(image);
        }
        content.add_root(name, super::index(images));
        content
    }

    /// The files of an OCI image layout 1.0.0, by path.
    pub fn layout_files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        files.insert("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
        let manifests: Vec<Value> = self
            .roots
            .iter()
            .map(|root| {
                let mut descriptor = root.blob.descriptor();
                if let Some(name) = &root.name {
                    descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
                }
                descriptor
            })
            .collect();
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": manifests,
        });
        files.insert("index.json".into(), index.to_string().into_bytes());
        for root in &self.roots {
            files.insert(blob_path(&root.blob.digest), root.blob.bytes.clone());
        }
        for blob in self.blobs.values() {
            files.insert(blob_path(&blob.digest), blob.bytes.clone());
        }
        files
    }

    /// Writes an OCI image layout to a directory. Creates the directory.
    pub fn write_layout(&self, dir: &Path) -> io::Result<()> {
        for (path, bytes) in self.layout_files() {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap_or(dir))?;
            fs::write(path, bytes)?;
        }
        Ok(())
    }

    /// An OCI image layout as one tar.
    pub fn layout_tar(&self) -> Vec<u8> {
        let mut files: Vec<_> = self.layout_files().into_iter().collect();
        // Documents first, for readers that stream.
        files.sort_by_key(|(path, _)| (path.starts_with("blobs/"), path.clone()));
        pack(&files)
    }

    /// A docker-archive as `docker save` wrote it before it used OCI layouts: `manifest.json`, config, layers as
    /// uncompressed tars. Takes images built by [`super::Image`] only, with their tags.
    pub fn docker_archive(images: &[(&str, &Built)]) -> Vec<u8> {
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        let mut entries = Vec::new();
        for (name, image) in images {
            let config = format!("{}.json", hex(&image.config.digest));
            files.push((config.clone(), image.config.bytes.clone()));
            let mut layers = Vec::new();
            for layer in &image.layers {
                let path = format!("{}/layer.tar", hex(&layer.diff_id));
                files.push((path.clone(), layer.tar.clone()));
                layers.push(path);
            }
            entries.push(json!({ "Config": config, "RepoTags": [name], "Layers": layers }));
        }
        files.push(("manifest.json".into(), Value::Array(entries).to_string().into_bytes()));
        files.sort();
        files.dedup();
        pack(&files)
    }
}

fn pack(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.set_mtime(0);
        archive.append_data(&mut header, path, bytes.as_slice()).expect("a Vec takes every byte");
    }
    archive.into_inner().expect("a Vec takes every byte")
}

fn blob_path(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

fn hex(digest: &str) -> &str {
    digest.rsplit(':').next().unwrap_or(digest)
}

/// `sha256:…` of bytes, computed without the crate under test.
pub(super) fn sha256(bytes: &[u8]) -> String {
    let value = Sha256::digest(bytes);
    let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
