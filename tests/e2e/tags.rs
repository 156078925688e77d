//! The tags of a repository and the repositories of a registry in the page, compared with `porthole tags` and `porthole catalog`.

use crate::views::axe;
use porthole_tests::{
    Result,
    images::{DEBIAN, SAMPLE, layout, manifest_digest},
    page::Page,
    program::{fixtures, ours},
    servers::{Access, Nginx, Registry, Storage},
};
use serde_json::{Value, json};
use std::process::Command;

/// The names that a verb lists.
fn listed(verb: &str, of: &str) -> Result<Vec<String>> {
    let output = Command::new(ours("porthole")?).args([verb, "--json", of]).output()?;
    let name = |line: &str| -> Result<String> {
        let value: Value = serde_json::from_str(line)?;
        let name = value.as_object().and_then(|fields| fields.values().next()).and_then(Value::as_str);
        Ok(name.ok_or("a name")?.to_owned())
    };
    String::from_utf8(output.stdout)?.lines().map(name).collect()
}

fn shown(page: &Page) -> Result<Vec<String>> {
    let names = page
        .browser()
        .run("return [...document.querySelectorAll('[data-name]')].map(row => row.dataset.name)", json!([]))?;
    Ok(names.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn done(page: &Page) -> Result<()> {
    page.until("the whole list", |page| page.browser().attribute("#matches[data-state=done]", "id"))?;
    Ok(())
}

#[test]
fn tags_and_repositories_are_those_that_the_command_line_lists() -> Result<()> {
    const REPOSITORY: &str = "porthole/tags";
    let (fixtures, storage) = (fixtures(), Storage::new()?);
    let (debian, sample) = (layout(&fixtures, DEBIAN), layout(&fixtures, SAMPLE));
    let tags = ["1.9", "1.10", "1.10-slim", "latest", "v2.0.1"].map(|tag| format!("{REPOSITORY}:{tag}"));
    let images: Vec<_> = tags.iter().map(|tag| (debian.as_path(), "latest", tag.as_str())).collect();
    storage.push(&images)?;
    storage.push(&[(&sample, "latest", "porthole/other:1")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(&storage, &Access::OpenToPages)?);
    let repository = format!("{}/{REPOSITORY}", registry.host());
    let page = Page::open(&host.url())?;
    page.look(&format!("{repository}:latest"))?;
    page.verified()?;
    page.browser().click("#tab-tags")?;
    done(&page)?;
    let expected = listed("tags", &repository)?;
    assert_eq!((shown(&page)?, expected.len()), (expected, tags.len()));
    assert_eq!(page.browser().text("#command")?, format!("porthole tags {repository}"));
    axe(&page, "tags")?;

    page.browser().click("[data-name=latest] button")?;
    let digest = page
        .until("what the tag stands for", |page| page.browser().attribute("[data-name=latest] code", "data-digest"))?;
    assert_eq!(digest, manifest_digest(&fixtures, DEBIAN, "latest")?);
    page.browser().run(
        "const order = document.querySelector('#order'); order.value = 'version'; order.dispatchEvent(new Event('change', { bubbles: true }))",
        json!([]),
    )?;
    let newest = ["v2.0.1", "1.10", "1.10-slim", "1.9", "latest"].map(str::to_owned).to_vec();
    page.until("the newest first", |page| Ok(Some(shown(page)?).filter(|names| *names == newest)))?;
    page.browser().write("#names", "1.1")?;
    let some = ["1.10", "1.10-slim"].map(str::to_owned).to_vec();
    page.until("those with that name", |page| Ok(Some(shown(page)?).filter(|names| *names == some)))?;

    // The page writes the URL shortly after the last change of the filter.
    page.until("the filter in the address", |page| Ok(page.browser().url()?.contains("names=1.1").then_some(())))?;
    let again = Page::on_screen(&page.browser().url()?, 320, 568, "")?;
    again.until("the same names", |page| Ok(Some(shown(page)?).filter(|names| *names == some)))?;
    axe(&again, "tags on a small screen")?;
    again.browser().click("[data-name='1.10-slim'] a")?;
    again.until("the image of the tag", |page| Ok(page.browser().text("h1")?.ends_with(":1.10-slim").then_some(())))?;

    page.browser().click("[data-names=repositories]")?;
    page.until("the repositories", |page| {
        Ok(Some(shown(page)?).filter(|names| names.contains(&REPOSITORY.to_owned())))
    })?;
    done(&page)?;
    assert_eq!(shown(&page)?, listed("catalog", &registry.host())?);
    axe(&page, "repositories")?;
    let console = page.browser().console()?;
    assert!(!console.contains("Content Security Policy"), "{console}");
    Ok(())
}
