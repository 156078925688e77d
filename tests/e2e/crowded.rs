//! An image with more entries than the tree can hold.

use porthole_testkit::image::{Compression, Image, Layer};
use porthole_tests::{
    Result,
    page::Page,
    servers::{Access, Nginx, Registry, Scratch, Storage},
};
use std::ops::Range;

const NAME: &str = "porthole/crowded:1";
/// Number of symbolic links in each path: the maximum that may be followed.
const LINKS: usize = 40;
const LOWER: Range<usize> = 0..150_000;
const UPPER: Range<usize> = 150_000..250_000;

/// Adds files below two directories that are reached through many links, so that each file costs many steps.
fn files(mut layer: Layer, names: Range<usize>) -> Layer {
    for name in names {
        let way = ["a", "b"][name % 2];
        layer = layer.file(format!("{way}0/{name:06}"), "");
    }
    layer
}

fn storage() -> Result<Storage> {
    let mut lower = Layer::new("COPY links /").compression(Compression::Gzip).dir("d");
    for way in ["a", "b"] {
        for number in 0..LINKS {
            let next = if number + 1 == LINKS { "d".to_owned() } else { format!("{way}{}", number + 1) };
            lower = lower.symlink(format!("{way}{number}"), next);
        }
    }
    let upper = Layer::new("COPY files /").compression(Compression::Gzip);
    let image = Image::new().layer(files(lower, LOWER)).layer(files(upper, UPPER)).build();
    let layout = Scratch::new("crowded")?;
    image.into_content("1").write_layout(layout.path())?;
    let storage = Storage::new()?;
    storage.push(&[(layout.path(), "1", NAME)])?;
    Ok(storage)
}

#[test]
fn a_layer_that_the_list_cannot_hold_is_listed_by_itself() -> Result<()> {
    let storage = storage()?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{NAME}", registry.host()))?;
    page.verified()?;
    page.until("what the list cannot hold", |page| {
        let told = page.browser().text("[data-layer='1'] .finding")?;
        Ok((told.contains("can hold no more") && told.contains("“Only 2”")).then_some(()))
    })?;

    page.browser().click("[data-layer='1'] button")?;
    page.browser().click("[data-view='only']")?;
    page.browser().click("#expand-all")?;
    // The directories come from the lower layer, so they are implied in this one.
    let all = (UPPER.len() + 2).to_string();
    page.until("the whole layer by itself", |page| {
        let complete = page.browser().attribute("#tree", "data-complete")?;
        let total = page.browser().attribute("#tree", "data-total")?;
        Ok((complete.as_deref() == Some("true") && total.as_ref() == Some(&all)).then_some(()))
    })
}
