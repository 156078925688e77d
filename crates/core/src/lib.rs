//! Container images, read and verified: references, manifests, layers, trees.
//!
//! This crate has no async, no clock, no threads, no environment, no file system, no sockets and no log. The caller
//! pushes bytes in and gets values, reports and entries out. Memory is bounded by [`limits`], whatever the bytes say.
//!
//! - [`reference`](mod@reference), [`digest`](mod@digest), [`descriptor`], [`media_type`] and [`platform`] are the names and
//!   types of the distribution protocol.
//! - [`manifest`], [`config`] and [`image`] parse documents, after their digests are verified, and put them together to an image.
//! - [`layer`] verifies digest, size and diff_id of a layer while it streams, and lists the entries of its archive.
//! - [`tree`] stacks layers: it applies whiteouts and opaque markers, and records which layer added, changed or deleted each path.
//! - [`seek`] and [`toc`] find one file in a layer without reading the rest.
//! - [`failure`] classifies every error of every crate: what kind it is, and who can fix it.
//!
//! To list the entries of a layer whose bytes arrive in pieces of any size:
//!
//! ```
//! use porthole_core::layer::{Expected, LayerReader};
//! use porthole_core::{digest::Digest, limits::Limits, media_type::MediaType, tar::{Entry, EntrySink, Flow}};
//!
//! struct Names(Vec<String>);
//! impl EntrySink for Names {
//!     fn entry(&mut self, entry: Entry) -> Flow {
//!         self.0.push(String::from_utf8_lossy(&entry.path).into_owned());
//!         Flow::Continue
//!     }
//! }
//!
//! # let mut builder = tar::Builder::new(Vec::new());
//! # let mut header = tar::Header::new_gnu();
//! # header.set_size(6);
//! # header.set_mode(0o644);
//! # builder.append_data(&mut header, "etc/motd", &b"hello\n"[..])?;
//! # let blob = builder.into_inner()?;
//! let expected = Expected {
//!     digest: Some(Digest::sha256(&blob)),
//!     size: Some(blob.len() as u64),
//!     media_type: Some(MediaType::OCI_LAYER),
//!     diff_id: None,
//! };
//! let mut reader = LayerReader::new(expected, Limits::default());
//! let mut names = Names(Vec::new());
//! for piece in blob.chunks(1000) {
//!     reader.push(piece, &mut names);
//! }
//! let report = reader.finish(&mut names);
//! assert!(report.findings.is_empty(), "the bytes are what the descriptor says");
//! assert_eq!(names.0, ["etc/motd"]);
//! # Ok::<(), std::io::Error>(())
//! ```

pub mod archive;
pub mod calendar;
pub mod config;
pub mod decode;
pub mod descriptor;
pub mod deviation;
pub mod digest;
pub mod failure;
pub mod hint;
pub mod image;
pub mod json;
pub mod layer;
pub mod layout;
pub mod leb128;
pub mod limits;
pub mod manifest;
pub mod media_type;
pub mod path;
pub mod platform;
pub mod quantity;
mod quote;
pub mod reference;
pub mod seek;
pub mod shell;
pub mod tar;
pub mod toc;
pub mod tree;
