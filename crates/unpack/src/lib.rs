//! Root filesystems: layers written into a directory, as containerd's `archive.Apply` writes them.
//!
//! A [`Root`] is an open directory that takes the layers of one image, bottom first. Each is a [`Layer`], which is an
//! [`EntrySink`](porthole_core::tar::EntrySink): what a [`LayerReader`](porthole_core::layer::LayerReader) reads is on the
//! disk at once. Where containerd stops with an error, so does the layer, by the same rules as
//! [`FileTree`](porthole_core::tree::FileTree) knows them: what a listing shows is what is unpacked.
//!
//! [`flatten`] makes one archive of the merged tree, without a disk in between.
//!
//! Nothing is ever written outside the directory. Every step is relative to an open directory below the root; symbolic
//! links of the image are read and followed by this crate, inside the root, and never by the kernel; a name is created
//! only where nothing is, and changed only through what was opened or without following a link.

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

pub use apply::{Layer, Root};
pub use error::Error;
pub use remove::remove_all;
pub use report::{Report, Skip, Skipped};
pub use rootless::Rights;

/// What may be done on this disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The process is root on this machine: it may give files away, and set attributes of the kernel's own. Without it
    /// owners stay as they are, and directories that their owner may not write are shut only when all layers are in.
    pub privileged: bool,
    /// Give everything the owner that the image says, which needs `privileged`.
    pub owner: bool,
    /// Make character and block devices, which needs `privileged`.
    pub devices: bool,
}
