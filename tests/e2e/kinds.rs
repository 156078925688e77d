//! The kind of a file in the page: the facts of its headers that `porthole file` prints, JSON as a tree that folds, and bytes at any
//! offset.

use crate::views::axe;
use porthole_tests::{
    Result,
    images::{DEBIAN, layout, truth},
    page::Page,
    program::{fixtures, ours, run},
    servers::{Access, Nginx, Registry, Scratch, Storage},
};
use serde_json::{Value, json};
use std::{fs, path::Path};

const PROGRAM: &str = "usr/bin/less";
const DOCUMENT: &str = "srv/settings.json";
const ARCHIVE: &str = "srv/bundle.tar";

/// An image with a JSON document and an archive, as a layout.
fn image(scratch: &Scratch) -> Result<String> {
    let copy = scratch.path().join("image").display().to_string();
    run("cp", ["-r", &layout(&fixtures(), DEBIAN).display().to_string(), &copy])?;
    let settings =
        json!({ "name": "harbour", "ports": [80, { "tls": true, "names": { "deep": null } }], "text": "a<b>\u{e9}" });
    let (document, archive) = (scratch.path().join("settings.json"), scratch.path().join("bundle.tar"));
    fs::write(&document, serde_json::to_string_pretty(&settings)?)?;
    fs::write(scratch.path().join("notes.txt"), "a few words\n")?;
    let folder = scratch.path().display().to_string();
    run("tar", ["-c", "-f", &archive.display().to_string(), "-C", &folder, "settings.json", "notes.txt"])?;
    for (file, path) in [(&document, DOCUMENT), (&archive, ARCHIVE)] {
        let image = format!("{copy}:latest");
        run("umoci", ["insert", "--image", &image, &file.display().to_string(), &format!("/{path}")])?;
    }
    Ok(copy)
}

/// The output of `porthole file`: the kind of a file, and each fact with its values.
fn said(image: &str, path: &str) -> Result<(Value, Value)> {
    let program = ours("porthole")?.display().to_string();
    let source = format!("oci:{image}:latest");
    let report: Value = serde_json::from_str(&run(&program, ["file", "--json", &source, path])?)?;
    let text = |value: &Value| match value {
        Value::Bool(flag) => if *flag { "yes" } else { "no" }.to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let facts = report["facts"].as_object().into_iter().flatten().map(|(name, value)| {
        let values: Vec<_> = value.as_array().map_or_else(|| vec![text(value)], |all| all.iter().map(text).collect());
        (name.replace('_', " "), Value::from(values))
    });
    Ok((report["kind"].clone(), Value::Object(facts.collect())))
}

/// The kind and facts that the page shows. Waits until it shows a file of this kind.
fn shown(page: &Page, kind: &Value) -> Result<Value> {
    let section = format!(".about[data-kind={kind}]");
    page.until("what the file is", |page| Ok(page.shown(&section)?.then_some(())))?;
    page.browser().run(
        "return Object.fromEntries([...document.querySelectorAll('.about .facts dt')].map(name => {
             const items = [...name.nextElementSibling.querySelectorAll('li')];
             return [name.textContent, (items.length ? items : [name.nextElementSibling]).map(item => item.textContent)];
         }))",
        json!([]),
    )
}

#[test]
fn facts_trees_and_bytes_are_those_of_the_file() -> Result<()> {
    let scratch = Scratch::new("kinds")?;
    let (image, storage) = (image(&scratch)?, Storage::new()?);
    storage.push(&[(Path::new(&image), "latest", "porthole/kinds:1")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let page = Page::on_screen(&host.url(), 1480, 900, "")?;
    page.look(&format!("{}/porthole/kinds:1", registry.host()))?;
    page.verified()?;
    let base = page.browser().url()?;

    page.browser().open(&format!("{base}?path={PROGRAM}"))?;
    let (kind, facts) = said(&image, PROGRAM)?;
    assert_eq!(shown(&page, &kind)?, facts, "{PROGRAM}");
    assert!(facts.as_object().is_some_and(|facts| facts.len() > 8), "{facts}");
    axe(&page, "a program")?;

    page.browser().open(&format!("{base}?path={ARCHIVE}"))?;
    let (kind, facts) = said(&image, ARCHIVE)?;
    assert_eq!(shown(&page, &kind)?, facts, "{ARCHIVE}");
    let members = page.until("the members", |page| {
        let rows = page.browser().run(
            "return [...document.querySelectorAll('[data-members] tbody tr')].map(row => row.cells[0].textContent)",
            json!([]),
        )?;
        Ok(rows.as_array().filter(|rows| !rows.is_empty()).cloned())
    })?;
    let listed = run("tar", ["-t", "-f", &scratch.path().join("bundle.tar").display().to_string()])?;
    assert_eq!(members, listed.lines().map(Value::from).collect::<Vec<_>>(), "what tar lists");

    page.browser().open(&format!("{base}?path={DOCUMENT}"))?;
    page.until("the tree", |page| Ok(page.shown(".outline details")?.then_some(())))?;
    let leaves = page
        .browser()
        .run("return [...document.querySelectorAll('.outline div')].map(leaf => leaf.textContent)", json!([]))?;
    assert_eq!(leaves, json!(["name \"harbour\"", "0 80", "deep null", "tls true", "text \"a<b>é\""]));
    let opened = "return [...document.querySelectorAll('.outline details')].map(node => node.open)";
    assert_eq!(page.browser().run(opened, json!([]))?, json!([true, true, false, false]));
    axe(&page, "a tree of JSON")?;
    page.browser().click("#fold")?;
    let text = fs::read_to_string(scratch.path().join("settings.json"))?;
    page.until("its text", |page| Ok((page.browser().text("#text")?.trim_end() == text.trim_end()).then_some(())))?;

    page.browser().open(&format!("{base}?path={PROGRAM}&read=1"))?;
    page.until("its bytes", |page| Ok(page.browser().text("#hex")?.starts_with("00000000").then_some(())))?;
    page.browser().write("#offset", "0x1230\u{e007}")?;
    let lines = page.until("the bytes at that offset", |page| {
        Ok(Some(page.browser().text("#hex")?).filter(|hex| hex.starts_with("00001230")))
    })?;
    let digits = lines.lines().map(|line| line.get(10..58).unwrap_or_default().split_whitespace().collect::<String>());
    let file = fs::read(truth(&fixtures(), DEBIAN, "latest").join(PROGRAM))?;
    let hex: String = file[0x1230..].iter().map(|byte| format!("{byte:02x}")).take(4096).collect();
    let digits: String = digits.collect();
    assert!(digits.len() >= 512 && hex.starts_with(&digits), "{lines}");
    let link = page.link()?;
    assert!(link.contains("offset=4656"), "{link}");
    let again = Page::on_screen(&link, 1480, 900, "")?;
    again.until("the same bytes", |page| Ok((page.browser().text("#hex")? == lines).then_some(())))?;
    axe(&page, "bytes")
}
