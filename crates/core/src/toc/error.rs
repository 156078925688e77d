use super::Format;
use crate::{decode, digest::Digest, hint::Hint, tar};

/// Why a table of contents is refused. Quoted text is escaped and cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The descriptor names two TOCs, and nothing says that they agree.
    #[error(
        "layer is annotated with two tables of contents, eStargz and zstd:chunked, and nothing says that they agree"
    )]
    Both,
    /// An annotation cannot be read.
    #[error("annotation `{name}`: expected {expected}, got `{got}`")]
    Annotation {
        /// The annotation.
        name: &'static str,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        got: String,
    },
    /// The descriptor names a TOC, but the layer does not end as such a layer does.
    #[error("layer is annotated as {format}, but does not end with its footer")]
    NoFooter {
        /// The format.
        format: Format,
    },
    /// The TOC is said to lie where the layer has no room for it.
    #[error("table of contents is outside the layer: expected a part of {size} bytes, got bytes {start} to {end}")]
    Outside {
        /// Its first byte.
        start: u64,
        /// One past its last byte.
        end: u64,
        /// Bytes that could hold it.
        size: u64,
    },
    /// More bytes than [`Limits::toc_bytes`](crate::limits::Limits::toc_bytes), packed or unpacked.
    #[error("table of contents has more than {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: u64,
    },
    /// More entries than [`Limits::entries`](crate::limits::Limits::entries).
    #[error("table of contents has more than {limit} entries")]
    TooManyEntries {
        /// Entries allowed.
        limit: u64,
    },
    /// More bytes were pushed than were asked for.
    #[error("expected the {expected} bytes that were asked for, got more")]
    Excess {
        /// Bytes that were missing.
        expected: u64,
    },
    /// Bytes that were asked for did not come.
    #[error("table of contents is not whole: expected {expected} more bytes")]
    Incomplete {
        /// Bytes that are missing.
        expected: u64,
    },
    /// It is not the TOC that the annotation names.
    #[error("table of contents does not match its annotation: expected {expected}, got {got}")]
    Digest {
        /// From the annotation.
        expected: Digest,
        /// Of the bytes.
        got: Digest,
    },
    /// It does not unpack to as many bytes as it is said to.
    #[error("table of contents does not have its size: expected {expected} bytes, got {got}")]
    Size {
        /// From annotation or footer.
        expected: u64,
        /// Unpacked.
        got: u64,
    },
    /// It cannot be decompressed.
    #[error("table of contents cannot be decompressed: {0}")]
    Decode(decode::Error),
    /// It is not wrapped in an archive, as it is in eStargz.
    #[error("table of contents is not in a tar archive: {0}")]
    Tar(tar::Error),
    /// The archive's last entry is something else, or not the last.
    #[error("table of contents: expected the archive's last entry, `stargz.index.json`, got `{got}`")]
    Member {
        /// The entry's name.
        got: String,
    },
    /// It is not in a skippable frame, so that other readers would take it for a part of the archive.
    #[error("table of contents is not in a skippable zstd frame of its size")]
    NoFrame,
    /// It is not JSON.
    #[error("table of contents: malformed JSON: {0}")]
    Syntax(String),
    /// Arrays and objects are nested too deep.
    #[error("table of contents is nested more than {limit} levels deep")]
    TooDeep {
        /// The limit.
        limit: u32,
    },
    /// Two keys of an object that readers take for the same.
    #[error("table of contents: ambiguous key `{got}`: expected `{expected}` once")]
    AmbiguousKey {
        /// The property's name.
        expected: &'static str,
        /// The second key, or one that differs in case.
        got: String,
    },
    /// Its version is not known.
    #[error("table of contents: expected version 1, got {got}")]
    Version {
        /// The version; 0 if there is none.
        got: i64,
    },
    /// An entry is not valid.
    #[error("table of contents: entry {number}: {fault}")]
    Entry {
        /// Which, from 0.
        number: u64,
        /// What is wrong with it.
        fault: Fault,
    },
}

impl Error {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<Hint> {
        let raise = |name, value| Some(Hint::RaiseLimit { name, value });
        match self {
            Self::TooLarge { limit } => raise("toc_bytes", limit.saturating_mul(2)),
            Self::TooManyEntries { limit } => raise("entries", limit.saturating_mul(2)),
            Self::Decode(error) => error.hint(),
            _ => None,
        }
    }
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Its `type` is not one of the specification's.
    #[error("unknown type `{0}`")]
    Type(String),
    /// It goes on with a file, but does not follow one.
    #[error("a chunk without a file before it")]
    Chunk,
    /// A number that cannot be negative is.
    #[error("{field}: expected a size, got {got}")]
    Negative {
        /// The property.
        field: &'static str,
        /// Its value.
        got: i64,
    },
    /// Its `modtime` is not a time as RFC 3339 writes it.
    #[error("modtime: expected a time by RFC 3339, got `{0}`")]
    Time(String),
    /// A digest cannot be read.
    #[error("{field}: expected a digest, got `{got}`")]
    Digest {
        /// The property.
        field: &'static str,
        /// Its value.
        got: String,
    },
    /// An extended attribute is not base64.
    #[error("xattrs: expected base64 for `{0}`")]
    Xattr(String),
    /// Its `chunkType` is not known.
    #[error("unknown chunk type `{0}`")]
    ChunkType(String),
    /// Its name or link target is longer than [`Limits::path_bytes`](crate::limits::Limits::path_bytes).
    #[error("name of more than {limit} bytes")]
    NameTooLong {
        /// Bytes allowed.
        limit: u64,
    },
}
