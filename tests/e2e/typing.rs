//! Typing into the page while an image arrives.

use crate::images::{self, SEVEN_LAYERS};
use porthole_tests::{
    Result,
    page::Page,
    servers::{Access, Nginx, Registry},
};

/// Each time the page is drawn, it could reset a field to its earlier text.
#[test]
fn what_is_typed_stays_while_layers_arrive() -> Result<()> {
    let host = Nginx::page()?;
    let registry = Registry::start(images::storage(), &Access::OpenToPages)?;
    let line = Nginx::metered(registry.port(), 1_000)?;
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", line.host()))?;
    let arrived = || page.browser().attribute(".layers progress[value]:not(.share)", "value");
    page.until("a layer that arrives", |_| arrived())?;
    for (open, field) in [("#settings-open", "#relay-url"), ("#tab-search", "#find"), ("#tab-compare", "#with")] {
        page.browser().click(open)?;
        let typed = "https://relay.example";
        page.browser().write(field, typed)?;
        let before = arrived()?.ok_or("the image arrived before anything was typed")?;
        page.until("more of the layer", |_| Ok(arrived()?.filter(|now| *now != before)))?;
        let script = "return document.querySelector(arguments[0]).value";
        assert_eq!(page.browser().run(script, serde_json::json!([field]))?, typed, "{field}");
        if open == "#settings-open" {
            page.browser().press("\u{e00c}")?;
        }
    }
    Ok(())
}
