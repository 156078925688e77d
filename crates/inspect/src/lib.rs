//! Reads container images from any [`ImageSource`](porthole_source::ImageSource): a registry, a layout, an archive, the
//! store, one layer, or a file that a person drops on a page.
//!
//! - [`resolve`] follows a name to an image: index, platform, manifest, configuration.
//! - [`local`] reads layouts and archives.
//! - [`seek`] finds entries and files of a layer by its index.
//!
//! Every function is async and generic over the source. Futures carry no `Send` bound: they are `Send` when those of the
//! source are. Nothing here spawns a task, reads a clock or knows its target. The caller decides how many layers are read
//! at once, and on which threads.

pub mod local;
pub mod resolve;
pub mod seek;
