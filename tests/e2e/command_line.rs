//! `porthole` with registries and files: its rows equal those of the page.

use crate::images::{self, SEVEN_LAYERS, SEVEN_LAYERS_ZSTD, THREE_PLATFORMS};
use porthole_tests::{
    Result,
    images::{DEBIAN, PLATFORMS, layout},
    program::{fixtures, free_port, ours, run},
    servers::{Access, Password, Registry, Scratch},
    truth::Row,
};
use serde_json::Value;
use std::process::{Command, Output};

fn porthole(arguments: &[&str]) -> Result<Output> {
    // A cache from an earlier run could hide an error.
    Ok(Command::new(ours("porthole")?).arg("--no-cache").args(arguments).output()?)
}

/// Stdout of a command that must succeed.
fn done(arguments: &[&str]) -> Result<Vec<u8>> {
    let output = porthole(arguments)?;
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "porthole {arguments:?}: {}\n{talk}", output.status);
    Ok(output.stdout)
}

fn rows(arguments: &[&str]) -> Result<Vec<Row>> {
    let listed = String::from_utf8(done(&[&["ls", "--json"], arguments].concat())?)?;
    listed.lines().map(|line| Row::read(&serde_json::from_str(line)?)).collect()
}

#[test]
fn ls_lists_what_umoci_unpacks() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let truth = images::debian();
    for name in [SEVEN_LAYERS, SEVEN_LAYERS_ZSTD] {
        truth.check(name, &rows(&[&format!("{}/{name}", registry.host())])?);
    }
    for image in images::platforms() {
        let reference = format!("{}/{THREE_PLATFORMS}", registry.host());
        image.truth.check(image.platform, &rows(&["--platform", image.platform, &reference])?);
    }
    Ok(())
}

#[test]
fn layouts_and_archives_give_the_same_rows() -> Result<()> {
    let truth = images::debian();
    let folder = layout(&fixtures(), DEBIAN);
    truth.check("oci:", &rows(&[&format!("oci:{}:latest", folder.display())])?);

    let scratch = Scratch::new("archive")?;
    let archive = scratch.path().join("image.tar").display().to_string();
    let (from, to) =
        (format!("oci:{}:latest", folder.display()), format!("docker-archive:{archive}:porthole/debian:latest"));
    run("skopeo", ["--insecure-policy", "copy", "--quiet", &from, &to])?;
    truth.check("docker-archive:", &rows(&[&format!("docker-archive:{archive}")])?);
    Ok(())
}

#[test]
fn every_layer_of_a_registry_can_be_verified() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    for name in [SEVEN_LAYERS, SEVEN_LAYERS_ZSTD, THREE_PLATFORMS] {
        done(&["verify", "--platform", "linux/amd64", &format!("{}/{name}", registry.host())])?;
    }
    Ok(())
}

#[test]
fn manifest_and_config_are_the_bytes_the_registry_has() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let reference = format!("{}/{SEVEN_LAYERS}", registry.host());
    let raw = format!("docker://{reference}");
    let (manifest, config) = (done(&["manifest", &reference])?, done(&["config", &reference])?);
    assert_eq!(String::from_utf8(manifest)?, run("skopeo", ["inspect", "--raw", "--tls-verify=false", &raw])?);
    assert_eq!(
        String::from_utf8(config)?,
        run("skopeo", ["inspect", "--raw", "--config", "--tls-verify=false", &raw])?
    );
    Ok(())
}

#[test]
fn inspect_counts_layers_and_history() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let inspected: Value =
        serde_json::from_slice(&done(&["inspect", "--json", &format!("{}/{SEVEN_LAYERS}", registry.host())])?)?;
    assert_eq!(inspected["layers"].as_array().map(Vec::len), Some(7), "{inspected}");
    Ok(())
}

#[test]
fn exit_codes_tell_why() -> Result<()> {
    let password = Password::new()?;
    let open = Registry::start(images::storage(), &Access::Open)?;
    let closed = Registry::start(images::storage(), &Access::Basic(&password))?;
    let dead = format!("127.0.0.1:{}", free_port()?);
    let folder = layout(&fixtures(), PLATFORMS);
    for (code, arguments) in [
        (2, vec!["inspect".to_owned(), "No/Such Reference".to_owned()]),
        (3, vec!["inspect".to_owned(), format!("{}/{SEVEN_LAYERS}", closed.host())]),
        (4, vec!["inspect".to_owned(), format!("{}/porthole/nothing:here", open.host())]),
        (
            5,
            vec![
                "inspect".to_owned(),
                "--platform".to_owned(),
                "linux/s390x".to_owned(),
                format!("oci:{}:latest", folder.display()),
            ],
        ),
        (8, vec!["inspect".to_owned(), format!("{dead}/{SEVEN_LAYERS}")]),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = porthole(&arguments)?;
        let talk = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "porthole {arguments:?}\n{talk}");
        assert!(talk.starts_with("porthole: "), "{talk}");
    }
    Ok(())
}

#[test]
fn ref_normalises_as_docker_does() -> Result<()> {
    assert_eq!(String::from_utf8(done(&["ref", "nginx"])?)?, "docker.io/library/nginx:latest\n");
    Ok(())
}
