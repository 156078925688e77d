use std::fmt;

use crate::failure::{Classify, Failure};

/// Where and why reading an archive failed. Offsets count bytes of the uncompressed archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A header, or a record of an extension header, is invalid.
    #[error("invalid tar header at byte {offset}: {field}")]
    Header {
        /// Start of the header or record.
        offset: u64,
        /// The invalid part.
        field: Field,
    },
    /// The archive ends inside a header or inside data.
    #[error("unexpected EOF at byte {offset}")]
    UnexpectedEof {
        /// Length of the archive in bytes.
        offset: u64,
    },
    /// An extension header or a GNU long name exceeds the limit.
    #[error("header field too long at byte {offset}: more than {limit} bytes (limit extension_bytes)")]
    FieldTooLong {
        /// Start of its header.
        offset: u64,
        /// Bytes that an extension may have.
        limit: u64,
    },
    /// A sparse map exceeds the limit.
    #[error("sparse map too long at byte {offset}: more than {limit} {unit} (limit {})", if *unit == "bytes" { "extension_bytes" } else { "sparse_segments" })]
    SparseTooLong {
        /// Start of the entry's header.
        offset: u64,
        /// Bytes or segments allowed.
        limit: u64,
        /// `bytes` or `segments`.
        unit: &'static str,
    },
    /// A sparse map refers to more data than its entry holds.
    #[error("sparse file references non-existent data at byte {offset}")]
    SparseMissing {
        /// End of the data.
        offset: u64,
    },
    /// An entry holds more data than its sparse map refers to.
    #[error("sparse file contains unreferenced data at byte {offset}")]
    SparseUnreferenced {
        /// Start of the unreferenced data.
        offset: u64,
    },
    /// A name or link target exceeds [`Limits::path_bytes`](crate::limits::Limits::path_bytes).
    #[error("name too long at byte {offset}: {length} bytes, more than {limit} (limit path_bytes)")]
    NameTooLong {
        /// Start of the entry's header.
        offset: u64,
        /// Length of the name in bytes.
        length: u64,
        /// Bytes that a path may have.
        limit: u64,
    },
    /// The archive has more entries than [`Limits::entries`](crate::limits::Limits::entries).
    #[error("more than {limit} entries (limit entries)")]
    TooManyEntries {
        /// Entries that an archive may have.
        limit: u64,
    },
    /// The requested logical data, holes of sparse files included, exceeds
    /// [`Limits::unpacked_bytes`](crate::limits::Limits::unpacked_bytes).
    #[error("entries hold more than {limit} bytes (limit unpacked_bytes)")]
    TooMuchData {
        /// Unpacked bytes that a layer may have.
        limit: u64,
    },
    /// The requested logical data, holes of sparse files included, grows faster than
    /// [`Limits::expansion_ratio`](crate::limits::Limits::expansion_ratio).
    #[error("entries hold more than {limit} times the size of the archive (limit expansion_ratio)")]
    Expansion {
        /// Logical bytes that are allowed for each stored byte.
        limit: u64,
    },
}

impl Classify for Error {
    fn failure(&self) -> Failure {
        match *self {
            Self::FieldTooLong { limit, .. } | Self::SparseTooLong { limit, unit: "bytes", .. } => {
                Failure::named_limit("extension_bytes", limit, 0)
            }
            Self::SparseTooLong { limit, .. } => Failure::named_limit("sparse_segments", limit, 0),
            Self::NameTooLong { length, limit, .. } => Failure::named_limit("path_bytes", limit, length),
            Self::TooManyEntries { limit } => Failure::named_limit("entries", limit, 0),
            Self::Expansion { limit } => Failure::named_limit("expansion_ratio", limit, 0),
            Self::TooMuchData { limit } => Failure::named_limit("unpacked_bytes", limit, 0),
            Self::Header { .. }
            | Self::UnexpectedEof { .. }
            | Self::SparseMissing { .. }
            | Self::SparseUnreferenced { .. } => Failure::malformed(),
        }
    }
}

/// A part of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// Checksum of the header.
    Checksum,
    /// One block of zeros that is not followed by a second.
    LoneZeroBlock,
    /// Size of the data.
    Size,
    /// `mode`, the permission bits.
    Mode,
    /// `uid`, the owner's user id.
    Uid,
    /// `gid`, the owner's group id.
    Gid,
    /// `mtime`, when the content was modified.
    ModTime,
    /// `atime`, of a GNU header or an extension.
    AccessTime,
    /// `ctime`, of a GNU header or an extension.
    ChangeTime,
    /// Major device number.
    DevMajor,
    /// Minor device number.
    DevMinor,
    /// A PAX record, by its number in the extended header, starting at 1.
    PaxRecord(u32),
    /// The value of the PAX record with this key.
    PaxValue(&'static str),
    /// The map of a sparse file.
    SparseMap,
    /// Magic of a sparse header, which must be GNU's.
    SparseMagic,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checksum => "checksum",
            Self::LoneZeroBlock => "lone block of zeros",
            Self::Size => "size",
            Self::Mode => "mode",
            Self::Uid => "uid",
            Self::Gid => "gid",
            Self::ModTime => "modification time",
            Self::AccessTime => "access time",
            Self::ChangeTime => "change time",
            Self::DevMajor => "device major",
            Self::DevMinor => "device minor",
            Self::PaxRecord(number) => return write!(f, "PAX record {number}"),
            Self::PaxValue(key) => return write!(f, "PAX {key}"),
            Self::SparseMap => "sparse map",
            Self::SparseMagic => "sparse file without GNU magic",
        })
    }
}
