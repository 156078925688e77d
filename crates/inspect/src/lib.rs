//! Reads container images from any [`ImageSource`](porthole_source::ImageSource): a registry, a layout, an archive, the
//! store, one layer, or a file that a person drops on a page.
//!
//! - [`resolve`] follows a name to an image: index, platform, manifest, configuration.
//! - [`layer`] reads and verifies a layer, entry by entry.
//! - [`stack`] puts layers on each other in one tree.
//! - [`toc`] fetches the table of contents of a prepared layer, and compares it with the layer.
//! - [`open`] finds a file by its path, and reads its bytes by parts of the layer.
//! - [`overview`] collects what the documents and the layers of an image state; [`findings`] says what is worth
//!   knowing.
//! - [`compare`] compares two images.
//! - [`text_diff`] compares two contents line by line.
//! - [`verify`] checks every document and every layer against what was promised.
//! - [`waste`] counts the bytes of an image that a container does not see.
//! - [`search`] searches the contents of files while their layers are read.
//! - [`report`] makes the JSON that the command line prints.
//! - [`blob`] reads a range of a blob.
//! - [`local`] reads layouts and archives.
//! - [`seek`] finds entries and files of a layer by its index.
//!
//! The files of an image, lowest layer first, each layer verified against its digests before its files count:
//!
//! ```
//! use porthole_core::{platform::Platform, tree::{FileTree, Mode}};
//! use porthole_inspect::{layer::{self, LayerJob}, resolve::{PlatformChoice, resolve}, stack::LayerStack};
//! use porthole_source::ImageSource;
//! # use porthole_core::tar::{Entry, EntrySink, Flow};
//! # use porthole_testkit::{executor::block_on, image::{Image, Layer}, source::MemoryImage};
//! # use std::ops::ControlFlow;
//!
//! /// Puts the entries of one layer on the stack.
//! struct Entries<'a, 't>(&'a mut LayerStack<'t>, &'a LayerJob);
//! impl EntrySink for Entries<'_, '_> {
//!     fn entry(&mut self, entry: Entry) -> Flow {
//!         self.0.entry(self.1, &entry, None);
//!         Flow::Continue
//!     }
//! }
//!
//! async fn files<S: ImageSource>(source: &S) -> Result<Vec<String>, Box<dyn std::error::Error>>
//! where
//!     S::Error: std::error::Error + 'static,
//! {
//!     let choice = PlatformChoice::fallback(Platform::new("linux", "amd64", None));
//!     let image = resolve(source, &choice, &mut |_| {}).await?.image;
//!     let mut tree = FileTree::new(source.limits().tree_nodes);
//!     let mut stack = LayerStack::new(&mut tree);
//!     for job in LayerJob::of(&image.layers) {
//!         let mut entries = Entries(&mut stack, &job);
//!         let report = layer::read(source, &job, &mut entries, |_| ControlFlow::Continue(())).await?;
//!         let _ = stack.end(&job, report.findings);
//!     }
//!     stack.finish().expect("layers that match their digests");
//!     let view = tree.view(Mode::Merged);
//!     let paths = view.rows().into_iter().map(|row| tree.path(row.node));
//!     Ok(paths.map(|path| String::from_utf8_lossy(&path).into_owned()).collect())
//! }
//!
//! # let image = Image::new().layer(Layer::new("COPY a /").file("etc/motd", "hello"));
//! # let source = MemoryImage::new(image.build().into_content("1"), "1");
//! # let paths = block_on(files(&source))?;
//! # assert_eq!(paths, ["etc", "etc/motd"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every function is async and generic over the source. Futures carry no `Send` bound: they are `Send` when those of the
//! source are. Nothing here spawns a task, reads a clock or knows its target. The caller decides how many layers are read
//! at once, and on which threads.

pub mod artifact;
pub mod base;
pub mod blob;
pub mod compare;
pub mod findings;
pub mod layer;
pub mod local;
pub mod open;
pub mod overview;
pub mod policy;
pub mod referrers;
pub mod report;
pub mod resolve;
pub mod save;
pub mod search;
pub mod seek;
pub mod stack;
pub mod text_diff;
pub mod toc;
pub mod trace;
pub mod verify;
pub mod waste;
pub mod what_if;
