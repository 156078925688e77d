//! Images on disk, read-only: OCI image layouts, as directories and as archives, and docker-archives.
//!
//! A [`Local`] finds blobs by their digests alone. Nothing that a document or a caller says becomes a path, links are not
//! followed out of a layout, and documents are checked against the descriptors that name them before they are parsed.

mod docker;
mod error;
mod index;
mod layout;
mod local;
mod names;

pub use self::{
    error::Error,
    local::{Format, Local},
};
