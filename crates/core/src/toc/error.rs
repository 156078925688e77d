use super::TocFormat;
use crate::{
    decode,
    digest::Digest,
    failure::{Classify, Failure},
    tar,
};

/// Why a table of contents is rejected. Quoted text is escaped and truncated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The descriptor announces two TOCs, which may differ.
    #[error(
        "layer is annotated with two tables of contents, eStargz and zstd:chunked, and nothing says that they agree"
    )]
    Both,
    /// An annotation is malformed.
    #[error("annotation `{name}`: expected {expected}, got `{got}`")]
    Annotation {
        /// Name of the annotation.
        name: &'static str,
        /// Description of the expected value.
        expected: &'static str,
        /// Value of the annotation, escaped and cut.
        got: String,
    },
    /// The descriptor announces a TOC, but the layer has no footer.
    #[error("layer is annotated as {format}, but does not end with its footer")]
    NoFooter {
        /// The announced format.
        format: TocFormat,
    },
    /// The position of the TOC is outside the layer.
    #[error("table of contents is outside the layer: expected a part of {size} bytes, got bytes {start} to {end}")]
    Outside {
        /// First byte of the TOC.
        start: u64,
        /// End of the TOC (exclusive).
        end: u64,
        /// Length of the part of the layer that may hold it, in bytes.
        size: u64,
    },
    /// The TOC exceeds [`Limits::toc_bytes`](crate::limits::Limits::toc_bytes), compressed or uncompressed.
    #[error("table of contents has more than {limit} bytes (limit toc_bytes)")]
    TooLarge {
        /// Bytes that a table may have when it is unpacked.
        limit: u64,
    },
    /// The TOC has more entries than [`Limits::entries`](crate::limits::Limits::entries).
    #[error("table of contents has more than {limit} entries (limit entries)")]
    TooManyEntries {
        /// Entries that a table may have.
        limit: u64,
    },
    /// More bytes were pushed than requested.
    #[error("expected the {expected} bytes that were asked for, got more")]
    Excess {
        /// Bytes still expected before the push.
        expected: u64,
    },
    /// Requested bytes are missing.
    #[error("table of contents is not whole: expected {expected} more bytes")]
    Incomplete {
        /// Bytes of the range that are missing.
        expected: u64,
    },
    /// The TOC does not match the digest in the annotation.
    #[error("table of contents does not match its annotation: expected {expected}, got {got}")]
    Digest {
        /// Digest in the annotation.
        expected: Digest,
        /// Digest of the bytes.
        got: Digest,
    },
    /// The TOC does not match its stated size.
    #[error("table of contents does not have its size: expected {expected} bytes, got {got}")]
    Size {
        /// Size in the annotation or footer.
        expected: u64,
        /// Size of the uncompressed TOC.
        got: u64,
    },
    /// The TOC cannot be decompressed.
    #[error("table of contents cannot be decompressed: {0}")]
    Decode(decode::Error),
    /// The TOC of an eStargz layer is not in a tar archive.
    #[error("table of contents is not in a tar archive: {0}")]
    Tar(tar::Error),
    /// The last entry of the archive is not the TOC, or the TOC is not the last entry.
    #[error("table of contents: expected the archive's last entry, `stargz.index.json`, got `{got}`")]
    Member {
        /// Name of the entry.
        got: String,
    },
    /// The manifest of a zstd:chunked layer is not in a skippable frame, so other readers would decode it as part of
    /// the archive.
    #[error("table of contents is not in a skippable zstd frame of its size")]
    NoFrame,
    /// The TOC is not JSON.
    #[error("table of contents: malformed JSON: {0}")]
    Syntax(String),
    /// Arrays and objects are nested too deeply.
    #[error("table of contents is nested more than {limit} levels deep (fixed limit json_depth)")]
    TooDeep {
        /// Levels of nesting that are read.
        limit: u32,
    },
    /// Two keys of an object are equal when case is ignored, as Go's parser does.
    #[error("table of contents: ambiguous key `{got}`: expected `{expected}` once")]
    AmbiguousKey {
        /// Name of the property.
        expected: &'static str,
        /// The second key, or the one that differs in case.
        got: String,
    },
    /// The version is not supported.
    #[error("table of contents: expected version 1, got {got}")]
    Version {
        /// The version; 0 if missing.
        got: i64,
    },
    /// An entry is invalid.
    #[error("table of contents: entry {number}: {fault}")]
    Entry {
        /// Index of the entry, starting at 0.
        number: u64,
        /// What is wrong with it.
        fault: Fault,
    },
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match self {
            Self::TooLarge { limit } => Failure::named_limit("toc_bytes", *limit, 0),
            Self::TooManyEntries { limit } => Failure::named_limit("entries", *limit, 0),
            Self::TooDeep { .. } => Failure::limit(),
            Self::Entry { fault: Fault::NameTooLong { limit }, .. } => Failure::named_limit("path_bytes", *limit, 0),
            Self::Decode(error) => error.failure(),
            Self::Tar(error) => error.failure(),
            _ => Failure::malformed(),
        }
    }
}

/// What is wrong with an entry of a TOC.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A `type` that no version of the format has.
    #[error("unknown type `{0}`")]
    Type(String),
    /// A `chunk` entry that does not follow a file.
    #[error("a chunk without a file before it")]
    Chunk,
    /// A size or offset is negative.
    #[error("{field}: expected a size, got {got}")]
    Negative {
        /// Name of the property.
        field: &'static str,
        /// Value of the field, which must not be negative.
        got: i64,
    },
    /// `modtime` is not an RFC 3339 time.
    #[error("modtime: expected a time by RFC 3339, got `{0}`")]
    Time(String),
    /// A digest is malformed.
    #[error("{field}: expected a digest, got `{got}`")]
    Digest {
        /// Name of the property.
        field: &'static str,
        /// Value of the field, escaped and cut.
        got: String,
    },
    /// The value of an extended attribute is not base64. Holds the attribute's name.
    #[error("xattrs: expected base64 for `{0}`")]
    Xattr(String),
    /// A `chunkType` that no version of the format has.
    #[error("unknown chunk type `{0}`")]
    ChunkType(String),
    /// A name or link target exceeds [`Limits::path_bytes`](crate::limits::Limits::path_bytes).
    #[error("name of more than {limit} bytes (limit path_bytes)")]
    NameTooLong {
        /// Bytes that a name may have.
        limit: u64,
    },
}
