//! End-to-end tests with real registries, a real browser and release builds. `cargo xtask test` prepares and runs them.

mod command_line;
mod content;
mod copy;
mod crowded;
mod damage;
mod direct;
mod discovery;
mod failures;
mod faults;
mod images;
mod interop;
mod links;
mod passwords;
mod prepared;
mod pull;
mod push;
mod random_access;
mod ranges;
mod sample;
mod save;
mod sign_in;
mod through_relay;
mod tokens;
mod trust;
mod unpack;
mod watch;
