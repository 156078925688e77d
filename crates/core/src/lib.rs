//! Container images, read and verified: references, manifests, layers, trees.
//!
//! This crate has no async, no clock, no threads, no environment, no file system, no sockets and no log. The caller
//! pushes bytes in and gets values, reports and entries out.

pub mod archive;
pub mod config;
pub mod decode;
pub mod descriptor;
pub mod deviation;
pub mod digest;
pub mod failure;
pub mod hint;
pub mod image;
pub mod json;
pub mod layer;
pub mod layout;
pub mod limits;
pub mod manifest;
pub mod media_type;
pub mod path;
pub mod platform;
pub mod quantity;
mod quote;
pub mod reference;
pub mod seek;
pub mod tar;
pub mod toc;
pub mod tree;
