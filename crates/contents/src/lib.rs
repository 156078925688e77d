//! What is in an image: which packages its databases record, which layer brought and removed each, and which secrets are
//! in its files and its configuration.
//!
//! - [`database`] reads the databases of package managers: bytes in, packages out.
//! - [`collect`] picks the files that matter out of a layer while it is read.
//! - [`inventory`] puts the layers together: for each package the layer that brought it, and the one that removed it.
//! - [`ownership`] says which package owns a file, and whether its content is still that of the package.
//! - [`digests`] finds the digests that package managers record.
//! - [`dangers`] names files with rights that no package brought, device nodes and expired certificates.
//! - [`changes`] compares the packages of two images.
//! - [`mod@file`] says what a single file is: a program, a certificate, a picture, an archive with its members.
//! - [`secrets`] finds private keys, tokens and passwords, in deleted files as well.
//! - [`version`] compares versions by the rules of each ecosystem.
//! - [`purl`] names a package as a package URL.
//! - [`report`] is what the command line prints about them as JSON.
//! - [`bill`] reads a bill of materials, SPDX or CycloneDX, and compares it with an inventory.
//! - [`export`] writes an inventory as SPDX 2.3 or CycloneDX 1.6.
//!
//! Nothing here does input or output, reads a clock or knows its target: the caller pushes entries and bytes.

pub mod bill;
pub mod certificates;
pub mod changes;
pub mod collect;
pub mod dangers;
pub mod database;
mod der;
pub mod digests;
pub mod export;
pub mod file;
pub mod inventory;
pub mod limits;
pub mod ownership;
pub mod package;
pub mod purl;
pub mod report;
pub mod secrets;
#[cfg(test)]
mod testing;
pub mod version;
mod zip;
