//! `cargo xtask fixtures`: builds the sample embedded in the page, and the images for the end-to-end tests.

use crate::{
    Result,
    process::{cargo, command, run as execute, step},
    tools,
    workspace::Workspace,
};

pub(crate) fn run(workspace: &Workspace) -> Result {
    tools::servers()?;
    build(workspace)?;
    execute(command(workspace.debug("sample"), &workspace.root).arg(&workspace.root))?;
    images(workspace)
}

/// Compiles the programs that build the fixtures.
pub(crate) fn build(workspace: &Workspace) -> Result {
    execute(cargo(&workspace.root).args(["build", "--quiet", "--package", "porthole-tests", "--bins"]))
}

/// Builds images that are missing or whose recipe changed. They are cached in the target folder.
pub(crate) fn images(workspace: &Workspace) -> Result {
    step("images for the end-to-end tests", || {
        if !tools::root()? {
            return Err("building the images needs root: they hold files of many owners".into());
        }
        execute(command(workspace.debug("images"), &workspace.root).arg(workspace.fixtures()))
    })
}
