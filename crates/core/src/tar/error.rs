use std::fmt;

use crate::hint::Hint;

/// Where and why reading an archive stops. Offsets count bytes of the unpacked archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A header, or an extension header's record, is not valid.
    #[error("invalid tar header at byte {offset}: {field}")]
    Header {
        /// Where the header or record starts.
        offset: u64,
        /// The part at fault.
        field: Field,
    },
    /// The archive ends inside a header or inside data.
    #[error("unexpected EOF at byte {offset}")]
    UnexpectedEof {
        /// Length of the archive.
        offset: u64,
    },
    /// An extension header or a GNU long name is longer than allowed.
    #[error("header field too long at byte {offset}: more than {limit} bytes")]
    FieldTooLong {
        /// Where its header starts.
        offset: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A sparse map is longer than allowed.
    #[error("sparse map too long at byte {offset}: more than {limit} {unit}")]
    SparseTooLong {
        /// Where the entry's header starts.
        offset: u64,
        /// What is allowed.
        limit: u64,
        /// `bytes` or `segments`.
        unit: &'static str,
    },
    /// A sparse map needs more data than its entry holds.
    #[error("sparse file references non-existent data at byte {offset}")]
    SparseMissing {
        /// Where the data ends.
        offset: u64,
    },
    /// An entry holds more data than its sparse map needs.
    #[error("sparse file contains unreferenced data at byte {offset}")]
    SparseUnreferenced {
        /// Where the unreferenced data starts.
        offset: u64,
    },
    /// A name or link target is longer than [`Limits::path_bytes`](crate::limits::Limits::path_bytes).
    #[error("name too long at byte {offset}: {length} bytes, more than {limit}")]
    NameTooLong {
        /// Where the entry's header starts.
        offset: u64,
        /// Bytes of the name.
        length: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// More entries than [`Limits::entries`](crate::limits::Limits::entries).
    #[error("more than {limit} entries")]
    TooManyEntries {
        /// Entries allowed.
        limit: u64,
    },
    /// More logical data was asked for than [`Limits::unpacked_bytes`](crate::limits::Limits::unpacked_bytes): the holes
    /// of sparse files count.
    #[error("entries hold more than {limit} bytes")]
    TooMuchData {
        /// Bytes allowed.
        limit: u64,
    },
    /// Logical data that was asked for grows faster than
    /// [`Limits::expansion_ratio`](crate::limits::Limits::expansion_ratio): the holes of sparse files count.
    #[error("entries hold more than {limit} times the size of the archive")]
    Expansion {
        /// Times allowed.
        limit: u64,
    },
}

impl Error {
    /// What a person can do about it: raise the limit that was met.
    pub fn hint(&self) -> Option<Hint> {
        let (name, value) = match *self {
            Self::FieldTooLong { limit, .. } | Self::SparseTooLong { limit, unit: "bytes", .. } => {
                ("extension_bytes", limit.saturating_mul(2))
            }
            Self::SparseTooLong { limit, .. } => ("sparse_segments", limit.saturating_mul(2)),
            Self::NameTooLong { length, .. } => ("path_bytes", length),
            Self::TooManyEntries { limit } => ("entries", limit.saturating_mul(2)),
            Self::Expansion { limit } => ("expansion_ratio", limit.saturating_mul(2)),
            Self::TooMuchData { limit } => ("unpacked_bytes", limit.saturating_mul(2)),
            _ => return None,
        };
        Some(Hint::RaiseLimit { name, value })
    }
}

/// A part of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// Header checksum.
    Checksum,
    /// A block of zeros that no second one follows.
    LoneZeroBlock,
    /// Size.
    Size,
    /// Mode.
    Mode,
    /// Owner.
    Uid,
    /// Group.
    Gid,
    /// Modification time.
    ModTime,
    /// Access time.
    AccessTime,
    /// Change time.
    ChangeTime,
    /// Device number, major part.
    DevMajor,
    /// Device number, minor part.
    DevMinor,
    /// A PAX record, by its number in the extended header, from 1.
    PaxRecord(u32),
    /// The value of a PAX record, by its key.
    PaxValue(&'static str),
    /// The map of a sparse file.
    SparseMap,
    /// Magic of a sparse file, which must be GNU's.
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
