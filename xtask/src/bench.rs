//! `cargo xtask bench`: benchmarks of the layer reader (natively and in a worker), of the page in Chromium, and of
//! image transfers.

use crate::{
    Result, bundle, fixtures, memory,
    process::{cargo, command, run as execute, step},
    tools,
    workspace::Workspace,
};
use std::path::PathBuf;

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    match arguments {
        [] => core(workspace, &[]).and_then(|()| web(workspace, &[])),
        [which, layers @ ..] if which == "core" => core(workspace, layers),
        [which, entries @ ..] if which == "tree" => tree(workspace, entries),
        [which, images @ ..] if which == "web" => web(workspace, images),
        [which] if which == "memory" => memory::run(workspace),
        [which, ..] if TRANSFERS.contains(&which.as_str()) => transfers(workspace, arguments),
        other => Err(format!(
            "expected `core`, `tree`, `web`, `memory` or some of `{}`, got `{}`",
            TRANSFERS.join("`, `"),
            other.join(" ")
        )
        .into()),
    }
}

/// Benchmarks that compare the command line with other programs.
const TRANSFERS: [&str; 14] = [
    "manifest",
    "pull",
    "push",
    "copy",
    "unpack",
    "inspect",
    "list",
    "cat",
    "cat-again",
    "verify",
    "resume",
    "growth",
    "wan",
    "relay",
];

/// Benchmarks the release build of `porthole` next to every peer on PATH. Images are cached in the target folder.
fn transfers(workspace: &Workspace, arguments: &[String]) -> Result {
    tools::servers()?;
    step("building porthole and relay", || {
        let packages = ["--package", "porthole-cli", "--package", "porthole-relay"];
        execute(cargo(&workspace.root).args(["build", "--quiet", "--release"]).args(packages))
    })?;
    execute(
        cargo(&workspace.root)
            .args(["run", "--quiet", "--package", "porthole-benches", "--bin", "bench-transfers", "--"])
            .args(arguments)
            .env("PORTHOLE_PROGRAMS", workspace.target.join("release"))
            .env("PORTHOLE_BENCH", workspace.target.join("bench")),
    )
}

/// Benchmarks the layer reader on the given layers, or on a generated one.
fn core(workspace: &Workspace, layers: &[String]) -> Result {
    tools::servers()?;
    let worker = step("building the worker", || worker(workspace))?;
    step("layers", || {
        execute(
            cargo(&workspace.root)
                .args(["run", "--quiet", "--release", "--package", "porthole-benches", "--bin", "bench-core", "--"])
                .args(layers)
                .env("PORTHOLE_BENCH_WORKER", worker),
        )
    })
}

/// Benchmarks stacking of a million entries, or of the given number.
fn tree(workspace: &Workspace, entries: &[String]) -> Result {
    execute(
        cargo(&workspace.root)
            .args(["run", "--quiet", "--release", "--package", "porthole-benches", "--bin", "bench-tree", "--"])
            .args(entries),
    )
}

/// Builds the benchmark worker as wasm, like the page. Returns its folder.
fn worker(workspace: &Workspace) -> Result<PathBuf> {
    let web = tools::web()?;
    let target = "wasm32-unknown-unknown";
    execute(cargo(&workspace.root).args([
        "build",
        "--profile=web",
        "--package=porthole-benches",
        "--bin=bench-worker",
        "--target",
        target,
    ]))?;
    let folder = workspace.target.join("bench-worker");
    let wasm = workspace.target.join(target).join("web/bench-worker.wasm");
    execute(
        command("wasm-bindgen", &workspace.root)
            .args(["--target", "no-modules", "--no-typescript", "--out-dir"])
            .args([&folder, &wasm])
            .env("PATH", &web.path),
    )?;
    Ok(folder)
}

/// Benchmarks the page: with the given images of OCI layouts, or everything with made ones.
fn web(workspace: &Workspace, images: &[String]) -> Result {
    tools::servers()?;
    bundle::all(workspace)?;
    fixtures::build(workspace)?;
    fixtures::images(workspace)?;
    step("page", || {
        execute(
            cargo(&workspace.root)
                .args(["run", "--quiet", "--package", "porthole-tests", "--bin", "bench", "--"])
                .args(images)
                .env("PORTHOLE_PROGRAMS", workspace.target.join("release"))
                .env("PORTHOLE_FIXTURES", workspace.fixtures()),
        )
    })
}
