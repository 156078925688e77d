//! Release builds of the page and of the two programs.

use crate::{
    Result,
    process::{cargo, command, run, step},
    tools::{self, Web},
    workspace::Workspace,
};
use std::{fs, io, path::Path, time::SystemTime};

/// Builds the page into `dist/`.
pub(crate) fn page(workspace: &Workspace, web: &Web) -> Result {
    if up_to_date(workspace) {
        eprintln!("the page is up to date");
        return Ok(());
    }
    step("building the page", || {
        // Trunk runs offline, because otherwise it downloads its own tools. So fetch the crates first.
        run(cargo(&workspace.root).args(["fetch", "--quiet"]))?;
        let mut trunk = command("trunk", &workspace.root);
        trunk.args(["build", "--offline", "--skip-version-check"]);
        // Only `--release` makes Trunk run wasm-opt; selecting the profile does not.
        trunk.args(if web.wasm_opt { &["--release"][..] } else { &["--cargo-profile", "web"][..] });
        run(trunk.env("PATH", &web.path).env("CARGO_TARGET_DIR", &workspace.target).env_remove("NO_COLOR"))
    })
}

/// Builds `relay`, which embeds the page, and `porthole`.
pub(crate) fn programs(workspace: &Workspace) -> Result {
    step("building relay and porthole", || {
        run(cargo(&workspace.root).args([
            "build",
            "--release",
            "--package",
            "porthole-relay",
            "--package",
            "porthole-cli",
        ]))
    })
}

/// Builds the page and the programs.
pub(crate) fn all(workspace: &Workspace) -> Result {
    let web = tools::web()?;
    page(workspace, &web)?;
    programs(workspace)
}

/// Inputs of the page's build.
const SOURCES: &[&str] = &[
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "Trunk.toml",
    "crates/contents",
    "crates/core",
    "crates/inspect",
    "crates/registry",
    "crates/signature",
    "crates/source",
    "crates/viewer",
    "index.html",
    "rust-toolchain.toml",
    "web",
    "xtask/src",
];

/// Whether the page is newer than all of its sources. Otherwise Trunk would optimise and rewrite it, and the relay that
/// embeds it would be rebuilt.
fn up_to_date(workspace: &Workspace) -> bool {
    let Ok(built) = modified(&workspace.root.join("dist/index.html")) else { return false };
    SOURCES.iter().all(|source| newest(&workspace.root.join(source)).is_ok_and(|newest| newest < built))
}

/// Latest modification time of a file, or of the files below a folder.
fn newest(path: &Path) -> io::Result<SystemTime> {
    let mut newest = modified(path)?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            newest = newest.max(self::newest(&entry?.path())?);
        }
    }
    Ok(newest)
}

fn modified(path: &Path) -> io::Result<SystemTime> {
    fs::symlink_metadata(path)?.modified()
}
