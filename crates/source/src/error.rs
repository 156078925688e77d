use crate::OpenError;
use porthole_core::{
    digest::{Digest, Mismatch},
    failure::{Classify, Failure},
    manifest,
};
use std::{fmt, io, sync::Arc};

/// Why a source that is not a registry gives nothing.
///
/// A registry has an error of its own; a source with more to say (a layout, an archive) wraps this one.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// This kind of source does not have it.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// A blob or document is missing.
    #[error("{what} not found: `{digest}`")]
    NotFound {
        /// `blob`, `manifest`, `config`
        what: &'static str,
        /// Digest that its descriptor has.
        digest: Digest,
    },
    /// The bytes are not those that the descriptor names.
    #[error("{what} does not match its descriptor: {mismatch}")]
    Mismatch {
        /// `blob`, `manifest`, `config`
        what: &'static str,
        /// Expected and got.
        mismatch: Mismatch,
    },
    /// A document or small blob is over [`Limits::manifest_bytes`](porthole_core::limits::Limits::manifest_bytes).
    #[error("{digest} is too large: expected at most {limit} bytes (limit manifest_bytes), got {got}")]
    TooLarge {
        /// The document or blob.
        digest: Digest,
        /// Bytes that are allowed.
        limit: u64,
        /// Bytes that it has by its descriptor.
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
        /// Digest that names the blob.
        digest: Digest,
    },
    /// A range starts behind the end of a blob.
    #[error("offset out of range: expected at most {size}, got {offset}")]
    Offset {
        /// Size of the blob.
        size: u64,
        /// Where the range starts.
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
    /// Makes an error of a failed read of the file of this name.
    pub fn read(name: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let name = name.into();
        move |error| Self::Read { name, error: Arc::new(error) }
    }

    /// Makes an error of a blob that cannot be opened.
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

/// A kind of source lacks what was asked of it. The input is to blame: another kind of source has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{source_kind} has no {what}")]
pub struct Unsupported {
    /// What was asked.
    pub source_kind: SourceKind,
    /// What it lacks.
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
    /// What `docker save` writes.
    DockerArchive,
    /// The local store.
    Store,
    /// The blob of one layer, without an image.
    Layer,
    /// A pull that is under way: its blobs are read while they arrive.
    Pull,
}

impl SourceKind {
    /// The error of a source of this kind for what it lacks.
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

/// What a kind of source may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Manifest, index and configuration.
    Documents,
    /// Documents that refer to others.
    Referrers,
    /// Parts of blobs, in any order.
    Ranges,
    /// A layer without an image.
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
