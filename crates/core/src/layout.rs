//! OCI image layout documents (image specification, `image-layout.md`), pure.

use crate::{
    descriptor::Descriptor,
    hint::Hint,
    json::{self, Node},
    limits::Limits,
    manifest::{self, Document, Raw},
    media_type::MediaType,
};

/// File that tells the version of a layout, at its top.
pub const LAYOUT_FILE: &str = "oci-layout";
/// File that lists the images of a layout, at its top.
pub const INDEX_FILE: &str = "index.json";
/// Folder of the blobs: `blobs/<algorithm>/<hex digits>`.
pub const BLOBS: &str = "blobs";
/// Annotation of an entry of the index: its name in this layout.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation that containerd and Docker write beside it: the whole reference, where [`REF_NAME`] is only its tag.
pub const IMAGE_NAME: &str = "io.containerd.image.name";

/// Refuses an `oci-layout` file of a version that this crate does not know: known is 1.x.
///
/// # Errors
///
/// [`Error`], also when it is no such document at all.
pub fn check_version(oci_layout: &[u8]) -> Result<(), Error> {
    let value = json::parse_strict(oci_layout)?;
    let version = Node::top(LAYOUT_FILE, &value).required("imageLayoutVersion")?.string()?.to_owned();
    match version.strip_prefix("1.") {
        Some(rest) if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b'.') => Ok(()),
        _ => Err(Error::Version { got: crate::quote::quote(version.as_bytes()) }),
    }
}

/// The images of a layout: the entries of its `index.json`, in their order.
///
/// # Errors
///
/// [`Error`] if it is not an image index.
pub fn parse_index(index_json: Vec<u8>) -> Result<Vec<Descriptor>, Error> {
    parse_index_within(index_json, &Limits::default())
}

/// The same within limits that a user has set: [`Limits::manifest_bytes`] and [`Limits::descriptors`].
///
/// # Errors
///
/// As [`parse_index`].
pub fn parse_index_within(index_json: Vec<u8>, limits: &Limits) -> Result<Vec<Descriptor>, Error> {
    match Document::parse_within(Raw::trust_on_first_use(index_json), Some(MediaType::OCI_INDEX.as_str()), limits)? {
        Document::Index(index) => Ok(index.value.manifests),
        Document::Manifest(_) => Err(Error::NotAnIndex),
    }
}

/// The name of an entry of the index, if it has one.
pub fn name(entry: &Descriptor) -> Option<&str> {
    let annotation = |key| entry.annotations.get(key).map(String::as_str).filter(|name| !name.is_empty());
    annotation(REF_NAME).or_else(|| annotation(IMAGE_NAME))
}

/// Why a layout document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `oci-layout` is not JSON as it must be.
    #[error(transparent)]
    Json(#[from] json::Error),
    /// `index.json` is refused.
    #[error("{INDEX_FILE}: {0}")]
    Index(#[from] manifest::Error),
    /// `index.json` is an image manifest.
    #[error("{INDEX_FILE}: expected an image index, got a manifest")]
    NotAnIndex,
    /// The layout has another version.
    #[error("unsupported layout: expected imageLayoutVersion 1.x, got `{got}`")]
    Version {
        /// Its version.
        got: String,
    },
}

impl Error {
    /// What a person can do about it: raise the limit that was met.
    pub fn hint(&self) -> Option<Hint> {
        match self {
            Self::Index(error) => error.hint(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_index_that_is_none() {
        assert!(matches!(parse_index(b"{}".to_vec()), Err(Error::Index(_))));
        let manifest = br#"{"schemaVersion":2,"config":{},"layers":[]}"#.to_vec();
        assert!(parse_index(manifest).is_err());
    }
}
