//! Compares two images in the page, and the result with that of `porthole diff`.

use crate::{
    images::{self, SEVEN_LAYERS, SEVEN_LAYERS_ZSTD, THREE_PLATFORMS},
    views::axe,
};
use porthole_tests::{
    Result,
    images::{DEBIAN, layout},
    page::Page,
    program::{fixtures, ours, run},
    servers::{Access, Nginx, Registry, Scratch, Storage},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// The image of seven layers with three more: they add a file, change a file and delete a directory.
pub(crate) fn changed(scratch: &Scratch) -> Result<String> {
    let copy = scratch.path().join("changed");
    run("cp", ["-r", &layout(&fixtures(), DEBIAN).display().to_string(), &copy.display().to_string()])?;
    let text = scratch.path().join("login.defs");
    fs::write(&text, "# Nothing is defined here.\nUMASK 077\n")?;
    let (image, text) = (format!("{}:latest", copy.display()), text.display().to_string());
    run("umoci", ["insert", "--image", &image, &text, "/opt/new.txt"])?;
    run("umoci", ["insert", "--image", &image, &text, "/etc/login.defs"])?;
    run("umoci", ["insert", "--image", &image, "--whiteout", "/usr/share/zoneinfo/Arctic"])?;
    run("umoci", ["config", "--image", &image, "--config.user", "keeper"])?;
    Ok(copy.display().to_string())
}

/// The differences that `porthole diff --json` prints, by kind.
pub(crate) fn diff(options: &[&str], before: &Path, after: &str) -> Result<BTreeMap<String, Vec<Value>>> {
    let mut command = Command::new(ours("porthole")?);
    command.args(["diff", "--json"]).args(options);
    let output = command.arg(format!("oci:{}", before.display())).arg(format!("oci:{after}")).output()?;
    let mut kinds: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let row: Value = serde_json::from_str(line)?;
        kinds.entry(row["kind"].as_str().unwrap_or_default().to_owned()).or_default().push(row);
    }
    Ok(kinds)
}

/// The rows of files in the page: path and change.
fn files(page: &Page) -> Result<Value> {
    page.until("the files are compared", |page| page.browser().attribute(".compare [data-files=done]", "data-files"))?;
    page.browser().run(
        "return [...document.querySelectorAll('[data-changed-path]')].map(row => [row.dataset.changedPath, row.dataset.change])",
        json!([]),
    )
}

#[test]
fn a_comparison_is_what_diff_prints() -> Result<()> {
    let scratch = Scratch::new("compared")?;
    let other = changed(&scratch)?;
    let storage = Storage::new()?;
    storage.push(&[(Path::new(&other), "latest", "porthole/changed:1")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(images::storage(), &Access::OpenToPages)?);
    let second = Registry::start(&storage, &Access::OpenToPages)?;
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.verified()?;
    page.browser().click("#tab-compare")?;
    axe(&page, "the form")?;
    page.browser().write("#with", &format!("{}/porthole/changed:1", second.host()))?;
    page.browser().click(".compare .with .primary")?;

    let before = layout(&fixtures(), DEBIAN);
    let told = diff(&[], &before, &other)?;
    let rows = |told: &BTreeMap<String, Vec<Value>>| -> Vec<Value> {
        told["file"].iter().map(|row| json!([row["path"], row["change"]])).collect()
    };
    assert!(told["file"].len() > 3, "{told:?}");
    assert_eq!(files(&page)?, json!(rows(&told)));
    for change in ["added", "removed", "changed"] {
        let count = told["file"].iter().filter(|row| row["change"] == change).count();
        let shown = page.browser().attribute(&format!("[data-sum={change}]"), "data-count")?;
        assert_eq!(shown, Some(count.to_string()), "{change}");
    }
    let relations = page
        .browser()
        .run("return [...document.querySelectorAll('[data-relation]')].map(row => row.dataset.relation)", json!([]))?;
    let layers: Vec<&str> = told["layer"]
        .iter()
        .map(|row| match row["change"].as_str() {
            Some("added") => "only the other",
            Some("removed") => "only this image",
            other => other.unwrap_or_default(),
        })
        .collect();
    assert_eq!(relations, json!(layers));
    assert!(page.browser().text("[data-setting=user]")?.contains("keeper"));
    axe(&page, "two images")?;

    page.browser().click("[data-ignore=time]")?;
    let fewer = rows(&diff(&["--ignore", "time"], &before, &other)?);
    page.until("the times are left out", |page| Ok((files(page)? == json!(fewer)).then_some(())))?;

    // The lines of a changed file.
    page.browser().click("[data-changed-path='etc/login.defs'] [aria-expanded]")?;
    page.until("the lines", |page| page.browser().attribute(".compare .hunks [data-side=after]", "data-side"))?;
    let added = page.browser().text(".compare .hunks [data-side=after]")?;
    assert!(added.contains("Nothing is defined here"), "{added}");
    axe(&page, "lines")?;

    // The URL opens the same comparison.
    let address = page.browser().url()?;
    assert!(address.contains("with=") && address.contains("ignore=time"), "{address}");
    let again = Page::on_screen(&address, 390, 844, "")?;
    assert_eq!(files(&again)?, json!(fewer));
    axe(&again, "a small screen")?;
    page.browser().back()?;
    page.until("the times are back", |page| Ok((files(page)? == json!(rows(&told))).then_some(())))?;
    Ok(())
}

#[test]
fn equal_images_and_other_platforms_are_compared_and_failures_are_told() -> Result<()> {
    let (host, registry) = (Nginx::page()?, Registry::start(images::storage(), &Access::OpenToPages)?);
    let page = Page::open(&host.url())?;
    let compare = |other: &str| -> Result<()> {
        page.browser().write("#with", other)?;
        page.browser().click(".compare .with .primary")
    };
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.verified()?;
    page.browser().click("#tab-compare")?;
    compare(&format!("{}/{SEVEN_LAYERS_ZSTD}", registry.host()))?;
    page.until("the layers", |page| page.browser().attribute("[data-relation=recompressed]", "data-relation"))?;
    assert!(page.browser().text("[data-files=nothing]")?.contains("same"));
    compare(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.until("no difference", |page| page.browser().attribute(".compare .verdict", "role"))?;
    compare(&format!("{}/porthole/nothing:1", registry.host()))?;
    page.until("the failure", |page| page.browser().attribute(".compare [data-kind=not-found]", "data-kind"))?;

    page.look(&format!("{}/{THREE_PLATFORMS}", registry.host()))?;
    page.verified()?;
    page.browser().click("#tab-compare")?;
    page.browser().click(".compare [data-platform]")?;
    page.until("the other platform", |page| {
        page.browser()
            .attribute(".compare .other code", "class")
            .map(|_| page.browser().text(".compare .other").ok().filter(|text| text.contains("linux/")))
    })?;
    Ok(())
}
