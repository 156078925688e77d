use std::io;

use porthole_core::{path, tree};
use rustix::io::Errno;

/// Why a layer is not unpacked any further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The image is at fault: containerd stops there too.
    #[error(transparent)]
    Image(#[from] tree::Error),
    /// The disk is at fault, or what this process may do on it.
    #[error("cannot {doing}: `{path}`: {source}")]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// Where, below the root; escaped.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

impl Error {
    /// The content of a file could not be written.
    pub(crate) fn writing(path: &[u8], source: io::Error) -> Self {
        Self::Disk { doing: "write file", path: path::escape(path).into_owned(), source }
    }

    /// Makes a system's error at a path below the root one of these.
    pub(crate) fn at(doing: &'static str, path: &[u8]) -> impl FnOnce(Errno) -> Self {
        move |errno| Self::Disk { doing, path: path::escape(path).into_owned(), source: errno.into() }
    }
}
