//! Servers for the end-to-end tests: local, on free ports, stopped on drop.

mod authority;
mod faulty;
mod line;
mod narrow;
mod nginx;
mod registry;
mod relay;
mod scissors;
mod store;
mod tokens;

pub use authority::Authority;
pub use faulty::{ALWAYS, Fault, Faulty, Served};
pub use narrow::Narrow;
pub use nginx::Nginx;
pub use registry::{Access, Registry, Storage};
pub use relay::Relay;
pub use scissors::Scissors;
pub use store::Store;
pub use tokens::{Password, Tokens};

use crate::Result;
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// A temporary folder, removed on drop.
pub struct Scratch(PathBuf);

impl Scratch {
    /// Creates an empty folder.
    pub fn new(what: &str) -> Result<Self> {
        Self::within(&std::env::temp_dir(), what)
    }

    /// Creates an empty folder inside another.
    pub fn within(parent: &Path, what: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("porthole-{what}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// Path of the folder.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
