//! File content: one range request, verified before it is shown.

use crate::images::{self, SEVEN_LAYERS};
use porthole_tests::{
    Result,
    images::{DEBIAN, layout},
    page::Page,
    program::fixtures,
    servers::{Access, Nginx, Registry, Relay, Storage},
};
use serde_json::{Value, json};
use std::fs;

const TEXT: &str = "etc/debian_version";
const BINARY: &str = "usr/bin/passwd";

/// The content of a path in umoci's tree.
fn truth(path: &str) -> Result<Vec<u8>> {
    Ok(fs::read(fixtures().join(DEBIAN).join("latest/rootfs").join(path))?)
}

/// Selects a path through the URL.
fn select(page: &Page, path: &str) -> Result<()> {
    page.browser().run(
        "const base = location.hash.replace(/[?&]path=[^&]*/, '');
         location.hash = base + (base.includes('?') ? '&' : '?') + 'path=' + encodeURIComponent(arguments[0])",
        json!([path]),
    )?;
    Ok(())
}

/// Waits until the page shows content of a kind, and returns its text.
fn content(page: &Page, kind: &str) -> Result<String> {
    let selector = format!(".content[data-kind='{kind}']");
    let text = format!("{selector} pre:last-of-type, {selector} .finding");
    page.until(&format!("content that is {kind}"), |page| {
        Ok(Some(page.browser().text(&text)?).filter(|text| !text.is_empty()))
    })
}

#[test]
fn text_is_shown_after_one_small_range() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::OpenToPages)?;
    let (host, line) = (Nginx::page()?, Nginx::metered(registry.port(), 100_000)?);
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", line.host()))?;
    page.verified()?;
    let before = line.sent()?.len();
    select(&page, TEXT)?;
    assert_eq!(content(&page, "text")?.as_bytes(), truth(TEXT)?);
    let asked = line.sent()?.split_off(before);
    let largest = fs::metadata(images::storage().blob(&digest_of(&asked)?)?)?.len();
    assert!(asked.len() == 1 && asked[0].1 < largest / 4, "one range of {largest} bytes: {asked:?}");

    select(&page, BINARY)?;
    let hex = content(&page, "binary")?;
    assert!(hex.starts_with("00000000  7f 45 4c 46"), "{hex}");
    Ok(())
}

/// The digest in a blob's path.
fn digest_of(asked: &[(String, u64)]) -> Result<String> {
    let path = asked.first().map(|(path, _)| path.as_str()).unwrap_or_default();
    Ok(path.rsplit_once("/blobs/").ok_or("no blob was asked for")?.1.to_owned())
}

#[test]
fn through_the_relay_and_from_the_page_itself() -> Result<()> {
    let registry = Registry::start(images::storage(), &Access::Open)?;
    let relay = Relay::start(&[&registry.host()])?;
    let page = Page::open(relay.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.verified()?;
    select(&page, TEXT)?;
    assert_eq!(content(&page, "text")?.as_bytes(), truth(TEXT)?);

    let page = Page::open(relay.url())?;
    page.browser().click("#sample")?;
    page.verified()?;
    page.browser().click("#expand-all")?;
    let rows = page.rows()?;
    let file = rows.iter().find(|row| row.kind == "file" && row.size > 0).ok_or("the sample has a file")?;
    select(&page, &file.path)?;
    page.until("the content of a file of the sample", |page| page.browser().attribute(".content", "data-shown"))?;
    Ok(())
}

#[test]
fn a_byte_that_changed_since_is_never_shown() -> Result<()> {
    let storage = Storage::new()?;
    storage.push(&[(&layout(&fixtures(), DEBIAN), "latest", "changed/debian:1")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let line = Nginx::metered(registry.port(), 100_000)?;
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/changed/debian:1", line.host()))?;
    page.verified()?;
    let digest = page.browser().attribute("[data-layer='0']", "data-digest")?.ok_or("the layer has a digest")?;
    let blob = storage.blob(&digest)?;
    let mut bytes = fs::read(&blob)?;
    bytes.iter_mut().step_by(1_000).for_each(|byte| *byte ^= 1);
    fs::write(&blob, bytes)?;
    select(&page, TEXT)?;
    let told = content(&page, "failed")?;
    assert!(told.contains("not the bytes of this file"), "{told}");
    assert_eq!(page.browser().attribute(".content", "data-wrong")?.as_deref(), Some("true"));
    assert_eq!(page.browser().attribute("#text", "id")?, None);
    Ok(())
}

#[test]
fn a_file_can_be_saved() -> Result<()> {
    let (host, registry) = (Nginx::page()?, Registry::start(images::storage(), &Access::OpenToPages)?);
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.verified()?;
    select(&page, BINARY)?;
    content(&page, "binary")?;
    // Intercept the download: file name and content.
    page.browser().run(
        "HTMLAnchorElement.prototype.click = function () { window.saved = [this.download, this.href] }",
        json!([]),
    )?;
    page.browser().click("#save")?;
    page.until("the file is put together", |page| {
        Ok(Some(page.browser().run("return window.saved ?? null", json!([]))?).filter(|saved| *saved != Value::Null))
    })?;
    let saved = page.browser().run("return window.saved", json!([]))?;
    assert_eq!(saved[0], "passwd");
    assert!(saved[1].as_str().is_some_and(|address| address.starts_with("blob:")), "{saved}");
    Ok(())
}
