//! `cargo xtask scoreboard`: attacks on the programs, in one table.

use crate::{
    Result,
    process::{cargo, output, run as execute, step},
    workspace::Workspace,
};
use std::{fs, process::Command};

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    let (write, dev) = (has("--write"), has("--dev"));
    let (folder, builds) = if dev { ("debug", "development") } else { ("release", "release") };
    step("building porthole and relay", || {
        let packages = ["--package", "porthole-cli", "--package", "porthole-relay"];
        let release = (!dev).then_some("--release");
        execute(cargo(&workspace.root).args(["build", "--quiet"]).args(release).args(packages))
    })?;
    let replayed = step("replaying inputs of fuzz targets", || {
        let mut replay = cargo(&workspace.root);
        output(replay.args(["run", "--quiet", "--package", "porthole-fuzz", "--bin", "corpus", "--", "replay"]))
    })?;
    let table = workspace.target.join("scoreboard.md");
    let mut scoreboard = cargo(&workspace.root);
    scoreboard.args(["run", "--quiet", "--package", "porthole-tests", "--bin", "scoreboard", "--"]);
    scoreboard.args(arguments.iter().filter(|argument| !matches!(argument.as_str(), "--write" | "--dev")));
    scoreboard.env("PORTHOLE_PROGRAMS", workspace.target.join(folder));
    scoreboard.env("PORTHOLE_REPLAYED", replayed.trim()).env("PORTHOLE_SCOREBOARD", &table);
    let outcome = step("attacks", || execute(&mut scoreboard));
    if write {
        let date = output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
        let form = if has("--long") { "long" } else { "short" };
        let text = document(date.trim(), form, builds, &fs::read_to_string(table)?);
        fs::write(workspace.root.join("docs/SECURITY-TESTS.md"), text)?;
    }
    outcome
}

fn document(date: &str, form: &str, builds: &str, table: &str) -> String {
    format!(
        "# Security tests\n\n{INTRODUCTION}\nThe {form} form on {date}, {builds} builds, two cores shared with other work:\n\n{table}\n{LEGEND}"
    )
}

const INTRODUCTION: &str = "\
`cargo xtask scoreboard` attacks the release builds (`--dev`: the development builds) of `porthole` and `relay` on this machine and counts the results. The short form takes
about five minutes, `--long` about ten; `--write` writes the table to this file.
";

const LEGEND: &str = "\
- **tried**: attempts. A hostile registry sends one of about 60 wrong answers in place of a manifest, a configuration, a layer or the answer to an
  upload. A raw request is one that two parsers may read differently. Registries and redirects that lead inside have an address that is not public,
  written in different ways.
- **survived**: the program ended by itself within 45 seconds, without a panic, or the relay answered the next request. After a kill, the same command,
  run again, succeeded.
- **lost**: a blob of the store is damaged, an image that was in the store before is incomplete, or a reported success is false.
- **leaked**: the password of the test is in the output, in the log of `--debug`, in the trace, or in a request to another host.
- **escaped**: a control character or a change of direction is in the output, a request that was hidden in another reached the registry, or
  the relay connected to an address that is not public.
- **peak memory**: of the largest process; not measured if it is killed.

Tests of the suite check the following instead: every changed byte of every blob on disk is found (`store/tests/check.rs`); blobs and manifests of one user
are never served to another from the relay's cache, from a cache that two relays share, or from a cache in front of the relay (`relay/src/tests/cache.rs`,
`tests/e2e/replicas.rs`, `tests/e2e/proxies.rs`); the bytes of a push reach only hosts that its registry named (`relay/src/tests/pushing.rs`); token realms
and addresses are compared by whole names (every row of `registry/tests/*.tsv`); JSON is parsed according to RFC 8259 (`core/tests/json_suite.rs`);
advisories of dependencies fail the build (`cargo xtask check`).

Not in the table: the page in a browser with the same registry (`cargo xtask test` has its own faults for it), simulated disks that lose unsynced
writes, DNS rebinding with a real resolver.
";
