//! Random access into a layer, without losing verification.
//!
//! While a layer streams past once, [`LayerReader::with_index`](crate::layer::LayerReader::with_index) writes a *seek index*
//! of it: what reading a part of the layer later needs. The bytes are appended to a file while they come
//! ([`take_index`](crate::layer::LayerReader::take_index)) or are kept in memory. [`IndexReader`] answers questions from the index
//! without reading the whole of it. An index has:
//!
//! - **Entries**, all that the scan gave, so that the tree can be stacked again without a download
//!   ([`IndexReader::entries`]), and found by path ([`Find`], [`Children`]).
//! - **Checkpoints**, where decoding can start: the start of a gzip member or a zstd frame, and in long gzip members the end of
//!   a deflate block, with the 32 KiB of window that what follows may refer to. They are at most 4 MiB of output apart,
//!   and 1 MiB in the first 128 MiB, where blocks allow: a long block is not cut, nor is a zstd frame. A layer that is one frame is read
//!   from its start up to what is wanted ([`IndexReader::seekable`]). A plain archive needs none.
//! - **Spans**, pieces of 128 KiB of the blob, each with what is needed to check it as it arrives.
//!
//! A file is then read by one request for a range of the blob ([`Opening`], [`FileReader::range`]); its bytes are
//! returned span by span, each after it was checked ([`FileReader::push`]).
//!
//! An index is pages and a header (`seek/header.rs` has the format). A page is read when it is needed and checked against the
//! digest that its parent has for it. Writing holds one unfinished page of each tree and 8 MiB of names; reading
//! holds a few pages.
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

mod batch;
mod file;
mod find;
mod header;
mod kept;
mod memory;
mod name;
mod number;
mod offsets;
mod open;
mod piece;
mod point;
mod read;
mod rows;
mod span;
mod tree;
mod write;

pub use batch::{BatchReader, BatchWriter};
pub use file::{Error, FileReader};
pub use find::{AtPath, Child, Children, Find};
pub use header::{HEADER_BYTES, IndexEnd, Malformed};
pub use kept::{index_file, is_index_file, surplus};
pub use memory::MemoryIndex;
pub use offsets::Offsets;
pub use open::Opening;
pub use read::{Ask, IndexReader, Located, Seekable};
pub use tree::PageRef;
pub(crate) use write::IndexWriter;

/// Bytes of a span: as much of the blob as is checked at once. Whole blocks of every hash algorithm.
pub(crate) const SPAN: u64 = 128 << 10;

/// What an index is made of.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct IndexOptions {
    /// How far apart checkpoints may be, in unpacked bytes, where deflate blocks are no longer than a quarter of it. Up to 32
    /// times as many bytes from the start they are a quarter of it apart, then a part of the bytes before them. At least 4 KiB.
    pub spacing: u64,
    /// Keep the SHA-256 digest of each regular file's content. It costs the hashing and 32 bytes for each.
    pub file_digests: bool,
    /// Give the entries in batches as well: see [`LayerReader::take_batch`](crate::layer::LayerReader::take_batch). An entry is
    /// written once for both.
    pub batches: bool,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self { spacing: 4 << 20, file_digests: false, batches: false }
    }
}
