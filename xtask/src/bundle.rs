//! The page, and the two programs: built for release.

use crate::{
    Result,
    process::{cargo, command, run, step},
    tools::{self, Web},
    workspace::Workspace,
};

/// Builds the page into `dist/`.
pub(crate) fn page(workspace: &Workspace, web: &Web) -> Result {
    step("building the page", || {
        // Trunk is told to stay offline, for it would look for its own tools; so the crates come first.
        run(cargo(&workspace.root).args(["fetch", "--quiet"]))?;
        let mut trunk = command("trunk", &workspace.root);
        trunk.args(["build", "--offline", "--skip-version-check"]);
        // `--release` means that Trunk insists on wasm-opt; the profile alone does not.
        trunk.args(if web.wasm_opt { &["--release"][..] } else { &["--cargo-profile", "web"][..] });
        run(trunk.env("PATH", &web.path).env("CARGO_TARGET_DIR", &workspace.target).env_remove("NO_COLOR"))
    })
}

/// Builds `relay`, which carries the page, and `porthole`.
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

/// The page and the programs.
pub(crate) fn all(workspace: &Workspace) -> Result {
    let web = tools::web()?;
    page(workspace, &web)?;
    programs(workspace)
}
