//! Other tools read archives that porthole writes.

use crate::images::{self, SEVEN_LAYERS, SEVEN_LAYERS_ZSTD, THREE_PLATFORMS};
use porthole_tests::{
    Result,
    images::{DEBIAN, layout},
    program::{fixtures, ours, run},
    servers::{Access, Registry, Scratch},
    truth::Row,
};
use serde_json::{Value, json};
use std::{fs, process::Command};

/// Stdout of a command that must succeed.
fn done(arguments: &[&str]) -> Result<String> {
    let home = Scratch::new("home")?;
    let output = Command::new(ours("porthole")?).args(arguments).env("HOME", home.path()).output()?;
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

/// The rows that porthole lists for a source.
fn rows(source: &str) -> Result<Vec<Row>> {
    let listed = done(&["ls", "--json", source])?;
    listed.lines().map(|line| Row::read(&serde_json::from_str(line)?)).collect()
}

#[test]
fn skopeo_loads_every_image_by_every_name() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let scratch = Scratch::new("save")?;
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let (archive, store) = (path("all.tar"), path("store"));
    let names = [SEVEN_LAYERS, SEVEN_LAYERS_ZSTD, THREE_PLATFORMS].map(|name| format!("{}/{name}", registry.host()));
    let [plain, zstd, platforms] = &names;
    done(&["save", "--store", &store, "--platform=linux/amd64", plain, zstd, platforms, "--output", &archive])?;
    for name in &names {
        let config = |source: &str| -> Result<Value> {
            let platform =
                ["--override-os=linux", "--override-arch=amd64", "inspect", "--tls-verify=false", "--config"];
            Ok(serde_json::from_str(&run("skopeo", platform.into_iter().chain([source]))?)?)
        };
        let from = format!("docker-archive:{archive}:{name}");
        assert_eq!(config(&from)?["rootfs"], config(&format!("docker://{name}"))?["rootfs"], "diff_ids of {name}");
        let layout = path("layout");
        run("skopeo", ["--insecure-policy", "copy", "--quiet", &from, &format!("oci:{layout}:1")])?;
        done(&["verify", &format!("oci:{layout}:1")])?;
        if name != platforms {
            images::debian().check(name, &rows(&format!("oci:{layout}:1"))?);
        }
        fs::remove_dir_all(layout)?;
    }
    Ok(())
}

#[test]
fn docker_archives_of_other_tools_are_copied_unchanged() -> Result<()> {
    let scratch = Scratch::new("save")?;
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let layout = layout(&fixtures(), DEBIAN);
    let (theirs, hybrid) = (path("skopeo.tar"), path("hybrid.tar"));
    let image = format!("oci:{}:latest", layout.display());
    run("skopeo", ["--insecure-policy", "copy", "--quiet", &image, &format!("docker-archive:{theirs}:some/name:1")])?;
    // Docker since version 25 saves a layout that also has a manifest.json.
    let blob = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap_or_default();
        format!("blobs/{}", digest.replace(':', "/"))
    };
    let manifest: Value = serde_json::from_str(&run("skopeo", ["inspect", "--raw", &image])?)?;
    let layers: Vec<_> = manifest["layers"].as_array().into_iter().flatten().map(blob).collect();
    let list = json!([{ "Config": blob(&manifest["config"]), "RepoTags": ["some/name:1"], "Layers": layers }]);
    fs::write(scratch.path().join("manifest.json"), list.to_string())?;
    let (from, beside) = (layout.display().to_string(), scratch.path().display().to_string());
    let files = ["-C", &from, "blobs", "index.json", "oci-layout", "-C", &beside, "manifest.json"];
    run("tar", ["-cf", &hybrid].into_iter().chain(files))?;
    for archive in [&theirs, &hybrid] {
        for source in [format!("docker-archive:{archive}:some/name:1"), format!("docker-archive:{archive}")] {
            done(&["verify", &source])?;
            images::debian().check(archive, &rows(&source)?);
        }
        // Copied to a layout, which skopeo reads.
        let copied = format!("oci:{}:1", path("copied"));
        done(&["copy", &format!("docker-archive:{archive}"), &copied])?;
        let config: Value = serde_json::from_str(&run("skopeo", ["inspect", "--config", &copied])?)?;
        let expected: Value = serde_json::from_str(&run("skopeo", ["inspect", "--config", &image])?)?;
        assert_eq!(config["rootfs"], expected["rootfs"], "{archive}");
    }
    images::debian().check("the layout in it", &rows(&hybrid)?);
    Ok(())
}

#[test]
fn skopeo_reads_a_layout_that_both_wrote() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let scratch = Scratch::new("save")?;
    let shared = scratch.path().join("shared").display().to_string();
    let raw = |source: &str| run("skopeo", ["inspect", "--raw", "--tls-verify=false", source]);
    let reference = format!("{}/{SEVEN_LAYERS}", registry.host());
    let from = format!("docker://{reference}");
    run(
        "skopeo",
        ["--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", &from, &format!("oci:{shared}:theirs")],
    )?;
    done(&[
        "pull",
        &format!("{}/{THREE_PLATFORMS}", registry.host()),
        "--all-platforms",
        &format!("oci:{shared}:ours"),
    ])?;
    done(&["copy", &format!("oci:{shared}:theirs"), &format!("oci:{shared}:again")])?;
    for (name, image) in [("theirs", SEVEN_LAYERS), ("again", SEVEN_LAYERS), ("ours", THREE_PLATFORMS)] {
        assert_eq!(raw(&format!("oci:{shared}:{name}"))?, raw(&format!("docker://{}/{image}", registry.host()))?);
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
    let mut command = Command::new(ours("porthole")?);
    command.args(["save", &missing, "--output"]).arg(&archive).arg("--store").arg(Scratch::new("store")?.path());
    let output = command.output()?;
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(scratch.path())?.count(), 0);
    Ok(())
}
