//! The base image of an image in the page, as `porthole inspect --base` proves it.

use crate::{
    compare::changed,
    images::{self, SEVEN_LAYERS},
    views::axe,
};
use porthole_tests::{
    Result,
    page::Page,
    program::{ours, run},
    servers::{Access, Nginx, Registry, Scratch, Storage},
};
use serde_json::{Value, json};
use std::path::Path;

/// Number of layers below the line that marks the base image.
fn below(page: &Page) -> Result<Value> {
    page.browser().run(
        "const line = document.querySelector('.layers .boundary');
         const rows = [...document.querySelectorAll('.layers li')];
         return line ? rows.indexOf(line) : null",
        json!([]),
    )
}

#[test]
fn a_base_is_proved_on_request_and_where_it_was_opened_before() -> Result<()> {
    let scratch = Scratch::new("based")?;
    let other = changed(&scratch)?;
    let storage = Storage::new()?;
    storage.push(&[(Path::new(&other), "latest", "porthole/changed:1")])?;
    let (host, registry) = (Nginx::page()?, Registry::start(images::storage(), &Access::OpenToPages)?);
    let second = Registry::start(&storage, &Access::OpenToPages)?;
    let base = format!("{}/{SEVEN_LAYERS}", registry.host());
    let image = format!("{}/porthole/changed:1", second.host());
    let program = ours("porthole")?.display().to_string();
    let told: Value = serde_json::from_str(&run(&program, ["inspect", "--json", "--base", &base, &image])?)?;
    let compared = &told["base"]["compared"];
    assert_eq!(compared["proved"], json!(true), "{compared}");

    let page = Page::on_screen(&host.url(), 1480, 900, "")?;
    page.look(&image)?;
    page.verified()?;
    assert_eq!(below(&page)?, Value::Null, "nothing is guessed");
    page.until("the overview is complete", |page| {
        Ok(page.browser().attribute(".overview", "data-settled")?.filter(|settled| settled == "true"))
    })?;
    page.browser().write("#base", &format!("{base}\u{e007}"))?;
    let shared = page.until("the proof", |page| page.browser().attribute("[data-base=proved]", "data-shared"))?;
    assert_eq!(shared, compared["shared"].to_string());
    let line = |page: &Page| {
        page.until("the line below which the base is", |page| {
            Ok(Some(below(page)?).filter(|layers| *layers == compared["layers"]))
        })
    };
    line(&page)?;
    axe(&page, "a base")?;
    page.browser().click("#tab-config")?;
    page.until("the line in the history", |page| page.browser().attribute(".history .boundary", "data-base"))?;
    axe(&page, "a base in the history")?;

    // A tab that has seen the base image finds it by itself.
    let page = Page::open(&host.url())?;
    page.look(&base)?;
    page.verified()?;
    page.look(&image)?;
    page.verified()?;
    line(&page)?;
    Ok(())
}
