//! `cargo xtask image`: the container image of the relay, with the page in it.

use crate::{
    Result, bundle,
    process::{cargo, output, run as execute, step},
    tools,
    workspace::Workspace,
};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Writes the image of a new release build, or of a static program that is given.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    tools::servers()?;
    let program = match arguments {
        [] => build(workspace)?,
        [option, program] if option == "--program" => std::path::absolute(program)?,
        other => return Err(format!("expected `--program FILE` or nothing, got `{}`", other.join(" ")).into()),
    };
    if !Path::new(AUTHORITIES).is_file() {
        return Err(format!("{AUTHORITIES} is missing: the package ca-certificates has it").into());
    }
    step("writing the image, and starting it", || {
        execute(
            cargo(&workspace.root)
                .args(["run", "--quiet", "--package", "porthole-tests", "--bin", "relay_image", "--"])
                .arg(program)
                .arg(AUTHORITIES)
                .arg(workspace.target.join("image/porthole-relay")),
        )
    })
}

/// Builds the page, and the relay as a static program.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    bundle::page(workspace, bundle::Build::Release)?;
    let version = output(Command::new("rustc").arg("-vV").current_dir(&workspace.root))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    step("building a static relay", || {
        let mut build = cargo(&workspace.root);
        build.args(["build", "--release", "--locked", "--package", "porthole-relay", "--target", host]);
        // The C library as well. With a target, build scripts and macros stay as they are.
        let flags = format!("CARGO_TARGET_{}_RUSTFLAGS", host.to_uppercase().replace('-', "_"));
        execute(build.env(flags, "-C target-feature=+crt-static"))
    })?;
    Ok(workspace.target.join(host).join("release/relay"))
}

/// Debian's, Alpine's and Arch's place for the certificate authorities, and that of the image.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
