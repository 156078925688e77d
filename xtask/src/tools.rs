//! Tools for builds and tests, with pinned versions.
//!
//! Looked up in this order: the pinned version on PATH or in this project's cache, `cargo binstall` if it is installed,
//! a build from source into the cache.

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

/// A tool with a pinned version.
pub(crate) struct Tool {
    /// Name of its package.
    package: &'static str,
    version: &'static str,
    /// Program that identifies it; `--version` prints the version.
    program: &'static str,
    source: Source,
    /// Expected duration of a build from source on two cores.
    patience: &'static str,
}

enum Source {
    /// A crate with programs, and `cargo install` options: `--locked` and features where published versions need them.
    Crate(&'static [&'static str]),
    /// An npm package whose programs are node scripts.
    Npm,
    /// A package of PyPI.
    Python,
}

pub(crate) const TRUNK: Tool = Tool {
    package: "trunk",
    version: "0.21.14",
    program: "trunk",
    source: Source::Crate(&["--locked", "--no-default-features"]),
    patience: "about 4 minutes",
};

/// The version must equal that of the `wasm-bindgen` crate in Cargo.toml. Not `--locked`: its lock file names versions
/// that some registry mirrors lack.
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

/// Checks manifests against the schemas of Kubernetes' API. Its version is that of Kubernetes. Its modules are beside its programs'
/// folder, so it runs with `PYTHONPATH`.
pub(crate) const KUBERNETES_VALIDATE: Tool = Tool {
    package: "kubernetes-validate",
    version: "1.37.0",
    program: "kubernetes-validate",
    source: Source::Python,
    patience: "seconds",
};

/// A package of npm of which the tests run one script.
struct Script {
    package: &'static str,
    version: &'static str,
    /// Within the package.
    path: &'static str,
}

/// The rules of accessibility that the browser tests check.
const AXE: Script = Script { package: "axe-core", version: "4.14.1", path: "axe.min.js" };
/// An object store with the interface of S3, which node runs.
const S3RVER: Script = Script { package: "s3rver", version: "3.7.1", path: "bin/s3rver.js" };

/// Programs for the end-to-end tests, and the Debian packages that contain them.
pub(crate) const SERVERS: &[(&str, &str)] = &[
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("firefox-esr", "firefox-esr"),
    ("docker-registry", "docker-registry"),
    ("skopeo", "skopeo"),
    ("umoci", "umoci"),
    ("buildah", "buildah"),
    ("nginx", "nginx-light"),
    ("htpasswd", "apache2-utils"),
    ("mmdebstrap", "mmdebstrap"),
    ("openssl", "openssl"),
    ("readelf", "binutils"),
    ("unzip", "unzip"),
    ("zstd", "zstd"),
    ("python3", "python3"),
    ("curl", "curl"),
    ("node", "nodejs"),
];

/// Archive readers that ours is compared with.
const READERS: &[(&str, &str)] = &[("bsdtar", "libarchive-tools"), ("tar", "tar"), ("python3", "python3")];

impl Tool {
    /// Folder of the tool. Installs the tool if necessary.
    pub(crate) fn ensure(&self) -> Result<PathBuf> {
        match self.installed() {
            Some(folder) => Ok(folder),
            None => step(&format!("installing {} {} ({})", self.package, self.version, self.patience), || {
                self.install()?;
                self.installed().ok_or_else(|| format!("{} was installed but does not run", self.package).into())
            }),
        }
    }

    /// Folder of the tool if the pinned version is installed.
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
            Source::Npm => install_npm(&root, self.package, self.version),
            Source::Python => install_python(&root, self.package, self.version),
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

    /// Builds without optimisation: build time matters more than speed for these tools.
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
            Source::Crate(_) | Source::Python => "bin",
            Source::Npm => "node_modules/.bin",
        }))
    }
}

impl Script {
    fn ensure(&self) -> Result<PathBuf> {
        let Self { package, version, path } = self;
        let root = cache()?.join(format!("{package}-{version}"));
        let script = root.join("node_modules").join(package).join(path);
        if !script.is_file() {
            install_npm(&root, package, version)?;
        }
        Ok(script)
    }
}

fn install_npm(root: &Path, package: &str, version: &str) -> Result {
    std::fs::create_dir_all(root)?;
    run(command("npm", root)
        .args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
        .arg(root)
        .arg(format!("{package}@{version}")))
}

fn install_python(root: &Path, package: &str, version: &str) -> Result {
    packages(&[("python3", "python3"), ("pip3", "python3-pip")])?;
    run(command("pip3", root)
        .args(["install", "--quiet", "--disable-pip-version-check", "--target"])
        .arg(root)
        .arg(format!("{package}=={version}")))
}

/// The script of axe-core, which the browser tests run in the page.
pub(crate) fn axe() -> Result<PathBuf> {
    AXE.ensure()
}

/// The script of s3rver.
pub(crate) fn s3rver() -> Result<PathBuf> {
    S3RVER.ensure()
}

/// Installs everything that any task needs, so that later tasks work offline.
pub(crate) fn install_all() -> Result {
    web()?;
    servers()?;
    CARGO_DENY.ensure()?;
    KUBERNETES_VALIDATE.ensure()?;
    axe()?;
    s3rver()?;
    eprintln!("every tool is installed");
    Ok(())
}

/// Tools for building the page: a PATH with them, and whether `wasm-opt` is available.
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
        Err(error) => eprintln!("wasm-opt is missing, so the page is larger: {error}"),
    }
    let rest = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(folders.into_iter().chain(env::split_paths(&rest)))?;
    Ok(Web { path, wasm_opt: wasm_opt.is_ok() })
}

/// Installs Rust's standard library for wasm for the pinned toolchain.
pub(crate) fn wasm_target() -> Result {
    let folder =
        output(Command::new("rustc").args(["--print", "target-libdir", "--target", "wasm32-unknown-unknown"]))?;
    if Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", "wasm32-unknown-unknown"]).env("RUSTUP_AUTO_INSTALL", "0"))
}

/// Registries, a browser and image tools from Debian. Installs missing packages as root, otherwise returns an error
/// with the command.
pub(crate) fn servers() -> Result {
    packages(SERVERS)
}

/// Other archive readers, installed likewise.
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
        // A third-party source may be unreachable. If a package is really missing, the next command fails.
        if let Err(error) = run(Command::new("apt-get").arg("update")) {
            eprintln!("{error}");
        }
        run(Command::new("apt-get")
            .args(["install", "--yes", "--no-install-recommends"])
            .args(&missing)
            .env("DEBIAN_FRONTEND", "noninteractive"))
    })
}

/// Whether this process runs as root.
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
