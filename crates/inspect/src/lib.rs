//! Reads container images from any [`ImageSource`](porthole_source::ImageSource): a registry, a layout, an archive, the
//! store, one layer, or a file that a person drops on a page.
//!
//! - [`resolve`] follows a name to an image: index, platform, manifest, configuration.
//! - [`layer`] reads and verifies a layer, entry by entry.
//! - [`stack`] puts layers on each other in one tree.
//! - [`toc`] fetches the table of contents of a prepared layer, and compares it with the layer.
//! - [`open`] finds a file by its path, and reads its bytes by parts of the layer.
//! - [`overview`] is what the documents and the layers of an image tell, with [`findings`] in words.
//! - [`waste`] counts the bytes of an image that a container does not see.
//! - [`blob`] reads a range of a blob.
//! - [`local`] reads layouts and archives.
//! - [`seek`] finds entries and files of a layer by its index.
//!
//! Every function is async and generic over the source. Futures carry no `Send` bound: they are `Send` when those of the
//! source are. Nothing here spawns a task, reads a clock or knows its target. The caller decides how many layers are read
//! at once, and on which threads.

pub mod blob;
pub mod findings;
pub mod layer;
pub mod local;
pub mod open;
pub mod overview;
pub mod resolve;
pub mod seek;
pub mod stack;
pub mod toc;
pub mod waste;
