//! `cargo xtask test`: every test there is, counted.

use crate::{
    Result, bundle, fixtures,
    process::{cargo, step},
    tools::{self, Web},
    workspace::Workspace,
};
use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

/// Test targets of the core that also run as wasm, under node: the vectors.
const WASM_TESTS: &[(&str, &[&str])] = &[("porthole-core", &["references", "documents", "layer", "streams", "tar"])];

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    let web = tools::web()?;
    tools::servers()?;
    let mut count = Count::default();
    match arguments {
        [] => all(workspace, &web, &mut count)?,
        filter => {
            prepare(workspace, &web)?;
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
    prepare(workspace, web)?;
    step("native tests", || {
        count.run(
            "native tests",
            cargo(&workspace.root).args(["test", "--workspace", "--exclude", "porthole-tests", "--no-fail-fast"]),
        )?;
        count.run("shared test code", cargo(&workspace.root).args(["test", "--package", "porthole-tests", "--lib"]))
    })?;
    step("wasm tests", || {
        for (package, targets) in WASM_TESTS {
            let mut test = cargo(&workspace.root);
            test.args(["test", "--package", package, "--target", "wasm32-unknown-unknown", "--no-fail-fast"]);
            test.args(targets.iter().flat_map(|target| ["--test", target]));
            test.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", "wasm-bindgen-test-runner").env("PATH", &web.path);
            count.run(&format!("wasm tests of {package}"), &mut test)?;
        }
        Ok(())
    })?;
    end_to_end(workspace, &[], count)
}

/// The page, the programs and the images. The images wait for a package mirror, so they are made beside the build.
fn prepare(workspace: &Workspace, web: &Web) -> Result {
    fixtures::build(workspace)?;
    std::thread::scope(|scope| {
        let images = scope.spawn(|| fixtures::images(workspace).map_err(|error| error.to_string()));
        bundle::page(workspace, web)?;
        bundle::programs(workspace)?;
        images.join().map_err(|_| "making the images panicked")??;
        Ok(())
    })
}

fn end_to_end(workspace: &Workspace, filter: &[String], count: &mut Count) -> Result {
    step("end-to-end tests", || {
        let mut test = cargo(&workspace.root);
        test.args(["test", "--package", "porthole-tests", "--test", "e2e", "--", "--test-threads", "2"]).args(filter);
        test.env("PORTHOLE_PROGRAMS", workspace.target.join("release")).env("PORTHOLE_FIXTURES", workspace.fixtures());
        count.run("end-to-end tests", &mut test)
    })
}

/// How many tests passed and failed, read from the harness's own summaries.
#[derive(Default)]
struct Count {
    passed: u64,
    failed: u64,
    /// Runs that ended badly: with failing tests, or without getting as far as running them.
    broken: Vec<String>,
}

impl Count {
    /// Shows what the tests print and goes on after failures, so that one run shows them all.
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
