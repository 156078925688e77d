//! Files that no package owns, modified files, and packages of two images in the page, compared with the output of `porthole
//! packages` and `porthole diff`.

use crate::{compare, contents, views::axe};
use porthole_tests::{
    Result,
    images::{DEBIAN, layout},
    page::Page,
    program::fixtures,
    servers::{Access, Nginx, Registry, Scratch, Storage},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};

fn texts(values: &[Value], key: &str) -> BTreeSet<String> {
    values.iter().filter_map(|value| value[key].as_str()).map(str::to_owned).collect()
}

/// Waits until the filter has found this many files.
fn found(page: &Page, list: &str, count: usize) -> Result<()> {
    let shown = |page: &Page| page.browser().attribute("#found", "data-matches");
    page.until(list, |page| Ok((shown(page)?.as_deref() == Some(&count.to_string())).then_some(())))
}

#[test]
fn files_and_their_packages_are_as_the_command_line_lists_them() -> Result<()> {
    let scratch = Scratch::new("owners")?;
    let image = compare::changed(&scratch)?;
    let storage = Storage::new()?;
    storage.push(&[(Path::new(&image), "latest", "porthole/owners:1")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let unowned = contents::printed(&image, &["packages", "--unowned"])?;
    let modified = contents::printed(&image, &["packages", "--modified"])?;
    assert!(texts(&unowned, "path").contains("opt/new.txt"), "the layer adds a file");
    assert_eq!(texts(&modified, "path"), BTreeSet::from(["etc/login.defs".to_owned()]), "the layer changes a file");

    let page = Page::open(&host.url())?;
    page.look(&format!("{}/porthole/owners:1", registry.host()))?;
    page.verified()?;
    page.browser().click("#special option[value='is:unowned']")?;
    page.until("the list is not known yet", |page| {
        Ok(page.browser().text("#found").unwrap_or_default().contains("list the packages first").then_some(()))
    })?;
    page.browser().click("#tab-packages")?;
    page.browser().click("#start-probe")?;
    let count = page.until("files of no package", |page| page.browser().attribute("#list-unowned", "data-count"))?;
    assert_eq!(count, unowned.len().to_string(), "what porthole packages --unowned prints");
    axe(&page, "packages and files of none")?;
    page.browser().click("#list-unowned")?;
    found(&page, "the files of no package", unowned.len())?;

    page.browser().click("#tab-packages")?;
    page.browser().click("#compare-recorded")?;
    let count = page.until("modified files", |page| page.browser().attribute("#list-modified", "data-count"))?;
    assert_eq!(count, "1", "what porthole packages --modified prints");
    axe(&page, "modified files")?;
    page.browser().click("#list-modified")?;
    found(&page, "the modified files", 1)?;
    page.until("the file", |page| page.browser().attribute("[data-path='etc/login.defs']", "data-path"))?;
    Ok(())
}

#[test]
fn packages_of_two_images_are_compared_as_diff_does() -> Result<()> {
    let scratch = Scratch::new("package-changes")?;
    let other = contents::without_less(&scratch)?;
    let storage = Storage::new()?;
    let before = layout(&fixtures(), DEBIAN);
    storage.push(&[(&before, "latest", "porthole/before:1"), (Path::new(&other), "latest", "porthole/after:1")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let expected = compare::diff(&["--packages"], &before, &other)?.remove("package").unwrap_or_default();
    assert_eq!(expected.len(), 1, "{expected:?}");

    let page = Page::open(&host.url())?;
    page.look(&format!("{}/porthole/before:1", registry.host()))?;
    page.verified()?;
    page.browser().click("#tab-compare")?;
    page.browser().write("#with", &format!("{}/porthole/after:1", registry.host()))?;
    page.browser().click(".compare .with .primary")?;
    page.until("the button", |page| page.browser().attribute("#compare-packages", "id"))?;
    axe(&page, "before packages are compared")?;
    page.browser().click("#compare-packages")?;
    page.until("the change", |page| page.browser().attribute("[data-package-change]", "data-package-change"))?;
    let rows = page.browser().run(
        "return [...document.querySelectorAll('[data-package-change]')].map(row => [row.dataset.packageChange, row.dataset.package])",
        json!([]),
    )?;
    assert_eq!(rows, json!([["removed", "less"]]), "{expected:?}");
    axe(&page, "packages compared")
}
