//! Catalogs, referrers, deletion, and the verdicts of `doctor` for each registry.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use porthole_testkit::image::{Blob, Content, Image, Layer};
use porthole_tests::{
    Result,
    program::{free_port, ours, run},
    servers::{Access, Nginx, Password, Registry, Scratch, Storage, Tokens},
    terminal::Terminal,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

fn porthole(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(ours("porthole")?).args(arguments).stdin(Stdio::null()).output()?)
}

#[track_caller]
fn ends(arguments: &[&str], code: i32) -> Result<String> {
    let output = porthole(arguments)?;
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "porthole {arguments:?}\n{talk}");
    Ok(talk.into_owned())
}

/// JSON rows of a command that must succeed.
fn rows(arguments: &[&str]) -> Result<Vec<Value>> {
    let output = porthole(&[arguments, &["--json"]].concat())?;
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "porthole {arguments:?}: {}\n{talk}", output.status);
    String::from_utf8(output.stdout)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// A credentials file for a registry.
fn authfile(folder: &Path, host: &str) -> Result<PathBuf> {
    let path = folder.join("auth.json");
    let auth = STANDARD.encode(format!("{}:{}", Password::USER, Password::PASSWORD));
    fs::write(&path, json!({ "auths": { host: { "auth": auth } } }).to_string())?;
    Ok(path)
}

/// A layout with an image and an SBOM that refers to it. Returns their digests.
fn layout(folder: &Path) -> Result<(String, [String; 2])> {
    let image = Image::new().layer(Layer::new("ADD a").file("a", "a")).build();
    let empty = Blob::new("application/vnd.oci.empty.v1+json", b"{}".to_vec());
    let bill = json!({
        "schemaVersion": 2, "mediaType": image.manifest.media_type, "artifactType": "application/spdx+json",
        "config": empty.descriptor(), "layers": [empty.descriptor()], "subject": image.manifest.descriptor(),
    });
    let bill = Blob::new(&image.manifest.media_type, bill.to_string().into_bytes());
    let digests = [image.manifest.digest.clone(), bill.digest.clone()];
    let mut content: Content = image.into_content("1");
    content.add_root("bill", bill).add_blob(empty);
    content.write_layout(&folder.join("layout"))?;
    Ok((format!("oci:{}:1", folder.join("layout").display()), digests))
}

/// A registry with tokens and deletion, and its token server, behind one host.
struct Joined {
    proxy: Nginx,
    _tokens: Tokens,
    _registry: Registry,
}

impl Joined {
    fn start(storage: &Storage) -> Result<Self> {
        let port = free_port()?;
        let tokens = Tokens::start(format!("http://127.0.0.1:{port}/token"))?;
        let registry = Registry::that_deletes(storage, &Access::Token(&tokens))?;
        let proxy = Nginx::joins(port, registry.port(), tokens.port())?;
        Ok(Self { proxy, _tokens: tokens, _registry: registry })
    }
}

#[test]
fn repositories_are_listed_with_permission_only() -> Result<()> {
    let (storage, scratch) = (Storage::new()?, Scratch::new("discovery")?);
    let (source, _) = layout(scratch.path())?;
    let open = Registry::start(&storage, &Access::Open)?;
    for name in ["team/app", "base", "team/tool"] {
        rows(&["push", &source, &format!("{}/{name}:1", open.host())])?;
    }
    let expected: Vec<Value> = ["base", "team/app", "team/tool"].map(|name| json!({ "repository": name })).into();
    assert_eq!(rows(&["catalog", &open.host()])?, expected);

    let password = Password::new()?;
    let closed = Registry::start(&storage, &Access::Basic(&password))?;
    let joined = Joined::start(&storage)?;
    for host in [closed.host(), joined.proxy.host()] {
        let said = ends(&["catalog", &host], 3)?;
        assert!(said.contains("lists no repositories"), "{said}");
        let file = authfile(scratch.path(), &host)?.display().to_string();
        assert_eq!(rows(&["catalog", "--authfile", &file, &host])?, expected);
    }
    Ok(())
}

