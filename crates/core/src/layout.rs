//! Documents of an OCI image layout (image specification, `image-layout.md`).

mod images;

use crate::{
    descriptor::Descriptor,
    digest::{Algorithm, Digest},
    failure::{Classify, Failure},
    json::{self, Node},
    limits::Limits,
    manifest::{self, Document, Raw},
    media_type::MediaType,
};

pub use images::{ChoiceError, NamedImage, find_image};

/// File at the top of a layout that states the layout's version.
pub const LAYOUT_FILE: &str = "oci-layout";
/// File at the top of a layout that lists its images.
pub const INDEX_FILE: &str = "index.json";
/// Directory of the blobs: `blobs/<algorithm>/<hex digits>`.
pub const BLOBS: &str = "blobs";
/// Annotation with the name of an index entry in this layout.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation that containerd and Docker add. It has the full reference where [`REF_NAME`] has only the tag.
pub const IMAGE_NAME: &str = "io.containerd.image.name";

/// Parses `oci-layout` and `index.json`. Returns the images of the layout in the order of the index.
///
/// # Errors
///
/// [`Error`] if the version is unknown, `index.json` is not an image index, or a document exceeds [`Limits::manifest_bytes`]
/// or [`Limits::descriptors`].
pub fn read_images(oci_layout: &[u8], index_json: Vec<u8>, limits: &Limits) -> Result<Vec<NamedImage>, Error> {
    let (limit, got) = (limits.manifest_bytes, oci_layout.len() as u64);
    if got > limit {
        return Err(Error::TooLarge { limit, got });
    }
    check_version(oci_layout)?;
    Ok(parse_index_with_limits(index_json, limits)?.into_iter().map(NamedImage::from_entry).collect())
}

/// Refuses an `oci-layout` file of an unknown version. Versions 1.x are known.
///
/// # Errors
///
/// [`Error`] for an unknown version, or a malformed document.
pub fn check_version(oci_layout: &[u8]) -> Result<(), Error> {
    let value = json::parse_strict(oci_layout)?;
    let version = Node::top(LAYOUT_FILE, &value).required("imageLayoutVersion")?.string()?.to_owned();
    match version.strip_prefix("1.") {
        Some(rest) if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b'.') => Ok(()),
        _ => Err(Error::Version { got: crate::quote::quote(version.as_bytes()) }),
    }
}

/// Parses `index.json` and returns its entries in document order.
///
/// # Errors
///
/// [`Error`] if the document is not an image index.
pub fn parse_index(index_json: Vec<u8>) -> Result<Vec<Descriptor>, Error> {
    parse_index_with_limits(index_json, &Limits::default())
}

/// [`parse_index`] within [`Limits::manifest_bytes`] and [`Limits::descriptors`].
///
/// # Errors
///
/// As [`parse_index`].
pub fn parse_index_with_limits(index_json: Vec<u8>, limits: &Limits) -> Result<Vec<Descriptor>, Error> {
    match Document::parse_with_limits(Raw::trust_on_first_use(index_json), Some(MediaType::OCI_INDEX.as_str()), limits)?
    {
        Document::Index(index) => Ok(index.value.manifests),
        Document::Manifest(_) => Err(Error::NotAnIndex),
    }
}

/// Name of an index entry: its annotation [`REF_NAME`], else [`IMAGE_NAME`].
pub fn name(entry: &Descriptor) -> Option<&str> {
    let annotation = |key| entry.annotations.get(key).map(String::as_str).filter(|name| !name.is_empty());
    annotation(REF_NAME).or_else(|| annotation(IMAGE_NAME))
}

/// The path of a blob, relative to the top of the layout.
pub fn blob_path(digest: &Digest) -> String {
    format!("{BLOBS}/{}/{}", digest.algorithm().name(), digest.hex())
}

