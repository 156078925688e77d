//! The parts of the page.

pub mod chain;
pub mod config;
pub mod content;
pub mod dialogs;
pub mod document;
pub mod facts;
pub mod failure;
pub mod foot;
pub mod layers;
pub mod mark;
pub mod settings;
pub mod signin;
pub mod tools;
pub mod topbar;
pub mod tree;
