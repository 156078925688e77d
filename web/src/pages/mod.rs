//! The two pages.

pub mod inspect;
pub mod start;
