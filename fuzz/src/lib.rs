//! The fuzz targets: functions of any bytes that panic where something is wrong with a reader, and do nothing else.
//!
//! `fuzz_targets/` hands them to libFuzzer; `tests/replay.rs` runs them over the committed corpora with any compiler.

mod archive;
pub mod corpus;
mod json;
mod listing;
pub mod seeds;
mod seek;
mod split;
mod stream;
mod text;
mod toc;
mod tree;

pub use archive::{differential, tar};
pub use json::json;
pub use seek::seek;
pub use stream::{gzip, layer, zstd};
pub use text::{challenge, content_range, digest, link, reference};
pub use toc::toc;
pub use tree::{tree, whiteouts};

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target there is.
pub const TARGETS: &[Target] = &[
    ("reference", reference),
    ("digest", digest),
    ("challenge", challenge),
    ("json", json),
    ("link", link),
    ("content_range", content_range),
    ("gzip", gzip),
    ("zstd", zstd),
    ("layer", layer),
    ("tar", tar),
    ("differential", differential),
    ("tree", tree),
    ("whiteouts", whiteouts),
    ("toc", toc),
    ("seek", seek),
];
