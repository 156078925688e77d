//! What a front end shows of a container image, with no browser and no terminal in it.

pub mod address;
pub mod batch;
pub mod chain;
mod errands;
pub mod failure;
pub mod layer;
pub mod listing;
pub mod look;
pub mod mode;
mod pace;
pub mod pool;
pub mod prepared;
pub mod pretty;
pub mod protocol;
pub mod router;
pub mod session;
pub mod shell;
pub mod size;
pub mod stack;
pub mod state;
pub mod summary;
pub mod time;
pub mod worker;
