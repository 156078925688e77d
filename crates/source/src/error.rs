use crate::OpenError;
use porthole_core::{
    digest::{Digest, Mismatch},
    failure::{Classify, Failure},
    manifest,
};
use std::{fmt, io, sync::Arc};

/// Why reading from a source other than a registry failed.
///
/// Registries have their own error. Sources with further errors, such as layouts and archives, wrap this one.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This kind of source lacks the requested capability.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// A blob or document is missing.
    #[error("{what} not found: `{digest}`")]
    NotFound {
        /// `blob`, `manifest`, `config`
        what: &'static str,
        /// Digest in its descriptor.
        digest: Digest,
    },
    /// The bytes do not match their descriptor.
    #[error("{what} does not match its descriptor: {mismatch}")]
    Mismatch {
        /// `blob`, `manifest`, `config`
        what: &'static str,
        /// How digest or size differ.
        mismatch: Mismatch,
    },
    /// A document or small blob is over [`Limits::manifest_bytes`](porthole_core::limits::Limits::manifest_bytes).
    #[error("{digest} is too large: expected at most {limit} bytes (limit manifest_bytes), got {got}")]
    TooLarge {
        /// Digest of the document or blob.
        digest: Digest,
        /// The limit in bytes.
        limit: u64,
        /// Size in its descriptor, in bytes.
        got: u64,
    },
    /// A manifest or an index is refused.
    #[error("{digest}: {source}")]
    Document {
        /// Digest of the document.
        digest: Digest,
        /// What is wrong with it.
        source: manifest::Error,
    },
    /// A blob is a directory, a device, or a link that leads out of its place.
    #[error("blob is not a file of the layout: `{digest}`")]
    NotAFile {
        /// Digest of the blob.
        digest: Digest,
    },
    /// A range starts after the end of a blob.
    #[error("offset out of range: expected at most {size}, got {offset}")]
    Offset {
        /// Size of the blob.
        size: u64,
        /// Start of the range.
        offset: u64,
    },
    /// The file cannot be read.
    #[error("cannot read `{name}`: {error}")]
    Read {
        /// Path or name of the file.
        name: String,
        /// What the operating system or the browser reported.
        error: Arc<io::Error>,
    },
}

impl Error {
    /// Returns a function that wraps the error of a failed read. `name` is the name of the file.
    pub fn read(name: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let name = name.into();
        move |error| Self::Read { name, error: Arc::new(error) }
    }

    /// Returns a function that converts the error of opening the blob with this digest.
    pub fn opening(digest: &Digest) -> impl FnOnce(OpenError) -> Self {
        let digest = *digest;
        move |error| match error {
            OpenError::NotFound => Self::NotFound { what: "blob", digest },
            OpenError::NotAFile => Self::NotAFile { digest },
            OpenError::Io(error) => Self::read(digest.to_string())(error),
        }
    }
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Unsupported(error) => error.failure(),
            Self::NotFound { .. } | Self::NotAFile { .. } | Self::Offset { .. } => Failure::malformed(),
            Self::Document { source, .. } => source.failure(),
            Self::Mismatch { mismatch, .. } => mismatch.failure(),
            Self::TooLarge { limit, got, .. } => Failure::named_limit("manifest_bytes", *limit, *got),
            Self::Read { error, .. } => error.failure(),
        }
    }
}

/// A kind of source lacks a capability. The input is to blame, because another kind of source has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source_kind} has no {what}")]
pub struct Unsupported {
    /// The kind of source.
    pub source_kind: SourceKind,
    /// The capability that it lacks.
    pub what: Capability,
}

impl Classify for Unsupported {
    fn failure(&self) -> Failure {
        Failure::input()
    }
}

/// A kind of place that images come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SourceKind {
    /// A repository of a registry.
    Registry,
    /// An OCI layout in a directory.
    Layout,
    /// An OCI layout in a tar.
    OciArchive,
    /// An archive as `docker save` writes it.
    DockerArchive,
    /// The local store.
    Store,
    /// The blob of one layer, without the documents of an image.
    Layer,
    /// A running pull, whose blobs are read while they arrive.
    Pull,
}

impl SourceKind {
    /// Makes the error for a capability that this kind of source lacks.
    pub fn cannot(self, what: Capability) -> Unsupported {
        Unsupported { source_kind: self, what }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registry => "a registry",
            Self::Layout => "an OCI layout",
            Self::OciArchive => "an OCI archive",
            Self::DockerArchive => "a docker-archive",
            Self::Store => "the store",
            Self::Layer => "a bare layer",
            Self::Pull => "a running pull",
        })
    }
}

/// A capability that some kinds of source lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Has documents: manifest, index and configuration.
    Documents,
    /// Lists documents that refer to another.
    Referrers,
    /// Reads parts of blobs in any order.
    Ranges,
    /// Has a layer that belongs to no image.
    BareLayer,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Documents => "manifest",
            Self::Referrers => "list of referrers",
            Self::Ranges => "random access to its blobs",
            Self::BareLayer => "layer without an image",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_source_lacks_is_said_in_words() {
        let error = Error::from(SourceKind::Layer.cannot(Capability::Documents));
        assert_eq!(error.to_string(), "a bare layer has no manifest");
        assert!(matches!(error, Error::Unsupported(Unsupported { what: Capability::Documents, .. })));
    }
}
