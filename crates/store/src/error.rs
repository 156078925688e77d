use porthole_core::{
    digest::{Digest, Mismatch},
    failure::{Classify, Failure},
    layout::{self, ChoiceError},
    manifest,
};
use std::{io, path::PathBuf};

/// Why a store cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading failed.
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Writing failed.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Writing an archive failed.
    #[error("cannot write the archive: {0}")]
    Save(io::Error),
    /// The directory holds something else.
    #[error("not a store: expected an OCI layout, got {got}: `{}`", path.display())]
    NotAStore {
        /// The file or directory.
        path: PathBuf,
        /// What it is instead.
        got: &'static str,
    },
    /// A document of the layout is malformed.
    #[error("layout `{}`: {source}", path.display())]
    Layout {
        /// Path of the layout.
        path: PathBuf,
        /// What is wrong with it.
        source: layout::Error,
    },
    /// A manifest or an index is malformed.
    #[error("{digest}: {source}")]
    Document {
        /// Digest of the document.
        digest: Digest,
        /// What is wrong with it.
        source: manifest::Error,
    },
    /// A blob does not match its descriptor.
    #[error("blob does not match its descriptor: {0}")]
    Mismatch(#[from] Mismatch),
    /// A document is larger than its limit.
    #[error("{digest} is too large: expected at most {limit} bytes (limit manifest_bytes), got {got}")]
    TooLarge {
        /// Digest of the blob.
        digest: Digest,
        /// Bytes allowed.
        limit: u64,
        /// Size of the blob in bytes.
        got: u64,
    },
    /// The blob does not exist.
    #[error("blob not found: `{digest}`")]
    BlobNotFound {
        /// Digest of the blob.
        digest: Digest,
    },
    /// A blob is a symbolic link out of the layout, or not a regular file.
    #[error("blob is not a file of the layout: `{digest}`")]
    NotAFile {
        /// Digest of the blob.
        digest: Digest,
    },
    /// The name means no single image.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Io { source, .. } => source.failure(),
            Self::Write { .. } | Self::Save(_) => Failure::machine(),
            Self::NotAStore { .. } | Self::BlobNotFound { .. } | Self::NotAFile { .. } => Failure::malformed(),
            Self::Layout { source, .. } => source.failure(),
            Self::Document { source, .. } => source.failure(),
            Self::Mismatch(error) => error.failure(),
            Self::TooLarge { limit, got, .. } => Failure::named_limit("manifest_bytes", *limit, *got),
            Self::Choice(error) => error.failure(),
        }
    }
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

impl Error {
    pub(crate) fn write(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Write { path, source }
    }
}
