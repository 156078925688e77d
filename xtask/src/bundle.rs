//! Builds of the page and of the programs.

mod quick;

use crate::{
    Result,
    process::{cargo, command, output, run, step},
    tools,
    workspace::Workspace,
};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

/// How page and programs are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// Each program optimised as a whole, the page in `dist/`: what is deployed, tested and measured.
    Release,
    /// Each crate optimised by itself, in a folder of its own: for a look at the page, in half of the time.
    Quick,
}

impl Build {
    /// The target folder.
    fn target(self, workspace: &Workspace) -> PathBuf {
        match self {
            Self::Release => workspace.target.clone(),
            Self::Quick => workspace.target.join("quick"),
        }
    }

    /// The folder of the page.
    fn dist(self, workspace: &Workspace) -> PathBuf {
        match self {
            Self::Release => workspace.root.join("dist"),
            Self::Quick => workspace.target.join("quick/dist"),
        }
    }

    /// Path of a program.
    pub(crate) fn program(self, workspace: &Workspace, name: &str) -> PathBuf {
        self.target(workspace).join("release").join(name)
    }

    /// Adapts a call of cargo.
    fn adapt(self, command: &mut Command, workspace: &Workspace) {
        command.env("CARGO_TARGET_DIR", self.target(workspace));
        if self == Self::Quick {
            command.env("PORTHOLE_DIST", self.dist(workspace));
            for profile in ["WEB", "RELEASE"] {
                command.env(format!("CARGO_PROFILE_{profile}_LTO"), "off");
                command.env(format!("CARGO_PROFILE_{profile}_CODEGEN_UNITS"), "16");
                command.env(format!("CARGO_PROFILE_{profile}_OPT_LEVEL"), "1");
            }
            command.args(["--config", "profile.release.package.porthole-relay.opt-level=1"]);
        }
    }
}

/// Builds the page and the tools that this takes.
pub(crate) fn page(workspace: &Workspace, build: Build) -> Result {
    let dist = build.dist(workspace);
    if up_to_date(workspace, &dist) {
        eprintln!("the page is up to date");
        return Ok(());
    }
    if build == Build::Quick {
        tools::wasm_target()?;
        return step("building the page", || {
            quick::page(workspace)?;
            offline(&workspace.root, &dist)
        });
    }
    let web = tools::web()?;
    step("building the page", || {
        // Trunk runs offline, because otherwise it downloads its own tools. So fetch the crates first.
        run(cargo(&workspace.root).args(["fetch", "--quiet"]))?;
        let mut trunk = command("trunk", &workspace.root);
        trunk.args(["build", "--offline", "--skip-version-check", "--dist"]).arg(&dist);
        // Only `--release` makes Trunk run wasm-opt; selecting the profile does not.
        trunk.args(if web.wasm_opt { &["--release"][..] } else { &["--cargo-profile", "web"][..] });
        run(trunk.env("PATH", &web.path).env_remove("NO_COLOR"))?;
        offline(&workspace.root, &dist)
    })
}

/// Writes `offline.js` into the page's folder, the service worker: the files of the page with their digests before `web/offline.js`. Its version is the
/// digest of that list, so that it is another one as soon as any file is.
fn offline(root: &Path, dist: &Path) -> Result {
    let mut names: Vec<String> = fs::read_dir(dist)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    names.retain(|name| name != WORKER);
    names.sort();
    let sums = output(command("sha256sum", dist).arg("--").args(&names))?;
    let files: BTreeMap<&str, &str> =
        sums.lines().filter_map(|line| line.split_once("  ").map(|(digest, name)| (name, digest))).collect();
    if files.len() != names.len() {
        return Err("sha256sum did not print a digest for each file of the page".into());
    }
    let (script, list) = (dist.join(WORKER), serde_json::to_string(&files)?);
    fs::write(&script, &list)?;
    let version = output(command("sha256sum", dist).arg(WORKER))?;
    let version = version.get(..16).ok_or("sha256sum printed no digest")?;
    let worker = fs::read_to_string(root.join("web").join(WORKER))?;
    Ok(fs::write(script, format!("const VERSION = \"{version}\";\nconst FILES = {list};\n{worker}"))?)
}

/// The service worker, in the page and among its sources.
const WORKER: &str = "offline.js";

/// Builds `relay`, which embeds the page, and `porthole`.
pub(crate) fn programs(workspace: &Workspace) -> Result {
    packages(workspace, Build::Release, "building relay and porthole", &["porthole-relay", "porthole-cli"])
}

/// Builds the page and the programs, as they are deployed.
pub(crate) fn all(workspace: &Workspace) -> Result {
    page(workspace, Build::Release)?;
    programs(workspace)
}

/// Builds the page and the relay, which embeds it.
pub(crate) fn relay(workspace: &Workspace, build: Build) -> Result {
    page(workspace, build)?;
    packages(workspace, build, "building the relay", &["porthole-relay"])
}

fn packages(workspace: &Workspace, build: Build, title: &str, names: &[&str]) -> Result {
    step(title, || {
        let mut cargo = cargo(&workspace.root);
        build.adapt(&mut cargo, workspace);
        run(cargo.args(["build", "--release"]).args(names.iter().flat_map(|name| ["--package", name])))
    })
}

/// Inputs of the page's build.
const SOURCES: &[&str] = &[
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "Trunk.toml",
    "crates/contents",
    "crates/core",
    "crates/inspect",
    "crates/registry",
    "crates/signature",
    "crates/source",
    "crates/viewer",
    "index.html",
    "rust-toolchain.toml",
    "web",
    "xtask/src",
];

/// Whether the page is newer than all of its sources. Otherwise Trunk would optimise and rewrite it, and the relay that
/// embeds it would be rebuilt.
fn up_to_date(workspace: &Workspace, dist: &Path) -> bool {
    let Ok(built) = modified(&dist.join("index.html")) else { return false };
    SOURCES.iter().all(|source| newest(&workspace.root.join(source)).is_ok_and(|newest| newest < built))
}

/// Latest modification time of a file, or of the files below a folder.
fn newest(path: &Path) -> io::Result<SystemTime> {
    let mut newest = modified(path)?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            newest = newest.max(self::newest(&entry?.path())?);
        }
    }
    Ok(newest)
}

fn modified(path: &Path) -> io::Result<SystemTime> {
    fs::symlink_metadata(path)?.modified()
}
