//! Manifests and indexes, from the raw bytes that their digest speaks of.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    descriptor::Descriptor,
    digest::{Digest, Mismatch, Verifier},
    hint::Hint,
    json::{self, Node},
    limits::Limits,
    media_type::{MediaType, Role},
};

/// The bytes of a document and their digest: verified, or computed on first use. Clones share the bytes.
#[derive(Clone, Debug)]
pub struct Raw {
    bytes: Arc<[u8]>,
    digest: Digest,
}

impl Raw {
    /// Checks bytes against the digest, and the size if it is known, that named them.
    ///
    /// # Errors
    ///
    /// [`Mismatch`] if they are other bytes.
    pub fn verify(bytes: Vec<u8>, digest: &Digest, size: Option<u64>) -> Result<Self, Mismatch> {
        Verifier::check(digest, size.unwrap_or(bytes.len() as u64), &bytes)?;
        Ok(Self { bytes: bytes.into(), digest: *digest })
    }

    /// Takes bytes that were asked for by tag: there is nothing to check them against, so their SHA-256 is computed.
    pub fn trust_on_first_use(bytes: Vec<u8>) -> Self {
        let digest = Digest::sha256(&bytes);
        Self { bytes: bytes.into(), digest }
    }

    /// The bytes, exactly as they were served.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Their digest.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// How many bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// A parsed value beside the bytes that it came from.
#[derive(Clone, Debug)]
pub struct Parsed<T> {
    /// The value.
    pub value: T,
    /// The bytes.
    pub raw: Raw,
    /// The document's media type: its own word, else the header's, else what its form says.
    pub media_type: MediaType,
}

/// An OCI image index or a Docker manifest list.
#[derive(Clone, Debug)]
pub struct Index {
    /// The entries, in the document's order.
    pub manifests: Vec<Descriptor>,
    /// `annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `subject`: what this index speaks about.
    pub subject: Option<Descriptor>,
    /// `artifactType`.
    pub artifact_type: Option<MediaType>,
}

/// An OCI or Docker image manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The configuration.
    pub config: Descriptor,
    /// The layers, bottom first. A manifest without the field, or with `null` there, has none.
    pub layers: Vec<Descriptor>,
    /// `annotations`.
    pub annotations: BTreeMap<String, String>,
    /// `subject`: what this manifest speaks about.
    pub subject: Option<Descriptor>,
    /// `artifactType`.
    pub artifact_type: Option<MediaType>,
}

/// An index or a manifest.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "documents are few, and matched more often than moved")]
pub enum Document {
    /// An index.
    Index(Parsed<Index>),
    /// A manifest.
    Manifest(Parsed<Manifest>),
}

impl Document {
    /// Parses a document. `content_type` is the `Content-Type` header that came with it, or the media type of the
    /// descriptor that named it; parameters are ignored.
    ///
    /// # Errors
    ///
    /// [`Error`]. Refused is also what is valid JSON, but would be read as an index by one reader and as a manifest by
    /// another, or as one thing by its header and another by its body.
    pub fn parse(raw: Raw, content_type: Option<&str>) -> Result<Self, Error> {
        Self::parse_within(raw, content_type, &Limits::default())
    }

    /// The same within limits that a user has set: [`Limits::manifest_bytes`] and [`Limits::descriptors`].
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_within(raw: Raw, content_type: Option<&str>, limits: &Limits) -> Result<Self, Error> {
        if raw.size() > limits.manifest_bytes {
            return Err(Error::TooLarge { limit: limits.manifest_bytes, got: raw.size() });
        }
        let value = json::parse_strict(raw.bytes())?;
        let top = Node::top("document", &value);
        top.only_exact_case(&FIELDS)?;
        let served = content_type.and_then(|text| MediaType::parse(text).ok());
        let declared = top.optional("mediaType")?.map(|node| node.media_type()).transpose()?;
        refuse_schema_1(&top, declared.as_ref().or(served.as_ref()))?;
        refuse_ambiguous(&top)?;
        if let (Some(declared), Some(served)) = (&declared, &served)
            && !declared.matches(served)
        {
            return Err(Error::MediaTypeMismatch { served: served.to_string(), declared: declared.to_string() });
        }
        let is_index = top.has("manifests");
        let media_type = match declared {
            Some(declared) => declared,
            // Without a word of its own in the body, a header such as `application/json` leaves the form to decide.
            None => served.filter(|served| served.role() != Role::Other).unwrap_or(if is_index {
                MediaType::OCI_INDEX
            } else {
                MediaType::OCI_MANIFEST
            }),
        };
        match (media_type.role(), is_index) {
            (Role::Index, _) => Ok(Self::Index(Parsed { value: read_index(&top, limits)?, raw, media_type })),
            (Role::Manifest, false) => {
                Ok(Self::Manifest(Parsed { value: read_manifest(&top, limits)?, raw, media_type }))
            }
            (Role::Manifest, true) => Err(Error::Ambiguous { field: "manifests", beside: "the type of a manifest" }),
            _ => Err(Error::MediaType { got: media_type.to_string() }),
        }
    }

