use porthole_core::{
    archive,
    digest::{Digest, Mismatch},
    hint::Hint,
    layout::{self, ChoiceError},
    manifest, tar,
};
use std::{io, path::PathBuf};

/// Why an image on disk cannot be read or written.
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
    /// The path is not an image.
    #[error("not an image: expected an OCI layout or a docker-archive, got {got}: `{}`", path.display())]
    NotAnImage {
        /// The file or directory.
        path: PathBuf,
        /// What it is instead.
        got: &'static str,
    },
    /// The archive is compressed as a whole, so blobs cannot be located in it.
    #[error("archive is compressed with {compression}: expected a plain tar: `{}`", path.display())]
    Compressed {
        /// Path of the archive.
        path: PathBuf,
        /// The compression, such as `gzip`.
        compression: &'static str,
    },
    /// The tar is malformed.
    #[error("archive is broken: `{}`: {source}", path.display())]
    Tar {
        /// Path of the archive.
        path: PathBuf,
        /// Where and why.
        source: tar::Error,
    },
    /// A document of the layout is malformed.
    #[error("layout `{}`: {source}", path.display())]
    Layout {
        /// Path of the layout.
        path: PathBuf,
        /// What is wrong with it.
        source: layout::Error,
    },
    /// `manifest.json` of a docker-archive is malformed.
    #[error("archive `{}`: {source}", path.display())]
    Archive {
        /// Path of the archive.
        path: PathBuf,
        /// What is wrong with it.
        source: archive::Error,
    },
    /// `manifest.json` of a docker-archive contradicts the archive.
    #[error("archive `{}`: {what}", path.display())]
    Inconsistent {
        /// Path of the archive.
        path: PathBuf,
        /// Description of the contradiction.
        what: String,
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
    #[error("{digest} is too large: expected at most {limit} bytes, got {got}")]
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
    /// The offset of a read is beyond the end of the blob.
    #[error("offset out of range: expected at most {size}, got {offset}")]
    Offset {
        /// Size of the blob in bytes.
        size: u64,
        /// Offset of the read.
        offset: u64,
    },
    /// The name means no single image.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
}

impl Error {
    /// The hint for the user, if there is one.
    pub fn hint(&self) -> Option<Hint> {
        let text = match self {
            Self::Compressed { compression: "gzip", .. } => "unpack it first: gzip -d FILE",
            Self::Compressed { compression: "zstd", .. } => "unpack it first: zstd -d FILE",
            Self::Compressed { .. } => "unpack it first",
            Self::Choice(error) => return error.hint(),
            Self::Tar { source, .. } => return source.hint(),
            Self::Layout { source, .. } => return source.hint(),
            Self::Archive { source, .. } => return source.hint(),
            Self::Document { source, .. } => return source.hint(),
            Self::TooLarge { limit, got, .. } => return Some(Hint::raise("manifest_bytes", *limit, *got)),
            _ => return None,
        };
        Some(Hint::Text(text.to_owned()))
    }

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
