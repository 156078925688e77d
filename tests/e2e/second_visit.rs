//! An image that this browser has opened before: the bytes that are fetched again, concurrent and closed tabs, and the list of kept
//! indexes with its buttons for removal. A proxy in front of a real registry counts bytes and forbids caching.

use crate::images::{self, SEVEN_LAYERS};
use porthole_testkit::image::{Compression, Image, Layer};
use porthole_tests::{
    Result,
    images::pseudo_random,
    page::Page,
    servers::{Access, Nginx, Registry, Scratch, Storage},
};
use serde_json::{Value, json};
use std::{thread, time::Duration};

/// Truncates the first kept index, changes a byte in the middle of the others, and adds a file of an unfinished write.
const DAMAGE: &str = "
const root = await navigator.storage.getDirectory();
for await (const [name, folder] of root.entries()) {
    let first = true;
    for await (const [name, file] of folder.entries()) {
        if (!name.startsWith('sha256-')) continue;
        const bytes = new Uint8Array(await (await file.getFile()).arrayBuffer());
        bytes[bytes.length >> 1] ^= 16;
        const out = await file.createWritable();
        await out.write(first ? bytes.slice(0, bytes.length >> 1) : bytes);
        await out.close();
        first = false;
    }
    const half = await (await folder.getFileHandle('new-0', { create: true })).createWritable();
    await half.write('half of an index');
    await half.close();
}";

/// A registry that any origin may read, and the proxy that counts its bytes.
struct Counted {
    line: Nginx,
    _registry: Registry,
}

impl Counted {
    fn start(storage: &Storage, rate: u32) -> Result<Self> {
        let registry = Registry::start(storage, &Access::OpenToPages)?;
        Ok(Self { line: Nginx::metered(registry.port(), rate)?, _registry: registry })
    }

    fn name(&self, image: &str) -> String {
        format!("{}/{image}", self.line.host())
    }

    /// Number of bytes of these layers that were sent so far.
    fn sent(&self, layers: &[String]) -> Result<u64> {
        let sent = self.line.sent()?;
        let of_layer = |path: &str| layers.iter().any(|layer| path.ends_with(layer.as_str()));
        Ok(sent.iter().filter(|(path, _)| of_layer(path)).map(|(_, bytes)| bytes).sum())
    }
}

/// Digests of the layers that the page shows, and the days on which they were verified.
fn layers(page: &Page) -> Result<Vec<(String, Option<String>)>> {
    let shown = page.browser().run(
        "return [...document.querySelectorAll('[data-layer]')].map(l => [l.dataset.digest, l.dataset.since ?? null])",
        json!([]),
    )?;
    let pair = |pair: &Value| Some((pair[0].as_str()?.to_owned(), pair[1].as_str().map(str::to_owned)));
    Ok(shown.as_array().into_iter().flatten().filter_map(pair).collect())
}

/// Loads the page again and opens an image.
fn visit(page: &Page, host: &Nginx, reference: &str) -> Result<()> {
    page.browser().open("about:blank")?;
    page.browser().open(&host.url())?;
    page.until("the page starts", |page| page.browser().attribute("body", "data-page"))?;
    page.look(reference)?;
    page.verified()
}

#[test]
fn an_image_seen_before_fetches_no_layer() -> Result<()> {
    let registry = Counted::start(images::storage(), 1_000_000)?;
    let (host, reference) = (Nginx::page()?, registry.name(SEVEN_LAYERS));
    let page = Page::open(&host.url())?;
    page.look(&reference)?;
    page.verified()?;
    let shown = layers(&page)?;
    let digests: Vec<String> = shown.iter().map(|(digest, _)| digest.clone()).collect();
    assert!(digests.len() == 7 && shown.iter().all(|(_, since)| since.is_none()), "{shown:?}");
    images::debian().check("the first visit", &page.rows()?);
    let first = registry.sent(&digests)?;
    page.keeps(7)?;

    visit(&page, &host, &reference)?;
    images::debian().check("the second visit", &page.rows()?);
    assert_eq!(registry.sent(&digests)?, first, "no byte of a layer");
    let shown = layers(&page)?;
    assert!(shown.iter().all(|(_, since)| since.as_ref().is_some_and(|day| day.len() == 10)), "{shown:?}");
    assert!(page.browser().text("#chain [data-step=layers]")?.contains("7 on an earlier visit"));

    page.browser().click("[data-action=verify-again]")?;
    page.until("every layer is read again", |page| {
        let layers: Vec<_> = layers(page)?;
        Ok((layers.len() == 7 && layers.iter().all(|(_, since)| since.is_none())).then_some(()))
    })?;
    page.verified()?;
    assert_eq!(registry.sent(&digests)?, 2 * first);
    images::debian().check("verified again", &page.rows()?);

    page.browser().click("#settings-open")?;
    let bytes = page.until("what is kept is counted", |page| {
        let (files, kept) = (page.kept()?, |name| page.browser().attribute("#kept", name));
        let bytes: u64 = files.iter().filter(|(name, _)| *name != "used").map(|(_, size)| size).sum();
        if kept("data-layers")?.as_deref() == Some("7") && kept("data-bytes")? == Some(bytes.to_string()) {
            return Ok(Some(bytes));
        }
        // Indexes may have been written during the count, so open the list again.
        page.browser().run("document.querySelector('#settings-open').click()", json!([]))?;
        thread::sleep(Duration::from_millis(500));
        Ok(None)
    })?;
    page.browser().click("#kept-wipe")?;
    page.until("nothing is kept", |page| {
        Ok(page.browser().attribute("#kept", "data-bytes")?.filter(|bytes| bytes == "0"))
    })?;
    page.until("no file is left", |page| Ok(page.kept()?.is_empty().then_some(())))?;
    visit(&page, &host, &reference)?;
    assert_eq!(registry.sent(&digests)?, 3 * first);
    println!("{first} bytes of layers on the first visit, 0 on the second; {bytes} bytes are kept");
    Ok(())
}

