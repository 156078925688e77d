//! Content descriptors (OCI image specification, `descriptor.md`).

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    digest::{self, Digest, Verifier},
    json::{self, Node},
    media_type::MediaType,
    platform::Platform,
};

/// A content descriptor: media type, digest and size of some content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// `mediaType` of the content.
    pub media_type: MediaType,
    /// `digest` of the content.
    pub digest: Digest,
    /// `size` in bytes, below 2^63.
    pub size: u64,
    /// `platform`, as written. `None` also where it does not name both operating system and architecture.
    pub platform: Option<Platform>,
    /// `artifactType`, where the content is an artifact.
    pub artifact_type: Option<MediaType>,
    /// `urls`: other places to download the content from.
    pub urls: Vec<String>,
    /// `annotations` by key.
    pub annotations: BTreeMap<String, String>,
    /// `data`: the content itself, already verified against digest and size.
    pub data: Option<Vec<u8>>,
}

impl Descriptor {
    /// A descriptor with only the required properties.
    pub fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self {
            media_type,
            digest,
            size,
            platform: None,
            artifact_type: None,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            data: None,
        }
    }

    /// How the key of an encrypted layer is wrapped: `jwe`, `pgp`, `pkcs7`, `pkcs11` or the name of a key provider, as the
    /// annotations of ocicrypt say. Empty if the layer is not encrypted, or no annotation names a scheme.
    pub fn encryption_schemes(&self) -> Vec<&str> {
        if !self.media_type.is_encrypted() {
            return Vec::new();
        }
        self.annotations.keys().filter_map(|key| key.strip_prefix("org.opencontainers.image.enc.keys.")).collect()
    }

    /// Reads a descriptor from JSON.
    ///
    /// # Errors
    ///
    /// [`json::Error`], which names the field: a missing or malformed property, an unsupported digest algorithm, or
    /// embedded `data` that does not match.
    pub(crate) fn read(node: &Node<'_>) -> Result<Self, json::Error> {
        node.only_exact_case(&FIELDS)?;
        let digest = read_digest(&node.required("digest")?)?;
        let size = node.required("size")?.size()?;
        let media_type = node.required("mediaType")?;
        let data = node.optional("data")?.map(|data| read_data(&data, &digest, size)).transpose()?;
        Ok(Self {
            media_type: media_type.media_type()?,
            digest,
            size,
            platform: node.optional("platform")?.map(|platform| read_platform(&platform)).transpose()?.flatten(),
            artifact_type: node.optional_media_type("artifactType")?,
            urls: node.optional("urls")?.map(|urls| read_urls(&urls)).transpose()?.unwrap_or_default(),
            annotations: node.optional_map("annotations")?,
            data,
        })
    }
}

const FIELDS: [&str; 8] = ["mediaType", "digest", "size", "platform", "artifactType", "urls", "annotations", "data"];

pub(crate) fn read_digest(node: &Node<'_>) -> Result<Digest, json::Error> {
    let error = |error: digest::Error| json::Error::Digest { path: node.path(), error };
    node.string()?.parse().map_err(error)
}

/// Reads `platform` of a descriptor. `None` unless it names both operating system and architecture, which OCI requires
/// (`image-index.md`, `platform`): the configuration then decides. Go's tools write empty strings for an unknown platform.
fn read_platform(node: &Node<'_>) -> Result<Option<Platform>, json::Error> {
    let (architecture, os) = (node.optional_text("architecture")?, node.optional_text("os")?);
    let variant = node.optional_text("variant")?;
    let os_version = node.optional_text("os.version")?;
    let os_features = node.optional_strings("os.features")?;
    Ok(os.zip(architecture).map(|(os, architecture)| Platform { os, architecture, variant, os_version, os_features }))
}

fn read_urls(node: &Node<'_>) -> Result<Vec<String>, json::Error> {
    for url in node.array()? {
        let text = url.string()?;
        let scheme = text.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
        let absolute = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b));
        if !absolute || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(url.unexpected("an absolute URL"));
        }
    }
    node.strings()
}

fn read_data(node: &Node<'_>, digest: &Digest, size: u64) -> Result<Vec<u8>, json::Error> {
    let data = STANDARD.decode(node.string()?).map_err(|_| node.unexpected("base64 with padding"))?;
    Verifier::check(digest, size, &data).map_err(|mismatch| json::Error::Data { path: node.path(), mismatch })?;
    Ok(data)
}