#[test]
fn referrers_are_found_and_deleted() -> Result<()> {
    let (storage, scratch) = (Storage::new()?, Scratch::new("discovery")?);
    let (source, [image, bill]) = layout(scratch.path())?;
    let registry = Registry::that_deletes(&storage, &Access::Open)?;
    let reference = format!("{}/team/app:1", registry.host());
    rows(&["push", "--referrers", &source, &reference])?;
    for (place, via) in [(&source, "layout"), (&reference, "fallback-tag")] {
        let found = rows(&["referrers", "--type", "application/spdx+json", place])?;
        assert_eq!((found.len(), &found[0]["digest"], &found[0]["via"]), (1, &json!(bill), &json!(via)), "{found:?}");
        assert!(rows(&["referrers", "--type", "application/x", place])?.is_empty());
    }
    let gone = rows(&["delete", "--yes", &format!("{}/team/app@{bill}", registry.host())])?;
    assert_eq!(gone[0]["no_longer_refers_to"], json!(image));
    assert!(rows(&["referrers", &reference])?.is_empty());
    assert_eq!(rows(&["tags", &format!("{}/team/app", registry.host())])?, [json!({ "tag": "1" })]);
    run("skopeo", ["inspect", "--tls-verify=false", &format!("docker://{reference}")])?;
    Ok(())
}

#[test]
fn a_tag_is_deleted_alone_and_a_digest_with_its_tags() -> Result<()> {
    let (storage, scratch) = (Storage::new()?, Scratch::new("discovery")?);
    let (source, [image, _]) = layout(scratch.path())?;
    let open = Registry::that_deletes(&storage, &Access::Open)?;
    let joined = Joined::start(&storage)?;
    for host in [open.host(), joined.proxy.host()] {
        let file = authfile(scratch.path(), &host)?.display().to_string();
        let name = |rest: &str| format!("{host}/team/app{rest}");
        for tag in [":1", ":2", ":3"] {
            rows(&["push", "--authfile", &file, &source, &name(tag)])?;
        }
        let gone = rows(&["delete", "--yes", "--authfile", &file, &name(":1")])?;
        // docker-registry deletes by digest only.
        assert_eq!((&gone[0]["by"], &gone[0]["digest"]), (&json!("throw-away"), &json!(image)));
        let file_option = format!("--authfile={file}");
        let raw = |rest: &str| {
            run("skopeo", ["inspect", "--raw", &file_option, "--tls-verify=false", &format!("docker://{}", name(rest))])
        };
        assert!(raw(":1").is_err());
        assert_eq!(raw(":2")?, raw(":3")?);
        ends(&["delete", "--yes", "--authfile", &file, &name(":1")], 4)?;
        let gone = rows(&["delete", "--yes", "--authfile", &file, &name(&format!("@{image}"))])?;
        let mut tags: Vec<&str> =
            gone[0]["other_tags"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        tags.sort_unstable();
        assert_eq!(tags, ["2", "3"]);
        assert!(raw(":2").is_err());
    }
    // Deleting requires the password.
    ends(&["delete", "--yes", &format!("{}/team/app:2", joined.proxy.host())], 3)?;
    Ok(())
}

/// Runs `porthole` in a terminal and answers a yes/no question.
fn on_a_terminal(home: &Path, arguments: &str, answer: &str) -> Result<(Option<i32>, String)> {
    let mut terminal = Terminal::runs(&format!("{} {arguments}", ours("porthole")?.display()), home)?;
    terminal.answers("[y/N]", &format!("{answer}\n"))?;
    terminal.ends()
}

#[test]
fn delete_asks_for_confirmation() -> Result<()> {
    let (storage, scratch) = (Storage::new()?, Scratch::new("discovery")?);
    let (source, [image, _]) = layout(scratch.path())?;
    let registry = Registry::that_deletes(&storage, &Access::Open)?;
    let name = format!("{}/team/app", registry.host());
    for tag in ["1", "2"] {
        rows(&["push", &source, &format!("{name}:{tag}")])?;
    }
    let (code, said) = on_a_terminal(scratch.path(), &format!("delete {name}:1"), "no")?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("Delete the tag 1 of {name}, which is {image}? It stays as 2. [y/N]")), "{said}");
    assert!(said.contains("nothing was deleted"), "{said}");
    rows(&["digest", &format!("{name}:1")])?;
    let (code, said) = on_a_terminal(scratch.path(), &format!("delete {name}:1"), "y")?;
    assert_eq!(code, Some(0), "{said}");
    ends(&["digest", &format!("{name}:1")], 4)?;
    // Without a terminal, `delete` cannot ask and fails.
    ends(&["delete", &format!("{name}:2")], 2)?;
    rows(&["digest", &format!("{name}:2")])?;
    Ok(())
}

