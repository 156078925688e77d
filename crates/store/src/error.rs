use porthole_core::{
    digest::Mismatch,
    failure::{Classify, Failure},
    layout::{self, ChoiceError},
};
use std::{io, path::PathBuf};

/// Why a store cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory of the store cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file or directory of the store cannot be written.
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
    /// The directory is not a store, or a file of it is not what a store has there.
    #[error("not a store: expected an OCI layout, got {got}: `{}`", path.display())]
    NotAStore {
        /// The file or directory.
        path: PathBuf,
        /// What was found instead, such as `a directory of something else`.
        got: &'static str,
    },
    /// A document of the layout is malformed.
    #[error("layout `{}`: {source}", path.display())]
    Layout {
        /// Path of the layout.
        path: PathBuf,
        /// Why the document is malformed.
        source: layout::Error,
    },
    /// A blob is missing, too large, or does not match its descriptor.
    #[error(transparent)]
    Blob(#[from] porthole_source::Error),
    /// Bytes that were to be stored or archived do not match their descriptor.
    #[error("blob does not match its descriptor: {0}")]
    Mismatch(#[from] Mismatch),
    /// No image has the name, or several images match it.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Io { source, .. } => source.failure(),
            Self::Write { .. } | Self::Save(_) => Failure::machine(),
            Self::NotAStore { .. } => Failure::malformed(),
            Self::Layout { source, .. } => source.failure(),
            Self::Blob(error) => error.failure(),
            Self::Mismatch(error) => error.failure(),
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
