//! Pushes: unchanged bytes, each uploaded once, robust against interruption, and readable by other tools.

use crate::images::{self, SEVEN_LAYERS, THREE_PLATFORMS};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_testkit::registry::{Internet, Site, Socket};
use porthole_tests::{
    Result,
    images::{DEBIAN, DEBIAN_ZSTD, PLATFORM_TAGS, PLATFORMS, layout, pseudo_random},
    program::{fixtures, free_port, ours, run},
    servers::{Access, Nginx, Password, Registry, Scissors, Scratch, Storage, Tokens},
};
use serde_json::Value;
use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::{Command, Output},
};

fn porthole(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(ours("porthole")?).args(arguments).output()?)
}

/// The JSON report of a command that must succeed.
fn done(arguments: &[&str]) -> Result<Value> {
    let output = porthole(&[arguments, &["--json"]].concat())?;
    assert!(output.status.success(), "porthole {arguments:?}: {}", talk(&output));
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn talk(output: &Output) -> String {
    format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr))
}

/// The bytes of a manifest or index, fetched with skopeo.
fn raw(image: &str) -> Result<String> {
    run("skopeo", ["inspect", "--raw", "--tls-verify=false", image])
}

fn fixture(image: &str, tag: &str) -> String {
    format!("oci:{}:{tag}", layout(&fixtures(), image).display())
}

