//! Random access into a layer, without losing verification.
//!
//! While a layer is read once, [`LayerReader::with_index`](crate::layer::LayerReader::with_index) writes a *seek index* of
//! it: the data that reading a part of the layer later needs. The caller appends the bytes to a file while they arrive
//! ([`take_index`](crate::layer::LayerReader::take_index)), or keeps them in memory. [`IndexReader`] answers questions from
//! the index without reading the whole of it. An index has:
//!
//! - **Entries**, all those of the tar scan. The tree can be stacked again from them without a download
//!   ([`IndexReader::entries`]), and they are found by path ([`Find`], [`Children`]).
//! - **Checkpoints**, where decoding can start: the start of a gzip member or a zstd frame, and in long gzip members the end
//!   of a deflate block, with the window of 32 KiB to which the next block may refer. They are at most 4 MiB of output
//!   apart, and 1 MiB in the first 128 MiB, unless a deflate block or a zstd frame is longer, because decoding cannot start
//!   inside one. A layer that is one frame is read from its start up to the wanted bytes ([`IndexReader::seekable`]). A
//!   plain archive needs no checkpoints.
//! - **Spans**, pieces of 128 KiB of the blob, each with the value that verifies it when it arrives.
//!
//! A file is then read by one request for a range of the blob ([`Opening`], [`FileReader::range`]); its bytes are
//! returned span by span, each after it was checked ([`FileReader::push`]).
//!
//! An index is a header and pages (`seek/header.rs` has the format). A reader reads only the pages that it needs, and checks
//! each against the digest in its parent page. The writer holds one unfinished page of each tree and 8 MiB of names; the
//! reader holds a few pages.
//!
//! # How a span is checked
//!
//! The blob's digest is computed anyway. SHA-2 works block by block: a compression function maps a chaining value and a
//! block of the message to the next chaining value (FIPS 180-4, section 6). The index keeps the chaining value at each
//! span's edge, which costs no extra hashing. To check a span, the reader continues the hash from the value at the span's
//! start: the result must be the value at its end, or for the last span, with the padding, the blob's digest.
//!
//! This is as strong as a digest of the span. The chain from a given value over the blocks of a span is a Merkle–Damgård
//! hash that starts from that value instead of the standard's own; both ends are fixed and the span's length is known.
//! Another span of the same length that leads to the same value has, somewhere on the way, a block that takes a chaining
//! value to the same next value as the true block does: a collision of the compression function against fixed bytes. That is
//! as hard as finding a second message for a given SHA-2 digest. An attacker cannot choose the chaining values: they were
//! computed from the verified blob.

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

/// Bytes of a span, the unit in which the blob is checked. A multiple of the block length of every hash algorithm.
pub(crate) const SPAN: u64 = 128 << 10;

/// Optional contents of an index.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct IndexOptions {
    /// Maximum distance between checkpoints, in unpacked bytes, if no deflate block is longer than a quarter of it. In the
    /// first 32 × `spacing` unpacked bytes, checkpoints are a quarter of `spacing` apart; from there the distance grows with
    /// the position, up to `spacing`. At least 4 KiB.
    pub spacing: u64,
    /// Keep the SHA-256 digest of each regular file's content. Each costs its hashing and 32 bytes.
    pub file_digests: bool,
    /// Also return the entries in batches: see [`LayerReader::take_batch`](crate::layer::LayerReader::take_batch). An entry
    /// is encoded once for index and batch.
    pub batches: bool,
}

impl Default for IndexOptions {
    fn default() -> Self {
        Self { spacing: 4 << 20, file_digests: false, batches: false }
    }
}
