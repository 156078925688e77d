use std::io;

use porthole_core::{
    failure::{Classify, Failure},
    path, tree,
};
use rustix::io::Errno;

/// Why a layer cannot be unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An entry is invalid. containerd stops at the same entry.
    #[error(transparent)]
    Image(#[from] tree::Error),
    /// A file system operation failed.
    #[error("cannot {doing}: `{path}`: {source}")]
    Disk {
        /// The operation, such as `create directory`.
        doing: &'static str,
        /// Path below the root, escaped.
        path: String,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Image(error) => error.failure(),
            Self::Disk { .. } => Failure::machine(),
        }
    }
}

impl Error {
    /// An error of writing a file's content.
    pub(crate) fn writing(path: &[u8], source: io::Error) -> Self {
        Self::Disk { doing: "write file", path: path::escape(path).into_owned(), source }
    }

    /// Returns a function that makes an error of an errno, for an operation on a path below the root.
    pub(crate) fn at(doing: &'static str, path: &[u8]) -> impl FnOnce(Errno) -> Self {
        move |errno| Self::Disk { doing, path: path::escape(path).into_owned(), source: errno.into() }
    }
}
