//! Manifests and indexes, parsed from the raw bytes that their digest covers.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    descriptor::Descriptor,
    digest::{Digest, Mismatch, Verifier},
    failure::{Classify, Failure},
    json::{self, Node},
    limits::Limits,
    media_type::{MediaType, Role},
};

/// Raw bytes of a document and their digest, which was verified or computed on first use. Clones share the bytes.
#[derive(Clone, Debug)]
pub struct Raw {
    bytes: Arc<[u8]>,
    digest: Digest,
}

impl Raw {
    /// Verifies bytes against `digest`, and against `size` if it is known.
    ///
    /// # Errors
    ///
    /// [`Mismatch`] if digest or size differ.
    pub fn verify(bytes: Vec<u8>, digest: &Digest, size: Option<u64>) -> Result<Self, Mismatch> {
        Verifier::check(digest, size.unwrap_or(bytes.len() as u64), &bytes)?;
        Ok(Self { bytes: bytes.into(), digest: *digest })
    }

    /// Wraps bytes that were requested by tag. There is no digest to check them against, so this computes their
    /// SHA-256.
    pub fn trust_on_first_use(bytes: Vec<u8>) -> Self {
        let digest = Digest::sha256(&bytes);
        Self { bytes: bytes.into(), digest }
    }

    /// The bytes exactly as served.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Digest of the bytes.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// A parsed value with the raw bytes it came from.
#[derive(Clone, Debug)]
pub struct Parsed<T> {
    /// The parsed document.
    pub value: T,
    /// Raw bytes of the document.
    pub raw: Raw,
    /// Media type: from `mediaType` in the body, else from the header, else from the document's shape.
    pub media_type: MediaType,
}

/// An OCI image index or a Docker manifest list.
#[derive(Clone, Debug)]
pub struct Index {
    /// The entries in document order.
    pub manifests: Vec<Descriptor>,
    /// `annotations` by key.
    pub annotations: BTreeMap<String, String>,
    /// `subject`: the manifest that this index refers to.
    pub subject: Option<Descriptor>,
    /// `artifactType`, if the index describes an artifact.
    pub artifact_type: Option<MediaType>,
}

/// An OCI or Docker image manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Descriptor of the configuration.
    pub config: Descriptor,
    /// The layers, bottom first. A manifest without the field, or with `null` there, has none.
    pub layers: Vec<Descriptor>,
    /// `annotations` by key.
    pub annotations: BTreeMap<String, String>,
    /// `subject`: the manifest that this manifest refers to.
    pub subject: Option<Descriptor>,
    /// `artifactType`, if the manifest describes an artifact.
    pub artifact_type: Option<MediaType>,
}

/// An index or a manifest.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "documents are few, and matched more often than moved")]
pub enum Document {
    /// An OCI index or a Docker manifest list.
    Index(Parsed<Index>),
    /// An OCI or Docker image manifest.
    Manifest(Parsed<Manifest>),
}

impl Document {
    /// Parses a document. `content_type` is the `Content-Type` header of the response, or the media type of the
    /// descriptor; parameters are ignored.
    ///
    /// # Errors
    ///
    /// [`Error`], also for valid JSON that one reader would take for an index and another for a manifest, and for a
    /// body that contradicts the header.
    pub fn parse(raw: Raw, content_type: Option<&str>) -> Result<Self, Error> {
        Self::parse_with_limits(raw, content_type, &Limits::default())
    }

