//! Where the sources are and where the builds go.

use crate::Result;
use std::path::{Path, PathBuf};

/// The folder with the workspace's `Cargo.toml` and the folder for what is built.
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

    /// A program this workspace builds for release.
    pub(crate) fn release(&self, program: &str) -> PathBuf {
        self.target.join("release").join(program)
    }

    /// A program this workspace builds for tests.
    pub(crate) fn debug(&self, program: &str) -> PathBuf {
        self.target.join("debug").join(program)
    }

    /// The images the end-to-end tests look at.
    pub(crate) fn fixtures(&self) -> PathBuf {
        self.target.join("fixtures")
    }
}