#[test]
fn one_file_of_a_large_layer_costs_one_range() -> Result<()> {
    let noise = pseudo_random(32 << 20);
    let layer = Layer::new("COPY data /data").compression(Compression::Gzip).dir("data");
    let fill = |layer: Layer, (number, part): (usize, &[u8])| layer.file(format!("data/{number:02}"), part);
    let (before, after) = noise.split_at(16 << 20);
    let layer = before.chunks(1 << 20).enumerate().fold(layer, fill).file("data/small", "fourteen bytes");
    let layer = after.chunks(1 << 20).enumerate().map(|(number, part)| (number + 16, part)).fold(layer, fill);
    let image = Image::new().layer(layer).build();
    let digests = [image.layers[0].blob.digest.clone()];
    let (layout, storage) = (Scratch::new("layout")?, Storage::new()?);
    image.into_content("1").write_layout(layout.path())?;
    storage.push(&[(layout.path(), "1", "porthole/large:1")])?;
    let registry = Counted::start(&storage, 1_000_000)?;
    let (host, reference) = (Nginx::page()?, registry.name("porthole/large:1"));
    let page = Page::open(&host.url())?;
    page.look(&reference)?;
    page.verified()?;
    page.keeps(1)?;
    let first = registry.sent(&digests)?;
    assert!(first > 30_000_000, "{first} bytes are not a large layer");
    visit(&page, &host, &reference)?;
    assert_eq!(registry.sent(&digests)?, first);
    page.browser().click("#expand-all")?;
    page.browser().click("[role=treeitem][data-path='data/small']")?;
    page.until("the file is shown", |page| {
        Ok(page.browser().text(".content")?.contains("fourteen bytes").then_some(()))
    })?;
    let cost = registry.sent(&digests)? - first;
    // At most the distance to the last checkpoint, and a span at both ends.
    assert!((14..=(4 << 20) + (256 << 10)).contains(&cost), "{cost} bytes of {first}");
    println!("{cost} bytes of {first} for a file of 14");
    Ok(())
}

#[test]
fn two_tabs_at_once_keep_one_index_of_each_layer() -> Result<()> {
    let registry = Counted::start(images::storage(), 1_000_000)?;
    let (host, reference) = (Nginx::page()?, registry.name(SEVEN_LAYERS));
    let page = Page::open(&host.url())?;
    let first = page.browser().tab()?;
    let second = page.browser().open_tab(&host.url())?;
    for tab in [&first, &second] {
        page.browser().switch_to(tab)?;
        page.until("the page starts", |page| page.browser().attribute("body", "data-page"))?;
        page.look(&reference)?;
    }
    for tab in [&first, &second] {
        page.browser().switch_to(tab)?;
        page.verified()?;
        images::debian().check("one of two tabs", &page.rows()?);
    }
    page.keeps(7)?;
    let digests: Vec<String> = layers(&page)?.into_iter().map(|(digest, _)| digest).collect();
    let sent = registry.sent(&digests)?;
    visit(&page, &host, &reference)?;
    assert_eq!(registry.sent(&digests)?, sent);
    images::debian().check("after two tabs", &page.rows()?);
    Ok(())
}

#[test]
fn a_tab_that_is_closed_while_it_writes_leaves_nothing_wrong() -> Result<()> {
    // A slow connection, so that the tab is closed while later layers are read.
    let registry = Counted::start(images::storage(), 8_000)?;
    let (host, reference) = (Nginx::page()?, registry.name(SEVEN_LAYERS));
    let page = Page::open(&host.url())?;
    let first = page.browser().tab()?;
    let second = page.browser().open_tab(&host.url())?;
    page.browser().switch_to(&second)?;
    page.look(&reference)?;
    page.until("an index is kept", |page| {
        Ok(page.kept()?.keys().any(|name| name.starts_with("sha256-") || name.starts_with("new-")).then_some(()))
    })?;
    page.browser().close_tab()?;
    page.browser().switch_to(&first)?;
    visit(&page, &host, &reference)?;
    images::debian().check("after a tab was closed", &page.rows()?);
    // The unfinished file of the closed tab stays for an hour, because another tab might be writing it.
    seven_whole_indexes(&page)?;

    // Damage that a closed tab cannot cause, but a broken disk can.
    page.browser().run_async(DAMAGE, json!([]))?;
    visit(&page, &host, &reference)?;
    images::debian().check("after damage", &page.rows()?);
    seven_whole_indexes(&page)
}

fn seven_whole_indexes(page: &Page) -> Result<()> {
    page.until("whole indexes are kept", |page| {
        let files = page.kept()?;
        Ok((files.keys().filter(|name| name.starts_with("sha256-")).count() == 7).then_some(()))
    })
}