fn skopeo(from: &str, to: &str) -> Result<()> {
    let common = ["--insecure-policy", "copy", "--all", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"];
    run("skopeo", common.into_iter().chain([from, to])).map(|_| ())
}

#[test]
fn other_tools_pull_what_porthole_pushed() -> Result<()> {
    let storage = Storage::new()?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let scratch = Scratch::new("push")?;
    for (number, (image, tag)) in
        [(DEBIAN, "latest"), (DEBIAN_ZSTD, "latest"), (PLATFORMS, "latest")].into_iter().enumerate()
    {
        let (source, reference) = (fixture(image, tag), format!("{}/pushed/image{number}:1", registry.host()));
        let pushed = done(&["push", &source, &reference])?;
        assert_eq!(pushed["tagged"], true, "{pushed}");
        assert_eq!(pushed["sent"], pushed["uploaded"]["bytes"], "{pushed}");
        assert_eq!(raw(&source)?, raw(&format!("docker://{reference}"))?);
        let pulled = format!("oci:{}:{number}", scratch.path().join("pulled").display());
        skopeo(&format!("docker://{reference}"), &pulled)?;
        assert_eq!(raw(&pulled)?, raw(&source)?);
        done(&["verify", "--platform", "linux/amd64", &reference]).ok();

        let again = done(&["push", &source, &reference])?;
        assert_eq!(
            (&again["sent"], &again["documents"], &again["tagged"]),
            (&0.into(), &0.into(), &false.into()),
            "{again}"
        );
        // Only the tag is new.
        let renamed = done(&["push", &source, &format!("{}/pushed/image{number}:2", registry.host())])?;
        assert_eq!((&renamed["sent"], &renamed["documents"], &renamed["tagged"]), (&0.into(), &1.into(), &true.into()));
        // Another repository on the same registry: blobs are mounted.
        let (elsewhere, from) = (format!("{}/other/image{number}:1", registry.host()), format!("pushed/image{number}"));
        let mounted = done(&["push", "--mount-from", &from, &source, &elsewhere])?;
        assert_eq!((&mounted["sent"], &mounted["mounted"]), (&0.into(), &pushed["uploaded"]), "{mounted}");
    }
    Ok(())
}

#[test]
fn one_platform_of_an_index() -> Result<()> {
    let storage = Storage::new()?;
    let registry = Registry::start(&storage, &Access::Open)?;
    for (platform, tag) in PLATFORM_TAGS.iter().copied() {
        let reference = format!("{}/pushed/one:{tag}", registry.host());
        done(&["push", "--platform", platform, &fixture(PLATFORMS, "latest"), &reference])?;
        assert_eq!(raw(&format!("docker://{reference}"))?, raw(&fixture(PLATFORMS, tag))?);
    }
    let reference = format!("{}/pushed/one:none", registry.host());
    let output = porthole(&["push", "--platform", "linux/s390x", &fixture(PLATFORMS, "latest"), &reference])?;
    assert_eq!(output.status.code(), Some(5), "{}", talk(&output));
    Ok(())
}

#[test]
fn archives_are_pushed_as_they_are() -> Result<()> {
    let storage = Storage::new()?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let scratch = Scratch::new("push")?;
    let oci = format!("oci-archive:{}:latest", scratch.path().join("oci.tar").display());
    skopeo(&fixture(DEBIAN, "latest"), &oci)?;
    let reference = format!("{}/pushed/oci:1", registry.host());
    done(&["push", &oci, &reference])?;
    assert_eq!(raw(&format!("docker://{reference}"))?, raw(&fixture(DEBIAN, "latest"))?);

    let file = scratch.path().join("docker.tar").display().to_string();
    run(
        "skopeo",
        ["--insecure-policy", "copy", "--quiet", &fixture(DEBIAN, "latest"), &format!("docker-archive:{file}:a/b:1")],
    )?;
    let reference = format!("{}/pushed/docker:1", registry.host());
    done(&["push", &file, &reference])?;
    let config = |image: &str| run("skopeo", ["inspect", "--config", "--raw", "--tls-verify=false", image]);
    let pushed = format!("docker://{reference}");
    assert_eq!(config(&pushed)?, config(&format!("docker-archive:{file}"))?, "the config is as it was");
    // Its layers are uncompressed and match the diff_ids: umoci verifies that while unpacking.
    let pulled = scratch.path().join("pulled").display().to_string();
    skopeo(&pushed, &format!("oci:{pulled}:1"))?;
    let bundle = scratch.path().join("bundle").display().to_string();
    run("umoci", ["unpack", "--rootless", "--image", &format!("{pulled}:1"), &bundle])?;
    done(&["verify", &reference]).ok();
    Ok(())
}

/// A credentials file for a registry.
fn authfile(folder: &Path, host: &str) -> Result<String> {
    let path = folder.join("auth.json");
    let auth = STANDARD.encode(format!("{}:{}", Password::USER, Password::PASSWORD));
    fs::write(&path, format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#))?;
    Ok(path.display().to_string())
}

#[test]
fn passwords_and_tokens() -> Result<()> {
    let (password, storage, scratch) = (Password::new()?, Storage::new()?, Scratch::new("push")?);
    let basic = Registry::start(&storage, &Access::Basic(&password))?;
    let port = free_port()?;
    let tokens = Tokens::start(format!("http://127.0.0.1:{port}/token"))?;
    let signed = Registry::start(&storage, &Access::Token(&tokens))?;
    let joined = Nginx::joins(port, signed.port(), tokens.port())?;
    for host in [basic.host(), joined.host()] {
        let reference = format!("{host}/private/{}:1", if host == basic.host() { "basic" } else { "token" });
        let source = fixture(DEBIAN, "latest");
        let output = porthole(&["push", &source, &reference])?;
        assert_eq!(output.status.code(), Some(3), "{}", talk(&output));
        let before = tokens.issued();
        let file = authfile(scratch.path(), &host)?;
        let output = porthole(&["push", "--debug", "--authfile", &file, &source, &reference])?;
        assert!(output.status.success(), "{}", talk(&output));
        for secret in
            [Password::PASSWORD, &STANDARD.encode(format!("{}:{}", Password::USER, Password::PASSWORD)), "eyJ"]
        {
            assert!(!talk(&output).contains(secret), "{}", talk(&output));
        }
        assert!(tokens.issued() - before <= 1, "one token serves the whole push");
        let creds = format!("{}:{}", Password::USER, Password::PASSWORD);
        let pushed = run(
            "skopeo",
            ["inspect", "--raw", "--tls-verify=false", "--creds", &creds, &format!("docker://{reference}")],
        )?;
        assert_eq!(pushed, raw(&source)?);
    }
    Ok(())
}

/// A layout with one incompressible layer.
fn large(scratch: &Path, bytes: usize) -> Result<String> {
    let (rootfs, layout) = (scratch.join("rootfs"), scratch.join("layout").display().to_string());
    fs::create_dir_all(&rootfs)?;
    fs::write(rootfs.join("noise"), pseudo_random(bytes))?;
    let (archive, image) = (scratch.join("layer.tar").display().to_string(), format!("{layout}:1"));
    run("tar", ["--create", "--file", &archive, "--directory", &rootfs.display().to_string(), "noise"])?;
    run("umoci", ["init", "--layout", &layout])?;
    run("umoci", ["new", "--image", &image])?;
    run("umoci", ["raw", "add-layer", "--image", &image, &archive])?;
    Ok(format!("oci:{image}"))
}

#[test]
fn a_line_that_breaks_thrice_costs_little() -> Result<()> {
    let scratch = Scratch::new("push")?;
    // Set `PORTHOLE_LARGE=320000000` for a realistic size.
    let bytes = std::env::var("PORTHOLE_LARGE").ok().and_then(|bytes| bytes.parse().ok()).unwrap_or(96_000_000);
    let source = large(scratch.path(), bytes)?;
    let size = bytes as u64;
    let cuts = vec![size / 5, size / 2, size * 4 / 5];
    for chunk in [&["--chunk-size", "16MiB"][..], &[]] {
        let (internet, port) = (Internet::new(), free_port()?);
        let registry = Socket::serve(TcpListener::bind((Ipv4Addr::LOCALHOST, port))?, &internet)?;
        internet.site(registry.authority(), Site::new());
        let line = Scissors::before(port, cuts.clone())?;
        let pushed = done(&[&["push", &source, &format!("{}/large/image:1", line.host())], chunk].concat())?;
        let up = line.up();
        println!("{chunk:?}: {up} bytes went up for {size}, {:.4} times as many; {pushed}", up as f64 / size as f64);
        assert!(up >= size && up <= size * 11 / 10, "{up} bytes went up for {size}: {pushed}");
        assert_eq!(raw(&format!("docker://{}/large/image:1", registry.authority()))?, raw(&source)?);
        assert_eq!(internet.count("POST "), 2, "one session for each blob");
    }
    // docker-registry 2.8 drops an upload whose connection broke within a request, so the upload restarts. Behind a
    // proxy that buffers requests, as nginx does by default, only the broken request is lost.
    for buffered in [true, false] {
        for chunk in [&["--chunk-size", "5MiB"][..], &[]] {
            let storage = Storage::new()?;
            let registry = Registry::start(&storage, &Access::Open)?;
            let proxy = Nginx::limits_bodies(registry.port(), "0")?;
            let line = Scissors::before(if buffered { proxy.port() } else { registry.port() }, cuts.clone())?;
            let pushed = done(&[&["push", &source, &format!("{}/large/image:1", line.host())], chunk].concat())?;
            let up = line.up();
            println!(
                "docker-registry, behind nginx {buffered}, {chunk:?}: {:.4} times as many; {pushed}",
                up as f64 / size as f64
            );
            // Each cut costs one chunk; without chunks, the first cut costs everything sent before.
            let lost = if chunk.is_empty() { cuts[0] } else { 0 } + cuts.len() as u64 * (6 << 20);
            assert!(!buffered || up <= size + lost, "{up} bytes went up for {size}: {pushed}");
            assert_eq!(raw(&format!("docker://{}/large/image:1", registry.host()))?, raw(&source)?);
        }
    }
    Ok(())
}

#[test]
fn proxies_that_limit_bodies() -> Result<()> {
    let scratch = Scratch::new("push")?;
    let source = large(scratch.path(), 5_000_000)?;
    let storage = Storage::new()?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let proxy = Nginx::limits_bodies(registry.port(), "1m")?;
    done(&["push", &source, &format!("{}/small/bodies:1", proxy.host())])?;
    assert_eq!(raw(&format!("docker://{}/small/bodies:1", registry.host()))?, raw(&source)?);
    Ok(())
}

#[test]
fn an_incomplete_push_creates_no_tag() -> Result<()> {
    let scratch = Scratch::new("push")?;
    let source = large(scratch.path(), 5_000_000)?;
    let manifest: Value = serde_json::from_str(&raw(&source)?)?;
    let digest = manifest["layers"][0]["digest"].as_str().ok_or("the layer has no digest")?;
    let blob = scratch.path().join("layout/blobs").join(digest.replace(':', "/"));
    let mut bytes = fs::read(&blob)?;
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&blob, &bytes)?;
    let storage = Storage::new()?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let reference = format!("{}/broken/image:1", registry.host());
    let output = porthole(&["push", &source, &reference])?;
    assert_eq!(output.status.code(), Some(7), "{}", talk(&output));
    assert_eq!(porthole(&["digest", &reference])?.status.code(), Some(4));
    bytes.truncate(last);
    fs::write(&blob, &bytes)?;
    let output = porthole(&["push", &source, &reference])?;
    assert_eq!(output.status.code(), Some(7), "{}", talk(&output));
    Ok(())
}

#[test]
fn copies_between_registries() -> Result<()> {
    let (here, there) = (Registry::start(images::storage(), &Access::Open)?, Storage::new()?);
    let there = Registry::start(&there, &Access::Open)?;
    for (number, name) in [SEVEN_LAYERS, THREE_PLATFORMS].into_iter().enumerate() {
        let (from, to) = (format!("{}/{name}", here.host()), format!("{}/copied/image{number}:1", there.host()));
        let copied = done(&["copy", &from, &to])?;
        assert_eq!(copied["sent"], copied["uploaded"]["bytes"], "{copied}");
        assert_eq!(raw(&format!("docker://{from}"))?, raw(&format!("docker://{to}"))?);
        let again = done(&["copy", "--all-platforms", &from, &to])?;
        assert_eq!((&again["sent"], &again["tagged"]), (&0.into(), &false.into()), "{again}");
        // Within one registry all blobs are mounted.
        let within = done(&["copy", &to, &format!("{}/elsewhere/image{number}:1", there.host())])?;
        assert_eq!((&within["sent"], &within["mounted"]), (&0.into(), &copied["uploaded"]), "{within}");
        let renamed = done(&["copy", &to, &format!("{}/copied/image{number}:2", there.host())])?;
        assert_eq!((&renamed["sent"], &renamed["tagged"]), (&0.into(), &true.into()), "{renamed}");
    }
    let (from, to) = (format!("{}/{THREE_PLATFORMS}", here.host()), format!("{}/copied/arm:1", there.host()));
    let (platform, tag) = PLATFORM_TAGS[1];
    done(&["copy", "--platform", platform, &from, &to])?;
    assert_eq!(raw(&format!("docker://{to}"))?, raw(&fixture(PLATFORMS, tag))?);
    Ok(())
}
