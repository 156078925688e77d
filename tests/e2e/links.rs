//! A link that pins the digest reproduces the sender's view.

use crate::images::{self, SEVEN_LAYERS};
use porthole_tests::{
    Result,
    page::Page,
    servers::{Access, Nginx, Registry},
};

#[test]
fn a_pinned_link_opens_the_same_view_in_another_profile() -> Result<()> {
    let (host, registry) = (Nginx::page()?, Registry::start(images::storage(), &Access::OpenToPages)?);
    let page = Page::open(&host.url())?;
    page.look(&format!("{}/{SEVEN_LAYERS}", registry.host()))?;
    page.verified()?;
    page.browser().click("[data-layer='3'][data-state]")?;
    page.browser().click("[data-view=only]")?;
    page.until("only one layer is shown", |page| page.pressed("only"))?;
    let rows = page.rows()?;
    assert!(rows.iter().any(|row| row.path.contains("opt/harbour")), "the layer of the application");
    assert!(rows.len() < images::debian().len());
    let link = page.link()?;
    assert!(link.contains("sha256%3A") || link.contains("sha256:"), "the digest is pinned: {link}");
    drop(page);

    let other = Page::open(&link)?;
    other.verified()?;
    other.until("the same view", |page| page.pressed("only"))?;
    assert_eq!(other.rows()?, rows);
    assert_eq!(other.link()?, link);
    Ok(())
}
