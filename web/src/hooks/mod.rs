//! Hooks to the browser: storage, clipboard, files, timers.

pub mod clock;
pub mod copy;
pub mod file;
mod folder;
pub mod modal;
pub mod opened;
pub mod panic;
pub mod session;
pub mod storage;
pub mod text_file;
