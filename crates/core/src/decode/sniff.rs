//! Detects the format of a stream from its first bytes.

use std::fmt;

use crate::media_type::Compression;

/// A format with a recognisable magic number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// A tar archive without compression.
    Tar,
    /// xz, which is recognised and not decoded.
    Xz,
    /// bzip2, which is recognised and not decoded.
    Bzip2,
    /// lz4, which is recognised and not decoded.
    Lz4,
    /// zip, which is recognised and not decoded.
    Zip,
}

impl Format {
    /// Number of leading bytes that [`Format::sniff`] needs.
    pub const PREFIX: usize = 512;

    /// The format of a stream that starts with `head`, if it is a known one.
    pub fn sniff(head: &[u8]) -> Option<Self> {
        let magic = |magic: &[u8]| head.starts_with(magic);
        if magic(b"\x1f\x8b\x08") {
            Some(Self::Gzip)
        } else if magic(b"\x28\xb5\x2f\xfd") || matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
            Some(Self::Zstd)
        } else if magic(b"\xfd7zXZ\0") {
            Some(Self::Xz)
        } else if magic(b"BZh") && head.get(4..10) == Some(b"1AY&SY") {
            Some(Self::Bzip2)
        } else if magic(b"\x04\x22\x4d\x18") {
            Some(Self::Lz4)
        } else if magic(b"PK\x03\x04") {
            Some(Self::Zip)
        } else {
            head.first_chunk::<512>().filter(|block| crate::tar::is_header(block)).map(|_| Self::Tar)
        }
    }

    /// The layer compression of this format, if it is one.
    pub fn compression(self) -> Option<Compression> {
        match self {
            Self::Gzip => Some(Compression::Gzip),
            Self::Zstd => Some(Compression::Zstd),
            Self::Tar => Some(Compression::None),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Tar => "tar",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
            Self::Lz4 => "lz4",
            Self::Zip => "zip",
        })
    }
}
