//! End-to-end tests against real servers and a real browser: what they share.

pub mod http;
pub mod images;
pub mod memory;
pub mod page;
pub mod program;
pub mod rootfs;
pub mod sample;
pub mod servers;
pub mod terminal;
pub mod truth;
pub mod webdriver;

/// A test's errors are read by people only.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
