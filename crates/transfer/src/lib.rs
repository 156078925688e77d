//! Images on the move: what [`pull`](pull::pull) brings from a registry into a store.
//!
//! Everything is verified as it passes. What is told on the way is data ([`Event`]); nothing is printed.

mod event;
pub mod pull;

pub use self::event::{Blob, Event, Observer};
