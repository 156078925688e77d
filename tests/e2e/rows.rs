//! The order of rows, filtered lists, and the search for a row by its name, compared with the tree that umoci unpacked.

use crate::{
    images::{self, SEVEN_LAYERS},
    views::axe,
};
use porthole_tests::{
    Result,
    images::{DEBIAN, truth},
    page::Page,
    program::fixtures,
    servers::{Access, Nginx, Registry},
    truth::{Row, escape},
};
use serde_json::{Value, json};
use std::{
    cmp::Reverse,
    collections::BTreeMap,
    fs::{self, Metadata},
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
};

fn open(host: &Nginx, registry: &Registry) -> Result<Page> {
    let page = Page::on_screen(&host.url(), 1480, 900, "")?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.verified()?;
    Ok(page)
}

/// One attribute of each drawn row, in order.
fn drawn(page: &Page, attribute: &str) -> Result<Vec<String>> {
    let script = "return [...document.querySelectorAll('#tree [data-path]')].map(row => row.dataset[arguments[0]])";
    let values = page.browser().run(script, json!([attribute]))?;
    Ok(values.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
}

#[test]
fn rows_are_sorted_by_what_a_column_shows() -> Result<()> {
    let (host, registry) = (Nginx::page()?, Registry::start(images::storage(), &Access::OpenToPages)?);
    let page = open(&host, &registry)?;
    let root = truth(&fixtures(), DEBIAN, "latest");
    let mut times = Vec::new();
    for entry in fs::read_dir(&root)? {
        let entry = entry?;
        times.push((Reverse(entry.metadata()?.mtime()), entry.file_name().to_string_lossy().into_owned()));
    }
    times.sort();
    let expected: Vec<String> = times.into_iter().map(|(_, name)| name).collect();
    page.browser().click("[aria-label='Sort by modified']")?;
    page.until("rows by time", |page| Ok((drawn(page, "path")? == expected).then_some(())))?;
    axe(&page, "rows by time")?;

    page.browser().click("[aria-label='Sort by layer']")?;
    page.until("rows by layer", |page| {
        let layers =
            drawn(page, "layer")?.iter().map(|layer| layer.parse()).collect::<std::result::Result<Vec<u32>, _>>()?;
        let rows: Vec<_> = layers.into_iter().map(Reverse).zip(drawn(page, "path")?).collect();
        Ok((rows.len() == expected.len() && rows.is_sorted()).then_some(()))
    })?;
    // After the last column, the key sorts by the first one again.
    page.browser().press("s")?;
    page.until("rows by name", |page| {
        let names = drawn(page, "path")?;
        Ok((names.len() == expected.len() && names.is_sorted()).then_some(()))
    })?;
    Ok(())
}

/// The regular files below a folder, by their escaped paths.
fn files(root: &Path, folder: &Path, found: &mut BTreeMap<String, Metadata>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            files(root, &path, found)?;
        } else if metadata.is_file() {
            found.insert(escape(path.strip_prefix(root)?.as_os_str().as_bytes()), metadata);
        }
    }
    Ok(())
}

#[test]
fn the_biggest_and_the_newest_files_are_lists() -> Result<()> {
    let (host, registry) = (Nginx::page()?, Registry::start(images::storage(), &Access::OpenToPages)?);
    let page = open(&host, &registry)?;
    let mut found = BTreeMap::new();
    let root = truth(&fixtures(), DEBIAN, "latest");
    files(&root, &root, &mut found)?;
    let top = |figure: fn(&Metadata) -> i64| {
        // A hard link is not a separate file.
        let inodes: BTreeMap<u64, &Metadata> = found.values().map(|file| (file.ino(), file)).collect();
        let mut figures: Vec<i64> = inodes.into_values().map(figure).collect();
        figures.sort_by_key(|figure| Reverse(*figure));
        figures.truncate(100);
        figures
    };
    let size = |file: &Metadata| file.size() as i64;
    let total = |page: &Page| page.browser().attribute("#tree", "data-total");
    let all = total(&page)?;
    for (list, figure) in [("is:biggest", size as fn(&Metadata) -> i64), ("is:newest", Metadata::mtime)] {
        let expected = top(figure);
        let choose = "const list = document.querySelector('#special'); list.value = arguments[0]; list.dispatchEvent(new Event('change', { bubbles: true }))";
        page.browser().run(choose, json!([list]))?;
        page.until(list, |page| {
            let matches = page.browser().attribute("#found", "data-matches")?;
            let chosen = page.browser().run("return document.querySelector('#filter').value", json!([]))? == list;
            Ok((chosen && matches.as_deref() == Some("100")).then_some(()))
        })?;
        let rows = page.rows()?;
        let of = |row: &Row| Ok(figure(found.get(&row.path).ok_or_else(|| format!("no {}", row.path))?));
        let mut figures = rows.iter().filter(|row| row.kind == "file").map(of).collect::<Result<Vec<i64>>>()?;
        figures.sort_by_key(|figure| Reverse(*figure));
        assert_eq!(figures, expected, "{list}");
        // The next list has the same number of files. Show all files first, so that its rows are not confused with these.
        page.browser().run(choose, json!([""]))?;
        page.until("all files", |page| Ok((total(page)? == all).then_some(())))?;
    }
    Ok(())
}

#[test]
fn letters_lead_to_a_name() -> Result<()> {
    let (host, registry) = (Nginx::page()?, Registry::start(images::storage(), &Access::OpenToPages)?);
    let page = open(&host, &registry)?;
    let at = |path: &str| {
        let selector = format!("#tree [data-path='{path}'][aria-selected=true]:focus");
        page.until(path, |page| page.browser().attribute(&selector, "data-path"))
    };
    page.browser().press("t")?;
    for key in ["'", "u", "s", "r"] {
        page.browser().press(key)?;
    }
    at("usr")?;
    page.until("what was typed", |page| Ok((page.browser().text(".ahead")? == "Go to usr…").then_some(())))?;
    axe(&page, "a name being typed")?;
    // Keys that are otherwise shortcuts are letters of the name, until another key ends the input.
    page.browser().press("v")?;
    page.until("no such name", |page| {
        Ok(page.browser().attribute(".ahead", "data-fits")?.filter(|fits| fits == "false"))
    })?;
    page.browser().press("\u{e00c}")?;
    page.until("the end of typing", |page| Ok((!page.shown(".ahead")?).then_some(())))?;
    at("usr")?;
    // A distant row of an open tree is found as well, and "back" leads to the row where the search began.
    page.browser().press("\u{e014}")?;
    page.until("usr is open", |page| page.browser().attribute("#tree [data-path='usr/share']", "data-path"))?;
    for key in ["'", "S", "H", "A"] {
        page.browser().press(key)?;
    }
    at("usr/share")?;
    // Browsers limit how often an address may change.
    page.until("the address names it", |page| Ok(page.browser().url()?.contains("path=usr/share").then_some(())))?;
    Ok(())
}
