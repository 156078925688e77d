//! The map of files, compared with the sizes that umoci unpacked.

use crate::{
    images::{self, SEVEN_LAYERS},
    views::axe,
};
use porthole_tests::{
    Result,
    images::{DEBIAN, layout, manifest_digest},
    page::Page,
    program::fixtures,
    servers::{Access, Nginx, Registry},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt as _, path::Path};

/// Total bytes of the regular files at and below a path. A file with several names counts once.
fn bytes(path: &Path, seen: &mut BTreeSet<u64>) -> Result<u64> {
    let meta = fs::symlink_metadata(path)?;
    if meta.is_file() {
        return Ok(if seen.insert(meta.ino()) { meta.len() } else { 0 });
    }
    let mut sum = 0;
    if meta.is_dir() {
        for entry in fs::read_dir(path)? {
            sum += bytes(&entry?.path(), seen)?;
        }
    }
    Ok(sum)
}

/// Size of each layer's blob in bytes.
fn blobs() -> Result<Vec<u64>> {
    let digest = manifest_digest(&fixtures(), DEBIAN, "latest")?;
    let blob = layout(&fixtures(), DEBIAN).join("blobs/sha256").join(digest.trim_start_matches("sha256:"));
    let manifest: Value = serde_json::from_slice(&fs::read(blob)?)?;
    Ok(manifest["layers"].as_array().into_iter().flatten().filter_map(|layer| layer["size"].as_u64()).collect())
}

/// Path, bytes and area of each tile.
fn tiles(page: &Page) -> Result<Vec<(String, u64, f64)>> {
    let tiles = page.browser().run(
        "return [...document.querySelectorAll('[data-tile]')].map(tile => {
             const { width, height } = tile.querySelector('rect').getBoundingClientRect();
             return [tile.dataset.tile, Number(tile.dataset.bytes), width * height];
         })",
        json!([]),
    )?;
    let tile = |tile: &Value| Some((tile[0].as_str()?.to_owned(), tile[1].as_u64()?, tile[2].as_f64()?));
    Ok(tiles.as_array().into_iter().flatten().filter_map(tile).collect())
}

#[test]
fn areas_are_the_sizes_of_what_umoci_unpacked() -> Result<()> {
    let (host, registry) = (Nginx::page()?, Registry::start(images::storage(), &Access::OpenToPages)?);
    let page = Page::on_screen(&host.url(), 1480, 900, "")?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.verified()?;
    page.browser().click("#show-map")?;
    let all = page.until("the map", |page| Ok(Some(tiles(page)?).filter(|tiles| tiles.len() > 100)))?;
    let root = fixtures().join(DEBIAN).join("latest/rootfs");
    let top: Vec<_> = all.iter().filter(|(path, ..)| !path.contains('/')).collect();
    let scale = top[0].2 / top[0].1 as f64;
    for (path, size, area) in &top {
        // A hard link has no bytes in the archive. All hard links of the image are within one directory.
        assert_eq!(*size, bytes(&root.join(path), &mut BTreeSet::new())?, "{path}");
        let expected = *size as f64 * scale;
        assert!((area - expected).abs() <= expected * 0.02 + 2.0, "{path}: {area} instead of {expected}");
    }
    let total = page.browser().attribute("#map-total", "data-bytes")?;
    assert_eq!(total, Some(bytes(&root, &mut BTreeSet::new())?.to_string()));
    axe(&page, "the map")?;

    // By download, the areas add up to less than the layers' blobs, because some of these have files that were deleted later.
    page.browser().click("[data-measure=download]")?;
    let all = page.until("the map by download", |page| {
        let smaller = page.browser().attribute("#map-total", "data-bytes")? != total;
        Ok(Some(tiles(page)?).filter(|tiles| smaller && tiles.len() > 100))
    })?;
    let sum: u64 = all.iter().filter(|(path, ..)| !path.contains('/')).map(|(_, bytes, _)| bytes).sum();
    let blobs: u64 = blobs()?.iter().sum();
    assert!(sum <= blobs && sum * 10 >= blobs * 8, "{sum} of {blobs}");
    assert!(page.browser().url()?.contains("area=download"), "{}", page.browser().url()?);
    axe(&page, "the map by download")?;
    page.browser().click("[data-measure=size]")?;
    page.until("the map by size", |page| {
        Ok((page.browser().attribute("#map-total", "data-bytes")? == total).then_some(()))
    })?;

    // Enter a directory with the mouse, then go further and back with the keyboard.
    let crumb = |page: &Page, wanted: &str| {
        let wanted = wanted.to_owned();
        page.until(&wanted.clone(), move |page| {
            Ok(Some(page.browser().text(".crumbs [aria-current]")?).filter(|crumb| *crumb == wanted))
        })
    };
    page.browser().run(
        "document.querySelector('[data-tile=usr]').dispatchEvent(new MouseEvent('click', { bubbles: true }))",
        json!([]),
    )?;
    crumb(&page, "usr")?;
    assert!(page.browser().url()?.contains("map=usr"), "{}", page.browser().url()?);
    let first = page.until("what is in it", |page| {
        Ok(tiles(page)?.into_iter().next().filter(|(path, ..)| path.starts_with("usr/")))
    })?;
    page.browser().run("document.querySelector('#tile-0').focus()", json!([]))?;
    // The next key applies to the tile that is drawn with the focus.
    let focused = |tile: &str| {
        let selector = format!("#{tile}:focus[tabindex='0']");
        page.until(&format!("{tile} has the focus"), |page| page.browser().attribute(&selector, "id"))
    };
    page.browser().press("\u{e014}")?;
    focused("tile-1")?;
    page.browser().press("\u{e012}")?;
    focused("tile-0")?;
    page.browser().press("\u{e007}")?;
    crumb(&page, first.0.rsplit('/').next().unwrap_or_default())?;
    page.browser().back()?;
    crumb(&page, "usr")?;

    // The URL opens the same map, also on a small screen.
    let small = Page::on_screen(&page.browser().url()?, 320, 568, "")?;
    small.until("the map", |page| Ok(tiles(page)?.into_iter().next().filter(|(path, ..)| path.starts_with("usr/"))))?;
    axe(&small, "the map on a small screen")?;
    let wide = small.browser().run("return document.documentElement.scrollWidth", json!([]))?;
    assert_eq!(wide, json!(320));

    // The facts of a file are shown beside the map. One key leads to the tree.
    let (file, ..) = page.until("a file on the map", |page| {
        let tiles = tiles(page)?;
        // The map of the previous directory may still be on the screen.
        let is_here = tiles.first().is_some_and(|(path, ..)| *path == first.0);
        let is_file = |path: &str| fs::symlink_metadata(root.join(path)).is_ok_and(|file| file.is_file());
        Ok(tiles.into_iter().find(|(path, ..)| is_here && is_file(path)))
    })?;
    page.browser().run(
        "document.querySelector(`[data-tile='${arguments[0]}']`).dispatchEvent(new MouseEvent('click', { bubbles: true }))",
        json!([file]),
    )?;
    page.until("its facts", |page| page.browser().attribute(".pane.right .selected", "aria-label"))?;
    page.browser().press("v")?;
    page.until("the tree", |page| page.browser().attribute("#tree", "role"))?;
    let console = page.browser().console()?;
    assert!(!console.contains("Content Security Policy"), "{console}");
    Ok(())
}
