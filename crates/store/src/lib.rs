//! Images on disk: OCI image layouts, as directories and as archives, and docker-archives, which are read; and a content
//! store, which is a layout that is written to.
//!
//! A [`Local`] finds blobs by their digests alone. Nothing that a document or a caller says becomes a path, links are not
//! followed out of a layout, and documents are checked against the descriptors that name them before they are parsed.
//! A [`Store`] never shows a blob whose bytes were not verified; its [`journal`] tells what names stood for before. An [`IndexCache`] keeps what reading a part of a layer needs.

mod cache;
pub mod disk;
mod docker;
mod error;
mod held;
mod index;
mod ingest;
pub mod journal;
mod layout;
mod local;
mod lock;
mod references;
mod save;
mod store;
mod sweep;
mod unfinished;

pub use self::{
    cache::IndexCache,
    error::Error,
    ingest::{Claim, Gaps, Ingest, Partial, Seal},
    journal::Journal,
    local::{Format, Local},
    save::{DockerArchive, OciArchive},
    store::{Addition, Store, Swept},
    unfinished::Unfinished,
};
