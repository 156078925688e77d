//! docker-archives: the manifests that they do not have, made from what they do have.

use crate::{
    Error,
    index::{Archive, Span},
};
use porthole_core::{
    archive::{self, ArchivedImage, MANIFEST_FILE},
    config::ImageConfig,
    descriptor::Descriptor,
    digest::{Algorithm, Digest, Hasher},
    layout::NamedImage,
    limits::Limits,
    manifest::{Document, Raw},
    media_type::MediaType,
    path::escape,
};
use serde_json::{Value, json};
use std::{collections::HashMap, io::Read};

/// What a docker-archive holds, by digest.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) images: Vec<NamedImage>,
    pub(crate) manifests: HashMap<Digest, Vec<u8>>,
    pub(crate) blobs: HashMap<Digest, Span>,
}

/// Reads `manifest.json` and the configurations. A plain layer goes by the diff_id that its configuration states: whoever
/// reads it checks that. Only compressed layers, which none has stated a digest of, are read here.
pub(crate) fn read(archive: &Archive, manifest: Span, limits: &Limits) -> Result<Contents, Error> {
    let document = archive.read_small(manifest, limits.manifest_bytes)?;
    let images = archive::parse_manifest_within(&document, limits)
        .map_err(|source| Error::Archive { path: archive.path().to_owned(), source })?;
    let mut contents = Contents::default();
    for image in &images {
        read_image(archive, image, limits, &mut contents)?;
    }
    Ok(contents)
}

fn read_image(archive: &Archive, image: &ArchivedImage, limits: &Limits, contents: &mut Contents) -> Result<(), Error> {
    let wrong = |what: String| Error::Inconsistent { path: archive.path().to_owned(), what };
    let find = |name: &String| {
        let missing =
            || wrong(format!("{MANIFEST_FILE} names a file that is not there: `{}`", escape(name.as_bytes())));
        archive.find(name.as_bytes()).ok_or_else(missing)
    };
    let config_span = find(&image.config)?;
    let raw = Raw::trust_on_first_use(archive.read_small(config_span, limits.manifest_bytes)?);
    if let Some(digest) = digest_in(&image.config).filter(|digest| digest != raw.digest()) {
        return Err(wrong(format!("config does not match its name: expected {digest}, got {}", raw.digest())));
    }
    let config = ImageConfig::parse_within(&raw, limits).map_err(|error| wrong(error.to_string()))?;
    if config.diff_ids.len() != image.layers.len() {
        let (expected, got) = (config.diff_ids.len(), image.layers.len());
        return Err(wrong(format!("expected {expected} layers, one for each diff_id, got {got}")));
    }
    let mut layers = Vec::new();
    for (name, diff_id) in image.layers.iter().zip(&config.diff_ids) {
        let span = find(name)?;
        let (media_type, digest) = match archive.read_small(Span { size: span.size.min(4), ..span }, 4)?[..] {
            [0x1f, 0x8b, ..] => (MediaType::OCI_LAYER_GZIP, hash(archive, span)?),
            [0x28, 0xb5, 0x2f, 0xfd] => (MediaType::OCI_LAYER_ZSTD, hash(archive, span)?),
            _ => (MediaType::OCI_LAYER, *diff_id),
        };
        contents.blobs.insert(digest, span);
        layers.push(descriptor(&media_type, &digest, span.size));
    }
    // OCI's, because layouts can hold no others that all programs read.
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST.as_str(),
        "config": descriptor(&MediaType::OCI_CONFIG, raw.digest(), raw.size()),
        "layers": layers,
    });
    contents.blobs.insert(*raw.digest(), config_span);
    add_manifest(manifest.to_string().into_bytes(), image, limits, contents)
}

fn add_manifest(bytes: Vec<u8>, image: &ArchivedImage, limits: &Limits, contents: &mut Contents) -> Result<(), Error> {
    let raw = Raw::trust_on_first_use(bytes);
    let descriptor = Descriptor::new(MediaType::OCI_MANIFEST, *raw.digest(), raw.size());
    Document::parse_within(raw.clone(), None, limits)
        .map_err(|source| Error::Document { digest: *raw.digest(), source })?;
    contents.manifests.insert(*raw.digest(), raw.bytes().to_vec());
    contents.images.push(NamedImage { names: image.repo_tags.clone(), root: descriptor });
    Ok(())
}

fn descriptor(media_type: &MediaType, digest: &Digest, size: u64) -> Value {
    json!({ "mediaType": media_type.as_str(), "digest": digest.to_string(), "size": size })
}

/// The SHA-256 digest that a file's name states: `<hex digits>.json`, `blobs/sha256/<hex digits>`.
fn digest_in(name: &str) -> Option<Digest> {
    let base = name.rsplit('/').next()?;
    format!("sha256:{}", base.strip_suffix(".json").unwrap_or(base)).parse().ok()
}

fn hash(archive: &Archive, span: Span) -> Result<Digest, Error> {
    let mut reader = archive.read(span, 0)?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; 64 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io(archive.path())(error)),
        }
    }
}
