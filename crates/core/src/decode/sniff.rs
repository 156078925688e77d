//! What a stream is, by its first bytes.

use std::fmt;

use crate::media_type::Compression;

/// A format that is recognised by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
    /// tar, not compressed.
    Tar,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
    /// lz4.
    Lz4,
    /// zip.
    Zip,
}

impl Format {
    /// As many first bytes as [`Format::sniff`] can make use of.
    pub const PREFIX: usize = 512;

    /// The format that a stream with these first bytes has, if it is one of the known.
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

    /// How to decode it, if it is one of a layer's compressions.
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
