//! The registry protocol of the OCI distribution specification 1.1, over any HTTP client.
//!
//! A [`Registry`] reads and writes manifests, blobs, tags and referrers. It gets tokens, follows redirects, retries
//! transient failures, resumes broken blobs, and verifies each document before it returns it. The HTTP client is a
//! [`Transport`](transport::Transport): sockets, `fetch` in a browser, or registries in memory.
//!
//! - [`client`] is the [`Registry`]. [`RemoteImage`](client::RemoteImage) is one image of it as an
//!   [`ImageSource`](porthole_source::ImageSource).
//! - [`endpoint`], [`challenge`], [`link`], [`range`] and [`scope`] build requests and read answers.
//! - [`policy`], [`redirect`] and [`retry`] decide which requests are allowed, and what follows an answer. [`plan`]
//!   decides for a whole transfer. Each decision is a pure function with a table of tests.
//!
//! The layers of an image, from a registry in memory:
//!
//! ```
//! use porthole_core::manifest::Document;
//! use porthole_registry::{Error, Options, Registry, transport::{Environment, Transport}};
//! # use porthole_testkit::{executor::block_on, image::{Image, Layer}, registry::{Internet, Site}};
//!
//! /// The bytes of the first layer of an image, verified by the reader of the layer.
//! async fn first_layer<T: Transport + Environment>(registry: &Registry<T>) -> Result<Vec<u8>, Error> {
//!     let reference = "r.example/a/b:1".parse().expect("a reference");
//!     let Document::Manifest(manifest) = registry.fetch_document(&reference).await? else { return Ok(Vec::new()) };
//!     let layer = &manifest.value.layers[0];
//!     let mut blob = registry.fetch_blob_range(&reference, layer, 0..layer.size).await?;
//!     let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
//!     loop {
//!         match blob.read(&mut buffer).await? {
//!             0 => return Ok(bytes),
//!             read => bytes.extend_from_slice(&buffer[..read]),
//!         }
//!     }
//! }
//!
//! # let internet = Internet::new();
//! # let image = Image::new().layer(Layer::new("COPY a /").file("a", "b")).build();
//! # internet.site("r.example", Site::new().repository("a/b", image.into_content("1")));
//! # let registry = Registry::new(internet, Options::default());
//! # assert!(!block_on(first_layer(&registry))?.is_empty());
//! # Ok::<(), Error>(())
//! ```
//!
//! The crate spawns nothing, has no clock and no randomness of its own, and names no target. Its futures are `Send` if
//! those of the transport are. No type prints a secret.

pub mod auth;
pub mod body;
pub mod challenge;
pub mod client;
pub mod coding;
pub mod date;
pub mod doctor;
pub mod endpoint;
pub mod error;
pub mod html;
pub mod link;
pub mod plan;
pub mod policy;
mod quote;
pub mod range;
pub mod redirect;
pub mod relay_code;
pub mod resume;
pub mod retry;
pub mod scope;
pub mod trace;
pub mod transport;

pub use client::{Options, Registry, Route};
pub use error::Error;
