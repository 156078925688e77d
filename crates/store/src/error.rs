use porthole_core::{
    archive,
    digest::{Digest, Mismatch},
    hint::Hint,
    layout::{self, ChoiceError},
    manifest, tar,
};
use std::{io, path::PathBuf};

/// Why an image on disk cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system says no.
    #[error("cannot read `{}`: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system does not let it be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An archive cannot be written.
    #[error("cannot write the archive: {0}")]
    Save(io::Error),
    /// There is no image there.
    #[error("not an image: expected an OCI layout or a docker-archive, got {got}: `{}`", path.display())]
    NotAnImage {
        /// The file or directory.
        path: PathBuf,
        /// What it is instead.
        got: &'static str,
    },
    /// The whole archive is compressed: its blobs cannot be found without unpacking it.
    #[error("archive is compressed with {compression}: expected a plain tar: `{}`", path.display())]
    Compressed {
        /// The archive.
        path: PathBuf,
        /// `gzip`, `zstd` …
        compression: &'static str,
    },
    /// The tar is broken.
    #[error("archive is broken: `{}`: {source}", path.display())]
    Tar {
        /// The archive.
        path: PathBuf,
        /// Why.
        source: tar::Error,
    },
    /// A document of the layout is refused.
    #[error("layout `{}`: {source}", path.display())]
    Layout {
        /// The layout.
        path: PathBuf,
        /// Why.
        source: layout::Error,
    },
    /// The document of a docker-archive is refused.
    #[error("archive `{}`: {source}", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// Why.
        source: archive::Error,
    },
    /// A docker-archive's document speaks of something that is not as it says.
    #[error("archive `{}`: {what}", path.display())]
    Inconsistent {
        /// The archive.
        path: PathBuf,
        /// What is wrong, in words.
        what: String,
    },
    /// A manifest or an index is refused.
    #[error("{digest}: {source}")]
    Document {
        /// The document.
        digest: Digest,
        /// Why.
        source: manifest::Error,
    },
    /// A blob is not what its descriptor says.
    #[error("blob does not match its descriptor: {0}")]
    Mismatch(#[from] Mismatch),
    /// A blob that should be small is not.
    #[error("{digest} is too large: expected at most {limit} bytes, got {got}")]
    TooLarge {
        /// The blob.
        digest: Digest,
        /// The limit.
        limit: u64,
        /// Its size.
        got: u64,
    },
    /// A blob is not there.
    #[error("blob not found: `{digest}`")]
    BlobNotFound {
        /// Its digest.
        digest: Digest,
    },
    /// A blob is a link that leads out of the layout, or no file at all.
    #[error("blob is not a file of the layout: `{digest}`")]
    NotAFile {
        /// Its digest.
        digest: Digest,
    },
    /// A read that should begin behind the end of a blob.
    #[error("offset out of range: expected at most {size}, got {offset}")]
    Offset {
        /// Size of the blob.
        size: u64,
        /// Where the read should begin.
        offset: u64,
    },
    /// The name means no single image.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
}

impl Error {
    /// What a person can do about it.
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
