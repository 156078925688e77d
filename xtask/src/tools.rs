//! The tools that builds and tests need, each pinned here and nowhere else.
//!
//! In this order: the right version on PATH or in this project's cache, `cargo binstall` where it is installed, from source into the cache.

use crate::{
    Result,
    process::{command, find, output, run, step},
};
use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// A tool with one exact version.
pub(crate) struct Tool {
    /// What its package is called.
    package: &'static str,
    version: &'static str,
    /// The program by which it is recognised; `--version` names the version.
    program: &'static str,
    source: Source,
    /// What to expect of a build from source on two cores.
    patience: &'static str,
}

enum Source {
    /// A crate with programs. `--locked` and features where the versions on the registry need them.
    Crate(&'static [&'static str]),
    /// A package whose programs are scripts for node.
    Npm,
}

pub(crate) const TRUNK: Tool = Tool {
    package: "trunk",
    version: "0.21.14",
    program: "trunk",
    source: Source::Crate(&["--locked", "--no-default-features"]),
    patience: "about 4 minutes",
};

/// The same version as the crate `wasm-bindgen` in Cargo.toml. Its own lock file names versions that are not everywhere, so it is not used.
pub(crate) const WASM_BINDGEN: Tool = Tool {
    package: "wasm-bindgen-cli",
    version: "0.2.130",
    program: "wasm-bindgen",
    source: Source::Crate(&[]),
    patience: "about 2 minutes",
};

pub(crate) const WASM_OPT: Tool =
    Tool { package: "binaryen", version: "132.0.0", program: "wasm-opt", source: Source::Npm, patience: "seconds" };

pub(crate) const CARGO_DENY: Tool = Tool {
    package: "cargo-deny",
    version: "0.20.2",
    program: "cargo-deny",
    source: Source::Crate(&["--locked"]),
    patience: "about 2 minutes",
};

/// Programs from Debian and the packages that hold them, for the end-to-end tests.
pub(crate) const SERVERS: &[(&str, &str)] = &[
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("docker-registry", "docker-registry"),
    ("skopeo", "skopeo"),
    ("umoci", "umoci"),
    ("buildah", "buildah"),
    ("nginx", "nginx-light"),
    ("htpasswd", "apache2-utils"),
    ("mmdebstrap", "mmdebstrap"),
    ("openssl", "openssl"),
    ("curl", "curl"),
    ("node", "nodejs"),
];

/// Readers of archives that this project's own is compared with.
const READERS: &[(&str, &str)] = &[("bsdtar", "libarchive-tools"), ("tar", "tar"), ("python3", "python3")];

impl Tool {
    /// The folder with its program, installed first if need be.
    pub(crate) fn ensure(&self) -> Result<PathBuf> {
        match self.installed() {
            Some(folder) => Ok(folder),
            None => step(&format!("installing {} {} ({})", self.package, self.version, self.patience), || {
                self.install()?;
                self.installed().ok_or_else(|| format!("{} was installed, but does not run", self.package).into())
            }),
        }
    }

    /// The folder with its program, if the pinned version is there.
    pub(crate) fn installed(&self) -> Option<PathBuf> {
        let cached = self.programs().ok()?.join(self.program);
        let on_path = find(self.program).filter(|program| {
            let version = output(command(program, Path::new("/")).arg("--version")).unwrap_or_default();
            let major = self.version.split('.').next().unwrap_or(self.version);
            let expected = if matches!(self.source, Source::Npm) { major } else { self.version };
            version.split_whitespace().any(|word| word == expected)
        });
        on_path.or_else(|| cached.is_file().then_some(cached))?.parent().map(Path::to_owned)
    }

    fn install(&self) -> Result {
        let root = self.root()?;
        std::fs::create_dir_all(&root)?;
        match self.source {
            Source::Npm => run(command("npm", &root)
                .args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
                .arg(&root)
                .arg(format!("{}@{}", self.package, self.version))),
            Source::Crate(options) => {
                if find("cargo-binstall").is_some() && self.install_binary(&root).is_ok() {
                    return Ok(());
                }
                self.install_from_source(&root, options)
            }
        }
    }

