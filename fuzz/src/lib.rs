//! The fuzz targets: functions that take any bytes and panic if a reader misbehaves.
//!
//! `fuzz_targets/` passes them to libFuzzer; `tests/replay.rs` runs them over the committed corpora with a stable
//! compiler.

mod archive;
mod artifact;
mod contents;
pub mod corpus;
mod evidence;
mod json;
mod listing;
mod policy;
pub mod seeds;
mod seek;
mod split;
mod stream;
mod text;
mod toc;
mod tree;
mod zstd;

pub use archive::{differential, tar};
pub use artifact::artifact;
pub use contents::{bills, packages, rpm, secrets};
pub use evidence::evidence;
pub use json::json;
pub use policy::policy;
pub use porthole_relay::fuzz::relay;
pub use seek::seek;
pub use stream::{gzip, layer, zstd};
pub use text::{challenge, content_range, digest, link, reference};
pub use toc::toc;
pub use tree::{tree, whiteouts};
pub use zstd::{zstd_differential, zstd_verdict};

/// Name and function of a target.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("reference", reference),
    ("digest", digest),
    ("challenge", challenge),
    ("json", json),
    ("link", link),
    ("content_range", content_range),
    ("gzip", gzip),
    ("zstd", zstd),
    ("zstd_differential", zstd_differential),
    ("layer", layer),
    ("tar", tar),
    ("differential", differential),
    ("tree", tree),
    ("whiteouts", whiteouts),
    ("toc", toc),
    ("seek", seek),
    ("packages", packages),
    ("bills", bills),
    ("rpm", rpm),
    ("secrets", secrets),
    ("artifact", artifact),
    ("evidence", evidence),
    ("policy", policy),
    ("relay", relay),
];
