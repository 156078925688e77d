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
    /// Makes a system's error at a path below the root one of these.
    pub(crate) fn at(doing: &'static str, path: &[u8]) -> impl FnOnce(Errno) -> Self {
        let path = path::escape(path).into_owned();
        move |errno| Self::Disk { doing, path, source: errno.into() }
    }
}
