//! docker-archives: makes the manifests that they lack from `manifest.json` and the configurations.

use super::{Archive, Opening, Window};
use crate::local::Error;
use porthole_core::{
    archive::{self, ArchivedImage, MANIFEST_FILE},
    config::ImageConfig,
    decode::Format,
    descriptor::Descriptor,
    deviation::Deviation,
    digest::{Algorithm, Digest, Hasher},
    layout::NamedImage,
    manifest::{Document, Raw},
    media_type::MediaType,
    path::escape,
};
use porthole_source::{Files, OpenError, ReadAt, read_up_to};
use std::{collections::HashMap, sync::Arc};

/// What a docker-archive holds, by digest.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) images: Vec<NamedImage>,
    /// Manifests that were made for the images.
    pub(super) made: HashMap<Digest, Arc<[u8]>>,
    /// Paths of configurations and layers in the archive.
    pub(super) paths: HashMap<Digest, String>,
}

/// Reads `manifest.json` and the configurations. An uncompressed layer gets its diff_id as its digest, which is
/// verified when the layer is read. Only compressed layers are read here, because no document states their digests.
pub(super) async fn read<F: ReadAt>(archive: &Archive<F>, opening: &Opening<'_>) -> Result<Contents, Error> {
    let absent = without_manifest(archive).unwrap_or("an archive without manifest.json");
    let document = opening.document(archive, MANIFEST_FILE, absent).await?;
    let images = archive::parse_manifest_with_limits(&document, opening.limits)
        .map_err(|source| Error::Archive { name: opening.name.to_owned(), source })?;
    let mut contents = Contents::default();
    for image in images {
        contents.add(archive, image, opening).await?;
    }
    Ok(contents)
}

/// Names the format of an archive without `manifest.json`, if it is the first one of `docker save`: a file
/// `repositories`, and a directory for each layer.
pub(super) fn without_manifest<F: ReadAt>(archive: &Archive<F>) -> Option<&'static str> {
    let is_first = archive.find("repositories").is_some();
    is_first.then_some("the format of `docker save` before Docker 1.10, without manifest.json")
}

impl Contents {
    pub(super) async fn add<F: ReadAt>(
        &mut self,
        archive: &Archive<F>,
        image: ArchivedImage,
        opening: &Opening<'_>,
    ) -> Result<(), Error> {
        let unreadable = |error| Error::read(opening.name)(error);
        let config_file = open(archive, &image.config, opening).await?;
        let limit = opening.limits.manifest_bytes.saturating_add(1);
        let config_raw = Raw::trust_on_first_use(read_up_to(&config_file, limit).await.map_err(unreadable)?);
        let config = check_config(&image, &config_raw, opening)?;
        let mut layers = Vec::new();
        for (path, diff_id) in image.layers.iter().zip(&config.diff_ids) {
            let file = open(archive, path, opening).await?;
            let head = read_up_to(&file, 4).await.map_err(unreadable)?;
            let (media_type, digest) = match Format::sniff(&head) {
                Some(Format::Gzip) => (MediaType::OCI_LAYER_GZIP, hash(&file, |_| {}).await.map_err(unreadable)?),
                Some(Format::Zstd) => (MediaType::OCI_LAYER_ZSTD, hash(&file, |_| {}).await.map_err(unreadable)?),
                _ => (MediaType::OCI_LAYER, *diff_id),
            };
            layers.push(Descriptor::new(media_type, digest, file.size()));
            self.paths.insert(digest, path.clone());
        }
        let manifest = Raw::trust_on_first_use(archive::make_manifest(&config_raw, &layers));
        let root = Descriptor::new(MediaType::OCI_MANIFEST, *manifest.digest(), manifest.size());
        Document::parse_with_limits(manifest.clone(), None, opening.limits)
            .map_err(|source| porthole_source::Error::Document { digest: root.digest, source })?;
        self.paths.insert(*config_raw.digest(), image.config);
        self.made.insert(root.digest, manifest.bytes().into());
        self.images.push(NamedImage { names: image.repo_tags, root });
        Ok(())
    }
}

/// A file that `manifest.json` names.
async fn open<F: ReadAt>(archive: &Archive<F>, path: &str, opening: &Opening<'_>) -> Result<Window<F>, Error> {
    archive.open(path).await.map_err(|error| match error {
        OpenError::Io(error) => Error::read(opening.name)(error),
        OpenError::NotFound | OpenError::NotAFile => opening.inconsistent(format!(
            "{MANIFEST_FILE} names a file that is not in the archive: `{}`",
            escape(path.as_bytes())
        )),
    })
}

fn check_config(image: &ArchivedImage, raw: &Raw, opening: &Opening<'_>) -> Result<ImageConfig, Error> {
    let got = raw.digest();
    if let Some(expected) = digest_in(&image.config).filter(|expected| expected != got) {
        return Err(opening.inconsistent(format!("config does not match its name: expected {expected}, got {got}")));
    }
    let config =
        ImageConfig::parse_with_limits(raw, opening.limits).map_err(|error| opening.inconsistent(error.to_string()))?;
    if let Some(unreadable @ Deviation::Config(_)) = config.deviations.first() {
        return Err(opening.inconsistent(unreadable.to_string()));
    }
    let (expected, got) = (config.diff_ids.len(), image.layers.len());
    if expected != got {
        return Err(opening.inconsistent(format!("expected {expected} layers, one for each diff_id, got {got}")));
    }
    Ok(config)
}

/// The SHA-256 digest that a file's name states: `<hex digits>.json`, `blobs/sha256/<hex digits>`.
pub(super) fn digest_in(path: &str) -> Option<Digest> {
    let base = path.rsplit('/').next()?;
    format!("sha256:{}", base.strip_suffix(".json").unwrap_or(base)).parse().ok()
}

/// The SHA-256 digest of a file. `hashed` gets the number of bytes read so far.
pub(super) async fn hash(file: &impl ReadAt, mut hashed: impl FnMut(u64)) -> std::io::Result<Digest> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; READ_BYTES];
    let mut position = 0;
    while position < file.size() {
        let length = usize::try_from(file.size() - position).unwrap_or(usize::MAX).min(READ_BYTES);
        file.read_exact_at(position, &mut buffer[..length]).await?;
        hasher.update(&buffer[..length]);
        position += length as u64;
        hashed(position);
    }
    Ok(hasher.finish())
}

const READ_BYTES: usize = 256 << 10;
