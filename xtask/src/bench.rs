//! `cargo xtask bench`: speed of the layer reader, and of the page in Chromium.

use crate::{
    Result, bundle, fixtures,
    process::{cargo, run as execute, step},
    tools,
    workspace::Workspace,
};

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    match arguments {
        [] => core(workspace).and_then(|()| web(workspace)),
        [which] if which == "core" => core(workspace),
        [which] if which == "web" => web(workspace),
        other => Err(format!("expected `core` or `web`, got `{}`", other.join(" ")).into()),
    }
}

fn core(workspace: &Workspace) -> Result {
    step("layer reader", || {
        execute(cargo(&workspace.root).args(["bench", "--package", "porthole-core", "--bench", "layer"]))
    })
}

fn web(workspace: &Workspace) -> Result {
    tools::servers()?;
    bundle::all(workspace)?;
    fixtures::build(workspace)?;
    fixtures::images(workspace)?;
    step("page", || {
        execute(
            cargo(&workspace.root)
                .args(["run", "--quiet", "--package", "porthole-tests", "--bin", "bench"])
                .env("PORTHOLE_PROGRAMS", workspace.target.join("release"))
                .env("PORTHOLE_FIXTURES", workspace.fixtures()),
        )
    })
}
