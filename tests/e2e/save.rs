//! Archives that porthole writes are read by others, and hold what the image holds.

use crate::images::{self, SEVEN_LAYERS, SEVEN_LAYERS_ZSTD, THREE_PLATFORMS};
use porthole_tests::{
    Result,
    program::{ours, run},
    servers::{Access, Registry, Scratch},
    truth::Row,
};
use std::{fs, process::Command};

/// What a command that must succeed prints.
fn done(arguments: &[&str]) -> Result<String> {
    let output = Command::new(ours("porthole")?).args(arguments).output()?;
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "porthole {arguments:?}: {}\n{talk}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn skopeo_loads_docker_archives() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let scratch = Scratch::new("save")?;
    let path = |name: &str| scratch.path().join(name).display().to_string();
    for name in [SEVEN_LAYERS, SEVEN_LAYERS_ZSTD] {
        let (archive, layout) = (path("image.tar"), path("layout"));
        done(&["save", &format!("{}/{name}", registry.host()), "--output", &archive])?;
        let from = format!("docker-archive:{archive}:{}/{name}", registry.host());
        run("skopeo", ["--insecure-policy", "copy", "--quiet", &from, &format!("oci:{layout}:1")])?;
        let listed = done(&["ls", "--json", &format!("oci:{layout}:1")])?;
        let rows = listed.lines().map(|line| Row::read(&serde_json::from_str(line)?)).collect::<Result<Vec<_>>>()?;
        images::debian().check(name, &rows);
        fs::remove_dir_all(layout)?;
    }
    Ok(())
}

#[test]
fn an_oci_archive_holds_the_very_bytes() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let scratch = Scratch::new("save")?;
    let archive = scratch.path().join("image.tar").display().to_string();
    let reference = format!("{}/{THREE_PLATFORMS}", registry.host());
    done(&["save", "--format=oci-archive", "--all-platforms", &reference, "--output", &archive])?;
    let raw = |source: &str| run("skopeo", ["inspect", "--raw", "--tls-verify=false", source]);
    assert_eq!(raw(&format!("oci-archive:{archive}"))?, raw(&format!("docker://{reference}"))?);
    for image in images::platforms() {
        let listed = done(&["ls", "--json", "--platform", image.platform, &format!("oci-archive:{archive}")])?;
        let rows = listed.lines().map(|line| Row::read(&serde_json::from_str(line)?)).collect::<Result<Vec<_>>>()?;
        image.truth.check(image.platform, &rows);
    }
    Ok(())
}

#[test]
fn an_archive_that_cannot_be_completed_is_not_there() -> Result<()> {
    let scratch = Scratch::new("save")?;
    let archive = scratch.path().join("image.tar");
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let missing = format!("{}/porthole/nothing:here", registry.host());
    let output = Command::new(ours("porthole")?).args(["save", &missing, "--output"]).arg(&archive).output()?;
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(scratch.path())?.count(), 0);
    Ok(())
}