/// Returns the digest in the path of a blob. `None` for any other path.
pub fn blob_digest(path: &[u8]) -> Option<Digest> {
    let path = std::str::from_utf8(path).ok()?.strip_prefix(BLOBS)?.strip_prefix('/')?;
    let (algorithm, hex) = path.split_once('/')?;
    [Algorithm::Sha256, Algorithm::Sha384, Algorithm::Sha512].iter().find(|known| known.name() == algorithm)?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// Why a layout document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `oci-layout` is not valid JSON, or lacks its field.
    #[error(transparent)]
    Json(#[from] json::Error),
    /// `oci-layout` is larger than [`Limits::manifest_bytes`].
    #[error("{LAYOUT_FILE} is too large: expected at most {limit} bytes (limit manifest_bytes), got {got}")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// Size in bytes, as far as it was read.
        got: u64,
    },
    /// `index.json` is malformed.
    #[error("{INDEX_FILE}: {0}")]
    Index(#[from] manifest::Error),
    /// `index.json` is an image manifest.
    #[error("{INDEX_FILE}: expected an image index, got a manifest")]
    NotAnIndex,
    /// `imageLayoutVersion` is not 1.x.
    #[error("unsupported layout: expected imageLayoutVersion 1.x, got `{got}`")]
    Version {
        /// The version in the document, escaped and truncated.
        got: String,
    },
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Index(error) => error.failure(),
            Self::Json(error) => error.failure(),
            Self::TooLarge { limit, got } => Failure::named_limit("manifest_bytes", *limit, *got),
            Self::NotAnIndex | Self::Version { .. } => Failure::malformed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_file_over_the_limit_is_not_called_malformed() {
        let limits = Limits { manifest_bytes: 10, ..Limits::default() };
        let error = read_images(&br#"{"imageLayoutVersion":"1.0.0"}"#[..11], Vec::new(), &limits).unwrap_err();
        assert_eq!(error.failure(), Failure::named_limit("manifest_bytes", 10, 11), "{error}");
    }

    #[test]
    fn versions() {
        assert_eq!(check_version(br#"{"imageLayoutVersion":"1.0.0"}"#), Ok(()));
        assert_eq!(check_version(br#"{"imageLayoutVersion":"1.1"}"#), Ok(()));
        for version in ["", "1", "1.", "2.0.0", "10.0", "1.x"] {
            let document = format!(r#"{{"imageLayoutVersion":"{version}"}}"#);
            assert_eq!(
                check_version(document.as_bytes()),
                Err(Error::Version { got: version.to_owned() }),
                "{version}"
            );
        }
        for document in ["", "{}", "[]", r#"{"imageLayoutVersion":1}"#] {
            assert!(matches!(check_version(document.as_bytes()), Err(Error::Json(_))), "{document}");
        }
    }

    #[test]
    fn entries_and_their_names() {
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let entry = |annotations: &str| {
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{digest}","size":7{annotations}}}"#
            )
        };
        let index = format!(
            r#"{{"schemaVersion":2,"manifests":[{},{},{}]}}"#,
            entry(r#","annotations":{"org.opencontainers.image.ref.name":"v1","io.containerd.image.name":"x"}"#),
            entry(r#","annotations":{"io.containerd.image.name":"docker.io/library/x:v1"}"#),
            entry(""),
        );
        let entries = parse_index(index.into_bytes()).unwrap();
        assert_eq!(entries.iter().map(name).collect::<Vec<_>>(), [Some("v1"), Some("docker.io/library/x:v1"), None]);
    }

    #[test]
    fn paths_of_blobs() {
        let digest = Digest::sha256(b"");
        let path = blob_path(&digest);
        assert_eq!(path, "blobs/sha256/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(blob_digest(path.as_bytes()), Some(digest));
        for other in ["blobs/sha256", "blobs/sha256/00", "blobs/md5/00", "x/sha256/00", "../blobs/sha256/00", ""] {
            assert_eq!(blob_digest(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_manifest_is_not_an_index() {
        assert!(matches!(parse_index(b"{}".to_vec()), Err(Error::Index(_))));
        let manifest = br#"{"schemaVersion":2,"config":{},"layers":[]}"#.to_vec();
        assert!(parse_index(manifest).is_err());
    }
}
