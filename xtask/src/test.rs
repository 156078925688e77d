//! `cargo xtask test`: runs all tests and counts them.

use crate::{
    Result,
    bundle::{self, Build},
    fixtures,
    process::{cargo, step},
    tools::{self, Web},
    workspace::Workspace,
};
use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// Crates whose tests also run as wasm under node: the files that use `wasm_bindgen_test`.
const ALSO_WASM: &[&str] = &["core", "registry"];

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    let web = tools::web()?;
    tools::servers()?;
    let mut count = Count::default();
    match arguments {
        [] => all(workspace, &web, &mut count)?,
        filter => {
            prepare(workspace)?;
            end_to_end(workspace, filter, &mut count)?;
        }
    }
    println!("{} passed, {} failed", count.passed, count.failed);
    if count.failed == 0 && count.broken.is_empty() {
        return Ok(());
    }
    Err(format!("failed: {}", count.broken.join(", ")).into())
}

fn all(workspace: &Workspace, web: &Web, count: &mut Count) -> Result {
    prepare(workspace)?;
    step("native tests", || {
        count.run(
            "native tests",
            // porthole-bindgen has no tests.
            cargo(&workspace.root)
                .args(["test", "--workspace", "--no-fail-fast"])
                .args(["porthole-tests", "porthole-bindgen"].iter().flat_map(|name| ["--exclude", name])),
        )?;
        count.run("shared test code", cargo(&workspace.root).args(["test", "--package", "porthole-tests", "--lib"]))
    })?;
    step("wasm tests", || {
        for name in ALSO_WASM {
            let targets = wasm_targets(&workspace.root.join("crates").join(name).join("tests"))?;
            if targets.is_empty() {
                continue;
            }
            let mut test = cargo(&workspace.root);
            test.args([
                "test",
                "--target",
                "wasm32-unknown-unknown",
                "--no-fail-fast",
                "--package",
                &format!("porthole-{name}"),
            ]);
            test.args(targets.iter().flat_map(|target| ["--test", target]));
            test.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner").env("PATH", &web.path);
            count.run(&format!("wasm tests of {name}"), &mut test)?;
        }
        Ok(())
    })?;
    end_to_end(workspace, &[], count)
}

/// The test targets in a folder that also run as wasm.
fn wasm_targets(tests: &Path) -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(tests)? {
        let file = entry?.path();
        let rust = file.extension().is_some_and(|extension| extension == "rs");
        if rust && std::fs::read_to_string(&file)?.contains("wasm_bindgen_test") {
            targets.extend(file.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
        }
    }
    targets.sort();
    Ok(targets)
}

/// Builds the page, the programs and the images. Images wait for a package mirror, so they are built concurrently.
fn prepare(workspace: &Workspace) -> Result {
    fixtures::build(workspace)?;
    std::thread::scope(|scope| {
        let images = scope.spawn(|| fixtures::images(workspace).map_err(|error| error.to_string()));
        bundle::page(workspace, Build::Release)?;
        bundle::programs(workspace)?;
        images.join().map_err(|_| "making the images panicked")??;
        Ok(())
    })
}

fn end_to_end(workspace: &Workspace, filter: &[String], count: &mut Count) -> Result {
    step("end-to-end tests", || {
        let mut test = cargo(&workspace.root);
        test.args(["test", "--package", "porthole-tests", "--test", "e2e", "--", "--test-threads", "2"]).args(filter);
        test.env("PORTHOLE_AXE", tools::axe()?).env("PORTHOLE_S3RVER", tools::s3rver()?);
        test.env("PORTHOLE_PROGRAMS", workspace.target.join("release")).env("PORTHOLE_FIXTURES", workspace.fixtures());
        count.run("end-to-end tests", &mut test)
    })
}

/// Numbers of passed and failed tests, parsed from the harness's summaries.
#[derive(Default)]
struct Count {
    passed: u64,
    failed: u64,
    /// Runs that failed: with failing tests, or before any test ran.
    broken: Vec<String>,
}

impl Count {
    /// Runs tests and shows their output. Continues after failures, so that one run shows them all.
    fn run(&mut self, name: &str, test: &mut Command) -> Result {
        let mut child = test.stdout(Stdio::piped()).spawn()?;
        for line in BufReader::new(child.stdout.take().ok_or("the tests have no stdout")?).lines() {
            let line = line?;
            self.read(&line);
            println!("{line}");
        }
        if !child.wait()?.success() {
            self.broken.push(name.to_owned());
        }
        Ok(())
    }

    fn read(&mut self, line: &str) {
        let Some(summary) = line.trim_start().strip_prefix("test result: ") else { return };
        for part in summary.split([';', '.']) {
            match part.split_whitespace().collect::<Vec<_>>()[..] {
                [number, "passed"] => self.passed += number.parse::<u64>().unwrap_or(0),
                [number, "failed"] => self.failed += number.parse::<u64>().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Count;

    #[test]
    fn summaries_are_added_up() {
        let mut count = Count::default();
        count.read("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s");
        count.read("test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s");
        count.read("test reference::parses ... ok");
        assert_eq!((count.passed, count.failed), (15, 2));
    }
}
