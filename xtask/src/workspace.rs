//! Paths of sources and builds.

use crate::Result;
use std::path::{Path, PathBuf};

/// The workspace folder and the target folder.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
}

impl Workspace {
    pub(crate) fn find() -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("expected to be run by cargo: `cargo xtask`")?;
        let root = Path::new(&package).parent().ok_or("xtask has no folder above it")?.to_owned();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(target) => std::path::absolute(target)?,
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// Path of a debug build of a program.
    pub(crate) fn debug(&self, program: &str) -> PathBuf {
        self.target.join("debug").join(program)
    }

    /// Folder of the images for the end-to-end tests.
    pub(crate) fn fixtures(&self) -> PathBuf {
        self.target.join("fixtures")
    }
}
