//! Directories that `skopeo copy … dir:DIR` writes: `manifest.json` is the image's own manifest or index, and each blob is a
//! file that is named by the hex digits of its digest.

use super::{Error, Opening, docker::Contents};
use porthole_core::{
    archive::MANIFEST_FILE,
    descriptor::Descriptor,
    digest::{Algorithm, Digest},
    layout::NamedImage,
    manifest::{Document, Raw},
};
use porthole_source::Files;

/// File at the top that states the version of the format.
pub(super) const VERSION_FILE: &str = "version";

/// Reads the manifest, which has no descriptor: its digest is that of its bytes.
pub(super) async fn read<D: Files>(directory: &D, opening: &Opening<'_>) -> Result<Contents, Error> {
    let absent = "a directory without the manifest.json and version of `skopeo copy`";
    let version = opening.document(directory, VERSION_FILE, absent).await?;
    if !version.starts_with(b"Directory Transport Version: 1.") {
        return Err(opening.not_an_image("a directory whose file `version` is not that of `skopeo copy`, version 1"));
    }
    let raw = Raw::trust_on_first_use(opening.document(directory, MANIFEST_FILE, absent).await?);
    let digest = *raw.digest();
    let document = Document::parse_with_limits(raw, None, opening.limits)
        .map_err(|source| porthole_source::Error::Document { digest, source })?;
    let root = Descriptor::new(document.media_type().clone(), digest, document.raw().size());
    let mut contents = Contents::default();
    contents.paths.insert(digest, MANIFEST_FILE.to_owned());
    if let Document::Index(index) = document {
        for child in index.value.manifests {
            contents.paths.insert(child.digest, format!("{}.{MANIFEST_FILE}", blob_path(&child.digest)));
        }
    }
    contents.images.push(NamedImage { names: Vec::new(), root });
    Ok(contents)
}

/// The path of a blob.
pub(super) fn blob_path(digest: &Digest) -> String {
    match digest.algorithm() {
        Algorithm::Sha256 => digest.hex(),
        other => format!("{}-{}", other.name(), digest.hex()),
    }
}
