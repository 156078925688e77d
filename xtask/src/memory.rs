//! `cargo xtask bench memory`: memory tests at sizes that take too long for a normal run.

use crate::{
    Result,
    process::{cargo, run as execute, step},
    tools,
    workspace::Workspace,
};
use std::process::Command;

const WASM: &str = "wasm32-unknown-unknown";

/// 10 GiB of zeros and 5 million entries, natively and as wasm under node.
pub(crate) fn run(workspace: &Workspace) -> Result {
    step("memory, natively", || execute(test(workspace).args(["--", "--nocapture"])))?;
    let web = tools::web()?;
    step("memory, as wasm", || {
        execute(
            test(workspace)
                .args(["--target", WASM, "--", "--nocapture"])
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner")
                .env("WASM_BINDGEN_TEST_TIMEOUT", "600")
                .env("PATH", &web.path),
        )
    })
}

fn test(workspace: &Workspace) -> Command {
    let mut test = cargo(&workspace.root);
    test.args(["test", "--release", "--package", "porthole-core", "--test", "memory"]);
    // Set at compile time, because wasm has no environment. LTO would take minutes and save no time here.
    test.env("PORTHOLE_LONG", "1").env("CARGO_PROFILE_RELEASE_LTO", "off");
    test
}
