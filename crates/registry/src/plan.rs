//! What to do in which order, decided without doing any of it.

pub mod descent;
pub mod pull;
pub mod push;
pub mod upload;
pub mod watch;