    /// [`parse`](Self::parse) within [`Limits::manifest_bytes`] and [`Limits::descriptors`].
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_with_limits(raw: Raw, content_type: Option<&str>, limits: &Limits) -> Result<Self, Error> {
        if raw.size() > limits.manifest_bytes {
            return Err(Error::TooLarge { limit: limits.manifest_bytes, got: raw.size() });
        }
        let value = json::parse_strict(raw.bytes())?;
        let top = Node::top("document", &value);
        top.only_exact_case(&FIELDS)?;
        let served = content_type.and_then(|text| MediaType::parse(text).ok());
        let declared = top.optional("mediaType")?.map(|node| node.media_type()).transpose()?;
        refuse_old(&top, declared.as_ref().or(served.as_ref()))?;
        refuse_ambiguous(&top)?;
        // A general type, such as `text/plain`, says nothing about the document: registries on plain file servers send it.
        if let (Some(declared), Some(served)) = (&declared, served.as_ref().filter(|served| served.is_vendor_type()))
            && !declared.matches(served)
        {
            return Err(Error::MediaTypeMismatch { served: served.to_string(), declared: declared.to_string() });
        }
        let media_type = match declared {
            Some(declared) => declared,
            // Without `mediaType` in the body, a generic header such as `application/json` is ignored and the shape
            // decides.
            None => served.filter(|served| served.role() != Role::Other).unwrap_or_else(|| type_of_shape(&top)),
        };
        match (media_type.role(), top.has("manifests")) {
            (Role::Index, _) => Ok(Self::Index(Parsed { value: read_index(&top, limits)?, raw, media_type })),
            (Role::Manifest, false) => {
                Ok(Self::Manifest(Parsed { value: read_manifest(&top, limits)?, raw, media_type }))
            }
            (Role::Manifest, true) => Err(Error::Ambiguous { field: "manifests", beside: "the type of a manifest" }),
            _ => Err(Error::MediaType { got: media_type.to_string() }),
        }
    }

    /// Returns the media type that a document states: its `mediaType`, else the OCI type of its shape, as
    /// [`parse`](Self::parse) finds it without a header. `None` if it is not a JSON object, and for Docker schema 1 without
    /// `mediaType`.
    pub fn stated_type(bytes: &[u8]) -> Option<MediaType> {
        let value = json::parse_strict(bytes).ok()?;
        let top = Node::top("document", &value);
        match top.optional("mediaType").ok()? {
            Some(declared) => declared.media_type().ok(),
            None if top.has("fsLayers") => None,
            None => Some(type_of_shape(&top)),
        }
    }

    /// The raw bytes.
    pub fn raw(&self) -> &Raw {
        match self {
            Self::Index(parsed) => &parsed.raw,
            Self::Manifest(parsed) => &parsed.raw,
        }
    }

    /// The media type of the document.
    pub fn media_type(&self) -> &MediaType {
        match self {
            Self::Index(parsed) => &parsed.media_type,
            Self::Manifest(parsed) => &parsed.media_type,
        }
    }
}

/// The type of a document by its fields. OCI allows `mediaType` to be absent (image-spec, `manifest.md` and `image-index.md`).
fn type_of_shape(top: &Node<'_>) -> MediaType {
    if top.has("manifests") { MediaType::OCI_INDEX } else { MediaType::OCI_MANIFEST }
}

const FIELDS: [&str; 10] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
    "fsLayers",
    "history",
];

/// Rejects formats that registries no longer accept: Docker schema 1, which is signed and names no configuration digest, and
/// the artifact manifest of the release candidates of OCI 1.1, which has no schema version.
fn refuse_old(top: &Node<'_>, media_type: Option<&MediaType>) -> Result<(), Error> {
    if media_type.is_some_and(|media_type| media_type.as_str() == ARTIFACT) {
        return Err(Error::ArtifactManifest);
    }
    let version = top.required("schemaVersion")?;
    let old = media_type.is_some_and(MediaType::is_schema_1);
    match version.integer()? {
        1 => Err(Error::Schema1),
        2 if old => Err(Error::Schema1),
        2 => Ok(()),
        _ => Err(version.unexpected("2").into()),
    }
}

const ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";

/// Rejects a document with the fields of both kinds: readers disagree on what it is (CVE-2021-41190).
fn refuse_ambiguous(top: &Node<'_>) -> Result<(), Error> {
    let kinds: [(&'static str, &[&'static str]); 3] = [
        ("manifests", &["config", "layers", "fsLayers", "history"]),
        ("config", &["fsLayers", "history"]),
        ("layers", &["fsLayers", "history"]),
    ];
    for (field, others) in kinds {
        if let Some(beside) = others.iter().find(|other| top.has(field) && top.has(other)) {
            return Err(Error::Ambiguous { field, beside });
        }
    }
    Ok(())
}

fn read_index(top: &Node<'_>, limits: &Limits) -> Result<Index, Error> {
    Ok(Index {
        manifests: read_descriptors(&top.required("manifests")?, limits)?,
        annotations: top.optional_map("annotations")?,
        subject: read_subject(top)?,
        artifact_type: top.optional_media_type("artifactType")?,
    })
}

