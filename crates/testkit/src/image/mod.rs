//! Images built from code, byte for byte the same on every run.
//!
//! ```
//! use porthole_testkit::image::{Compression, Entry, Image, Layer};
//!
//! let base = Layer::new("COPY rootfs /").dir("etc").file("etc/motd", "hello\n");
//! let top = Layer::new("RUN rm /etc/motd").whiteout("etc/motd").compression(Compression::Zstd);
//! let content = Image::new().layer(base).layer(top).build().into_content("latest");
//! assert_eq!(content.roots.len(), 1);
//! # let _ = Entry::dir("x");
//! ```

mod content;
mod layer;
mod prepared;

pub use content::{Blob, Content, Root};
pub use layer::{Compression, Entry, Kind, Layer};
pub use prepared::{Format, Prepared, PreparedLayer};

use serde_json::{Value, json};

/// Family of media types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// OCI image specification 1.1.
    #[default]
    Oci,
    /// Docker image manifest version 2, schema 2. It has no media type for zstd layers, so those get the OCI one.
    Docker,
}

/// Builder of an image: layers bottom first, and the configuration.
#[derive(Clone, Debug)]
pub struct Image {
    family: Family,
    platform: (String, String, Option<String>),
    layers: Vec<Layer>,
    config: Value,
    history: bool,
}

impl Default for Image {
    fn default() -> Self {
        Self::new()
    }
}

impl Image {
    /// An OCI image for `linux/amd64` without layers.
    pub fn new() -> Self {
        Self {
            family: Family::Oci,
            platform: ("linux".into(), "amd64".into(), None),
            layers: Vec::new(),
            config: json!({}),
            history: true,
        }
    }

    /// Sets the family of media types.
    pub fn family(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    /// Sets the platform.
    pub fn platform(mut self, os: &str, architecture: &str, variant: Option<&str>) -> Self {
        self.platform = (os.into(), architecture.into(), variant.map(str::to_owned));
        self
    }

    /// Adds a layer on top.
    pub fn layer(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// Sets the `config` object of the configuration (`Env`, `Cmd`, `Labels` …).
    pub fn config(mut self, config: Value) -> Self {
        self.config = config;
        self
    }

    /// Omits `history` from the configuration.
    pub fn without_history(mut self) -> Self {
        self.history = false;
        self
    }

    /// Serialises layers, configuration and manifest.
    pub fn build(&self) -> Built {
        let layers: Vec<BuiltLayer> = self.layers.iter().map(|layer| self.build_layer(layer)).collect();
        let (os, architecture, variant) = &self.platform;
        let mut config = json!({
            "architecture": architecture,
            "config": self.config,
            "created": CREATED,
            "os": os,
            "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|l| l.diff_id.as_str()).collect::<Vec<_>>() },
        });
        if let Some(variant) = variant {
            config["variant"] = json!(variant);
        }
        if self.history {
            config["history"] = self.history_entries();
        }
        let config = Blob::json(self.media("config"), &config);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": self.media("manifest"),
            "config": config.descriptor(),
            "layers": layers.iter().map(|l| l.blob.descriptor()).collect::<Vec<_>>(),
        });
        let manifest = Blob::json(self.media("manifest"), &manifest);
        Built { manifest, config, layers, platform: self.platform.clone(), family: self.family }
    }

    fn build_layer(&self, layer: &Layer) -> BuiltLayer {
        let tar = layer.tar();
        let media_type = match (self.family, layer.compressed_with()) {
            (Family::Docker, Compression::Gzip) => "application/vnd.docker.image.rootfs.diff.tar.gzip",
            (Family::Docker, Compression::None) => "application/vnd.docker.image.rootfs.diff.tar",
            (_, Compression::None) => "application/vnd.oci.image.layer.v1.tar",
            (_, Compression::Gzip) => "application/vnd.oci.image.layer.v1.tar+gzip",
            (_, Compression::Zstd) => "application/vnd.oci.image.layer.v1.tar+zstd",
        };
        let blob = Blob::new(media_type, layer.compressed_with().compress(&tar));
        BuiltLayer { blob, diff_id: content::sha256(&tar), tar }
    }

    fn history_entries(&self) -> Value {
        let mut entries = Vec::new();
        for layer in &self.layers {
            entries.push(json!({ "created": CREATED, "created_by": layer.created_by() }));
            for instruction in layer.empty_instructions() {
                entries.push(json!({ "created": CREATED, "created_by": instruction, "empty_layer": true }));
            }
        }
        Value::Array(entries)
    }

    fn media(&self, part: &str) -> &'static str {
        match (self.family, part) {
            (Family::Oci, "config") => "application/vnd.oci.image.config.v1+json",
            (Family::Oci, _) => "application/vnd.oci.image.manifest.v1+json",
            (Family::Docker, "config") => "application/vnd.docker.container.image.v1+json",
            (Family::Docker, _) => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }
}

/// A serialised image.
#[derive(Clone, Debug)]
pub struct Built {
    /// The image manifest as a blob.
    pub manifest: Blob,
    /// The image configuration as a blob.
    pub config: Blob,
    /// The layers, bottom first.
    pub layers: Vec<BuiltLayer>,
    platform: (String, String, Option<String>),
    family: Family,
}

/// A serialised layer.
#[derive(Clone, Debug)]
pub struct BuiltLayer {
    /// The compressed layer, as a registry serves it.
    pub blob: Blob,
    /// Digest of the uncompressed tar.
    pub diff_id: String,
    /// The uncompressed tar.
    pub tar: Vec<u8>,
}

impl Built {
    /// The blobs of this image, tagged `name`.
    pub fn into_content(self, name: &str) -> Content {
        let mut content = Content::default();
        content.add_image(&self);
        content.roots.push(Root { name: Some(name.into()), blob: self.manifest });
        content
    }

    /// Edits the configuration. Writes the manifest again, so that every digest matches.
    #[must_use]
    pub fn edit_config(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        let mut config = parsed(&self.config);
        edit(&mut config);
        self.config = Blob::json(&self.config.media_type, &config);
        let descriptor = self.config.descriptor();
        self.edit_manifest(|manifest| manifest["config"] = descriptor)
    }

    /// Edits the manifest, and computes its digest again.
    #[must_use]
    pub fn edit_manifest(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        let mut manifest = parsed(&self.manifest);
        edit(&mut manifest);
        self.manifest = Blob::json(&self.manifest.media_type, &manifest);
        self
    }

    /// The descriptor of the manifest, with its platform, as an index lists it.
    pub fn descriptor(&self) -> Value {
        let (os, architecture, variant) = &self.platform;
        let mut platform = json!({ "architecture": architecture, "os": os });
        if let Some(variant) = variant {
            platform["variant"] = json!(variant);
        }
        let mut descriptor = self.manifest.descriptor();
        descriptor["platform"] = platform;
        descriptor
    }
}

fn parsed(blob: &Blob) -> Value {
    serde_json::from_slice(&blob.bytes).expect("a document of ours is JSON")
}

/// An index over images; its family is that of the first.
pub fn index(images: &[Built]) -> Blob {
    let family = images.first().map_or(Family::Oci, |image| image.family);
    index_of(family, images.iter().map(Built::descriptor).collect())
}

/// An index over arbitrary descriptors, for nested indexes, attestations and invalid entries.
pub fn index_of(family: Family, manifests: Vec<Value>) -> Blob {
    let media_type = match family {
        Family::Oci => "application/vnd.oci.image.index.v1+json",
        Family::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
    };
    let body = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": manifests });
    Blob::json(media_type, &body)
}

/// `created` of every built image.
const CREATED: &str = "2026-01-02T03:04:05Z";
