//! The page: a window into any container image.
//!
//! Four kinds of thread share this crate, each a binary of its own. The *app* draws. One *session* worker owns the
//! registry client, tokens, credentials and the file tree, and answers every query. *Layer* workers fetch a blob,
//! verify it and scan it where its bytes are; each starts a worker that hashes the archive of a large layer. *Contents*
//! workers do the same and look into the files; they are loaded when a view needs them. The worker that checks signatures
//! is a package of its own, `web/signature`. They speak [`protocol`] and share no memory.

// Workers.
mod beside;
pub mod checker;
pub mod disk;
pub mod kept;
pub mod layer;
mod locks;
mod origin;
mod own;
pub mod pool;
pub mod protocol;
pub mod session;
pub mod transport;
pub mod worker;
pub mod written;

// The page.
pub mod app;
pub mod components;
pub mod hooks;
pub mod pages;
mod pane;
