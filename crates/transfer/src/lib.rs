//! Transfers images: [`pull`](pull::pull) from a registry into a store, [`push`](push::push) from any source to a
//! registry, [`copy`] and [`archive`] within this machine.
//!
//! Everything is verified as it passes. Progress is data ([`TransferEvent`]); nothing is printed.

pub mod ahead;
pub mod archive;
mod content;
pub mod copy;
mod event;
pub mod local;
pub mod pull;
pub mod push;
pub mod source;

pub use self::{
    event::{BlobProgress, TransferEvent, TransferObserver},
    local::Local,
    source::Source,
};
