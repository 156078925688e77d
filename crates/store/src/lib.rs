//! The content store, which is an OCI layout that this crate writes; archives, written; and the files and directories of
//! this machine, for what reads images from them.
//!
//! A [`Store`] never shows an unverified blob; its [`journal`] records what names pointed to. An [`IndexCache`] keeps
//! seek indexes of layers. [`disk`] opens files and directories; no link is followed out of a directory.

mod cache;
pub mod disk;
mod error;
mod held;
mod ingest;
pub mod journal;
mod layout;
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
    layout::Layout,
    save::{DockerArchive, OciArchive},
    store::{Addition, Store, Swept},
    unfinished::Unfinished,
};
