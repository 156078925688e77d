//! Images on disk: reads OCI image layouts (directories and archives) and docker-archives, and keeps a content store,
//! which is an OCI layout.
//!
//! A [`Local`] finds blobs by digest only. Names in documents or from the caller never become paths, symbolic links out
//! of a layout are not followed, and documents are verified against their descriptors before they are parsed. A
//! [`Store`] never shows an unverified blob; its [`journal`] records what names pointed to. An [`IndexCache`] keeps
//! seek indexes of layers.

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
    cache::{IndexCache, NewIndex},
    error::Error,
    ingest::{Claim, Gaps, Ingest, Partial, Seal},
    journal::Journal,
    local::{Format, Local},
    save::{DockerArchive, OciArchive},
    store::{Addition, Store, Swept},
    unfinished::Unfinished,
};
