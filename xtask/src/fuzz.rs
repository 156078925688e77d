//! `cargo xtask fuzz`: fuzzes each target, starting from the committed inputs.

use crate::{
    Result,
    process::{cargo, command, find, output, run as execute, step},
    workspace::Workspace,
};
use std::{fs, process::Command};

const INSTALL: &str = "cargo install --locked cargo-fuzz";
const NIGHTLY: &str = "rustup toolchain install nightly --profile minimal";

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    let mut minutes = 5.0;
    let mut keep = false;
    let mut wanted = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--minutes" => minutes = rest.next().ok_or("expected a number after --minutes")?.parse()?,
            "--keep" => keep = true,
            target => wanted.push(target),
        }
    }
    let targets = targets(workspace)?;
    if let Some(unknown) = wanted.iter().find(|wanted| !targets.iter().any(|target| target == *wanted)) {
        return Err(format!("no such target: `{unknown}`; available: {}", targets.join(", ")).into());
    }
    tools()?;
    corpus(workspace, &["unpack"])?;
    let artifacts = workspace.root.join("fuzz/artifacts");
    let mut failed = Vec::new();
    for target in targets.iter().filter(|target| wanted.is_empty() || wanted.contains(&target.as_str())) {
        let outcome = step(&format!("fuzzing {target} for {minutes} minutes"), || {
            execute(fuzz(workspace, "run").arg(target).arg("--").args([
                format!("-max_total_time={}", (minutes * 60.0) as u64),
                format!("-max_len={}", max_len(target)),
                "-timeout=60".to_owned(),
                "-print_final_stats=1".to_owned(),
            ]))
        });
        if outcome.is_err() {
            failed.push(target.as_str());
        } else if keep {
            minimise(workspace, target)?;
        }
    }
    if keep {
        corpus(workspace, &["pack"])?;
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(format!("{} failed; the inputs are in {}", failed.join(", "), artifacts.display()).into())
}

/// The target names in the library's list.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for entry in fs::read_dir(workspace.root.join("fuzz/fuzz_targets"))? {
        targets.extend(entry?.path().file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    targets.sort();
    Ok(targets)
}

fn tools() -> Result {
    let toolchains = output(Command::new("rustup").args(["toolchain", "list"])).unwrap_or_default();
    if !toolchains.lines().any(|line| line.starts_with("nightly")) {
        return Err(format!("libFuzzer needs a nightly compiler: `{NIGHTLY}`").into());
    }
    if find("cargo-fuzz").is_none() {
        return Err(format!("cargo-fuzz is not installed: `{INSTALL}`").into());
    }
    Ok(())
}

/// Removes inputs that add no coverage.
fn minimise(workspace: &Workspace, target: &str) -> Result {
    step(&format!("minimising the corpus of {target}"), || execute(fuzz(workspace, "cmin").arg(target)))
}

fn corpus(workspace: &Workspace, words: &[&str]) -> Result {
    let mut corpus = cargo(&workspace.root);
    execute(corpus.args(["run", "--quiet", "--package", "porthole-fuzz", "--bin", "corpus", "--"]).args(words))
}

fn fuzz(workspace: &Workspace, verb: &str) -> Command {
    let mut fuzz = command("cargo", &workspace.root);
    fuzz.args(["+nightly", "fuzz", verb, "--features", "libfuzzer", "--target-dir"]);
    fuzz.arg(workspace.target.join("fuzz"));
    // The release profile takes minutes to link each target, and strips the symbols that crash reports need.
    fuzz.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_STRIP", "none");
    // These variables are set by the cargo that runs xtask, and would select its compiler.
    fuzz.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env_remove("RUSTC");
    fuzz
}

/// Maximum input length: longer inputs slow the fuzzer down without adding coverage.
fn max_len(target: &str) -> u32 {
    match target {
        "whiteouts" => 128,
        "reference" | "digest" | "challenge" | "link" | "content_range" | "relay" => 512,
        "json" => 4096,
        _ => 8192,
    }
}
