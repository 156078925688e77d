//! Builds, runs, tests and measures Porthole. Each task first installs the tools it needs, unless they are installed.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task runner talks to the person who started it")]

mod advisories;
mod arrows;
mod bench;
mod bundle;
mod ci;
mod corpus;
mod fixtures;
mod fuzz;
mod image;
mod kubernetes;
mod memory;
mod package;
mod process;
mod run;
mod scoreboard;
mod suffixes;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;
use workspace::Workspace;

/// Boxed errors suffice: they are printed, never matched.
pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Build, run, test and measure Porthole.

usage: cargo xtask <task> [options]

  run [--release] [--listen ADDRESS] [-- RELAY OPTIONS]
                    build the page and the relay, start the relay, print its address; with --release as they are deployed:
                    smaller and faster, but it takes twice as long to build
  test [FILTER]     run all tests: native, wasm, and end to end with real registries and Chromium;
                    with FILTER, only the end-to-end tests whose names contain it
  check             check format, lints, documentation, tidy rules and dependencies
  ci                run `check`, then `test`
  fixtures          build the page's sample and the images for the end-to-end tests
  bench [core|tree|web|memory]
                    measure speed and memory of the layer reader and of the page
  bench manifest|pull|push|copy|unpack|inspect|list|cat|cat-again|verify|resume...
        [--image small|medium|large]... [--rounds N] [--json] [--folder DIR]
                    measure the command line, compared with curl, tar, openssl and those of crane, skopeo, regctl,
                    umoci and ctr that are on PATH; `cat-again`: one file of an image that was listed before;
                    `resume`: bytes sent by interrupted transfers
  bench wan [near|lossy|far]... [--rounds N] [--only PROGRAM]...
                    pull and read an image of a registry at the far end of a link with delay, rate and loss, beside the
                    programs that are on PATH (takes root: it makes network namespaces)
  fuzz [--minutes N] [--keep] [TARGET...]
                    fuzz each target for N minutes (default 5; needs nightly and cargo-fuzz);
                    --keep: add inputs with new coverage to the committed corpus
  scoreboard [--long] [--dev] [--write] [PART]
                    attack the release builds of `porthole` and `relay`, and print what survived; PART is one of hostile,
                    sockets, kills, store, text, replay; --long: a thousand kills, two thousand readers; --dev: attack
                    development builds; --write: put the table into docs/SECURITY-TESTS.md
  image [--program FILE]
                    build the relay with the page in it as a static program, and write its container image: an OCI layout
                    and an archive in target/image; with --program of a static relay that exists
  kubernetes        check the manifests of deploy/kustomize against the schemas of Kubernetes (part of `check`)
  corpus [FILE...]  compare our listings of archives (default: the test vectors) with bsdtar, GNU tar
                    and Python; print each difference, and whether we mark it as ambiguous
  advisories CLONE  rewrite the copy of security advisories from a clone of RustSec's database
  suffixes LIST     rewrite the tree of public suffixes from public_suffix_list.dat
  package           package the libraries and both programs, and compile each package by itself
  tidy              check the rules of this repository
  setup             install every pinned tool

examples:
  cargo xtask run
  cargo xtask run --listen 127.0.0.1:8090 -- --layout ./image.tar
  cargo xtask test
  cargo xtask test direct::
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result {
    let (task, rest) = match arguments.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("help", arguments),
    };
    if matches!(task, "help" | "--help" | "-h") || rest.first().is_some_and(|first| first == "--help" || first == "-h")
    {
        print!("{HELP}");
        return Ok(());
    }
    let workspace = Workspace::find()?;
    match task {
        "run" => run::run(&workspace, rest),
        "test" => test::run(&workspace, rest),
        "check" => none(rest).and_then(|()| ci::check(&workspace)),
        "ci" => none(rest).and_then(|()| ci::run(&workspace)),
        "fixtures" => none(rest).and_then(|()| fixtures::run(&workspace)),
        "bench" => bench::run(&workspace, rest),
        "fuzz" => fuzz::run(&workspace, rest),
        "scoreboard" => scoreboard::run(&workspace, rest),
        "image" => image::run(&workspace, rest),
        "kubernetes" => none(rest).and_then(|()| kubernetes::check(&workspace)),
        "corpus" => corpus::run(&workspace, rest),
        "advisories" => match rest {
            [clone] => advisories::copy(&workspace, clone.as_ref()),
            _ => Err("expected the folder of a clone of RustSec's database".into()),
        },
        "suffixes" => match rest {
            [list] => suffixes::write(&workspace, list.as_ref()),
            _ => Err("expected public_suffix_list.dat, from https://publicsuffix.org/list/".into()),
        },
        "package" => none(rest).and_then(|()| package::run(&workspace, true)),
        "tidy" => none(rest).and_then(|()| tidy::run(&workspace)),
        "setup" => none(rest).and_then(|()| tools::install_all()),
        unknown => Err(format!("no such task: `{unknown}`; `cargo xtask help` lists them").into()),
    }
}

fn none(arguments: &[String]) -> Result {
    match arguments.first() {
        None => Ok(()),
        Some(first) => Err(format!("this task takes no options, got `{first}`").into()),
    }
}
