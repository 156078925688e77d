//! Shared support for end-to-end tests with real servers and a real browser.

pub mod http;
pub mod images;
mod marionette;
pub mod memory;
pub mod page;
pub mod program;
pub mod relay_image;
pub mod rootfs;
pub mod sample;
pub mod servers;
pub mod terminal;
pub mod truth;
pub mod webdriver;

/// Boxed errors suffice: they are printed, never matched.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
