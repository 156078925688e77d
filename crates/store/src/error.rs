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
    /// A blob is missing, too large, or not what its descriptor says.
    #[error(transparent)]
    Blob(#[from] porthole_source::Error),
    /// What is written does not match its descriptor.
    #[error("blob does not match its descriptor: {0}")]
    Mismatch(#[from] Mismatch),
    /// The name means no single image.
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