fn read_manifest(top: &Node<'_>, limits: &Limits) -> Result<Manifest, Error> {
    let layers = top.optional("layers")?;
    Ok(Manifest {
        config: Descriptor::read(&top.required("config")?)?,
        layers: layers.map(|layers| read_descriptors(&layers, limits)).transpose()?.unwrap_or_default(),
        annotations: top.optional_map("annotations")?,
        subject: read_subject(top)?,
        artifact_type: top.optional_media_type("artifactType")?,
    })
}

fn read_descriptors(list: &Node<'_>, limits: &Limits) -> Result<Vec<Descriptor>, Error> {
    let (limit, got) = (limits.descriptors, list.length() as u64);
    if got > limit {
        return Err(Error::TooMany { path: list.path(), limit, got });
    }
    Ok(list.array()?.iter().map(Descriptor::read).collect::<Result<_, _>>()?)
}

fn read_subject(top: &Node<'_>) -> Result<Option<Descriptor>, json::Error> {
    top.optional("subject")?.map(|subject| Descriptor::read(&subject)).transpose()
}

/// Why a document is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The document is not strict JSON, or a field is missing or has the wrong type.
    #[error(transparent)]
    Json(#[from] json::Error),
    /// The document is larger than [`Limits::manifest_bytes`].
    #[error("document is too large: expected at most {limit} bytes (limit manifest_bytes), got {got}")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// Size of the document in bytes.
        got: u64,
    },
    /// A list has more entries than [`Limits::descriptors`].
    #[error("{path}: expected at most {limit} descriptors (limit descriptors), got {got}")]
    TooMany {
        /// JSON path of the list.
        path: String,
        /// Descriptors that one document may have.
        limit: u64,
        /// Descriptors in the list.
        got: u64,
    },
    /// The document has fields of both an index and a manifest.
    #[error("ambiguous document: got `{field}` beside {beside}")]
    Ambiguous {
        /// A field that belongs to one kind.
        field: &'static str,
        /// The field that belongs to the other kind.
        beside: &'static str,
    },
    /// Header and body name different media types.
    #[error("ambiguous document: served as {served}, but calls itself {declared}")]
    MediaTypeMismatch {
        /// Media type in the header.
        served: String,
        /// Media type in the body.
        declared: String,
    },
    /// The document is neither an index nor a manifest.
    #[error("unsupported document: expected an image index or manifest, got {got}")]
    MediaType {
        /// Its media type.
        got: String,
    },
    /// Docker manifest, schema 1. It names no configuration and cannot be verified.
    #[error("unsupported document: expected schemaVersion 2, got Docker's schema 1")]
    Schema1,
    /// Artifact manifest of the release candidates of OCI 1.1.
    #[error(
        "unsupported document: expected a manifest with config and layers, got an OCI artifact manifest, which OCI 1.1 does not have"
    )]
    ArtifactManifest,
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match *self {
            Self::TooLarge { limit, got } => Failure::named_limit("manifest_bytes", limit, got),
            Self::TooMany { limit, got, .. } => Failure::named_limit("descriptors", limit, got),
            Self::Json(ref error) => error.failure(),
            Self::Ambiguous { .. }
            | Self::MediaTypeMismatch { .. }
            | Self::MediaType { .. }
            | Self::Schema1
            | Self::ArtifactManifest => Failure::malformed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_states_its_type_without_a_header() {
        let (index, manifest) = (MediaType::OCI_INDEX, MediaType::OCI_MANIFEST);
        for (document, stated) in [
            (r#"{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#, Some(index.as_str())),
            (r#"{"schemaVersion":2,"manifests":[]}"#, Some(index.as_str())),
            (r#"{"schemaVersion":2,"mediaType":null,"config":{},"layers":[]}"#, Some(manifest.as_str())),
            // A document that `parse` refuses states a type as well.
            (r#"{"mediaType":"application/vnd.oci.artifact.manifest.v1+json"}"#, Some(ARTIFACT)),
            (r#"{"schemaVersion":1,"fsLayers":[],"history":[]}"#, None),
            (r#"{"mediaType":7}"#, None),
            ("[]", None),
            ("<html>", None),
        ] {
            assert_eq!(
                Document::stated_type(document.as_bytes()).as_ref().map(MediaType::as_str),
                stated,
                "{document}"
            );
        }
    }
}
