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
//!
//! The packages of an image, each with the layer that brought it. A collector takes the entries and bytes of one layer, and is only
//! believed after the layer was verified:
//!
//! ```
//! use porthole_contents::{collect::DatabaseCollector, inventory::Inventory};
//! use porthole_core::{
//!     layer::{Expected, LayerReader},
//!     limits::Limits,
//!     tar::{Entry, EntrySink, Flow},
//!     tree::FileTree,
//! };
//! # use porthole_testkit::image::Layer;
//!
//! struct Sink<'t>(&'t mut FileTree, DatabaseCollector);
//!
//! impl EntrySink for Sink<'_> {
//!     fn entry(&mut self, entry: Entry) -> Flow {
//!         let stacked = self.0.apply(&entry).is_ok();
//!         if stacked && self.1.begin(&entry) { Flow::WantData } else { Flow::Continue }
//!     }
//!     fn data(&mut self, bytes: &[u8]) -> Flow {
//!         self.1.push(bytes);
//!         Flow::Continue
//!     }
//!     fn end_of_data(&mut self) {
//!         self.1.end();
//!     }
//! }
//!
//! # let status = "Package: zlib1g\nStatus: install ok installed\nVersion: 1.3\nArchitecture: amd64\n";
//! # let layers = [Layer::new("FROM x").file("var/lib/dpkg/status", status).tar()];
//! let limits = Limits::default();
//! let mut tree = FileTree::new(limits.tree_nodes);
//! let mut collected = Vec::new();
//! for (number, layer) in (0..).zip(&layers) {
//!     tree.begin(number);
//!     let mut sink = Sink(&mut tree, DatabaseCollector::default());
//!     let mut reader = LayerReader::new(Expected::default(), limits);
//!     reader.push(layer, &mut sink);
//!     assert!(reader.finish(&mut sink).findings.is_empty(), "the layer is verified");
//!     collected.push(sink.1.finish());
//!     tree.commit();
//! }
//! let inventory = Inventory::of(&tree, &collected);
//! let found: Vec<_> = inventory.present().map(|found| (&*found.package.name, &*found.package.version, found.layer)).collect();
//! assert_eq!(found, [("zlib1g", "1.3", 0)]);
//! ```

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
