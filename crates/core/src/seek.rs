//! Random access into a layer, without losing verification.
//!
//! While a layer streams past once, [`LayerReader::indexed`](crate::layer::LayerReader::indexed) notes what reading a part
//! of it later needs, and [`finish_with_index`](crate::layer::LayerReader::finish_with_index) gives it as an [`Index`]:
//!
//! - **Entries**, all that the scan gave, so that the tree can be stacked again without a download ([`Index::replay`]).
//! - **Checkpoints**, where decoding can start: the start of a gzip member or a zstd frame, any byte of a plain archive,
//!   and in long gzip members the end of a deflate block, with the 32 KiB of window that what follows may refer to.
//!   They are at most 4 MiB of output apart, where blocks allow: a block that is longer than 1 MiB is not cut, nor is a zstd
//!   frame. A layer that is one frame is read from its start up to what is wanted ([`Index::seekable`]).
//! - **Spans**, pieces of 128 KiB of the blob, each with what is needed to check it as it arrives.
//!
//! A file is then read by one request for a range of the blob ([`Index::open`], [`FileReader::range`]); its bytes are
//! given out span by span, each after it was checked ([`FileReader::push`]).
//!
//! # How a span is checked
//!
//! The blob's digest is computed anyway. SHA-2 works block by block: a compression function takes a chaining value and
//! a block of message to the next chaining value (FIPS 180-4, section 6). The index keeps the chaining value at each
//! span's edge, which costs no hashing at all. A span is checked by hashing on from the value at its start: it must
//! lead to the value at its end, and the last span, with the padding, to the blob's digest.
//!
//! This is as strong as a digest of the span. The chain from a given value over the blocks of a span is a Merkle–Damgård
//! hash that starts from that value instead of the standard's own; both ends are fixed and the span's length is known.
//! Another span of the same length that leads to the same value has, somewhere on the way, a block that takes a
//! chaining value to the same next value as the true block does: a collision of the compression function against fixed
//! bytes, which is what finding a second message for a SHA-2 digest takes too. An attacker cannot choose the
//! chaining values: they were computed from the verified blob.

mod build;
mod bytes;
mod file;
mod index;
mod number;
mod offsets;
mod rows;

pub(crate) use build::Builder;
pub use bytes::Malformed;
pub use file::{Error, FileReader};
pub use index::{Index, Seekable};
pub use offsets::Offsets;

/// Bytes of a span: as much of the blob as is checked at once. Whole blocks of every hash algorithm.
pub(crate) const SPAN: u64 = 128 << 10;

/// What an index is made of.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct IndexOptions {
    /// How far apart checkpoints may be, in unpacked bytes, where deflate blocks are no longer than a quarter of it. At
    /// least 4 KiB.
    pub spacing: u64,
    /// Keep the SHA-256 digest of each regular file's content. It costs the hashing and 32 bytes for each.
    pub file_digests: bool,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self { spacing: 4 << 20, file_digests: false }
    }
}