    fn install_binary(&self, root: &Path) -> Result {
        run(command("cargo", root)
            .args(["binstall", "--no-confirm", "--disable-strategies", "compile", "--root"])
            .arg(root)
            .arg(format!("{}@{}", self.package, self.version)))
    }

    /// Built for a short wait, not for speed: these tools do little work here.
    fn install_from_source(&self, root: &Path, options: &[&str]) -> Result {
        let build = root.join("build");
        run(command("cargo", root)
            .args(["install", self.package, "--version", self.version])
            .args(options)
            .arg("--root")
            .arg(root)
            .env("CARGO_TARGET_DIR", &build)
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS"))?;
        Ok(std::fs::remove_dir_all(build)?)
    }

    fn root(&self) -> Result<PathBuf> {
        Ok(cache()?.join(format!("{}-{}", self.package, self.version)))
    }

    fn programs(&self) -> Result<PathBuf> {
        Ok(self.root()?.join(match self.source {
            Source::Crate(_) => "bin",
            Source::Npm => "node_modules/.bin",
        }))
    }
}

/// Everything any task needs, so that later tasks need no network.
pub(crate) fn install_all() -> Result {
    web()?;
    servers()?;
    CARGO_DENY.ensure()?;
    eprintln!("every tool is installed");
    Ok(())
}

/// What building the page needs: a PATH with the tools, and whether `wasm-opt` is among them.
pub(crate) struct Web {
    pub(crate) path: OsString,
    pub(crate) wasm_opt: bool,
}

pub(crate) fn web() -> Result<Web> {
    wasm_target()?;
    let mut folders = vec![TRUNK.ensure()?, WASM_BINDGEN.ensure()?];
    let wasm_opt =
        if WASM_OPT.installed().is_some() || find("npm").is_some() { WASM_OPT.ensure() } else { Err("no npm".into()) };
    match &wasm_opt {
        Ok(folder) => folders.push(folder.clone()),
        Err(error) => eprintln!("without wasm-opt the page is larger, and works as well: {error}"),
    }
    let rest = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(folders.into_iter().chain(env::split_paths(&rest)))?;
    Ok(Web { path, wasm_opt: wasm_opt.is_ok() })
}

/// Rust's standard library for wasm, for the toolchain that this workspace pins.
pub(crate) fn wasm_target() -> Result {
    let folder =
        output(Command::new("rustc").args(["--print", "target-libdir", "--target", "wasm32-unknown-unknown"]))?;
    if Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", "wasm32-unknown-unknown"]).env("RUSTUP_AUTO_INSTALL", "0"))
}

/// Registries, a browser and image tools from Debian: installed by root, asked for otherwise.
pub(crate) fn servers() -> Result {
    packages(SERVERS)
}

/// Other readers of archives, the same way.
pub(crate) fn readers() -> Result {
    packages(READERS)
}

fn packages(wanted: &[(&str, &'static str)]) -> Result {
    let missing: Vec<&str> =
        wanted.iter().filter(|(program, _)| find(program).is_none()).map(|&(_, package)| package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let install = format!("apt-get install --yes --no-install-recommends {}", missing.join(" "));
    if !root()? || find("apt-get").is_none() {
        return Err(format!("this task needs Debian packages; as root: `{install}`").into());
    }
    step("installing Debian packages", || {
        // A third-party source that cannot be reached must not stop this; what is really missing shows in the next command.
        if let Err(error) = run(Command::new("apt-get").arg("update")) {
            eprintln!("{error}");
        }
        run(Command::new("apt-get")
            .args(["install", "--yes", "--no-install-recommends"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive"))
    })
}

/// Whether root runs this.
pub(crate) fn root() -> Result<bool> {
    Ok(output(Command::new("id").arg("-u"))?.trim() == "0")
}

fn cache() -> Result<PathBuf> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home)
        .ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(cache.join("porthole/tools"))
}
