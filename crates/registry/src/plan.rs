//! Decides the steps of a transfer and their order, without I/O.

pub mod descent;
pub mod pull;
pub mod push;
pub mod upload;
pub mod watch;