    /// The bytes.
    pub fn raw(&self) -> &Raw {
        match self {
            Self::Index(parsed) => &parsed.raw,
            Self::Manifest(parsed) => &parsed.raw,
        }
    }

    /// The media type.
    pub fn media_type(&self) -> &MediaType {
        match self {
            Self::Index(parsed) => &parsed.media_type,
            Self::Manifest(parsed) => &parsed.media_type,
        }
    }
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

/// The first generation of Docker manifests: signed, without digests of configurations, and refused by registries.
fn refuse_schema_1(top: &Node<'_>, media_type: Option<&MediaType>) -> Result<(), Error> {
    let version = top.required("schemaVersion")?;
    let old = media_type.is_some_and(|media_type| media_type.as_str().starts_with(SCHEMA_1));
    match version.integer()? {
        1 => Err(Error::Schema1),
        2 if old => Err(Error::Schema1),
        2 => Ok(()),
        _ => Err(version.unexpected("2").into()),
    }
}

const SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+";

/// A document with the fields of two kinds is one kind to some readers and the other to the rest (CVE-2021-41190).
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
        artifact_type: read_artifact_type(top)?,
    })
}

fn read_manifest(top: &Node<'_>, limits: &Limits) -> Result<Manifest, Error> {
    let layers = top.optional("layers")?;
    Ok(Manifest {
        config: Descriptor::read(&top.required("config")?)?,
        layers: layers.map(|layers| read_descriptors(&layers, limits)).transpose()?.unwrap_or_default(),
        annotations: top.optional_map("annotations")?,
        subject: read_subject(top)?,
        artifact_type: read_artifact_type(top)?,
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

fn read_artifact_type(top: &Node<'_>) -> Result<Option<MediaType>, json::Error> {
    top.optional("artifactType")?.map(|kind| kind.media_type()).transpose()
}

/// Why a document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not JSON as it must be, or a field is wrong.
    #[error(transparent)]
    Json(#[from] json::Error),
    /// It is larger than any such document may be.
    #[error("document is too large: expected at most {limit} bytes, got {got}")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
        /// Its size in bytes.
        got: u64,
    },
    /// It has too many entries.
    #[error("{path}: expected at most {limit} descriptors, got {got}")]
    TooMany {
        /// The list.
        path: String,
        /// The limit.
        limit: u64,
        /// Entries found.
        got: u64,
    },
    /// It could be an index as well as a manifest.
    #[error("ambiguous document: got `{field}` beside {beside}")]
    Ambiguous {
        /// A field of one kind.
        field: &'static str,
        /// What belongs to the other kind.
        beside: &'static str,
    },
    /// Its header says one media type, its body another.
    #[error("ambiguous document: served as {served}, but calls itself {declared}")]
    MediaTypeMismatch {
        /// The header's.
        served: String,
        /// The body's.
        declared: String,
    },
    /// It is neither an index nor a manifest.
    #[error("unsupported document: expected an image index or manifest, got {got}")]
    MediaType {
        /// Its media type.
        got: String,
    },
    /// It is a Docker manifest of schema 1, which names no configuration and cannot be verified.
    #[error("unsupported document: expected schemaVersion 2, got Docker's schema 1")]
    Schema1,
}

impl Error {
    /// What a person can do about it: raise the limit that was met.
    pub fn hint(&self) -> Option<Hint> {
        match *self {
            Self::TooLarge { limit, got } => Some(Hint::raise("manifest_bytes", limit, got)),
            Self::TooMany { limit, got, .. } => Some(Hint::raise("descriptors", limit, got)),
            _ => None,
        }
    }
}
