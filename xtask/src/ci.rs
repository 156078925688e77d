//! `cargo xtask ci`: the checks that must pass before a change lands.

use crate::{
    Result, advisories, kubernetes, package,
    process::{cargo, command, run as execute, step},
    test, tidy,
    tools::{self, CARGO_DENY},
    workspace::Workspace,
};

/// The crates that run in the tab, and the lints that hold only there.
const IN_THE_TAB: &[&str] = &[
    "porthole-core",
    "porthole-source",
    "porthole-registry",
    "porthole-inspect",
    "porthole-web",
    "porthole-web-signature",
];
const TAB_LINTS: &str = "ci/clippy-wasm";

pub(crate) fn run(workspace: &Workspace) -> Result {
    check(workspace)?;
    test::run(workspace, &[])
}

/// All checks except the tests.
pub(crate) fn check(workspace: &Workspace) -> Result {
    let root = &workspace.root;
    step("format", || execute(cargo(root).args(["fmt", "--all", "--check"])))?;
    step("tidy", || tidy::run(workspace))?;
    step("lints", || {
        execute(cargo(root).args(["clippy", "--locked", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
    })?;
    step("lints of crates for the tab", || {
        tools::wasm_target()?;
        let mut clippy = cargo(root);
        clippy.args(["clippy", "--target", "wasm32-unknown-unknown", "--lib", "--bins"]);
        clippy.args(IN_THE_TAB.iter().flat_map(|package| ["--package", package]));
        execute(clippy.args(["--", "--deny", "warnings"]).env("CLIPPY_CONF_DIR", root.join(TAB_LINTS)))
    })?;
    step("lints of the relay without S3", || {
        let package = ["--package", "porthole-relay", "--no-default-features", "--all-targets"];
        execute(cargo(root).args(["clippy", "--locked"]).args(package).args(["--", "--deny", "warnings"]))
    })?;
    step("documentation", || {
        execute(cargo(root).args(["doc", "--workspace", "--no-deps", "--quiet"]).env("RUSTDOCFLAGS", "--deny warnings"))
    })?;
    step("dependencies", || dependencies(workspace))?;
    step("manifests of Kubernetes", || kubernetes::check(workspace))?;
    step("packages", || package::run(workspace, false))
}

fn dependencies(workspace: &Workspace) -> Result {
    let deny = CARGO_DENY.ensure()?.join("cargo-deny");
    execute(command(&deny, &workspace.root).args([
        "--all-features",
        "check",
        "--hide-inclusion-graph",
        "licenses",
        "bans",
        "sources",
    ]))?;
    // The advisory database is remote. Where it is unreachable, a dated copy of it is checked.
    match execute(command(&deny, &workspace.root).args(["fetch", "db"])) {
        Ok(()) => {
            execute(command(&deny, &workspace.root).args(["check", "--disable-fetch", "advisories"]))?;
            eprintln!("advisories: checked against the current database");
            Ok(())
        }
        Err(_) => advisories::check(workspace),
    }
}
