//! Shared test support for all crates. Not part of a release.
//!
//! - [`image`] builds images deterministically, and writes them as OCI layouts and docker-archives.
//! - [`registry`] is a transport to in-memory registries, with scripted faults.
//! - [`sink`] has sinks for a layer's entries.
//! - [`source`] makes a source of an image in memory.
//! - [`chunks`] splits bytes as a network may.
//! - [`executor`] runs futures without a runtime.
//! - [`partial`] lists the tar errors after which a runtime has written part of a file.

pub mod chunks;
pub mod executor;
pub mod image;
pub mod partial;
pub mod registry;
#[cfg(feature = "signing")]
pub mod signing;
pub mod sink;
pub mod source;
