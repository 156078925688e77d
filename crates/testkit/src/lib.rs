//! What the tests of every crate share; never part of a release.
//!
//! - [`image`] builds images byte for byte the same on every run, and writes them as OCI layouts and docker-archives.
//! - [`registry`] is a transport with registries in memory behind it, which can be told to misbehave.
//! - [`chunks`] splits bytes as a network might.
//! - [`executor`] drives futures without a runtime.
//! - [`partial`] knows what a broken archive leaves behind.

pub mod chunks;
pub mod executor;
pub mod image;
pub mod partial;
pub mod registry;
