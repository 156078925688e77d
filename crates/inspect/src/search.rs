//! Searches the contents of an image's files, deleted and overwritten ones included.
//!
//! A [`SearchPattern`] is compiled once. A [`ContentSearch`] takes the entries and the data of a layer while it is read, in any split, and
//! returns the lines that match: the semantics are those of `grep -raE` and `grep -raF` in the C locale. A match never crosses a line
//! feed; every other byte is data. [`ContentFates`](porthole_core::tree::ContentFates) then says whether a container sees the file.
//!
//! Data that several hard links share is in the archive once, so it is searched and reported once, under the path of the entry that
//! has it. Memory does not depend on the size of a file: a line is searched whole up to [`LINE_BYTES`], and in overlapping pieces
//! beyond that.

mod error;
mod glob;
mod layer;
mod lines;
mod pattern;
mod wide;

pub use self::{
    error::Error,
    glob::{PathGlob, glob_expression},
    layer::{ContentHit, ContentSearch, FileHits, LayerHits},
    lines::{LineSearch, MatchedLine},
    pattern::{PatternKind, PatternOptions, SearchPattern, TextEncoding},
};

/// Bytes that a compiled expression may take.
pub const PROGRAM_BYTES: usize = 1 << 20;
/// Bytes of a line that are searched at once. In a longer line a match of up to [`OVERLAP_BYTES`] is found wherever it is.
pub const LINE_BYTES: usize = 256 << 10;
/// Bytes by which the pieces of a very long line overlap.
pub const OVERLAP_BYTES: usize = 32 << 10;
/// Bytes of a line that a hit holds. A longer line is cut around the match.
pub const SHOWN_BYTES: usize = 1 << 10;
/// Hits that a search holds. Further ones are counted.
pub const HELD_HITS: usize = 10_000;

#[cfg(test)]
mod tests;
