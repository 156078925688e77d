use porthole_core::{
    archive, decode,
    failure::{Classify, Failure},
    hint::Hint,
    layout::{self, ChoiceError},
    tar,
};
use porthole_registry::plan::descent::Nesting;
use porthole_source::{OpenError, Unsupported};
use std::{io, path::Path};

/// Why an image in files cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A blob is missing, too large or not what its descriptor says; a file cannot be read; the source lacks something.
    #[error(transparent)]
    Source(#[from] porthole_source::Error),
    /// The file or directory holds no images.
    #[error("not an image: expected an OCI layout or a docker-archive, got {got}: `{name}`")]
    NotAnImage {
        /// The file or directory.
        name: String,
        /// What was found instead, in words.
        got: &'static str,
    },
    /// The archive is compressed as a whole, so that its files cannot be found without unpacking it.
    #[error("archive is compressed with {compression}: expected a plain tar: `{name}`")]
    Compressed {
        /// Name of the archive.
        name: String,
        /// The compression of the archive as a whole.
        compression: decode::Format,
    },
    /// The archive is compressed as a whole, and cannot be unpacked.
    #[error("archive `{name}`: {source}")]
    Decode {
        /// Name of the archive.
        name: String,
        /// Why its bytes cannot be decompressed.
        source: decode::Error,
    },
    /// The archive is compressed as a whole, with xz, and cannot be unpacked.
    #[error("archive `{name}`: xz: {reason}")]
    Xz {
        /// Name of the archive.
        name: String,
        /// Why, in the words of the decoder.
        reason: String,
    },
    /// The archive is compressed as a whole, and what it unpacks to cannot be written.
    #[error("cannot write `{folder}`: {reason}")]
    Scratch {
        /// The folder for temporary files.
        folder: String,
        /// Why, in the words of the system.
        reason: String,
    },
    /// The tar is broken.
    #[error("archive is broken: `{name}`: {source}")]
    Tar {
        /// Name of the archive.
        name: String,
        /// Which header is malformed, and how.
        source: tar::Error,
    },
    /// The names of the archive's entries take more memory than the limit allows.
    #[error(
        "archive has too many names: expected at most {limit} bytes of them (fixed limit archive_name_bytes): `{name}`"
    )]
    TooManyNames {
        /// Name of the archive.
        name: String,
        /// Bytes that names may take: [`ARCHIVE_NAME_BYTES`](porthole_core::limits::ARCHIVE_NAME_BYTES).
        limit: u64,
    },
    /// A document of the layout is refused.
    #[error("layout `{name}`: {source}")]
    Layout {
        /// Name of the layout.
        name: String,
        /// Which file of the layout is malformed, and how.
        source: layout::Error,
    },
    /// The `manifest.json` of a docker-archive is refused.
    #[error("archive `{name}`: {source}")]
    Archive {
        /// Name of the archive.
        name: String,
        /// What is wrong with `manifest.json`.
        source: archive::Error,
    },
    /// The documents of a docker-archive contradict what it holds.
    #[error("archive `{name}`: {what}")]
    Inconsistent {
        /// Name of the archive.
        name: String,
        /// What is wrong, in words.
        what: String,
    },
    /// Indexes of the layout list indexes too deep.
    #[error(transparent)]
    Nesting(#[from] Nesting),
    /// The name selects no image, or more than one.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::Source(error) => error.failure(),
            Self::Compressed { compression, .. } => {
                Failure::malformed().hint(Hint::Decompress { program: unpacker(*compression) })
            }
            Self::Scratch { .. } => Failure::machine(),
            Self::TooManyNames { .. } => Failure::limit(),
            Self::Decode { source, .. } => source.failure(),
            Self::Tar { source, .. } => source.failure(),
            Self::Layout { source, .. } => source.failure(),
            Self::Archive { source, .. } => source.failure(),
            Self::Nesting(error) => error.failure(),
            Self::Choice(error) => error.failure(),
            Self::NotAnImage { .. } | Self::Xz { .. } | Self::Inconsistent { .. } => Failure::malformed(),
        }
    }
}

impl From<Unsupported> for Error {
    fn from(error: Unsupported) -> Self {
        Self::Source(error.into())
    }
}

impl Error {
    /// Makes an error of a path that cannot be opened as a source of images.
    pub fn opening(name: impl Into<String>) -> impl FnOnce(OpenError) -> Self {
        let name = name.into();
        move |error| match error {
            OpenError::NotAFile => {
                Self::NotAnImage { name, got: "something that is no file, or a link that leads out of the directory" }
            }
            OpenError::NotFound => Self::read(name)(io::ErrorKind::NotFound.into()),
            OpenError::Io(error) => Self::read(name)(error),
        }
    }

    /// Makes an error of a failed write to a temporary file in this folder.
    pub fn scratch(folder: &Path, error: &io::Error) -> Self {
        Self::Scratch { folder: folder.display().to_string(), reason: error.to_string() }
    }

    /// Whether the source can be read, but lacks the blob that was asked for.
    pub fn is_missing_blob(&self) -> bool {
        matches!(self, Self::Source(porthole_source::Error::NotFound { .. }))
    }

    /// Makes an error of a failed read of the file of this name.
    pub fn read(name: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let unreadable = porthole_source::Error::read(name);
        move |error| unreadable(error).into()
    }
}

/// The usual program that unpacks a format with `-d FILE`.
fn unpacker(compression: decode::Format) -> Option<&'static str> {
    match compression {
        decode::Format::Gzip => Some("gzip"),
        decode::Format::Zstd => Some("zstd"),
        decode::Format::Xz => Some("xz"),
        decode::Format::Bzip2 => Some("bzip2"),
        decode::Format::Lz4 => Some("lz4"),
        _ => None,
    }
}
