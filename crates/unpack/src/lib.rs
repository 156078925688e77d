//! Unpacks layers into a directory as containerd's `archive.Apply` does.
//!
//! An [`UnpackRoot`] is an open directory that takes the layers of one image, bottom first. Each [`LayerUnpack`] is an
//! [`EntrySink`](porthole_core::tar::EntrySink): entries from a [`LayerReader`](porthole_core::layer::LayerReader) are
//! written to disk at once. A layer stops at the same entry as containerd, by the same rules as
//! [`FileTree`](porthole_core::tree::FileTree), so the directory matches the listing.
//!
//! A [`StagedDirectory`] appears under its name when everything is written, or not at all.
//!
//! [`flatten`] writes the merged tree as one archive, without unpacking it.
//!
//! Nothing is written outside the directory. Every operation is relative to an open directory inside the root. This crate
//! resolves the image's symbolic links itself, inside the root; it never lets the kernel follow one. It creates a name only
//! where nothing exists, and changes a file only through an open descriptor or without following links.

mod apply;
mod attributes;
mod content;
mod disk;
mod error;
pub mod flatten;
mod later;
mod remove;
mod report;
mod resolve;
mod rootless;
mod staged;
mod sync;

pub use apply::{LayerUnpack, UnpackRoot};
pub use error::Error;
pub use remove::remove_all;
pub use report::{Report, Skip, Skipped};
pub use rootless::Rights;
pub use staged::{StagedDirectory, StagedError};
pub use sync::sync;

/// What the process is permitted to do on this disk, and what it should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The process is root on this machine: it may change owners and set kernel attributes. Otherwise owners are not
    /// changed, and directories that their owner may not write get their final mode only after the last layer.
    pub privileged: bool,
    /// Set owners as the image says. Needs `privileged`.
    pub owner: bool,
    /// Create character and block devices. Needs `privileged`.
    pub devices: bool,
}
