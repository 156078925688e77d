//! The parts of the page.

pub mod chain;
pub mod compare;
pub mod config;
pub mod content;
pub mod dialogs;
pub mod document;
pub mod facts;
pub mod failure;
pub mod findings;
pub mod foot;
pub mod layers;
pub mod mark;
pub mod overview;
pub mod probe;
pub mod reader;
pub mod search;
pub mod settings;
pub mod signin;
pub mod splitter;
pub mod text;
pub mod tools;
pub mod topbar;
pub mod tree;
pub mod versions;
pub mod waste;
pub mod words;