#[test]
fn a_registry_without_deletion_is_reported() -> Result<()> {
    let (storage, scratch) = (Storage::new()?, Scratch::new("discovery")?);
    let (source, [image, _]) = layout(scratch.path())?;
    let registry = Registry::start(&storage, &Access::Open)?;
    let reference = format!("{}/team/app:1", registry.host());
    rows(&["push", &source, &reference])?;
    for target in [&reference, &format!("{}/team/app@{image}", registry.host())] {
        let said = ends(&["delete", "--yes", target], 9)?;
        assert!(said.contains("does not delete") && said.contains("REGISTRY_STORAGE_DELETE_ENABLED"), "{said}");
    }
    let digest = rows(&["digest", &reference])?;
    assert_eq!(digest[0]["digest"], json!(image), "the tag is what it was");
    Ok(())
}

/// The verdict of each probe in a `doctor` report.
fn card(arguments: &[&str], code: i32) -> Result<BTreeMap<String, String>> {
    let output = porthole(&[&["doctor", "--json"], arguments].concat())?;
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "doctor {arguments:?}\n{talk}");
    let card: Value = serde_json::from_slice(&output.stdout)?;
    assert_eq!((&card["exit_code"], &card["usable"]), (&json!(code), &json!(code == 0)));
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let probes = card["probes"].as_array().into_iter().flatten();
    Ok(probes.map(|found| (word(&found["probe"]), word(&found["verdict"]))).collect())
}

#[track_caller]
fn is(found: &BTreeMap<String, String>, probes: &[&str], verdict: &str) {
    for probe in probes {
        assert_eq!(found.get(*probe).map(String::as_str), Some(verdict), "{probe}: {found:?}");
    }
}

#[test]
fn the_doctor_knows_registries() -> Result<()> {
    let (storage, scratch) = (Storage::new()?, Scratch::new("discovery")?);
    let (source, _) = layout(scratch.path())?;
    let open = Registry::that_deletes(&storage, &Access::Open)?;
    for name in ["public/app", "private/app"] {
        rows(&["push", &source, &format!("{}/{name}:1", open.host())])?;
    }
    let reading = [
        "connection",
        "version",
        "clock",
        "sign-in",
        "credentials",
        "manifest",
        "head",
        "conditional",
        "range",
        "blobs",
    ];
    let writing = ["upload", "chunks", "resume", "cancel", "whole", "mount", "delete"];

    let found = card(&["--write", "scratch", &open.host()], 0)?;
    is(&found, &reading, "ok");
    is(&found, &writing, "ok");
    is(&found, &["catalog"], "ok");
    is(&found, &["referrers", "page", "preflight"], "no");
    let keeps = Registry::start(&storage, &Access::Open)?;
    let found = card(&["--write", "scratch", &format!("{}/public/app:1", keeps.host())], 0)?;
    is(&found, &writing[..6], "ok");
    is(&found, &["delete"], "no");

    let password = Password::new()?;
    let basic = Registry::that_deletes(&storage, &Access::Basic(&password))?;
    let joined = Joined::start(&storage)?;
    for host in [basic.host(), joined.proxy.host()] {
        let image = format!("{host}/private/app:1");
        let found = card(&[&image], 3)?;
        is(&found, &["connection", "version", "sign-in"], "ok");
        is(&found, &["manifest"], "no");
        let file = authfile(scratch.path(), &host)?.display().to_string();
        let found = card(&["--authfile", &file, "--write", "scratch", &image], 0)?;
        is(&found, &reading, "ok");
        is(&found, &writing, "ok");
    }
    // An anonymous token suffices to read public repositories.
    is(&card(&[&format!("{}/public/app:1", joined.proxy.host())], 0)?, &reading, "ok");
    card(&[&format!("127.0.0.1:{}", free_port()?)], 8)?;
    card(&[&format!("{}/public/none:1", open.host())], 4)?;
    Ok(())
}

#[test]
fn the_doctor_knows_what_a_page_may_read() -> Result<()> {
    let (storage, scratch) = (Storage::new()?, Scratch::new("discovery")?);
    let (source, _) = layout(scratch.path())?;
    let password = Password::new()?;
    let open = Registry::start(&storage, &Access::OpenToPages)?;
    rows(&["push", &source, &format!("{}/public/app:1", open.host())])?;
    let refuses = Registry::start(&storage, &Access::BasicToPages(&password))?;
    let basic = Registry::start(&storage, &Access::Basic(&password))?;
    let answers = Nginx::answers_preflights(basic.port())?;
    for (host, code, page, preflight) in [
        (open.host(), 0, "ok", "ok"),
        (refuses.host(), 3, "no", "no"),
        (basic.host(), 3, "no", "no"),
        (answers.host(), 3, "ok", "ok"),
    ] {
        let found = card(&[&format!("{host}/public/app:1")], code)?;
        is(&found, &["page"], page);
        is(&found, &["preflight"], preflight);
    }
    Ok(())
}
