//! `watch`, `history` and `rollback` when a tag moves.

use crate::images::{self, FOR_EVERYONE};
use porthole_testkit::image::Blob;
use porthole_tests::{
    Result,
    http::request,
    images::{PLATFORMS, layout},
    program::{Running, fixtures, free_port, ours, run, wait_for},
    servers::{Access, Nginx, Registry, Scratch, Storage, Tokens},
};
use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn porthole(store: &Path, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(ours("porthole")?);
    command.arg("--store").arg(store).args(arguments);
    Ok(command)
}

/// Stdout of a command that must succeed.
fn done(store: &Path, arguments: &[&str]) -> Result<String> {
    let output: Output = porthole(store, arguments)?.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "porthole {arguments:?}: {}\n{said}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

fn json(store: &Path, arguments: &[&str]) -> Result<Vec<Value>> {
    let text = done(store, &[arguments, &["--json"]].concat())?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// Pushes one of several images with skopeo.
fn push(image: &str, reference: &str) -> Result<()> {
    let from = format!("oci:{}:{image}", layout(&fixtures(), PLATFORMS).display());
    let to = format!("docker://{reference}");
    run("skopeo", ["--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", &from, &to]).map(|_| ())
}

/// The digest that skopeo reports.
fn digest(image: &str) -> Result<String> {
    let raw = run("skopeo", ["inspect", "--raw", "--tls-verify=false", image])?;
    Ok(Blob::new("", raw.into_bytes()).digest)
}

/// Log lines of a registry for requests by porthole.
fn asked(registry: &Registry) -> Vec<String> {
    registry.said().lines().filter(|line| line.contains("\"porthole/")).map(str::to_owned).collect()
}

/// Waits until the registry has logged all earlier requests. It writes a line only after its response.
fn wait_for_log(registry: &Registry) -> Result<()> {
    let last = "/v2/the/last/line/tags/list";
    request(registry.port(), "GET", last, &[], &[])?;
    wait_for("the log of the registry", || Ok(registry.said().contains(last).then_some(())))
}

#[test]
fn watch_reports_a_push_and_rollback_reverts_it() -> Result<()> {
    let storage = Storage::new()?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let (scratch, reference) = (Scratch::new("watch")?, format!("{}/app/web:prod", registry.host()));
    let (store, log) = (scratch.path().join("store"), scratch.path().join("log"));
    let docker = format!("docker://{reference}");
    push("amd64", &reference)?;
    let first = digest(&docker)?;
    done(&store, &["pull", &reference])?;
    wait_for_log(&registry)?;
    let asked_by_pull = asked(&registry).len();

    let task = format!("echo $PORTHOLE_REFERENCE $PORTHOLE_PREVIOUS $PORTHOLE_DIGEST >> {}", log.display());
    let mut watch = porthole(&store, &["watch", "--json", "--interval", "1s", &reference, "--exec", &task])?;
    let watch = Running::start(&mut watch)?;
    wait_for("a few looks", || Ok((asked(&registry).len() >= asked_by_pull + 3).then_some(())))?;
    push("arm64", &reference)?;
    let second = digest(&docker)?;
    let event: Value = watch.line(|line| serde_json::from_str(line).ok())?;
    assert_eq!(event["reference"], reference.as_str());
    assert_eq!((&event["previous"], &event["digest"]), (&first.as_str().into(), &second.as_str().into()));
    let line = format!("{reference} {first} {second}\n");
    wait_for("the command", || Ok((fs::read_to_string(&log).ok() == Some(line.clone())).then_some(())))?;
    let looks = asked(&registry).split_off(asked_by_pull);
    assert!(looks.iter().all(|line| line.contains("\"HEAD /v2/app/web/manifests/prod ")), "{looks:#?}");
    assert!(
        looks.iter().filter(|line| line.contains("\" 304 ")).count() >= 2,
        "a known digest is not reported again: {looks:#?}"
    );

    // A rollback moves the tag back from the bad version, and `watch` reports that move as well.
    let history = json(&store, &["history", "--remote", &reference])?;
    let brief: Vec<_> =
        history.iter().map(|row| (&row["by"], &row["digest"], &row["stored"], &row["registry"])).collect();
    let (yes, no) = (Value::from(true), Value::from(false));
    assert_eq!(brief[0], (&"watch".into(), &second.as_str().into(), &no, &yes));
    assert_eq!(brief.last(), Some(&(&"pull".into(), &first.as_str().into(), &yes, &no)));
    let answer = json(&store, &["rollback", "--push", &reference])?;
    assert_eq!((&answer[0]["previous"], &answer[0]["digest"]), (&second.as_str().into(), &first.as_str().into()));
    assert_eq!(digest(&docker)?, first);
    let event: Value = watch.line(|line| serde_json::from_str(line).ok())?;
    assert_eq!((&event["previous"], &event["digest"]), (&second.as_str().into(), &first.as_str().into()));
    drop(watch);

    let elsewhere = scratch.path().join("elsewhere");
    assert_eq!(json(&elsewhere, &["pull", &reference])?[0]["digest"], first.as_str());
    done(&elsewhere, &["verify", &format!("store:{reference}")])?;
    assert_eq!(json(&store, &["history", &reference])?[0]["digest"], first.as_str());
    Ok(())
}

#[test]
fn rollback_restores_the_image_before_a_mistaken_pull() -> Result<()> {
    let storage = Storage::new()?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let (scratch, reference) = (Scratch::new("watch")?, format!("{}/app/web:prod", registry.host()));
    let store = scratch.path().join("store");
    for image in ["amd64", "arm64", "arm"] {
        push(image, &reference)?;
        done(&store, &["pull", &reference])?;
    }
    done(&store, &["gc"])?;
    let answer = json(&store, &["rollback", &reference])?;
    let image = format!("oci:{}:{reference}", store.display());
    assert_eq!(answer[0]["digest"], digest(&image)?, "others see it in the layout");
    done(&store, &["verify", &format!("store:{reference}")])?;
    let output = porthole(&store, &["rollback", &reference, "2"])?.output()?;
    assert_eq!(output.status.code(), Some(4), "gc left one step: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[test]
fn watch_reuses_a_token() -> Result<()> {
    let port = free_port()?;
    let tokens = Tokens::start(format!("http://127.0.0.1:{port}/token"))?;
    let registry = Registry::start(images::storage(), &Access::Token(&tokens))?;
    let proxy = Nginx::joins(port, registry.port(), tokens.port())?;
    let (scratch, reference) = (Scratch::new("watch")?, format!("{}/{FOR_EVERYONE}", proxy.host()));
    let watch = Running::start(&mut porthole(scratch.path(), &["watch", "--interval", "1s", &reference])?)?;
    wait_for("a few looks", || Ok((asked(&registry).len() >= 5).then_some(())))?;
    assert!(watch.said().contains(&format!("watching {reference}: sha256:")), "{}", watch.said());
    assert_eq!(tokens.issued(), 1);
    Ok(())
}
