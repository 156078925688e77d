//! The registry protocol (OCI distribution specification 1.1), over any [`Transport`](transport::Transport).
//!
//! Decisions are pure and tested by tables: [`challenge`], [`link`], [`range`] and [`scope`] read, [`policy`] judges URLs, [`redirect`] and [`retry`] say what
//! comes next, each [`endpoint`] is a pair of functions. [`client`] glues them over a transport.
//!
//! ```
//! use porthole_core::platform::Platform;
//! use porthole_registry::{Error, Options, Registry, transport::{Environment, Transport}};
//!
//! async fn layers<T: Transport + Environment>(transport: T) -> Result<usize, Error> {
//!     let registry = Registry::new(transport, Options::default());
//!     let reference = "ghcr.io/a/b:1".parse().expect("a reference");
//!     let platform = Platform::new("linux", "amd64", None);
//!     let resolved = registry.fetch_image(&reference, &platform, &mut |_| {}).await?;
//!     Ok(resolved.image.layers.len())
//! }
//! ```
//!
//! The crate spawns nothing, has no clock and no randomness of its own, and names no target. Its futures are `Send` if the transport's
//! are. No type prints a secret.

pub mod auth;
pub mod challenge;
pub mod client;
pub mod date;
pub mod endpoint;
pub mod error;
pub mod html;
pub mod link;
pub mod plan;
pub mod policy;
pub mod range;
pub mod redirect;
pub mod retry;
pub mod scope;
pub mod trace;
pub mod transport;

pub use client::{Options, Registry, Route};
pub use error::Error;
