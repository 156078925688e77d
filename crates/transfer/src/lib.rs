//! Images on the move: what [`pull`](pull::pull) brings from a registry into a store, and [`push`](push::push) from anywhere to a
//! registry.
//!
//! Everything is verified as it passes. What is told on the way is data ([`Event`]); nothing is printed.

mod event;
pub mod pull;
pub mod push;
pub mod source;

pub use self::{
    event::{Blob, Event, Observer},
    source::Source,
};
